#!/usr/bin/env python3
"""Holds the source tree to layers.toml.

Usage: check_layers.py [ROOT]; one line for each violation, exit code 1 if there are any.
"""

import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
# At namespace scope, which is not indented; inside a function it leaks nothing.
USING_NAMESPACE = re.compile(r"^using\s+namespace\b")
DEPENDS = re.compile(r"\bDEPENDS\b([^)]*)")
SOURCES = {".c", ".cpp", ".h", ".hpp"}


class Checker:
    def __init__(self, root: Path, rules: dict):
        self.root = root
        self.rules = rules
        self.violations: list[str] = []
        self.floor = {module: floor for floor, modules in enumerate(rules["floors"]) for module in modules}

    def run(self) -> list[str]:
        self.check_top_level()
        for folder in self.rules["files"]["folders"]:
            for path in self.sources(self.root / folder):
                self.check_file(path)
        for path in sorted((self.root / "host").glob("*/CMakeLists.txt")):
            self.check_links(path)
        return self.violations

    def sources(self, folder: Path) -> Iterator[Path]:
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(set(folders) - set(self.rules["files"]["not_ours"]))
            yield from (Path(place) / name for name in sorted(names) if Path(name).suffix in SOURCES)

    def report(self, path: Path, line: int, rule: str, message: str) -> None:
        self.violations.append(f"{path.relative_to(self.root)}:{line}: [{rule}] {message}")

    def check_top_level(self) -> None:
        for path in sorted(self.root.iterdir()):
            if path.name not in self.rules["top_level"]["allowed"]:
                self.report(path, 1, "top-level", "is not among the entries that layers.toml allows")

    def check_file(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        relative = path.relative_to(self.root)
        if len(lines) > self.rules["files"]["max_lines"] and str(relative) not in self.rules["files"]["longer"]:
            self.report(path, len(lines), "length", f"has more than {self.rules['files']['max_lines']} lines; split it")
        if path.suffix == ".hpp":
            self.check_header(path, lines)
        for number, line in enumerate(lines, 1):
            if match := INCLUDE.match(line):
                self.check_include(path, relative, number, ours=match[1], library=match[2])
        if self.is_pure(relative):
            self.check_words(path, lines)

    def check_header(self, path: Path, lines: list[str]) -> None:
        if "#pragma once" not in lines:
            self.report(path, 1, "pragma-once", "a header starts with #pragma once")
        for number, line in enumerate(lines, 1):
            if USING_NAMESPACE.match(line):
                self.report(path, number, "using-namespace", "a header imposes no namespace on who includes it")

    def is_pure(self, relative: Path) -> bool:
        pure = self.rules["pure"]
        return str(relative.parent) == pure["folder"] and relative.stem in pure["files"]

    def check_words(self, path: Path, lines: list[str]) -> None:
        for number, line in enumerate(lines, 1):
            for word in self.rules["pure"]["forbidden_words"]:
                if re.search(rf"\b{word}\b", line.split("//")[0]):
                    self.report(path, number, "pure", f"the pure core has no clock ({word})")

    def check_include(self, path: Path, relative: Path, line: int, ours: str | None, library: str | None) -> None:
        if relative.parts[0] == "host":
            self.check_module_include(path, relative, line, ours, library)
        elif relative.parts[0] == self.rules["plugins"]["folder"]:
            self.check_plugin_include(path, line, ours, library)

    def check_module_include(
        self, path: Path, relative: Path, line: int, ours: str | None, library: str | None
    ) -> None:
        module = relative.parts[1] if len(relative.parts) > 2 else None  # None: host/main.cpp
        if module is not None and module not in self.floor:
            self.report(path, line, "floor", f"module {module} is on no floor of layers.toml")
            return
        if ours is not None:
            self.check_floor(path, line, module, ours)
        else:
            for prefix, homes in self.rules["homes"].items():
                if library.startswith(prefix) and module not in homes:
                    self.report(path, line, "home", f"<{library}> belongs to {', '.join(homes)} only")
        if self.is_pure(relative):
            self.check_pure_include(path, line, ours, library)

    def check_floor(self, path: Path, line: int, module: str | None, ours: str) -> None:
        target, slash, _ = ours.partition("/")
        if not slash or target not in self.floor:
            self.report(path, line, "floor", f'"{ours}" must be written "module/file.hpp"')
        elif module is None:
            if self.floor[target] != len(self.rules["floors"]) - 1:
                self.report(path, line, "floor", f"main.cpp may not include {target}")
        elif target != module and self.floor[target] >= self.floor[module]:
            where = "a neighbour" if self.floor[target] == self.floor[module] else "above it"
            self.report(path, line, "floor", f"{module} may not include {target}, which is {where}")

    def check_pure_include(self, path: Path, line: int, ours: str | None, library: str | None) -> None:
        pure = self.rules["pure"]
        if library is not None and any(library == name or (library.startswith(name) and "/" in name)
                                       for name in pure["forbidden_includes"]):
            self.report(path, line, "pure", f"the pure core may not include <{library}>")
        if ours is not None:
            target = Path("host") / ours
            if target.parts[1] not in pure["modules"] and not self.is_pure(target):
                self.report(path, line, "pure", f'the pure core may not include "{ours}"')

    def check_plugin_include(self, path: Path, line: int, ours: str | None, library: str | None) -> None:
        # Standard headers have neither folder nor extension; a plugin's own files are in its own folder.
        is_standard = library is not None and "/" not in library and "." not in library
        is_installed = any((ours or library).startswith(prefix) for prefix in self.rules["plugins"]["include_prefixes"])
        is_own = ours is not None and "/" not in ours
        if not (is_standard or is_installed or is_own):
            message = f"a plugin includes toolhost/*, the standard library and its own files, not {ours or library}"
            self.report(path, line, "plugin", message)

    def check_links(self, path: Path) -> None:
        """Link lists name the same direction as includes."""
        module = path.parent.name
        for depends in DEPENDS.findall(path.read_text(encoding="utf-8")):
            for target in re.findall(r"\btoolhost_(\w+)", depends):
                if target in self.floor and self.floor[target] >= self.floor.get(module, -1):
                    self.report(path, 1, "floor", f"{module} may not link {target}")


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    rules = tomllib.loads(Path(__file__).with_name("layers.toml").read_text(encoding="utf-8"))
    violations = Checker(root, rules).run()
    print("\n".join(violations) if violations else "the layers hold")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
