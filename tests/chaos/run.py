#!/usr/bin/python3
"""Run three relays between real servers while faults are injected according to a seed; see tests/chaos/README.md."""

import argparse
import collections
import json
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

# pylint: disable=wrong-import-position
from databases import DATABASES
from faults import FAULTS
from mutants import MUTANTS
from round import Round, judge_folder
from cluster import Cluster

ROUND = 180  # seconds
SKIPPED = 77


def duration(text):
    match = re.fullmatch(r"(\d+)(s|m|h)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; expected a whole number and s, m or h, such as 90s or 2h")
    return int(match.group(1)) * {"s": 1, "m": 60, "h": 3600}[match.group(2)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", choices=DATABASES, default="postgres")
    parser.add_argument("--duration", type=duration, default=ROUND, metavar="TIME",
                        help="such as 90s, 3m or 2h; divided into rounds of 3 minutes, which are judged separately")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=400, help="events per second of all writers (default: %(default)s)")
    parser.add_argument("--results", type=pathlib.Path, metavar="FOLDER",
                        help="keep the histories in FOLDER; a run with the same seed and database continues their numbering")
    parser.add_argument("--replace", action="store_true", help="remove the histories of earlier runs from --results first")
    parser.add_argument("--only", action="append", default=[], metavar="FAULT", choices=[fault.name for fault in FAULTS],
                        help="inject only this fault; may be repeated")
    parser.add_argument("--calm", action="store_true", help="inject no faults; then no event may arrive twice")
    parser.add_argument("--captured", action="store_true",
                        help="let the applications write into a table of their own, which the relays capture; they delete "
                             "half of the rows")
    parser.add_argument("--mutant", choices=MUTANTS, metavar="NAME",
                        help="run relays that are wrong on purpose (see mutants.py) until they are caught")
    parser.add_argument("--list", action="store_true", help="list the faults and exit")
    parser.add_argument("--judge", action="store_true", help="judge the histories in --results again and exit")
    asked = parser.parse_args()
    if asked.judge and not asked.results:
        parser.error("--judge needs --results FOLDER, the histories to judge")
    if asked.captured and asked.db == "sqlite":
        parser.error("--captured needs a database server")
    if asked.replace and not asked.results:
        parser.error("--replace needs --results FOLDER, the histories to remove")
    return asked


def main():
    asked = arguments()
    if asked.list:
        for fault in FAULTS:
            print(f"{fault.name:40}{' '.join(fault.databases)}")
        return 0
    if asked.judge:
        histories = sorted(asked.results.glob("*/about.json"))
        if not histories:
            sys.exit(f"no finished round in {asked.results}")
        for path in histories:
            show(path.parent.name, judge_folder(path.parent))
        return show_sum(asked.results)
    if asked.replace:
        shutil.rmtree(asked.results, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="outbox-chaos-") as folder:
        try:
            return run(asked, asked.results or pathlib.Path(folder))
        except unittest.SkipTest as reason:
            print(f"skipped: {reason}")
            return SKIPPED


def run(asked, results):
    rounds = max(1, round_up(asked.duration, ROUND))
    done = max((int(path.name[-4:]) for path in results.glob(f"{asked.db}-{asked.seed}-*")), default=0)
    failed = 0
    with Cluster(asked.db, MUTANTS.get(asked.mutant), asked.captured) as cluster:
        cluster.start()
        for number in range(done + 1, done + rounds + 1):
            name = f"{asked.db}-{asked.seed}-{number:04}"
            verdict = Round(cluster, results / name, name, min(asked.duration, ROUND), asked.rate, asked.only, asked.calm).run()
            failed += bool(verdict["broken"])
            show(name, verdict)
            if asked.mutant and failed:
                break
    if asked.mutant:
        print(f"{asked.mutant}: {'caught' if failed else 'NOT CAUGHT'}")
        return int(not failed)
    return show_sum(results) if asked.results else int(failed > 0)


def round_up(whole, part):
    return -(-whole // part)


def show(name, verdict):
    counts = verdict["counts"]
    print(f"{name}: {'BROKEN' if verdict['broken'] else 'ok'}: {counts['committed']} events committed, "
          f"{counts['records']} records, {counts['duplicates']} duplicates, {counts['dead']} dead, {counts['faults']} faults, "
          f"{counts['unknown']} commits without an answer, drained {verdict['drained_after']} s after the end", flush=True)
    for promise, findings in verdict["broken"].items():
        print(f"  {promise}: {verdict['broken_counts'][promise]} times")
        for finding in findings:
            print(f"    {finding}", flush=True)


def middle_and_most(numbers):
    return f"{numbers[len(numbers) // 2]:.1f}, max {numbers[-1]:.1f}"


def show_sum(results):
    """Prints the sums of all verdicts in a folder."""
    totals, recovery = collections.Counter(), collections.defaultdict(list)  # fault -> (after, wait)
    for path in sorted(results.glob("*/verdict.json")):
        verdict = json.loads(path.read_text(encoding="utf-8"))
        totals.update(verdict["counts"])
        totals["rounds"] += 1
        totals["seconds"] += verdict["seconds"]
        totals["broken rounds"] += bool(verdict["broken"])
        for fault, _, *seconds in verdict["recovery"]:
            recovery[fault].append(seconds)
    print(", ".join(f"{value} {name}" for name, value in sorted(totals.items())))
    print(f"{'fault without overlap':40}{'times':>6}{'recovery, s':>26}{'longest wait, s':>26}")
    for fault, times in sorted(recovery.items()):
        after, wait = (sorted(column) for column in zip(*times))
        print(f"{fault:40}{len(times):6}{middle_and_most(after):>26}{middle_and_most(wait):>26}")
    return int(totals["broken rounds"] > 0 or totals["rounds"] == 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
