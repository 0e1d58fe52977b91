#!/usr/bin/env python3
"""Writes REFERENCE.md from toolhost/plugin.h: every struct, function and constant with its comment, its threads and the
minor that brought it.

  write_reference.py HEADER REFERENCE            writes the page
  write_reference.py HEADER REFERENCE --check    says what is wrong instead, and writes nothing: a page that is not what
                                                 the header says, a function without a comment or without TH_ON()

Exit code 0: done, or as it should be; 1: not, with one line for each finding; 2: the header cannot be read.
"""
import argparse
import pathlib
import re
import sys

HEAD = """# plugin.h, function by function

Made from `toolhost/plugin.h` by `abi/write_reference.py`; change the header, not this page. [ABI.md](ABI.md) says how the
parts belong together and what holds for how long, [README.md](README.md) how plugins are written.

The thread of a function is one of
**load** (one thread at a time per plugin, while no handler of the instance runs; may block),
**worker** (the one thread on which the handler of this call runs, while it runs) and
**any** (any thread, at the same time as others, until `quiesce()` has returned).
"Since" is the minor of ABI 1 that brought it; plugins see what is newer than 1.0 with a higher `TH_ABI_TARGET`.
"""
# What the compiler, not the author, is spoken to with.
PRIVATE = {"TOOLHOST_PLUGIN_H", "TH_DISTANCE_", "TH_TEXT_OF_", "TH_TEXT_OF", "TH_BUILT_WITH", "TH_ON", "TH_EXPORT"}
TOKEN = re.compile(r"/\*.*?\*/|^[ \t]*#(?:\\\n|(?!/\*)[^\n])*|\"(?:[^\"\\]|\\.)*\"|[{};]|[^/#{};\"]+|.", re.DOTALL | re.MULTILINE)


def comment_text(token):
    """The words of a comment; an empty line ends a paragraph."""
    lines = [re.sub(r"^\s*\* ?", "", line) for line in token[2:-2].split("\n")]
    return "\n".join(line.rstrip() for line in lines).strip()


class Item:
    """A declaration or constant: its text and comment, the minor since which it is there, and members of a struct."""

    def __init__(self, kind, name, text, since, members=None):
        self.kind, self.name, self.text, self.since = kind, name, text, since
        self.comment, self.members, self.paragraph = "", members, None

    @property
    def threads(self):
        found = re.search(r"TH_ON\((\w+)\)", self.text)
        return found.group(1) if found else None

    @property
    def is_function(self):
        return bool(re.search(r"\(\*\w+\)\s*\(", self.text)) or self.text.startswith(("th_handler ", "TH_EXPORT th_status"))


class Parser:
    def __init__(self, text):
        self.sections = [("", "", [])]  # title, since, items
        self.minors = []  # of the open #if: a minor, or None for other conditions
        self.pending = ""  # a comment on lines of its own, for what follows
        self.last = None  # what a comment behind it on the same line is about
        self.fields = None  # of the open struct
        self.read(text)

    def since(self):
        return max((minor for minor in self.minors if minor is not None), default=0)

    def add(self, item):
        item.comment, self.pending = self.pending, ""
        if self.fields is not None:
            self.fields.append(item)
        else:
            self.sections[-1][2].append(item)
        self.last = item

    def on_comment(self, token, on_own_line):
        text = comment_text(token)
        if title := re.fullmatch(r"---- (.*) ----", text, re.DOTALL):
            self.flush()
            self.sections.append((" ".join(title.group(1).split()), self.since(), []))
        elif text in ("clang-format off", "clang-format on"):
            pass
        elif on_own_line or self.last is None:
            self.flush()
            self.pending, self.last = text, None
        else:
            self.last.comment = (self.last.comment + "\n" + text).strip()

    def flush(self):
        """A comment that nothing follows is a paragraph of its own."""
        if self.pending and self.fields is None:
            self.sections[-1][2].append(Item("paragraph", "", self.pending, self.since()))
        self.pending = ""

    def on_directive(self, line):
        words = line.replace("\\\n", " ").strip()
        if match := re.match(r"#if TH_ABI_TARGET >= (\d+)", words):
            self.minors.append(int(match.group(1)))
        elif re.match(r"#\s*if", words):
            self.minors.append(None)
        elif re.match(r"#\s*endif", words):
            self.minors.pop()
        elif match := re.match(r"#define (\w+)(\([^)]*\))?\s*(.*)$", words, re.DOTALL):
            name, arguments, value = match.group(1), match.group(2) or "", " ".join(match.group(3).split())
            known = any(item.name == name for item in self.sections[-1][2])
            if name not in PRIVATE and not known:
                # A comment before a group is about the group.
                self.flush()
                self.add(Item("constant", name, value if not arguments else name + arguments, self.since()))

    def read(self, text):
        text = text[text.index("#ifndef TOOLHOST_PLUGIN_H"):]
        code, depth, position, struct_comment = "", 0, 0, ""
        for match in TOKEN.finditer(text):
            token = match.group()
            line_before = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
            if token.startswith("/*"):
                self.on_comment(token, not line_before.strip())
            elif token.lstrip().startswith("#"):
                code, self.last = "", None
                self.on_directive(token)
            elif token == "{":
                header = " ".join(code.split())
                if match_struct := re.match(r"typedef struct (\w+)$", header):
                    struct_comment, self.pending, self.fields = self.pending, "", []
                    self.struct_since = self.since()
                    code, self.last = "", None
                else:
                    code += token  # extern "C", an unnamed union
                    depth += header.endswith("union")
                if header.startswith("extern"):
                    code = ""
            elif token == "}":
                if depth:
                    depth, code = depth - 1, code + token
                else:
                    code = "}" if self.fields is not None else ""
            elif token == ";":
                if depth:
                    code += token
                    continue
                self.declaration(" ".join(code.split()), struct_comment)
                code = ""
            else:
                code += token

    def declaration(self, text, struct_comment):
        if text.startswith("}"):
            fields, self.fields = self.fields, None
            item = Item("struct", text.lstrip("} "), "", self.struct_since, fields)
            self.add(item)
            item.comment = struct_comment
            self.last = None
        elif not text or text.startswith("typedef char "):
            self.last = None
        elif self.fields is not None:
            name = re.search(r"\(\*(\w+)\)|(\w+)(?:\[\w+\])?(?:\s+TH_ON\(\w+\))?$", text)
            self.add(Item("field", name.group(1) or name.group(2), text, self.since()))
        else:
            name = re.search(r"(toolhost_\w+)|\(\*(\w+)\)|(\w+)$", text)
            self.add(Item("declaration", next(filter(None, name.groups())), text, self.since()))


