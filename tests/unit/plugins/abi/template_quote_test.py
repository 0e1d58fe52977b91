#!/usr/bin/env python3
"""template_quote_test.py README.md TEMPLATE_DIRECTORY: the code that the document shows is that of the templates."""
import pathlib
import re
import sys

document, templates = map(pathlib.Path, sys.argv[1:3])
sources = [file.read_text() for file in templates.rglob("*")
           if file.suffix in (".cpp", ".c", ".rs") or file.name == "CMakeLists.txt"]
quotes = re.findall(r"```(?:cpp|cmake|rust)\n(.*?)```", document.read_text(), re.DOTALL)
if len(quotes) < 4:
    sys.exit(f"{document} shows less of the templates than it did")
for quote in quotes:
    if not any(quote in source for source in sources):
        sys.exit(f"{document} shows what is in no template:\n{quote}")
