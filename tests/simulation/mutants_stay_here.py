#!/usr/bin/python3
"""mutants_stay_here.py BUILD: check that no file outside tests/simulation and tests/chaos is compiled with
OUTBOX_MUTANTS, and that no program outside them is linked with such a file."""

import json
import pathlib
import re
import sys

build = pathlib.Path(sys.argv[1])
homes = ("tests/simulation/", "tests/chaos/")
commands = json.loads((build / "compile_commands.json").read_text())
mutants = [c["output"] for c in commands if "OUTBOX_MUTANTS" in c["command"]]
astray = [output for output in mutants if not output.startswith(homes)]
rules = (build / "build.ninja").read_text()
for target, inputs in re.findall(r"^build ([^:]+): \w*LINKER\w* (.*)$", rules, re.MULTILINE):
    if ("-mutants.a" in inputs or "-mutants.p/" in inputs) and not target.startswith(homes):
        astray.append(target)
print(f"{len(mutants)} files of {len(commands)} are compiled with mutants; astray: {astray}")
sys.exit(bool(astray) or not mutants)
