"""Runs the program named on the command line against a PostgreSQL server of its own."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from servers import process  # noqa: E402
from servers.postgres import PostgresServer  # noqa: E402

SKIPPED = 77  # as meson understands it


def main():
    try:
        server = PostgresServer()
    except process.Unavailable as reason:
        print(reason)
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    with server:
        connection = f"host={server.host} port={server.port} user=postgres dbname=postgres"
        return subprocess.run(sys.argv[1:], env={**os.environ, "OUTBOX_TEST_POSTGRES": connection}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
