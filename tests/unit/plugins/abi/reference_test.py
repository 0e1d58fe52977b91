#!/usr/bin/env python3
"""reference_test.py WRITE_REFERENCE HEADER REFERENCE GOLDEN_DIRECTORY: the page is the header's and names every function,
and the check that says so finds what it is for."""
import pathlib
import re
import subprocess
import sys
import tempfile

script, header, reference, golden = map(pathlib.Path, sys.argv[1:5])


def check(*arguments):
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout


code, said = check(header, reference, "--check")
if code:
    sys.exit(said)

newest = max(golden.glob("layout-1.*.golden"), key=lambda file: int(file.stem.split(".")[1]))
functions = [line.split()[0] for line in newest.read_text().splitlines() if "(*)(" in line]
page = reference.read_text()
missing = [name for name in [*functions, "toolhost_plugin_v1"] if not re.search(rf"^#+ {name}$", page, re.MULTILINE)]
if len(functions) < 40 or missing:
    sys.exit(f"{reference} does not describe: {missing}")

text = header.read_text()
with tempfile.TemporaryDirectory() as directory:
    changed, page = pathlib.Path(directory, "plugin.h"), pathlib.Path(directory, "page.md")

    def finds(old, new, finding):
        assert text.count(old) == 1, old
        changed.write_text(text.replace(old, new))
        code, said = check(changed, page)
        if code != 1 or finding not in said:
            sys.exit(f"without {old!r} it said {said!r}, not {finding!r}")

    finds("  /* Ends the instance. NULL: there is nothing to end. */\n", "", "th_plugin_def.destroy has no comment")
    finds("int32_t (*log_enabled)(th_host* host, int32_t level) TH_ON(any);",
          "int32_t (*log_enabled)(th_host* host, int32_t level);", "th_host_api.log_enabled does not say TH_ON")
    changed.write_text(text.replace("Wall clock: microseconds", "Clock on the wall: microseconds", 1))
    code, said = check(changed, reference, "--check")
    if code != 1 or "is not what the header says" not in said:
        sys.exit(f"a page that is not the header's passed: {said!r}")
