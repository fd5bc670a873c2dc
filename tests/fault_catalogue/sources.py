"""Finds the tests of each fault in the sources."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"

PYTHON = re.compile(r"^    @faults\(([\d, ]+)\)\n(?:    @.*\n)*    def (test_\w+)\(self", re.MULTILINE)
CATCH2 = re.compile(r'TEST_CASE(?:_METHOD)?\(\s*(?:\w+,\s*)?"([^"]+)",\s*"([^"]+)"\)')
CONTRACT = re.compile(r'\{"([a-z]+)", "([a-z0-9-]+)",')
SCENARIO = re.compile(r'\.name = "([a-z-]+)"')


@dataclasses.dataclass(frozen=True)
class Test:
    kind: str  # integration, catch2, contract or simulation
    file: pathlib.Path
    name: str  # the name that its test runner uses

    def shown(self):
        if self.kind == "integration":
            return f"`{self.file.stem}.{self.name}`"
        if self.kind == "catch2":
            return f"`{self.file.stem}`: {self.name}"
        return f"`{self.kind}/{self.name}`"


def find(faults):
    """Returns {number of a fault: its tests}."""
    found = {fault.number: [] for fault in faults}
    for file in sorted((TESTS / "integration").glob("test_*.py")):
        for numbers, name in PYTHON.findall(file.read_text(encoding="utf-8")):
            _add(found, numbers.split(","), Test("integration", file, name))
    for file in sorted(TESTS.glob("*/*_test.cpp")):
        for name, tags in CATCH2.findall(file.read_text(encoding="utf-8")):
            _add(found, re.findall(r"\[b(\d+)\]", tags), Test("catch2", file, name))
    others = {f"{test.kind}/{test.name}": test for test in (*_contract_cases(), *_scenarios())}
    for fault in faults:
        for name in fault.also:
            if name not in others:
                raise LookupError(f"fault {fault.number} names {name}, which is not there")
            found[fault.number].append(others[name])
    return found


def _add(found, numbers, test):
    for number in map(int, numbers):
        if number not in found:
            raise LookupError(f"{test.file.name}: {test.name} is for fault {number}, which the catalogue does not have")
        found[number].append(test)


def _contract_cases():
    for file in sorted((TESTS / "contract").glob("cases_*.cpp")):
        for group, name in CONTRACT.findall(file.read_text(encoding="utf-8")):
            yield Test("contract", file, f"{group}/{name}")


def _scenarios():
    file = TESTS / "simulation" / "scenario.cpp"
    for name in SCENARIO.findall(file.read_text(encoding="utf-8")):
        yield Test("simulation", file, name)
