"""Counts what a drained event costs the database, independently of the speed of the machine: one deleted row, no updated
row, and at most three statements per batch."""

import contextlib
import sqlite3
import unittest
import uuid

from servers import (Relay, TemporaryFolder, relay_config, shared_kafka, shared_mariadb, shared_mysql, shared_postgres,
                     wait_until)

EVENTS = 50_000
BATCH = 1000
# Statements of a relay for its start, the renewal of its lease, a last poll, and its end.
AROUND = 60

FILL = (f"insert into outbox_event (topic, event_type, aggregate_id, payload)"
        f" with recursive n(i) as (select 1 union all select i + 1 from n where i < {EVENTS})"
        f" select '%s', 'made', i %% 100, '{{}}' from n")


class Cost:
    """A backlog is drained by a relay with default settings. A derived class creates, fills and queries the database."""

    around = AROUND

    def setUp(self):
        self.kafka = shared_kafka()
        self.topic = f"cost-{uuid.uuid4()}"
        self.kafka.create_topic(self.topic, 4)
        settings = relay_config(self.plugin, self.make_database(), self.kafka.bootstrap)
        settings["relay"] = {"batch_size": BATCH}
        self.relay = Relay(settings)
        self.addCleanup(self.relay.close)
        migrated = self.relay.command("migrate")
        self.assertEqual(migrated.returncode, 0, migrated.stderr)

    def drain(self):
        self.relay.start()
        self.relay.wait_while_running(lambda: sum(self.kafka.end_offsets(self.topic).values()) == EVENTS, 60, "all events arrive")
        self.relay.wait_while_running(self.is_empty, 60, "the table is empty")
        self.assertEqual(self.relay.stop(), 0)

    def assert_cheap(self, updated, deleted, statements):
        print(f"  {statements} statements for {EVENTS // BATCH} batches")
        self.assertEqual((updated, deleted), (0, EVENTS), "rows updated and deleted")
        self.assertLessEqual(statements, 3 * EVENTS // BATCH + self.around)


class PostgresTest(Cost, unittest.TestCase):
    plugin = "postgres"
    looks = 0

    def make_database(self):
        self.server = shared_postgres()
        self.database = f"cost-{uuid.uuid4()}"
        return {"connection": self.server.create_database(self.database)}

    def is_empty(self):
        self.looks += 1
        return self.server.psql("select exists (select 1 from outbox_event)", self.database).strip() == "f"

    def test_cost(self):
        self.server.psql(FILL % self.topic, self.database)
        before = self.transactions()
        self.drain()
        # Each statement is a transaction of its own, unless the relay begins one explicitly, so transactions are counted.
        statements = self.transactions() - before - self.looks
        row = self.server.psql("select n_tup_upd, n_tup_del from pg_stat_user_tables where relname = 'outbox_event'",
                               self.database)
        self.assert_cheap(*map(int, row.split("|")), statements)

    def transactions(self):
        """Number of transactions, read when all sessions have ended, because a running session may not have reported all of
        its own."""
        wait_until(lambda: self.server.psql(f"select count(*) from pg_stat_activity where datname = '{self.database}'")
                   .strip() == "0", 30, "all sessions have ended")
        return int(self.server.psql(f"select xact_commit + xact_rollback from pg_stat_database"
                                    f" where datname = '{self.database}'"))


class OnMysql(Cost):
    plugin = "mysql"
    # The check at the start executes 18 statements for each of the six tables. Unlike in PostgreSQL, they are counted
    # separately.
    around = AROUND + 6 * 18

    def make_database(self):
        self.server = self.shared()
        self.database = f"cost-{uuid.uuid4()}"
        options = self.server.create_database(self.database)
        self.link = self.server.connect(self.database)
        self.addCleanup(self.link.close)
        return options

    def ask(self, sql):
        with self.link.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()

    def is_empty(self):
        return not self.ask("select exists (select 1 from outbox_event)")[0]

    def status(self, name, scope="global"):
        return int(self.ask(f"show {scope} status like '{name}'")[1])

    def counts(self):
        """Returns (rows updated, rows deleted, statements). The rows are those of all tables."""
        return (self.status("Handler_update"), self.status("Handler_delete"),
                self.status("Questions") - self.status("Questions", "session"))

    def test_cost(self):
        self.ask(f"set {self.depth} = {EVENTS}")
        self.ask(FILL % self.topic)
        before = self.counts()
        self.drain()
        updated, deleted, statements = (after - then for after, then in zip(self.counts(), before))
        # The rows of the lease are included; they are written a few times.
        self.assertLess(updated, AROUND)
        self.assertLess(deleted - EVENTS, AROUND)
        self.assert_cheap(0, min(deleted, EVENTS), statements)


class MariadbTest(OnMysql, unittest.TestCase):
    shared = staticmethod(shared_mariadb)
    depth = "max_recursive_iterations"


class MysqlTest(OnMysql, unittest.TestCase):
    shared = staticmethod(shared_mysql)
    depth = "cte_max_recursion_depth"


class SqliteTest(Cost, unittest.TestCase):
    """SQLite does not count statements, so only rows are counted, by triggers."""

    plugin = "sqlite"

    def make_database(self):
        folder = TemporaryFolder("cost")
        self.addCleanup(folder.remove)
        self.path = folder.path / "outbox.db"
        return {"path": str(self.path)}

    def link(self):
        return contextlib.closing(sqlite3.connect(self.path, timeout=60, isolation_level=None))

    def is_empty(self):
        with self.link() as link:
            return not link.execute("select exists (select 1 from outbox_event)").fetchone()[0]

    def test_cost(self):
        with self.link() as link:
            link.executescript(
                "create table writes (kind text);"
                "create trigger updates after update on outbox_event begin insert into writes values ('update'); end;"
                "create trigger deletes after delete on outbox_event begin insert into writes values ('delete'); end;")
            link.execute(FILL % self.topic)
        self.drain()
        with self.link() as link:
            writes = [kind for (kind,) in link.execute("select kind from writes")]
        self.assert_cheap(writes.count("update"), writes.count("delete"), 0)
