"""Read equivalent.txt: mutants that no test can notice, each with an argument."""

import pathlib
import re

FILE = pathlib.Path(__file__).resolve().parent / "equivalent.txt"


class Equivalents:
    """The entries of equivalent.txt. An entry stands for one mutant or, if its key contains *, for all that match."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.patterns = {entry: re.compile(" \\| ".join(self.part(part) for part in entry.split(" | ")))
                         for entry in arguments if " * " in f" {entry} "}

    @staticmethod
    def part(text):
        return ".*" if text == "*" else re.escape(text)

    def entry(self, key):
        """Return the entry that lists a mutant, or None."""
        if key in self.arguments:
            return key
        return next((entry for entry, pattern in self.patterns.items() if pattern.fullmatch(key)), None)

    def stale(self, keys):
        """Return the entries that match no mutant any more."""
        used = {self.entry(key) for key in keys}
        return [entry for entry in self.arguments if entry not in used]


def read(file=FILE):
    """Read the file. A key begins its line, and the argument follows in indented lines."""
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
