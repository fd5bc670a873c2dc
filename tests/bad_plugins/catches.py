#!/usr/bin/python3
"""catches.py CHECK PLUGIN CASE OPTIONS: check that the case CASE of the contract fails on PLUGIN, which breaks the
promise that the case checks."""

import subprocess
import sys

check, plugin, case, options = sys.argv[1:]
# Each case starts with an empty outbox in its own process, so the command of --before does nothing. The time limit is
# only as long as a conforming plugin needs, because one nonconforming plugin hangs.
run = subprocess.run([check, plugin, "--options", options, "--only", f"^{case}$", "--time-limit", "5", "--seed", "1",
                      "--before", "true"],
                     capture_output=True, text=True, timeout=50, check=False)
print(run.stdout, run.stderr, sep="")
caught = run.returncode == 1 and any(
    line.split() in (["FAILED", case], ["CRASHED", case]) for line in run.stdout.splitlines())
sys.exit(0 if caught else f"{case} did not notice {plugin}")
