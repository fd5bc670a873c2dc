"""Reads equivalent.txt: mutants that no test can notice, each with the argument."""

import pathlib

FILE = pathlib.Path(__file__).resolve().parent / "equivalent.txt"


def read(file=FILE):
    """{key of a mutant: argument}. A key begins its line, and the argument follows in lines that are indented."""
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
    return found
