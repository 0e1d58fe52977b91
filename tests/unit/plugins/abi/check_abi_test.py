#!/usr/bin/env python3
"""check_abi.py must tell an append from a break: each test changes a copy of the header in one way."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK_ABI, INCLUDE_DIR, CLANG, WITHOUT_ABIGAIL = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
GOLDEN_DIR = pathlib.Path(CHECK_ABI).parent
HEADER = "toolhost/plugin.h"


class CheckAbi(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.include = pathlib.Path(self.directory.name)
        self.golden = self.include / "layout-1.1.golden"
        (self.include / "toolhost").mkdir()
        self.text = (INCLUDE_DIR / HEADER).read_text()
        self.write(self.text)
        for pattern in ("layout-*.golden", "abi-*.abi"):
            for golden in GOLDEN_DIR.glob(pattern):
                (self.include / golden.name).write_text(golden.read_text())
        self.baseline = self.include / "abi-1.1.abi"
        self.assertEqual(self.layout(), (0, ""))

    def write(self, text):
        (self.include / HEADER).write_text(text)

    def change(self, old, new):
        self.assertEqual(self.text.count(old), 1, old)
        self.write(self.text.replace(old, new))

    def check(self, *arguments):
        done = subprocess.run([sys.executable, CHECK_ABI, *arguments, "--clang", CLANG], capture_output=True, text=True)
        return done.returncode, done.stdout

    def layout(self, *options):
        return self.check("layout", str(self.include), str(self.include), *WITHOUT_ABIGAIL, *options)

    def assert_break(self, wanted):
        before = self.golden.read_text(), self.baseline.read_text()
        code, found = self.layout("--write")
        self.assertEqual(code, 1)
        self.assertIn(wanted, found)
        self.assertEqual((self.golden.read_text(), self.baseline.read_text()), before)

    def assert_seen_by_abidiff(self, *wanted):
        """Whatever the layout says: lines of abidiff, for a closed minor and for the newest."""
        if WITHOUT_ABIGAIL:
            self.skipTest("abigail-tools is not installed")
        found = self.layout("--write")[1].splitlines()
        for minor in (0, 1):
            lines = "\n".join(line for line in found if line.startswith(f"abidiff, minor {minor}, "))
            for text in wanted:
                self.assertIn(text, lines)

    def test_unchanged_header_passes(self):
        self.assertEqual(self.layout(), (0, ""))

    def test_appended_function_passes_once_written(self):
        self.change("TH_ON(any);\n#endif\n} th_call_api;",
                    "TH_ON(any);\n  th_status (*later)(th_call*) TH_ON(worker);\n#endif\n} th_call_api;")
        code, found = self.layout()
        self.assertEqual(code, 1)
        self.assertIn("--write", found)
        self.assertEqual(self.layout("--write"), (0, ""))
        self.assertEqual(self.layout(), (0, ""))

    def test_append_to_a_closed_minor_is_a_break(self):
        self.change("TH_ON(any);\n#endif\n} th_call_api;",
                    "TH_ON(any);\n#endif\n  th_status (*later)(th_call*) TH_ON(worker);\n} th_call_api;")
        self.assert_break("minor 0 is closed")

    def test_constant_in_a_closed_minor_is_a_break(self):
        self.change("#define TH_OK 0\n", "#define TH_OK 0\n#define TH_MAYBE 2\n")
        self.assert_break("minor 0 is closed")

    def test_field_in_the_middle_is_a_break(self):
        self.change("const char* product;", "const char* brand;\n  const char* product;")
        self.assert_break("th_host_api.product")

    def test_changed_parameter_is_a_break(self):
        self.change("int32_t (*cancelled)(th_call* call)", "int32_t (*cancelled)(th_host* call)")
        self.assert_break("th_call_api.cancelled")

    def test_abidiff_sees_a_field_in_the_middle(self):
        self.change("const char* product;", "const char* brand;\n  const char* product;")
        self.assert_seen_by_abidiff("'const char* brand', at offset 64", "'const char* product' offset changed")

    def test_abidiff_sees_a_changed_parameter(self):
        self.change("int32_t (*cancelled)(th_call* call)", "int32_t (*cancelled)(th_host* call)")
        self.assert_seen_by_abidiff("parameter 1 of type 'th_call*' changed", "* cancelled' changed")

    def test_abidiff_sees_a_changed_result_of_the_entry(self):
        self.change("typedef int32_t th_status;", "typedef uint32_t th_status;")
        self.assert_seen_by_abidiff("typedef name changed from int32_t to uint32_t")

    def test_appended_function_is_in_the_baseline_once_written(self):
        self.change("TH_ON(any);\n#endif\n} th_call_api;",
                    "TH_ON(any);\n  th_status (*later)(th_call*) TH_ON(worker);\n#endif\n} th_call_api;")
        before = self.baseline.read_text()
        self.assertEqual(self.layout("--write"), (0, ""))
        if not WITHOUT_ABIGAIL:
            self.assertNotEqual(self.baseline.read_text(), before)
            self.baseline.write_text(before)
            self.assertIn("(th_call*)* later'", self.layout()[1])
            self.assertEqual(self.layout("--write"), (0, ""))

    def test_closed_minor_has_a_baseline_or_is_refused(self):
        if WITHOUT_ABIGAIL:
            self.skipTest("abigail-tools is not installed")
        (self.include / "abi-1.0.abi").unlink()
        self.assertIn("abi-1.0.abi is missing", self.layout("--write")[1])

    def test_removed_field_is_a_break(self):
        self.change("  const char* const* reads;\n", "")
        self.assert_break("th_plugin_def.reads is gone")

    def test_grown_frozen_struct_is_a_break(self):
        self.change("uint8_t b[16]; /* network byte order */", "uint8_t b[16];\n  uint64_t more;")
        self.assert_break("th_uuid is frozen and changed")

    def test_changed_constant_is_a_break(self):
        self.change("#define TH_E_RETRY (-8)", "#define TH_E_RETRY (-18)")
        self.assert_break("TH_E_RETRY changed")

    def test_function_without_threads_is_found(self):
        self.assertEqual(self.check("threads", str(self.include)), (0, ""))
        self.change("th_status (*savepoint)(th_call* call, int32_t operation) TH_ON(worker);",
                    "th_status (*savepoint)(th_call* call, int32_t operation);")
        code, found = self.check("threads", str(self.include))
        self.assertEqual(code, 1)
        self.assertEqual(found, "th_db_api.savepoint does not say TH_ON(any), TH_ON(worker) or TH_ON(load)\n")

    def test_unknown_thread_is_found(self):
        self.change("void (*destroy)(void* instance) TH_ON(load);", "void (*destroy)(void* instance) TH_ON(main);")
        self.assertIn("th_plugin_def.destroy", self.check("threads", str(self.include))[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
