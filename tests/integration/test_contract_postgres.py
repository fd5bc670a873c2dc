"""The contract of the plugin boundary, held against the PostgreSQL plugin and a real server."""

import json
import subprocess
import unittest
import uuid

from servers import find_binary, shared_postgres


class PostgresContractTest(unittest.TestCase):
    def hold(self, *arguments):
        dsn = shared_postgres().create_database(f"contract-{uuid.uuid4()}")
        build = next(up for up in find_binary().parents if (up / "build.ninja").is_file())
        run = subprocess.run(
            [build / "tests/contract/outbox-plugin-check", build / "plugins/postgres/outbox-postgres.so",
             "--options", json.dumps({"connection": dsn}), *arguments],
            capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(run.returncode, 0, f"\n{run.stdout}{run.stderr}")
        return run.stdout

    def test_payload_text(self):
        self.hold()

    def test_payload_bytea(self):
        report = self.hold("--payload", "bytea")
        self.assertRegex(report, r"(?m)^ok +values/bytes-are-bytes$")

    def test_random_histories(self):
        for seed in range(1, 11):
            with self.subTest(seed=seed):
                report = self.hold("--only", "history", "--seed", str(seed))
                self.assertIn("1 ok", report)
