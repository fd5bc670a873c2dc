#!/usr/bin/python3
"""exports.py PLUGIN: check that one of this project's plugins exports exactly one symbol."""

import subprocess
import sys

lines = subprocess.run(["nm", "-D", "--defined-only", sys.argv[1]], capture_output=True, text=True, check=True).stdout
symbols = [line.split()[-1] for line in lines.splitlines()]
sys.exit(0 if symbols == ["outbox_plugin_v1"] else f"{sys.argv[1]} exports {symbols}")
