#!/usr/bin/env python3
"""Holds toolhost/plugin.h and built plugins to the promises of ABI.md.

  check_abi.py layout INCLUDE_DIR GOLDEN_DIR --clang CLANG [--compiler CC]... [--without-abigail] [--write]
      The header's layout at each TH_ABI_TARGET, as each compiler lays it out, is GOLDEN_DIR/layout-1.MINOR.golden, and
      each minor only appends to the one before. abidiff, which reads the debug information of a library with every
      struct of the ABI, finds no difference to GOLDEN_DIR/abi-1.MINOR.abi either, without any suppression. --write
      accepts appended fields and new constants into the newest pair of files, and refuses everything else: what an append
      is, the layout decides.
  check_abi.py threads INCLUDE_DIR --clang CLANG
      Every function of the ABI names its threads with TH_ON(any|worker|load).
  check_abi.py exports PLUGIN...
      Each plugin exports its card and its entry and nothing else, and registers nothing that runs at exit.

Exit code 0: as promised; 1: not, with one line for each finding; 2: could not run.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

FROZEN = {"th_str", "th_uuid", "th_value", "th_person", "th_card"}
INCLUDE = "#include <toolhost/plugin.h>\n"
EXPORTS = ["toolhost_card_v1", "toolhost_plugin_v1"]
# What a release may change without breaking anybody.
NOT_PROMISED = {"TH_ABI_MINOR", "TH_ABI_TARGET", "TH_ABI_REQUIRED", "TH_BUILT_WITH", "TH_EXPORT"}


def run(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


class Function:
    """A function of the ABI: `name` and the threads it names, or None."""

    def __init__(self, name):
        self.name, self.threads = name, None


def newest_minor(include_dir):
    header = (pathlib.Path(include_dir) / "toolhost" / "plugin.h").read_text()
    return int(re.search(r"^#define TH_ABI_MINOR (\d+)u", header, re.MULTILINE).group(1))


def target_option(minor):
    return f"-DTH_ABI_TARGET={minor}u"


def read_header(include_dir, clang, minor):
    """The ABI's structs [(struct, [(field, type)])] and functions, from clang's syntax tree."""
    dump = run(clang, "-std=c99", "-fsyntax-only", "-fno-color-diagnostics", "-Xclang", "-ast-dump", f"-I{include_dir}",
               target_option(minor), "-x", "c", "-", text=INCLUDE)
    structs, functions = [], []
    records = []  # open ones: (indentation, name or None, fields of an unnamed union)
    anonymous = None  # fields of the unnamed union that has just ended
    for line in dump.splitlines():
        indentation = len(re.match(r"[|` -]*", line).group())
        node = line[indentation:]
        while records and indentation <= records[-1][0]:
            ended = records.pop()
            anonymous = ended[2] if ended[1] is None else None
        if match := re.match(r"RecordDecl .*\b(?:struct|union)(?: (th_\w+))? definition", node):
            name = match.group(1)
            if name is not None:
                structs.append((name, []))
            records.append((indentation, name, []))
        elif match := re.match(r"FieldDecl .* (\w+) '([^']*)'(?::'([^']*)')?$", node):
            name, written, meant = match.group(1), match.group(2), match.group(3) or match.group(2)
            if not records:
                continue
            if "(*)" in meant:
                written = meant
                functions.append(Function(f"{structs[-1][0]}.{name}"))
            if records[-1][1] is None:  # a member of an unnamed union, which is named after it
                records[-1][2].append((name, written))
            elif written.startswith(("union ", "struct (")) and anonymous is not None:
                structs[-1][1].extend((f"{name}.{inner}", kind) for inner, kind in anonymous)
            else:
                structs[-1][1].append((name, written))
        elif match := re.match(r"FunctionDecl .* (toolhost_\w+) '", node):
            functions.append(Function(match.group(1)))
        elif match := re.match(r'AnnotateAttr .* "th\.on:(.*)"', node):
            functions[-1].threads = match.group(1)
    return structs, functions


def read_constants(include_dir, clang, minor):
    """The ABI's constants and the text of their values."""
    macros = run(clang, "-std=c99", "-dM", "-E", f"-I{include_dir}", target_option(minor), "-x", "c", "-", text=INCLUDE)
    found = re.findall(r"^#define (TH_\w+) (.+)$", macros, re.MULTILINE)
    return sorted((name, value) for name, value in found if name not in NOT_PROMISED)