def escaped(text):
    """Without a meaning to Markdown, but in `code`."""
    parts = text.split("`")
    return "`".join(part if i % 2 else re.sub(r"([<>|*])", r"\\\1", part) for i, part in enumerate(parts))


def words(text):
    """A comment as Markdown: its lines, with what stands indented kept as it is."""
    out, block = [], []
    for line in text.split("\n") + [""]:
        if line.startswith("  "):
            block.append(line)
            continue
        if block:
            out += ["", "```text", *block, "```", ""]
            block = []
        out.append(escaped(line))
    return "\n".join(out).strip()


def cell(text):
    return escaped(" ".join(text.split()))


def without_threads(text):
    return re.sub(r"\s*TH_ON\(\w+\)", "", text)


def write_table(out, heads, rows):
    out += ["", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    out += ["| " + " | ".join(row) + " |" for row in rows]
    out.append("")


def write_struct(out, item):
    out += ["", f"### {item.name}", "", f"Since 1.{item.since}. {words(item.comment)}".strip()]
    fields = [field for field in item.members if not field.is_function]
    if fields:
        write_table(out, ["field", "since", "meaning"],
                    [[f"`{without_threads(field.text)}`", f"1.{field.since}", cell(field.comment)] for field in fields])
    for field in item.members:
        if field.is_function:
            out += ["", f"#### {item.name}.{field.name}", "",
                    f"Thread: **{field.threads}**. Since 1.{field.since}.", "",
                    "```c", without_threads(field.text) + ";", "```", "", words(field.comment)]


def page(sections):
    out = [HEAD.rstrip()]
    for title, since, items in sections:
        if title:
            out += ["", f"## {title.rstrip('.')}", ""] + ([f"Since 1.{since}.", ""] if since else [])
        rows = []

        def end_rows():
            if rows:
                write_table(out, ["constant", "value", "since", "meaning"], rows)
                rows.clear()

        for item in items:
            if item.kind == "constant":
                rows.append([f"`{item.name}`", f"`{item.text}`", f"1.{item.since}", cell(item.comment)])
                continue
            end_rows()
            if item.kind == "paragraph":
                out += ["", words(item.text)]
            elif item.kind == "struct":
                write_struct(out, item)
            elif item.name.startswith("toolhost_") and item.threads:
                out += ["", f"### {item.name}", "", f"Thread: **{item.threads}**. Since 1.{item.since}.", "",
                        "```c", without_threads(item.text) + ";", "```", "", words(item.comment)]
            else:
                out += ["", f"`{item.text};`", "", words(item.comment)]
        end_rows()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip() + "\n"


def functions(sections):
    for _, _, items in sections:
        for item in items:
            if item.kind == "struct":
                yield from ((f"{item.name}.{field.name}", field) for field in item.members if field.is_function)
            elif item.kind == "declaration" and item.is_function and not item.text.startswith("typedef"):
                yield item.name, item


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("header", type=pathlib.Path)
    parser.add_argument("reference", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    try:
        sections = Parser(arguments.header.read_text()).sections
    except (OSError, ValueError, AttributeError, IndexError) as error:
        print(f"{arguments.header} cannot be read: {error!r}", file=sys.stderr)
        return 2
    found, known = [], list(functions(sections))
    if not known:
        found.append("the header has no function")
    found += [f"{name} has no comment" for name, item in known if not item.comment]
    found += [f"{name} does not say TH_ON(any), TH_ON(worker) or TH_ON(load)" for name, item in known
              if item.threads not in ("any", "worker", "load")]
    made = page(sections)
    if arguments.check:
        if not arguments.reference.exists() or arguments.reference.read_text() != made:
            found.append(f"{arguments.reference} is not what the header says: run {parser.prog} without --check")
    elif not found:
        arguments.reference.write_text(made)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
