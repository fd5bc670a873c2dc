"""Reads equivalent.txt: mutants that no test can notice, each with the argument."""

import pathlib
import re

FILE = pathlib.Path(__file__).resolve().parent / "equivalent.txt"


class Equivalents:
    """An entry stands for one mutant, or, where parts of its key are *, for all that are alike otherwise."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.patterns = {entry: re.compile(" \\| ".join(self.part(part) for part in entry.split(" | ")))
                         for entry in arguments if " * " in f" {entry} "}

    @staticmethod
    def part(text):
        return ".*" if text == "*" else re.escape(text)

    def entry(self, key):
        """The entry that a mutant is listed by, or None."""
        if key in self.arguments:
            return key
        return next((entry for entry, pattern in self.patterns.items() if pattern.fullmatch(key)), None)

    def stale(self, keys):
        """Entries that stand for no mutant any more."""
        used = {self.entry(key) for key in keys}
        return [entry for entry in self.arguments if entry not in used]


def read(file=FILE):
    """A key begins its line, and the argument follows in lines that are indented."""
    found, key = {}, None
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            key = line.strip()
            if key in found:
                raise ValueError(f"{file.name} lists a mutant twice: {key}")
            found[key] = ""
        elif key is None:
            raise ValueError(f"{file.name}: an argument without a mutant: {line.strip()}")
        else:
            found[key] = f"{found[key]} {line.strip()}".strip()
    if lacking := [key for key, argument in found.items() if not argument]:
        raise ValueError(f"{file.name}: without an argument: {lacking[0]}")
    return Equivalents(found)
