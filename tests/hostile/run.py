#!/usr/bin/python3
"""Run a relay in hostile surroundings that a seed chooses, and check that each row is removed or accounted for; see
tests/hostile/README.md."""

import argparse
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

# pylint: disable=wrong-import-position
import oracle
from rounds import DATABASES, play

def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=DATABASES, default="postgres")
    parser.add_argument("--seeds", type=int, default=50, metavar="N", help="number of rounds (default: %(default)s)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="first seed (default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="NAME", help="use these surroundings in each round; may be repeated")
    parser.add_argument("--list", action="store_true", help="list the names of the surroundings and exit")
    return parser.parse_args()


def main():
    asked = arguments()
    if asked.list:
        print("\n".join(sorted(DATABASES[asked.db][1])))
        return 0
    violations = 0
    for seed in range(asked.first, asked.first + asked.seeds):
        began = time.monotonic()
        try:
            names, outcome = play(asked.db, seed, asked.only)
            outcome = f"{' + '.join(names)}: {outcome}"
        except oracle.Violation as violation:
            outcome = f"VIOLATION: {violation}"
            violations += 1
        except Exception:  # pylint: disable=broad-except
            outcome = f"BROKEN ROUND: {traceback.format_exc()}"
            violations += 1
        print(f"{asked.db} seed {seed} ({time.monotonic() - began:.1f} s): {outcome[:3000]}", flush=True)
    print(f"{asked.seeds - violations} rounds passed, {violations} failed")
    return int(violations > 0)


if __name__ == "__main__":
    sys.exit(main())
