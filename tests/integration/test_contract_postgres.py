"""Runs the contract tests of the plugin ABI against the PostgreSQL plugin and a real server."""

import unittest
import uuid

from contract import Contract
from servers import shared_postgres


class PostgresContractTest(Contract, unittest.TestCase):
    plugin = "postgres"

    def make_database(self):
        return {"connection": shared_postgres().create_database(f"contract-{uuid.uuid4()}")}

    def test_payload_text(self):
        self.hold()

    def test_payload_bytea(self):
        report = self.hold("--payload", "bytea")
        self.assertRegex(report, r"(?m)^ok +values/bytes-are-bytes$")
