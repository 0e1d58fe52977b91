#!/usr/bin/env python3
"""quote_test.py ABI.md ask.cpp: what the document shows of asking is what the tested plugin does."""
import pathlib
import sys
import textwrap

document, source = (pathlib.Path(argument).read_text() for argument in sys.argv[1:3])
begin = source.index("// The ten lines that the documents show.\n")
quoted = source[source.index("\n", begin) + 1:source.index("\n  }\n", begin) + len("\n  }\n")]
if "```cpp\n" + textwrap.dedent(quoted) + "```\n" not in document:
    sys.exit(f"{sys.argv[1]} does not show this:\n{textwrap.dedent(quoted)}")
if quoted.count("\n") > 10:
    sys.exit("these are more than ten lines")
