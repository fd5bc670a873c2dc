#!/usr/bin/env python3
"""Write the table of docs/lab/faults.md: every fault, its tests, and their results.

usage: table.py [--build BUILD] [--log LOG]    write it with the results of the last scripts/test; a test of another slice
                                               keeps its result
       table.py --names                        update only the names of the tests; existing results are kept, and new
                                               tests are "not run"
       table.py --check                        check that it names the existing tests, and that each fault is listed once
"""

import argparse
import pathlib
import sys

from faults import GROUPS
from results import NOT_RUN, Results
from sources import ROOT, find

DOCUMENT = ROOT / "docs" / "lab" / "faults.md"
MARK = "<!-- From here on written by tests/fault_catalogue/table.py -->\n"
FAULTS = [fault for group in GROUPS.values() for fault in group]


def table(result_of):
    """Yields the lines of the table. The columns are number, fault, test, result."""
    tests = find(FAULTS)
    for title, group in GROUPS.items():
        yield f"\n## {title}\n\n"
        yield "| | fault | test | result |\n|---|---|---|---|\n"
        for fault in group:
            rows = [[test.shown(), result_of(test)] for test in tests[fault.number]]
            if fault.note:
                rows.append([fault.note, ""])
            for i, row in enumerate(rows):
                yield "| " + " | ".join([*([str(fault.number), fault.what] if i == 0 else ["", ""]), *row]) + " |\n"


def written_results():
    """Returns a function that gives the result of a test in the current document."""
    rows = [line.split(" | ") for line in DOCUMENT.read_text(encoding="utf-8").partition(MARK)[2].splitlines()]
    known = {cells[-2]: cells[-1].removesuffix(" |") for cells in rows if len(cells) >= 4}
    return lambda test: known.get(test.shown(), NOT_RUN)


def without_results(text):
    return [line.rsplit("|", 2)[0] for line in text.splitlines()]


def check():
    numbers = [fault.number for fault in FAULTS]
    if numbers != list(range(1, len(numbers) + 1)):
        return f"the faults are not numbered one by one: {numbers}"
    tests = find(FAULTS)
    bare = [fault.number for fault in FAULTS if not tests[fault.number] and not fault.note]
    if bare:
        return f"neither a test nor a note why there is none: {bare}"
    wanted = without_results("".join(table(lambda test: "")))
    written = without_results(DOCUMENT.read_text(encoding="utf-8").partition(MARK)[2])
    differing = next(((one, other) for one, other in zip([*wanted, "the end"], [*written, "the end"]) if one != other), None)
    if differing:
        return (f"{DOCUMENT.name} is behind the tests:\n  {differing[1]}\nshould be\n  {differing[0]}\n"
                "tests/fault_catalogue/table.py --names writes it again")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--log", type=pathlib.Path, help="of the integration tests; integration.log in BUILD if not given")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--names", action="store_true")
    wish = parser.parse_args()
    if wish.check:
        sys.exit(check())
    written = written_results()
    if wish.names:
        result_of = written
    else:
        # A test that did not run with the slice of the last run keeps its result.
        ran = Results(wish.build, wish.log or wish.build / "integration.log").of
        result_of = lambda test: ran(test) if ran(test) != NOT_RUN else written(test)  # noqa: E731
    head = DOCUMENT.read_text(encoding="utf-8").partition(MARK)[0]
    DOCUMENT.write_text(head + MARK + "".join(table(result_of)), encoding="utf-8")


main()
