#!/usr/bin/python3
"""Mutation testing: change the pure parts of the project in small ways, one at a time, and check that a test notices.
See README.md. Results are kept in BUILD/mutation, and a run continues where the last one ended."""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

# pylint: disable=wrong-import-position
import building
import equivalents
import operators
import report
import running


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=building.ROOT / "build", metavar="FOLDER",
                        help="meson's build folder (build)")
    parser.add_argument("--suite", action="append", metavar="NAME", help="only this one of suites.toml; may be given again")
    parser.add_argument("--file", action="append", metavar="TEXT", help="only mutants of files whose path contains TEXT")
    parser.add_argument("--mutant", action="append", metavar="ID", help="only this mutant, with its diff")
    parser.add_argument("--tenth", type=int, metavar="K", help="only every tenth mutant, another tenth for each K of 0 to 9")
    parser.add_argument("--survivors", action="store_true", help="run those that have survived again")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="mutants at a time (%(default)s)")
    parser.add_argument("--seeds", type=int, default=4000, metavar="N",
                        help="runs of the simulator (%(default)s); what has survived fewer is run again")
    parser.add_argument("--minutes", type=float, metavar="N", help="begin with no mutant after that long")
    parser.add_argument("--least", type=float, metavar="SCORE", help="exit code 1 if the score of what ran is lower")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument("--lines", action="store_true", help="print the lines that have no mutant and run nothing")
    parser.add_argument("--operators", action="store_true", help="print how mutants are made")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write a summary of all results")
    parser.add_argument("--diffs", type=pathlib.Path, metavar="FILE", help="write the survivors as diffs")
    return parser.parse_args()


class Results:
    """A file with a line for each mutant that has run. A new file is begun if the mutated sources have changed."""

    def __init__(self, path, digest):
        self.path, self.found = path, {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines and json.loads(lines[0]).get("digest") == digest:
            for line in lines[1:]:
                entry = json.loads(line)
                name = entry.pop("id")
                self.found[name] = running.Result(**entry)
        else:
            if lines:
                path.rename(path.with_suffix(".old"))
            path.write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")

    def add(self, mutant, result):
        self.found[mutant.id] = result
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": mutant.id, **vars(result)}) + "\n")


class Run:
    """One suite, and the command-line arguments."""

    def __init__(self, asked, suite, deadline):
        self.asked, self.suite, self.deadline = asked, suite, deadline
        self.builder = building.Builder(suite, asked.build, asked.jobs)
        self.sources, self.mutants, self.lines, self.refused = self.builder.make()
        texts = b"\0".join(source.text for source in self.sources.values())
        self.results = Results(self.builder.folder / "results.jsonl", hashlib.sha256(texts).hexdigest())
        self.chosen = [mutant for mutant in self.mutants if self.is_chosen(mutant)]

    def is_chosen(self, mutant):
        asked = self.asked
        return ((not asked.file or any(text in mutant.file for text in asked.file))
                and (not asked.mutant or mutant.id in asked.mutant)
                and (asked.tenth is None or int(mutant.id, 16) % 10 == asked.tenth % 10))

    def is_due(self, mutant):
        known = self.results.found.get(mutant.id)
        if known is None or self.asked.mutant:
            return True
        more = self.suite.simulator and known.seeds < self.asked.seeds
        return known.status != "killed" and (self.asked.survivors or more)

    def run(self):
        # Mutants run in the order of their hashes, so that a run that is cut short is a random sample.
        due = sorted((mutant for mutant in self.chosen if self.is_due(mutant)), key=lambda mutant: mutant.id)
        print(f"{self.suite.name}: {len(self.mutants)} mutants, {self.refused} more that do not compile; "
              f"{len(due)} to run", flush=True)
        if not due:
            return
        tests = running.Tests(self.builder, max(m.number for m in self.mutants) + 1, self.asked.seeds)
        tests.record()
        began, counts = time.monotonic(), collections.Counter()
        with concurrent.futures.ThreadPoolExecutor(self.asked.jobs) as pool:
            waiting = {pool.submit(self.one, tests, mutant): mutant for mutant in due}
            for done in concurrent.futures.as_completed(waiting):
                mutant, result = waiting[done], done.result()
                if result is None:
                    continue
                self.results.add(mutant, result)
                counts[result.status] += 1
                if self.asked.mutant:
                    print(f"{mutant.id} {mutant.diff(self.sources)}\n{result.status} {result.by} "
                          f"({result.seconds} s, {result.runs} runs)")
                elif sum(counts.values()) % 100 == 0:
                    print(f"{sum(counts.values())} of {len(due)} in {time.monotonic() - began:.0f} s: {dict(counts)}",
                          flush=True)
        print(f"{self.suite.name}: {dict(counts)} in {time.monotonic() - began:.0f} s", flush=True)

    def one(self, tests, mutant):
        if self.deadline is not None and time.monotonic() > self.deadline:
            return None
        return tests.run(mutant)


def main():
    asked = arguments()
    if asked.operators:
        print("\n".join(f"{name:16} {what}" for name, what in operators.OPERATORS.items()))
        return 0
    suites = [suite for suite in building.read_suites() if not asked.suite or suite.name in asked.suite]
    if not suites:
        sys.exit(f"no such suite: choose of {', '.join(suite.name for suite in building.read_suites())}")
    deadline = None if asked.minutes is None else time.monotonic() + 60 * asked.minutes
    try:
        runs = [Run(asked, suite, deadline) for suite in suites]
        if asked.list or asked.lines:
            for run in runs:
                report.print_mutants(run) if asked.list else report.print_lines(run)
            return 0
        for run in runs:
            run.run()
    except (building.Failed, running.NotSound) as failed:
        sys.exit(str(failed))
    known = equivalents.read()
    summary = report.Summary(runs, known)
    print(summary.text())
    if asked.markdown:
        asked.markdown.write_text(summary.markdown(), encoding="utf-8")
    if asked.diffs:
        asked.diffs.write_text(summary.survivors(), encoding="utf-8")
    if stale := summary.stale_equivalents() if not asked.suite else []:
        sys.exit("equivalent.txt lists what is no mutant any more:\n" + "\n".join(stale))
    return 1 if asked.least is not None and summary.score() < asked.least else 0


if __name__ == "__main__":
    sys.exit(main())
