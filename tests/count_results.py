#!/usr/bin/env python3
"""Count the test cases in meson's testlog.json: count_results.py FILE prints "N passed, N failed, N skipped". The exit code
is 1 if a case failed or none passed.

One meson test is one program with many cases. If the output of a program says how many cases it ran, those are counted:
TAP, the summary of Catch2, or a line like the one that this program prints. Any other program counts as one case.
"""

import collections
import json
import re
import sys

OWN = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
TAP = re.compile(r"^(not ok|ok) \d+(?:[^#\n]*)(# SKIP)?", re.MULTILINE)
CATCH_ALL_PASSED = re.compile(r"^All tests passed \(.* in (\d+) test cases?\)", re.MULTILINE)
CATCH_TALLY = re.compile(r"^test cases:\s+\d+ \|(.*)$", re.MULTILINE)
MESON_PASSED, MESON_SKIPPED = ("OK", "EXPECTEDFAIL"), ("SKIP",)


def count(test):
    output = test.get("stdout", "")
    counts = collections.Counter()
    if own := OWN.search(output):
        counts.update(dict(zip(("passed", "failed", "skipped"), map(int, own.groups()))))
    elif output.startswith("TAP version "):
        for word, skipped in TAP.findall(output):
            counts["skipped" if skipped else "passed" if word == "ok" else "failed"] += 1
    elif every := CATCH_ALL_PASSED.search(output):
        counts["passed"] = int(every[1])
    elif tally := CATCH_TALLY.search(output):
        for number, word in re.findall(r"(\d+) (passed|failed|skipped)", tally[1]):
            counts[word] = int(number)
    bad = test["result"] not in MESON_PASSED + MESON_SKIPPED
    if bad and not counts["failed"]:
        counts["failed"] = 1  # it crashed, was stopped after its timeout, or failed without saying which case
    elif not counts:
        counts["skipped" if test["result"] in MESON_SKIPPED else "passed"] = 1
    return counts


def main():
    total = collections.Counter()
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            total += count(json.loads(line))
    print(", ".join(f"{total[word]} {word}" for word in ("passed", "failed", "skipped")))
    sys.exit(total["failed"] > 0 or not total["passed"])


main()
