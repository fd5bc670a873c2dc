"""Measure what an event costs the engine alone in steady state: instructions and memory allocations.

    engine.py PROGRAM

The costs are counted and not timed, so that they are the same on a busy machine. Two runs of different length are made,
and the difference between them is divided by the difference in events.
"""

import re
import shutil
import subprocess
import sys
import tempfile

FEW, MANY = 100_000, 300_000
# Limits for each event. With gcc 12 and -O2, an event took 366 instructions and 0.008 allocations.
MOST_INSTRUCTIONS = 400
MOST_ALLOCATIONS = 0.02
SKIPPED = 77


def allocations(program, events):
    return int(subprocess.run([program, str(events)], capture_output=True, text=True, check=True).stdout)


def instructions(program, events, folder):
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program, str(events)],
                          capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def check(what, count, most):
    each = (count(MANY) - count(FEW)) / (MANY - FEW)
    print(f"{each:.3f} {what} an event, at most {most}")
    return each <= most


def main():
    program = sys.argv[1]
    good = check("allocations", lambda events: allocations(program, events), MOST_ALLOCATIONS)
    if not shutil.which("valgrind"):
        print("no valgrind to count instructions with: scripts/install test")
        sys.exit(SKIPPED if good else 1)
    with tempfile.TemporaryDirectory() as folder:
        good = check("instructions", lambda events: instructions(program, events, folder), MOST_INSTRUCTIONS) and good
    sys.exit(0 if good else 1)


main()
