"""The whole path: applications commit events of every shape while the relay is stopped, started and killed. In the end
Kafka has all of them."""

import os
import signal
import sqlite3
import unittest
import uuid

from catalogue import faults
from delivery import assert_delivered, assert_in_order, assert_nothing_twice
from events import make_events
from servers import (Relay, TemporaryFolder, read_topic, relay_config, shared_kafka, shared_mariadb, shared_mysql,
                     shared_postgres, wait_until)
from writers import (ENDINGS, MYSQL_ENDINGS, MysqlWriter, PostgresWriter, SqliteWriter, Transaction, Writers,
                     make_transactions, slow_down)

SEED = int(os.environ.get("OUTBOX_TEST_SEED", "20"))
EVENTS = 10_000
PARTITIONS = 6
WINDOW = 500  # events that the relay may have in flight, and so the largest number of duplicates after one kill

# The insert takes its row id and then waits while its transaction has no xid. Its row becomes visible below ids that were
# sent long ago, and no snapshot has shown the transaction.
SLOW_TRIGGER = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.15); return new; end $$;
create trigger slow before insert on outbox_event for each row when (new.event_type = 'slow') execute function slow();
"""


class EndToEnd:
    """The test for every database. A derived class creates, writes and queries the database."""

    migrate_options = ()
    writers = 8
    longest_key = 1024

    def setUp(self):
        print(f"  seed {SEED} (OUTBOX_TEST_SEED)")
        self.kafka = shared_kafka()
        self.topics = [f"end-to-end-{part}-{uuid.uuid4()}" for part in ("orders", "payments")]
        for topic in self.topics:
            self.kafka.create_topic(topic, PARTITIONS)
        self.relay = Relay(relay_config(self.plugin, self.make_database(), self.kafka.bootstrap,
                                        {"batch_size": 100, "max_in_flight_events": WINDOW}))
        self.addCleanup(self.relay.close)
        migrated = self.relay.command("migrate", *self.migrate_options)
        self.assertEqual(migrated.returncode, 0, migrated.stderr)
        self.prepare_database()

    def records(self):
        return [record for topic in self.topics for record in read_topic(self.kafka.bootstrap, topic)]

    def sent(self):
        return sum(sum(self.kafka.end_offsets(topic).values()) for topic in self.topics)

    @faults(1, 38, 82)
    def test_everything_arrives_in_order(self):
        plan = self.plan(make_events(SEED, EVENTS, self.topics, longest_key=self.longest_key))
        writers = Writers(plan, self.open_writer, self.writers).start()

        # The relay is stopped in the middle: nothing is sent twice, and nothing that was sent stays in the table.
        wait_until(lambda: writers.committed > EVENTS // 10 or not writers.running, 120, "a backlog")
        self.relay.start()
        self.relay.wait_while_running(lambda: self.sent() > EVENTS // 4, 120, "a quarter has been sent")
        self.assertTrue(writers.running, "the writers have ended before the relay was stopped")
        self.assertEqual(self.relay.stop(signal.SIGTERM), 0, "exit code after SIGTERM")
        records = self.records()
        assert_nothing_twice(self, records)
        left = self.event_ids_in_table()
        self.assertEqual([record.offset for record in records if record.header("event_id").decode() in left], [],
                         "sent, acknowledged and still in the table after a clean stop")

        # The relay is killed in the middle. Until then it continues without sending anything twice.
        wait_until(lambda: writers.committed > EVENTS // 2 or not writers.running, 120, "a backlog")
        self.relay.start()
        before = self.sent()
        self.relay.wait_while_running(lambda: self.sent() > before + WINDOW, 120, "a window has been sent")
        self.relay.kill()
        records = self.records()
        assert_nothing_twice(self, records)
        self.assertLess(len(records), EVENTS * 0.85, "too few events were left when the relay was killed")

        self.relay.start()
        journal = writers.join(180)
        self.relay.wait_while_running(lambda: not self.event_ids_in_table(), 120, "the table is empty")
        self.assertEqual(self.relay.stop(signal.SIGTERM), 0, "exit code after SIGTERM")

        records = self.records()
        self.assertGreater(len(journal), EVENTS * 0.7)
        assert_delivered(self, journal, records)
        assert_in_order(self, journal, records, PARTITIONS)
        self.assertLessEqual(len(records) - len(journal), WINDOW, "events sent twice by one kill")
        print(f"  {len(journal)} of {EVENTS} events committed and delivered, {len(records) - len(journal)} duplicates")


class SqliteTest(EndToEnd, unittest.TestCase):
    plugin = "sqlite"
    writers = 4

    def make_database(self):
        folder = TemporaryFolder("sqlite")
        self.addCleanup(folder.remove)
        self.path = folder.path / "outbox.db"
        return {"path": str(self.path)}

    def prepare_database(self):
        pass

    def plan(self, events):
        return make_transactions(SEED, events, {name: share for name, share in ENDINGS.items() if "prepared" not in name})

    def open_writer(self):
        return SqliteWriter(self.path)

    def event_ids_in_table(self):
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            return {event_id for (event_id,) in connection.execute("select event_id from outbox_event")}
        finally:
            connection.close()


class PostgresTest(EndToEnd, unittest.TestCase):
    plugin = "postgres"
    migrate_options = ("--payload", "bytea")

    def make_database(self):
        self.server = shared_postgres()
        self.database = f"end-to-end-{uuid.uuid4()}"
        return {"connection": self.server.create_database(self.database)}

    def prepare_database(self):
        self.server.psql(SLOW_TRIGGER, self.database)

    def plan(self, events):
        """Returns transactions in which every hundredth event is slow and has a transaction of its own."""
        slow, rest = events[::100], [event for i, event in enumerate(events) if i % 100]
        plan = make_transactions(SEED, rest, ENDINGS)
        for i, event in enumerate(slow):
            event.event_type = "slow"
            plan.insert(i * len(plan) // len(slow), Transaction([event], "commit", 0))
        return plan

    def open_writer(self):
        return PostgresWriter(self.server.connect(self.database))

    def event_ids_in_table(self):
        return set(self.server.psql("select event_id from outbox_event", self.database).split())


class MysqlLike(EndToEnd):
    """The mysql plugin, with MariaDB or MySQL."""

    plugin = "mysql"
    longest_key = 255  # characters of aggregate_id, which is not a text column because that would need an index with a prefix

    def make_database(self):
        self.server = self.shared()
        self.database = f"end-to-end-{uuid.uuid4()}"
        return self.server.create_database(self.database)

    def prepare_database(self):
        self.server.sql(MysqlWriter.PREPARE, self.database)

    def plan(self, events):
        return slow_down(make_transactions(SEED, events, MYSQL_ENDINGS))

    def open_writer(self):
        return MysqlWriter(self.server.connect(self.database))

    def event_ids_in_table(self):
        return set(self.server.sql("select event_id from outbox_event", self.database).split())


class MariadbTest(MysqlLike, unittest.TestCase):
    shared = staticmethod(shared_mariadb)


class MysqlTest(MysqlLike, unittest.TestCase):
    shared = staticmethod(shared_mysql)