def measure(include_dir, compiler, minor, structs):
    """The layout as lines 'struct size' and 'struct.field offset size', from a program built with `compiler`."""
    lines = []
    for struct, fields in structs:
        lines.append(f'printf("{struct} %zu\\n", sizeof({struct}));')
        lines += [f'printf("{struct}.{field} %zu %zu\\n", offsetof({struct}, {field}), '
                  f'sizeof((({struct}*)0)->{field}));' for field, _ in fields]
    program = "#include <stdio.h>\n" + INCLUDE + "int main(void) {\n" + "\n".join(lines) + "\nreturn 0; }\n"
    with tempfile.TemporaryDirectory() as directory:
        binary = f"{directory}/layout"
        run(compiler, "-std=c99", f"-I{include_dir}", target_option(minor), "-x", "c", "-", "-o", binary, text=program)
        return run(binary).splitlines()


def layout_text(measured, structs, constants):
    """The golden file: layout with types, then constants."""
    types = {f"{struct}.{field}": kind for struct, fields in structs for field, kind in fields}
    lines = []
    for line in measured:
        name = line.split()[0]
        suffix = types.get(name) or ("frozen" if name in FROZEN else "")
        lines.append(f"{line} {suffix}".rstrip())
    return "\n".join(lines + [f"{name} = {value}" for name, value in constants]) + "\n"


def breaks(old, new):
    """Why the layout `new` breaks those who were built with `old`, line by line; empty when it only appends."""

    def parse(text):
        structs, constants = {}, {}
        for line in text.splitlines():
            if " = " in line and line.startswith("TH_"):
                name, value = line.split(" = ", 1)
                constants[name] = value
            elif "." in line.split()[0]:
                struct, field = line.split()[0].split(".", 1)
                structs[struct]["fields"].append((field, line.split(" ", 1)[1]))
            else:
                structs[line.split()[0]] = {"size": int(line.split()[1]), "fields": []}
        return structs, constants

    (old_structs, old_constants), (new_structs, new_constants) = parse(old), parse(new)
    found = []
    for struct, was in old_structs.items():
        now = new_structs.get(struct)
        if now is None:
            found.append(f"{struct} is gone")
            continue
        for i, (field, place) in enumerate(was["fields"]):
            if i >= len(now["fields"]):
                found.append(f"{struct}.{field} is gone")
            elif now["fields"][i] != (field, place):
                found.append(f"{struct}.{field} ({place}) became {now['fields'][i][0]} ({now['fields'][i][1]})")
        if struct in FROZEN and now != was:
            found.append(f"{struct} is frozen and changed")
        for field, place in now["fields"][len(was["fields"]):]:
            if int(place.split()[0]) < was["size"]:
                found.append(f"{struct}.{field} lies inside what older readers take for padding")
    for name, value in old_constants.items():
        if name not in new_constants:
            found.append(f"{name} is gone")
        elif new_constants[name] != value:
            found.append(f"{name} changed from {value} to {new_constants[name]}")
    return found


def describe(include_dir, compiler, minor, structs, directory):
    """What abidw says of a library with one exported pointer to each struct, and the entry; the file with it."""
    source = INCLUDE + "".join(f"{struct}* anchor_{struct};\n" for struct, _ in structs) + """
th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  return api != 0 && host != 0 && out != 0;
}
"""
    library, described = f"{directory}/anchor.so", f"{directory}/anchor.abi"
    run(compiler, "-std=c99", "-shared", "-fPIC", "-g", "-gdwarf-4", "-nostdlib", "-Wl,-soname,anchor.so",
        f"-fdebug-prefix-map={pathlib.Path(include_dir).resolve()}=include", f"-I{include_dir}", target_option(minor),
        "-x", "c", "-", "-o", library, text=source)
    run("abidw", "--no-show-locs", "--no-corpus-path", "--no-comp-dir-path", "--out-file", described, library)
    return pathlib.Path(described)


