#!/usr/bin/python3
"""on_a_file.py CHECK PLUGIN [ARGUMENT...]: check the contract on a database in a new temporary file."""

import json
import pathlib
import subprocess
import sys
import tempfile

check, plugin, *arguments = sys.argv[1:]
with tempfile.TemporaryDirectory(prefix="outbox-contract-") as folder:
    options = json.dumps({"path": str(pathlib.Path(folder) / "outbox.db")})
    sys.exit(subprocess.run([check, plugin, "--options", options, *arguments], check=False).returncode)
