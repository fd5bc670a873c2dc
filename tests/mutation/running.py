"""Run the tests of a suite against one mutant at a time: the tests that reach it, the fastest first."""

import collections
import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import tempfile
import time

import building

MEMORY = 4 << 30  # The address space that a process may use, in bytes.
# Limits in seconds: tests, and contract tests, that take less time run together in one process.
SHORT, SHORT_CASE = 0.05, 1
ENOUGH_FOR_WAYS = 4000  # With fewer runs, it depends on chance which transitions are taken.
# If at least this many runs take a transition without a mutant and none takes it with the mutant, the mutant is
# noticed.
OFTEN = 8


@dataclasses.dataclass
class Result:
    status: str  # killed, survived or unreached
    by: str = ""
    seconds: float = 0.0
    runs: int = 0  # The number of simulator runs that reach the mutant.
    seeds: int = 0  # The number of simulator runs from which `runs` were selected.
    differ: int = 0  # The number of runs whose result differs from the result without the mutant.


class NotSound(Exception):
    """Raised if the tests fail without any mutant."""


def limited(command, seconds, **options):
    """Run a process with limits. Return (exit code, output); the exit code is None if it took too long."""
    words = ["prlimit", f"--cpu={int(seconds) + 1}", f"--as={MEMORY}", "--core=0", *map(str, command)]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=10 * seconds + 20, check=False, **options)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout


def ended(code):
    """Describe how an unsuccessful process ended."""
    if code is None or code in (-24, -9, 137, 152):  # SIGXCPU or SIGKILL, also as exit codes
        return "hangs"
    return f"signal {-code}" if code < 0 else "fails"


@contextlib.contextmanager
def recording():
    """Yield a file in which a process records the mutants that it reaches, and the environment for the process."""
    with tempfile.TemporaryDirectory(prefix="outbox-mutation-") as folder:
        file = pathlib.Path(folder) / "reached"
        yield file, os.environ | {"OUTBOX_MUTATION_REACHED": str(file)}


def chosen(mutant):
    return os.environ | {"OUTBOX_MUTATION": str(mutant.number)}


@dataclasses.dataclass
class Case:
    name: str
    seconds: float
    reached: str  # A digit for each mutant: 1 if the case reaches it.