def abidiff(old, new):
    """What differs, line by line; also what abidiff takes for harmless."""
    done = subprocess.run(["abidiff", "--harmless", str(old), str(new)], capture_output=True, text=True, check=False)
    if done.returncode & 3:
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
    return done.stdout.splitlines() if done.returncode else []


def check_baseline(arguments, minor, structs, may_write):
    """Holds the header to abi-1.MINOR.abi, or makes it anew."""
    path, found = arguments.golden / f"abi-1.{minor}.abi", []
    with tempfile.TemporaryDirectory() as directory:
        for compiler in (arguments.clang, *arguments.compiler):
            described = describe(arguments.include_dir, compiler, minor, structs, directory)
            if may_write and compiler == arguments.clang and (not path.exists() or abidiff(path, described)):
                path.write_text(described.read_text())
            if not path.exists():
                return [f"{path} is missing: run with --write"]
            found += [f"abidiff, minor {minor}, {compiler}: {line}" for line in abidiff(path, described) if line.strip()]
    return found


def read_layout(include_dir, compilers, minor):
    """The layout at one target, what the compilers disagree about, and the structs."""
    structs, _ = read_header(include_dir, compilers[0], minor)
    constants = read_constants(include_dir, compilers[0], minor)
    layouts = [layout_text(measure(include_dir, compiler, minor, structs), structs, constants)
               for compiler in compilers]
    return layouts[0], [f"{compiler} lays minor {minor} out in another way than {compilers[0]}"
                        for compiler, layout in zip(compilers, layouts) if layout != layouts[0]], structs


def check_layout(arguments):
    newest = newest_minor(arguments.include_dir)
    found, before = [], ""
    for minor in range(newest + 1):
        path = arguments.golden / f"layout-1.{minor}.golden"
        golden = path.read_text() if path.exists() else ""
        layout, differences, structs = read_layout(arguments.include_dir, [arguments.clang, *arguments.compiler], minor)
        problems = differences + breaks(before, layout) + breaks(golden, layout)
        if not problems and layout != golden:
            if minor < newest:
                problems.append(f"minor {minor} is closed: show what is new from TH_ABI_TARGET {newest} on")
            elif arguments.write and not found:
                path.write_text(layout)
            else:
                problems.append(f"{path} lacks what was appended: run with --write; add a line to CHANGELOG.md")
        if not arguments.without_abigail:
            may_write = arguments.write and minor == newest and not problems and not found
            problems += check_baseline(arguments, minor, structs, may_write)
        found += [problem for problem in problems if problem not in found]
        before = layout
    return found


def check_threads(arguments):
    _, functions = read_header(arguments.include_dir, arguments.clang, newest_minor(arguments.include_dir))
    if not functions:
        return ["the header has no function"]
    return [f"{function.name} does not say TH_ON(any), TH_ON(worker) or TH_ON(load)"
            for function in functions if function.threads not in ("any", "worker", "load")]


def check_exports(arguments):
    found = []
    for plugin in arguments.plugin:
        exported = sorted(line.split()[-1] for line in run("nm", "-D", "--defined-only", plugin).splitlines())
        if exported != EXPORTS:
            found.append(f"{plugin} exports {' '.join(exported) or 'nothing'} instead of {' '.join(EXPORTS)}")
        if "__cxa_atexit" in run("nm", "-D", "--undefined-only", plugin):
            found.append(f"{plugin} has a static object with a destructor, which would run at exit")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    layout = commands.add_parser("layout")
    layout.add_argument("include_dir")
    layout.add_argument("golden", type=pathlib.Path)
    layout.add_argument("--clang", required=True)
    layout.add_argument("--compiler", action="append", default=[])
    layout.add_argument("--without-abigail", action="store_true", help="where there is no abidiff (abigail-tools)")
    layout.add_argument("--write", action="store_true")
    layout.set_defaults(check=check_layout)
    threads = commands.add_parser("threads")
    threads.add_argument("include_dir")
    threads.add_argument("--clang", required=True)
    threads.set_defaults(check=check_threads)
    exports = commands.add_parser("exports")
    exports.add_argument("plugin", nargs="+")
    exports.set_defaults(check=check_exports)
    arguments = parser.parse_args()
    try:
        found = arguments.check(arguments)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"cannot run: {error}\n{getattr(error, 'stderr', '')}", file=sys.stderr)
        return 2
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
