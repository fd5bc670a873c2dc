"""The relay and the topics of a real broker: their limits, their partitions, and topics that do not exist."""

import collections
import sqlite3
import statistics
import struct
import time
import unittest
import uuid

from catalogue import faults
from events import java_partition
from servers import Relay, TemporaryFolder, read_topic, relay_config, shared_kafka, wait_until
from servers.kafka_wire import array, string

CREATE_PARTITIONS = 37
KEYS = 20


class TopicsTest(unittest.TestCase):
    def setUp(self):
        self.kafka = shared_kafka()
        self.topic = f"topics-{uuid.uuid4()}"
        folder = TemporaryFolder("topics")
        self.addCleanup(folder.remove)
        self.path = folder.path / "outbox.db"
        self.relay = self.relay_with()
        self.assertEqual(self.relay.command("migrate").returncode, 0)

    def relay_with(self, **kafka):
        relay = Relay(relay_config("sqlite", {"path": str(self.path)}, self.kafka.bootstrap, {"retry_backoff": "200ms"}, kafka))
        self.addCleanup(relay.close)
        return relay

    def sql(self, statement, rows=None):
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            with connection:
                return (connection.executemany(statement, rows) if rows else connection.execute(statement)).fetchall()
        finally:
            connection.close()

    def insert(self, payloads, topic=None, key="key"):
        self.sql("insert into outbox_event (topic, event_type, aggregate_id, payload) values (?, 'n', ?, ?)",
                 [(topic or self.topic, f"{key}-{n % KEYS}", payload) for n, payload in enumerate(payloads)])

    def wait_for(self, count):
        self.relay.wait_while_running(lambda: sum(self.kafka.end_offsets(self.topic).values()) >= count, 60,
                                      f"the topic has {count} records")

    def reasons(self):
        return collections.Counter(reason for reason, in self.sql("select reason from outbox_retry"))

    @faults(72)
    def test_requests_stay_within_the_topic_limit(self):
        """Many small events are sent in requests within the topic's limit, because the broker refuses a larger request as a
        whole."""
        self.kafka.create_topic(self.topic, configs={"max.message.bytes": 3000})
        self.insert(["x" * 200] * 3000)
        self.relay.start()
        self.wait_for(3000)
        self.assertEqual(self.reasons(), {})
        self.assertEqual(len(read_topic(self.kafka.bootstrap, self.topic)), 3000)

    @faults(72)
    def test_an_event_above_the_topic_limit_fails_alone(self):
        self.kafka.create_topic(self.topic, configs={"max.message.bytes": 3000})
        self.insert(["x" * 100, "y" * 3000, "x" * 100])
        self.relay.start()
        self.wait_for(2)
        wait_until(self.reasons, 30, "the large event has failed")
        (reason, text), = self.sql("select reason, error from outbox_retry")
        self.assertEqual(reason, "too_large")
        self.assertIn("accepts at most 3000", text)
        # When the operator fixes the limit, the event is delivered long before the next refresh of all topics.
        with self.kafka.admin() as admin:
            admin.alter_topic(self.topic, {"max.message.bytes": 100000})
        self.wait_for(3)

    @faults(71)
    def test_topics_that_are_not_there_stop_only_their_own_events(self):
        self.kafka.create_topic(self.topic)
        missing = f"missing-{uuid.uuid4()}"
        self.insert(["later"] * 3, missing, key="waiting")
        self.insert(["never"], "no topic", key="blocked")
        self.insert(["ok"] * 100)
        self.relay.start()
        self.wait_for(100)
        wait_until(lambda: self.reasons() == {"unknown_topic": 3, "bad_topic": 1}, 30, "four events have failed")
        self.kafka.create_topic(missing)
        wait_until(lambda: len(read_topic(self.kafka.bootstrap, missing)) == 3, 30, "the topic was found")

    @faults(71)
    def test_topics_that_are_looked_for_stop_no_others(self):
        """The relay requests a missing topic from the broker for at least 200 ms before the event fails, and here a new one
        is needed every 100 ms."""
        self.kafka.create_topic(self.topic)
        self.relay.start()
        self.insert(["first"])
        self.wait_for(1)
        missing = f"missing-{uuid.uuid4()}"
        count = 200
        for n in range(count):
            if n % 5 == 0:
                self.insert(["never"], f"{missing}-{n}", key=f"waiting-{n}")
            self.insert([repr(time.time())], key=f"good-{n}")
            time.sleep(0.02)
        self.wait_for(1 + count)
        waits = sorted(record.timestamp / 1000 - float(record.payload)
                       for record in read_topic(self.kafka.bootstrap, self.topic) if record.payload != b"first")
        print(f"  p50 {statistics.median(waits) * 1000:.0f} ms, p90 {waits[count * 9 // 10] * 1000:.0f} ms, "
              f"longest {waits[-1] * 1000:.0f} ms")
        self.assertLess(statistics.median(waits), 0.1)
        wait_until(lambda: self.reasons()["unknown_topic"] > 0, 30, "the missing topics are noticed")

    @faults(80)
    def test_partitions_that_are_added_take_their_keys_in_order(self):
        self.kafka.create_topic(self.topic, partitions=2)
        # Topics are refreshed every 200 ms instead of every five minutes.
        self.relay = self.relay_with(**{"topic.metadata.refresh.interval.ms": "200"})
        self.relay.start()
        sent = 0
        for partitions in (2, 5):
            with self.kafka.admin() as admin:
                if partitions != 2:
                    request = array([string(self.topic) + struct.pack(">ii", partitions, -1)])
                    admin._call(CREATE_PARTITIONS, 0, request + struct.pack(">i?", 10000, False))  # pylint: disable=W0212
                wait_until(lambda: admin.topics()[self.topic] == partitions, 30, "the topic has the partitions")
            for _ in range(10):
                self.insert([str(sent + n) for n in range(KEYS * 5)])
                sent += KEYS * 5
                self.wait_for(sent)
            if partitions == 5:
                self.relay.wait_for_log("5 partitions now, not 2")
        records = read_topic(self.kafka.bootstrap, self.topic)
        for n in range(KEYS):
            key = f"key-{n}".encode()
            line = sorted((record for record in records if record.key == key), key=lambda r: (r.timestamp, r.offset))
            self.assertEqual([int(record.payload) for record in line], list(range(n, sent, KEYS)))
            self.assertEqual(line[0].partition, java_partition(key, 2))
            self.assertEqual(line[-1].partition, java_partition(key, 5))


if __name__ == "__main__":
    unittest.main()
