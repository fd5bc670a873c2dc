"""Report the results: a table for the terminal, a summary for docs/lab, and the survivors as diffs."""

import collections
import datetime


def print_mutants(run):
    for mutant in run.chosen:
        print(f"{mutant.id} {mutant.diff(run.sources)}\n")
    print(f"{run.suite.name}: {len(run.chosen)} mutants, {run.refused} more that do not compile")


def without_mutant(run, name):
    """Return the executable lines of a file that have no mutant."""
    covered = set().union(*(mutant.covers for mutant in run.mutants if mutant.file == name), set())
    return sorted(run.lines[name] - covered)


def print_lines(run):
    for name, source in run.sources.items():
        for line in without_mutant(run, name):
            print(f"{name}:{line}: {source.line(line)}")
    lines = sum(len(lines) for lines in run.lines.values())
    print(f"{run.suite.name}: {len(run.mutants)} mutants of {lines} lines")


class Summary:
    """Counts the chosen mutants that have run, in this run or an earlier one."""

    def __init__(self, runs, equivalents):
        self.runs, self.equivalents = runs, equivalents
        self.counts = collections.OrderedDict()
        self.alive = []
        for run in runs:
            for name in run.sources:
                self.counts[name] = collections.Counter()
            for mutant in run.chosen:
                result = run.results.found.get(mutant.id)
                status = "not run" if result is None else result.status
                if status in ("survived", "unreached"):
                    if equivalents.entry(mutant.key):
                        status = "equivalent"
                    else:
                        self.alive.append((run, mutant, result))
                self.counts[mutant.file][status] += 1
        self.total = sum(self.counts.values(), collections.Counter())

    @staticmethod
    def score_of(counts):
        tried = counts["killed"] + counts["survived"] + counts["unreached"]
        return counts["killed"] / tried if tried else 1.0

    def score(self):
        return self.score_of(self.total)

    def rows(self):
        for name, counts in [*self.counts.items(), ("all", self.total)]:
            if sum(counts.values()):
                yield (name, sum(counts.values()), counts["killed"], counts["survived"], counts["unreached"],
                       counts["equivalent"], counts["not run"],
                       f"{self.score_of(counts):.3f}" if counts["killed"] + counts["survived"] + counts["unreached"] else "-")

    TITLES = ("file", "mutants", "killed", "survived", "unreached", "equivalent", "not run", "score")

    def text(self):
        lines = {(mutant.file, mutant.line) for _, mutant, _ in self.alive}
        table = [f"{row[0]:40}" + "".join(f"{value:>11}" for value in row[1:]) for row in [self.TITLES, *self.rows()]]
        return "\n".join([*table, f"{len(self.alive)} survived or were not reached, on {len(lines)} lines"])

    @staticmethod
    def described(mutant, result, sources):
        runs = f"; {result.differ} of {result.runs} runs of the simulator differ" if result.runs else ""
        return f"{mutant.id} {result.status}{runs}\n{mutant.diff(sources)}"

    def survivors(self):
        return "\n".join(f"{self.described(mutant, result, run.sources)}\n  key: {mutant.key}\n"
                         for run, mutant, result in self.alive)

    def stale_equivalents(self):
        return self.equivalents.stale([mutant.key for run in self.runs for mutant in run.mutants])

    def by_operator(self):
        killed, tried = collections.Counter(), collections.Counter()
        for run in self.runs:
            for mutant in run.chosen:
                result = run.results.found.get(mutant.id)
                if result is None or (result.status != "killed" and self.equivalents.entry(mutant.key)):
                    continue
                tried[mutant.operator] += 1
                killed[mutant.operator] += result.status == "killed"
        return [(operator, tried[operator], tried[operator] - killed[operator], f"{killed[operator] / tried[operator]:.3f}")
                for operator in sorted(tried)]

    def markdown(self):
        lines = sum(len(lines) for run in self.runs for lines in run.lines.values())
        mutants = sum(len(run.mutants) for run in self.runs)
        bare = sum(len(without_mutant(run, name)) for run in self.runs for name in run.sources)
        refused = sum(run.refused for run in self.runs)
        seconds = sum(result.seconds for run in self.runs for result in run.results.found.values())
        parts = ["# Mutation testing", "",
                 f"`tests/mutation/run.py` ([how it works](../../tests/mutation/README.md)) wrote this page on "
                 f"{datetime.date.today():%d %B %Y}. The run made {mutants} mutants of {lines} executable lines; {bare} of these "
                 f"lines have no mutant. {refused} more mutants do not compile. The tests of all mutants took "
                 f"{seconds / 60:.0f} minutes on one processor.", "",
                 f"Score: the tests killed **{self.score():.3f}** of the mutants that are not equivalent. "
                 f"`tests/mutation/equivalent.txt` lists {self.total['equivalent']} mutants as equivalent, each with the "
                 "reason.", "",
                 *self.table(self.TITLES, self.rows()), "", "## By operator", "",
                 *self.table(("operator", "mutants", "not killed", "score"), self.by_operator()), ""]
        if self.alive:
            parts += ["## Survivors", ""]
            for run, mutant, result in self.alive:
                parts += ["```diff", self.described(mutant, result, run.sources), "```", ""]
        return "\n".join(parts)

    @staticmethod
    def table(titles, rows):
        yield "| " + " | ".join(titles) + " |"
        yield "|---|" + "---:|" * (len(titles) - 1)
        for row in rows:
            yield "| " + " | ".join(map(str, row)) + " |"
