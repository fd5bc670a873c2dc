#!/usr/bin/python3
"""Select the slow tests of a run. rotation.txt assigns slow tests to slices, and `scripts/test` runs one slice in addition
to all tests that are not listed there.

usage: rotation.py slice              print the slice of the last commit: the number of commits modulo the number of slices
       rotation.py tests SLICE BUILD  list the meson tests that run with a slice, one per line; BUILD is meson's build folder
       rotation.py left-out SLICE     list the tests that do not run with a slice, one line per other slice
       rotation.py check BUILD        check rotation.txt

A line of rotation.txt is SLICE SECONDS NAME. NAME is a meson test, or a class or test of tests/integration. SECONDS is its
measured duration; the integration tests start with the longest.
"""

import ast
import dataclasses
import json
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent
FILE = TESTS / "rotation.txt"


@dataclasses.dataclass(frozen=True)
class Entry:
    slice: int
    seconds: int
    name: str

    def covers(self, name):
        """True if the entry is the test or class with this name, or the class that contains it."""
        return name == self.name or name.startswith(f"{self.name}.")


def read(file=FILE):
    lines = file.read_text(encoding="utf-8").splitlines()
    fields = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [Entry(int(number), int(seconds), name) for number, seconds, name in fields]


def slices(entries):
    return sorted({entry.slice for entry in entries})


def runs(entries, name, number):
    """True if a test runs with a slice, because it is listed in that slice or not at all."""
    return all(entry.slice == number for entry in entries if entry.covers(name))


def turn(entries):
    """The slice of the last commit. A shallow clone does not have all commits, so there the id of the commit decides.
    Without any history, as in an archive, it is the first slice."""
    def git(*words):
        return subprocess.run(["git", "-C", TESTS, *words], check=True, capture_output=True, text=True).stdout.strip()

    try:
        shallow = git("rev-parse", "--is-shallow-repository") == "true"
        count = int(git("rev-parse", "HEAD"), 16) if shallow else int(git("rev-list", "--count", "HEAD"))
    except (OSError, subprocess.CalledProcessError):
        return 1
    return count % len(slices(entries)) + 1


def left_out(entries, number):
    for other in slices(entries):
        if other != number:
            names = " ".join(entry.name for entry in entries if entry.slice == other)
            yield f"slice {other} did not run: {names}"


def meson_tests(build):
    tests = json.loads((build / "meson-info" / "intro-tests.json").read_text(encoding="utf-8"))
    return [test["name"] for test in tests]


def integration_tests():
    """Returns the test classes, and the names of all methods of all classes, because inherited methods would be known only
    after loading a class. integration/run.py refuses an entry that has no test."""
    classes, methods = [], set()
    for file in sorted((TESTS / "integration").glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if file.stem.startswith("test_"):
            classes += [f"{file.stem}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)]
        methods |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return classes, methods


def check(entries, programs, classes, methods):
    """Returns an error in the entries, or None."""
    def exists(name):
        owner, _, method = name.rpartition(".")
        return name in programs or name in classes or (owner in classes and method in methods)

    if not entries or slices(entries) != list(range(1, len(slices(entries)) + 1)):
        return f"the slices must be numbered 1, 2, 3, ...; found {slices(entries)}"
    for entry in entries:
        if not exists(entry.name):
            return f"{entry.name} is neither a meson test nor a class or test of tests/integration"
        if others := [other.name for other in entries if other is not entry and entry.covers(other.name)]:
            return f"{others[0]} is listed more than once, by its own name or as a part of {entry.name}"
    for name in [*programs, *classes, *(entry.name for entry in entries)]:
        turns = [number for number in slices(entries) if runs(entries, name, number)]
        listed = [entry for entry in entries if entry.covers(name)]
        if turns != ([listed[0].slice] if listed else slices(entries)):
            return f"{name} runs with the slices {turns}, but is listed in {[entry.slice for entry in listed]}"
    return None


def main():
    entries = read()
    match sys.argv[1:]:
        case ["slice"]:
            print(turn(entries))
        case ["tests", number, build]:
            print(*(name for name in meson_tests(pathlib.Path(build)) if runs(entries, name, int(number))), sep="\n")
        case ["left-out", number] if int(number) in slices(entries):
            print(*left_out(entries, int(number)), sep="\n")
        case ["left-out", number]:
            sys.exit(f"there is no slice {number}; expected one of {', '.join(map(str, slices(entries)))}")
        case ["check", build]:
            sys.exit(check(entries, meson_tests(pathlib.Path(build)), *integration_tests()))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
