"""The contract of the plugin boundary, held against the mysql plugin and both of its servers."""

import unittest
import uuid

from contract import Contract
from servers import shared_mariadb, shared_mysql


class MysqlLike(Contract):
    plugin = "mysql"

    def make_database(self):
        return self.shared().create_database(f"contract-{uuid.uuid4()}")

    def test_every_case(self):
        report = self.hold()
        self.assertRegex(report, r"(?m)^ok +values/bytes-are-bytes$")


class MariadbContractTest(MysqlLike, unittest.TestCase):
    shared = staticmethod(shared_mariadb)


class MysqlContractTest(MysqlLike, unittest.TestCase):
    shared = staticmethod(shared_mysql)
