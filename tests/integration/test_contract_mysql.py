"""Runs the contract tests of the plugin ABI against the mysql plugin with MariaDB and MySQL."""

import unittest
import uuid

from catalogue import faults
from contract import Contract
from servers import own_mariadb, own_mysql, shared_mariadb, shared_mysql

# Settings that administrators make for the applications of a server. The sessions of the relay must behave the same with
# them.
ODD = {
    "sql-mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH",
    "auto-increment-increment": "10",
    "auto-increment-offset": "3",
    "default-time-zone": "+05:30",
    "transaction-isolation": "SERIALIZABLE",
    "autocommit": "OFF",
    "completion-type": "CHAIN",
    "character-set-server": "latin1",
    "init-connect": "set sql_safe_updates = 1, names latin1",
    "innodb-rollback-on-timeout": "ON",
}


class MysqlLike(Contract):
    plugin = "mysql"

    def make_database(self):
        return self.shared().create_database(f"contract-{uuid.uuid4()}")

    @faults(46)
    def test_every_case(self):
        report = self.hold()
        self.assertRegex(report, r"(?m)^ok +values/bytes-are-bytes$")

    @faults(43, 53)
    def test_every_case_whatever_the_server_is_set_to(self):
        with self.own(settings=ODD) as server:
            options = server.create_database("odd")
            # The server does not execute init-connect for users with administrative privileges, so the test uses a plain
            # user.
            server.sql("create user 'plain'@'%' identified by 'x'; grant all on odd.* to 'plain'@'%'")
            self.make_database = lambda: {**options, "user": "plain", "password": "x"}
            self.hold()


class MariadbContractTest(MysqlLike, unittest.TestCase):
    shared = staticmethod(shared_mariadb)
    own = staticmethod(own_mariadb)


class MysqlContractTest(MysqlLike, unittest.TestCase):
    shared = staticmethod(shared_mysql)
    own = staticmethod(own_mysql)
