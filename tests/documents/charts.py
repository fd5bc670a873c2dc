#!/usr/bin/env python3
"""Check that the state charts of docs/design/engine.md are those of the engine's tables.

    charts.py OUTBOX-SIMULATION           fail if they differ
    charts.py OUTBOX-SIMULATION --write   write them into the page
"""

import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/design/engine.md"
BEGIN, END = "<!-- charts: begin -->\n", "<!-- charts: end -->\n"


def main():
    charts = subprocess.run([sys.argv[1], "--charts"], capture_output=True, text=True, check=True).stdout
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    wanted = before + BEGIN + charts + "\n" + END + after
    if sys.argv[2:] == ["--write"]:
        PAGE.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit(f"{PAGE.name}: the state charts are not those of core/engine/transitions.hpp; "
                 "tests/documents/charts.py build/tests/simulation/outbox-simulation --write")


main()
