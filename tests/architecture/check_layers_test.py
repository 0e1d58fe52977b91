#!/usr/bin/env python3
"""Plants one violation of each kind in a small tree and expects check_layers.py to name it, and nothing else."""

import tempfile
import tomllib
import unittest
from pathlib import Path

from check_layers import Checker

RULES = tomllib.loads(Path(__file__).with_name("layers.toml").read_text(encoding="utf-8"))

CLEAN = {
    "host/main.cpp": '#include "app/host_app.hpp"\n',
    "host/base/json.hpp": "#pragma once\n#include <simdjson.h>\n#include <string>\n",
    "host/base/CMakeLists.txt": "toolhost_module(base SOURCES json.cpp)\n",
    "host/storage/pool.hpp": '#pragma once\n#include <pqxx/pqxx>\n#include "base/json.hpp"\n#include "storage/other.hpp"\n',
    "host/storage/CMakeLists.txt": "toolhost_module(storage SOURCES pool.cpp DEPENDS toolhost_base LIBRARIES pqxx)\n",
    "host/protocol/jsonrpc.cpp": '#include "protocol/jsonrpc.hpp"\n#include "base/json.hpp"\n// steady_clock is not used here\n',
    "host/protocol/dispatcher.cpp": "#include <boost/asio/post.hpp>\n#include <chrono>\nauto t = std::chrono::steady_clock::now();\n",
    "plugins/tickets/rules.cpp": '#include "rules.hpp"\n#include <toolhost/plugin.hpp>\n#include <vector>\n',
    "README.md": "",
}


class CheckLayersTest(unittest.TestCase):
    def check(self, planted: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**CLEAN, **planted}.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return Checker(Path(folder).resolve(), RULES).run()

    def expect(self, name: str, text: str, *expected: str) -> None:
        violations = self.check({name: text})
        self.assertEqual(len(violations), 1, violations)
        for part in (name, *expected):
            self.assertIn(part, violations[0])

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.check({}), [])

    def test_floors(self):
        self.expect("host/base/x.cpp", '#include "storage/pool.hpp"\n', ":1: [floor]", "above it")
        self.expect("host/transport/x.cpp", '\n#include "storage/pool.hpp"\n', ":2: [floor]", "a neighbour")
        self.expect("host/access/x.cpp", '#include "plugin_runtime/x.hpp"\n', "[floor]", "a neighbour")
        self.expect("host/access/x.cpp", '#include "../base/json.hpp"\n', "[floor]", "module/file.hpp")
        self.expect("host/access/x.cpp", '#include "json.hpp"\n', "[floor]", "module/file.hpp")
        self.expect("host/main.cpp", '#include "storage/pool.hpp"\n', "[floor]", "main.cpp")
        self.expect("host/surprise/x.cpp", '#include "base/json.hpp"\n', "[floor]", "on no floor")

    def test_links(self):
        self.expect("host/base/CMakeLists.txt", "toolhost_module(base DEPENDS toolhost_storage)\n", "[floor]", "may not link storage")
        self.expect("host/transport/CMakeLists.txt", "toolhost_module(transport DEPENDS\n  toolhost_storage)\n", "[floor]")

    def test_homes_of_libraries(self):
        for module, library in [("access", "pqxx/pqxx"), ("access", "libpq-fe.h"), ("protocol", "simdjson.h"),
                                ("protocol", "boost/beast/core.hpp"), ("storage", "boost/asio.hpp"), ("access", "boost/dll.hpp"),
                                ("protocol", "toolhost/plugin.h"), ("base", "yaml-cpp/yaml.h"), ("access", "CLI/CLI.hpp"),
                                ("transport", "spdlog/spdlog.h"), ("protocol", "openssl/ssl.h"), ("access", "re2/re2.h"),
                                ("app", "cjose/cjose.h")]:
            self.expect(f"host/{module}/x.cpp", f"#  include <{library}>\n", "[home]", library)

    def test_the_pure_core(self):
        name = "host/protocol/mcp_messages.cpp"
        for include in ["<thread>", "<boost/asio/post.hpp>", "<sys/socket.h>", '"transport/http.hpp"', '"protocol/dispatcher.hpp"']:
            self.expect(name, f"#include {include}\n", "[pure]")
        self.expect(name, "auto now = std::chrono::system_clock::now();\n", "[pure]", "no clock")
        self.assertEqual(self.check({name: '#include <chrono>\n#include "protocol/jsonrpc.hpp"\n'}), [])

    def test_plugins(self):
        name = "plugins/tickets/x.cpp"
        for include in ['"base/json.hpp"', '"../../host/base/json.hpp"', "<simdjson.h>", "<unistd.h>", "<boost/json.hpp>"]:
            self.expect(name, f"#include {include}\n", "[plugin]")

    def test_headers(self):
        self.expect("host/base/x.hpp", "int x();\n", "[pragma-once]")
        self.expect("host/base/x.hpp", "#pragma once\nusing namespace std;\n", ":2: [using-namespace]")
        self.expect("tests/support/x.hpp", "#pragma once\nusing  namespace std;\n", "[using-namespace]")
        self.assertEqual(self.check({"host/base/x.hpp": "#pragma once\ninline void f() {\n  using namespace std;\n}\n"}), [])

    def test_length(self):
        self.expect("host/base/x.cpp", "\n" * 901, "[length]")
        self.assertEqual(self.check({"host/base/x.cpp": "\n" * 900}), [])

    def test_installed_packages_are_left_alone(self):
        self.assertEqual(self.check({"tests/e2e/node_modules/x/x.h": "\n" * 901}), [])

    def test_top_level(self):
        self.expect("notes.txt", "", "[top-level]")


if __name__ == "__main__":
    unittest.main()
