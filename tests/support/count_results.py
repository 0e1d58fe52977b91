#!/usr/bin/env python3
"""Counts one CTest run: prints "PASSED FAILED".

The directory holds ctest.junit (one entry a program) and the XML files that GoogleTest programs wrote (one entry a case). A program that
wrote cases counts by its cases, any other counts as one. A program that CTest calls failed although none of its cases did (crash,
sanitizer report at exit, time limit) counts as one failure more. A skipped case counts as neither.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def cases_of(file):
    """(passed, failed) of one GoogleTest XML file."""
    passed = failed = 0
    for case in ElementTree.parse(file).iter("testcase"):
        if case.get("status") != "run" or case.get("result") == "skipped":
            continue
        if case.find("failure") is not None:
            failed += 1
        else:
            passed += 1
    return passed, failed


def main(directory):
    passed = failed = 0
    junit = directory / "ctest.junit"
    if not junit.exists():
        return 0, 1
    for program in ElementTree.parse(junit).iter("testcase"):
        cases = directory / f"{program.get('name')}.xml"
        is_failed = program.get("status") == "fail"
        if program.get("status") not in ("run", "fail"):
            failed += 1  # not started: the program is missing
        elif cases.exists():
            good, bad = cases_of(cases)
            passed += good
            failed += bad + (1 if is_failed and bad == 0 else 0)
        else:
            passed += 0 if is_failed else 1
            failed += 1 if is_failed else 0
    return passed, failed


if __name__ == "__main__":
    print(*main(pathlib.Path(sys.argv[1])))