class UnitTests:
    """The Catch2 tests of a suite."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.cases = []

    @staticmethod
    def pattern(name):
        return re.sub(r"([\\,\[\]*\"~])", r"\\\1", name)

    def names(self):
        done = subprocess.run([self.program, "--list-test-names-only"], capture_output=True, text=True, check=False)
        if not done.stdout:  # Catch2 3 has another option.
            done = subprocess.run([self.program, "--list-tests", "--verbosity", "quiet"], capture_output=True, text=True,
                                  check=True)
        return [line for line in done.stdout.splitlines() if line.strip()]

    def command(self, cases):
        return [self.program, "--abort", ",".join(self.pattern(case.name) for case in cases)]

    def record(self):
        for name in self.names():
            case = Case(name, 0.0, "")
            with recording() as (file, environment):
                began = time.monotonic()
                code, output = limited(self.command([case]), 120, env=environment)
                if code != 0:
                    raise NotSound(f"{name}: {output[-2000:]}")
                case.seconds, case.reached = time.monotonic() - began, file.read_text(encoding="ascii")
            self.cases.append(case)
        self.cases.sort(key=lambda case: case.seconds)

    def reaches(self, mutant):
        return any(case.reached[mutant.number] == "1" for case in self.cases)

    def kill(self, mutant):
        """Return the test that notices the mutant, or None."""
        cases = [case for case in self.cases if case.reached[mutant.number] == "1"]
        short = [case for case in cases if case.seconds < SHORT]
        for group in [short] * bool(short) + [[case] for case in cases if case.seconds >= SHORT]:
            code, output = limited(self.command(group), 3 * sum(case.seconds for case in group) + 2, env=chosen(mutant))
            if code != 0:
                found = next((case.name for case in group if case.name[:60] in output), group[0].name)
                return f"{found} ({ended(code)})"
        return None


class Simulator:
    """Runs of the simulator, each of a scenario and a seed. A recording says which mutants a run reaches."""

    def __init__(self, program, folder, count, mutants):
        self.program, self.folder, self.count, self.mutants = program, folder, count, mutants
        listed = subprocess.run([program, "--scenarios"], capture_output=True, text=True, check=True).stdout.splitlines()
        self.scenarios = [line for line in listed if not line.startswith("way ")]
        self.ways = [line.removeprefix("way ").strip() for line in listed if line.startswith("way ")]
        self.runs = [(i % len(self.scenarios), i // len(self.scenarios) + 1) for i in range(count)]
        self.way_bytes, self.mutant_bytes = (len(self.ways) + 7) // 8, (mutants + 7) // 8

    def record(self):
        file = self.folder / "runs"
        size = 12 + self.way_bytes + self.mutant_bytes
        stamp = self.folder / "runs.stamp"
        wanted = f"{self.count} {self.mutants} {self.program.stat().st_mtime_ns}"
        if not stamp.exists() or stamp.read_text(encoding="ascii") != wanted:
            plan = self.plan((*run, 0) for run in self.runs)
            code, output = limited([self.program, "--record", file], 600 + self.count, input=plan)
            if code != 0:
                raise NotSound(f"the simulator without mutants: {output[-2000:]}")
            stamp.write_text(wanted, encoding="ascii")
        data = file.read_bytes()
        records = [data[i:i + size] for i in range(0, len(data), size)]
        self.runs = [(*run, int.from_bytes(record[:8], "little")) for run, record in zip(self.runs, records)]
        self.seconds = [int.from_bytes(record[8:12], "little") / 1e6 for record in records]
        self.went = [int.from_bytes(record[12:12 + self.way_bytes], "little") for record in records]
        self.reached = [record[12 + self.way_bytes:] for record in records]
        self.times = collections.Counter(way for went in self.went for way in range(len(self.ways)) if went >> way & 1)

    @staticmethod
    def plan(runs):
        return "".join(f"{scenario} {seed} {outcome}\n" for scenario, seed, outcome in runs)

    def reaching(self, mutant):
        byte, bit = divmod(mutant.number, 8)
        return [i for i, reached in enumerate(self.reached) if reached[byte] >> bit & 1]

    def reaches(self, mutant):
        return bool(self.reaching(mutant))

    def kill(self, mutant):
        """Return (what notices the mutant or None, how many runs reach it, and how many of them differ)."""
        mine = self.reaching(mutant)
        if not mine:
            return None, 0, 0
        seconds = 3 * sum(self.seconds[i] for i in mine) + 10
        ways = ["--ways"] * (self.count >= ENOUGH_FOR_WAYS)
        code, output = limited([self.program, *ways], seconds, env=chosen(mutant),
                               input=self.plan(self.runs[i] for i in mine))
        if code != 0:
            lines = [line for line in output.splitlines() if line.startswith("seed ")]
            return f"simulator: {lines[-1] if lines else ended(code)}", len(mine), 0
        done, differ, *digits = output.split()
        by = self.missed_way(digits[0], mine) if ways and int(done) == len(mine) else None
        return by, int(done), int(differ)

    def missed_way(self, digits, mine):
        """Return a transition that is often taken without the mutant and never with it, or None."""
        went = {i for i, digit in enumerate(digits) if digit == "1"}
        mine = set(mine)
        for i, ways in enumerate(self.went):
            if i not in mine:
                went |= {way for way in range(len(self.ways)) if ways >> way & 1}
        for way, times in self.times.items():
            if times >= OFTEN and way not in went:
                return f"simulator: never gone: {' '.join(self.ways[way].split())}"
        return None


class Plugin:
    """The contract tests, run with a plugin whose database is a file."""

    def __init__(self, program, build, pattern):
        self.program, self.check, self.pattern = program, build / "tests" / "contract" / "outbox-plugin-check", pattern
        self.cases = []

    def command(self, names, *words):
        only = f"^({'|'.join(map(re.escape, names))})$"
        return ["/usr/bin/python3", building.ROOT / "tests" / "contract" / "on_a_file.py", self.check, self.program,
                "--seed", "1", "--only", only, *words]

    def record(self):
        listed = subprocess.run([self.check, "--list", "--only", self.pattern], capture_output=True, text=True, check=True)
        for name in (line.split()[0] for line in listed.stdout.splitlines()):
            with recording() as (file, environment):
                began = time.monotonic()
                code, output = limited(self.command([name], "--in-process"), 120, env=environment)
                if code != 0:
                    raise NotSound(f"{name}: {output[-2000:]}")
                self.cases.append(Case(name, time.monotonic() - began, file.read_text(encoding="ascii")))
        self.cases.sort(key=lambda case: case.seconds)

    def reaches(self, mutant):
        return any(case.reached[mutant.number] == "1" for case in self.cases)

    def kill(self, mutant):
        cases = [case for case in self.cases if case.reached[mutant.number] == "1"]
        short = [case for case in cases if case.seconds < SHORT_CASE]
        for group in [short] * bool(short) + [[case] for case in cases if case.seconds >= SHORT_CASE]:
            limit = int(3 * max(case.seconds for case in group) + 5)
            code, output = limited(self.command([case.name for case in group], "--time-limit", str(limit)),
                                   limit * len(group), env=chosen(mutant))
            if code != 0:
                failed = re.search(r"^(?:FAILED|CRASHED) +(\S+)(?:[\s\S]*?seen: (.*))?", output, re.MULTILINE)
                return f"{failed[1]}: {(failed[2] or '')[:100]}" if failed else ended(code)
        return None


class Tests:
    """All tests of a suite."""

    def __init__(self, builder, mutants, runs):
        self.unit = self.simulator = self.plugin = None
        for program in builder.programs:
            if program.path.name == "unit-tests":
                self.unit = UnitTests(program.path, builder.folder)
            elif program.path.name == "simulate":
                self.simulator = Simulator(program.path, builder.folder, runs, mutants)
            else:
                self.plugin = Plugin(program.path, builder.build, builder.suite.cases)
        self.all = [tests for tests in (self.unit, self.simulator, self.plugin) if tests is not None]

    def record(self):
        for tests in self.all:
            tests.record()

    def run(self, mutant):
        began = time.monotonic()
        by, runs, differ = None, 0, 0
        if not any(tests.reaches(mutant) for tests in self.all):
            return Result("unreached", seeds=self.simulator.count if self.simulator else 0)
        if self.unit is not None:
            by = self.unit.kill(mutant)
        if by is None and self.simulator is not None:
            by, runs, differ = self.simulator.kill(mutant)
        if by is None and self.plugin is not None:
            by = self.plugin.kill(mutant)
        seeds = self.simulator.count if self.simulator is not None else 0
        return Result("killed" if by else "survived", by or "", round(time.monotonic() - began, 3), runs, seeds, differ)
