"""Several relays share one outbox. They join, stop and are killed while events are committed, and the order per key is
kept."""

import json
import signal
import unittest

import test_end_to_end
from catalogue import faults
from delivery import assert_delivered, assert_in_order, assert_nothing_twice
from events import make_events
from servers import Relay, wait_until
from writers import Writers

SEED = test_end_to_end.SEED
EVENTS = 6_000
SHARDS = 6
WINDOW = 600  # events in flight of one relay, divided among its shards
LEASE = 3.0   # seconds


class Shards(test_end_to_end.EndToEnd):
    """A mixin for the database classes of test_end_to_end.py that replaces their test by one with several relays."""

    test_everything_arrives_in_order = None

    def setUp(self):
        super().setUp()
        migrated = self.relay.command("migrate", "--shards", SHARDS)
        self.assertEqual(migrated.returncode, 0, migrated.stderr)

    def open_relay(self, name):
        settings = json.loads(self.relay.config.read_text(encoding="utf-8"))
        settings["relay"].update({"id": name, "batch_size": 50, "max_in_flight_events": WINDOW,
                                  "reserve_duration": f"{int(LEASE)}s"})
        relay = Relay(settings, name=name)
        self.addCleanup(relay.close)
        return relay.start()

    def holders(self):
        """Returns {relay: number of shards that it owns}."""
        status = json.loads(self.relay.command("status", "--json").stdout)
        held = [shard["relay"] for shard in status["shards"]]
        return {name: held.count(name) for name in set(held) if name}

    def await_shares(self, *shares):
        wait_until(lambda: sorted(self.holders().values()) == sorted(shares), 30, f"shares of {shares}", interval=0.1)

    @faults(1, 34)
    def test_relays_join_leave_and_die(self):
        plan = self.plan(make_events(SEED, EVENTS, self.topics, large=3, longest_key=self.longest_key))
        writers = Writers(plan, self.open_writer, self.writers).start()

        # Joining and stopping are not faults, so nothing may be sent twice.
        first = self.open_relay("first")
        first.wait_while_running(lambda: self.sent() > EVENTS // 20, 60, "some events have been sent")
        self.await_shares(6)
        second = self.open_relay("second")
        self.await_shares(3, 3)
        third = self.open_relay("third")
        self.await_shares(2, 2, 2)
        self.assertEqual(second.stop(signal.SIGTERM), 0)
        self.await_shares(3, 3)
        self.assertTrue(writers.running or writers.committed > EVENTS // 4)
        assert_nothing_twice(self, self.records())

        # A kill is a fault: events that the killed relay had in flight are sent again, and its shards move when its lease
        # expires.
        before = self.sent()
        third.kill()
        self.await_shares(6)
        journal = writers.join(180)
        first.wait_while_running(lambda: not self.event_ids_in_table(), 120, "the table is empty")
        self.assertEqual(first.stop(signal.SIGTERM), 0)

        records = self.records()
        assert_delivered(self, journal, records)
        assert_in_order(self, journal, records, test_end_to_end.PARTITIONS)
        self.assertLessEqual(len(records) - len(journal), WINDOW, "events sent twice by one kill")
        print(f"  {len(journal)} of {EVENTS} events, {len(records) - len(journal)} duplicates; {before} before the kill")


class SqliteShardsTest(Shards, test_end_to_end.SqliteTest):
    pass


class PostgresShardsTest(Shards, test_end_to_end.PostgresTest):
    pass


class MariadbShardsTest(Shards, test_end_to_end.MariadbTest):
    pass


class MysqlShardsTest(Shards, test_end_to_end.MysqlTest):
    pass


if __name__ == "__main__":
    unittest.main()
