"""Records that a broker refuses delay no others, deleted topics are not created again, and limits that the relay is not
allowed to read are learnt from refusals."""

import json
import sqlite3
import statistics
import time
import unittest
import uuid

from catalogue import faults
from servers import free_port, own_kafka, read_topic, wait_until
from servers.kafka import GUARDED
from servers.kafka_wire import READ, WRITE
from servers.tcp_proxy import TcpProxy
from test_faults import FaultTest

INSERT = "insert into outbox_event (topic, event_type, aggregate_id, payload, headers) values (?, 'made', ?, ?, ?)"


def refused_kinds(broker, name):
    """Creates the topics. Returns one row of each kind: (topic, key, payload, headers). The broker refuses the first
    three."""
    configs = {"compacted": {"cleanup.policy": "compact"}, "late": {"message.timestamp.before.max.ms": "0"},
               "segments": {"segment.bytes": "2000"}, "small": {"max.message.bytes": "2000"}}
    for kind, config in configs.items():
        broker.create_topic(f"{name}-{kind}", 1, config)
    return [(f"{name}-compacted", None, "no key", "{}"), (f"{name}-late", "late", "too old", "{}"),
            (f"{name}-segments", "segments", "x" * 3000, "{}"), (f"{name}-small", "small", "x" * 3000, "{}"),
            (f"{name}-absent", "absent", "nowhere", "{}"), ("no such topic!", "name", "nowhere", "{}"),
            (f"{name}-small", "headers", "1", "[1]")]


class RefusalTest(FaultTest):
    @classmethod
    def setUpClass(cls):
        # A record that arrives in the millisecond in which it was made is not too old, so the proxy delays the connection
        # by 3 ms.
        entrance = free_port()
        cls.road = cls.enterClassContext(TcpProxy(entrance))
        cls.road.slow(delay=0.003)
        cls.broker = cls.enterClassContext(own_kafka(properties={**GUARDED, "auto.create.topics.enable": "false"},
                                                     behind={entrance: cls.road.port}))

    @faults(96)
    def test_good_events_flow_beside_refused_ones(self):
        name = f"refusals-{uuid.uuid4()}"
        bad = refused_kinds(self.broker, name)
        good = f"{name}-good"
        self.broker.create_topic(good, 2)
        relay = self.sqlite(f"127.0.0.1:{self.road.port}",
                            {"retry_backoff": "200ms", "max_retry_backoff": "1s", "max_attempts": 1000})
        relay.start()
        with sqlite3.connect(self.path, timeout=60, isolation_level=None) as link:
            link.executemany(INSERT, bad * 3)
            for number in range(160):
                link.execute(INSERT, (good, f"k{number % 20}", repr(time.time()), "{}"))
                if number % 20 == 10:
                    link.executemany(INSERT, bad[:3])
                time.sleep(0.05)
            relay.wait_while_running(lambda: sum(self.broker.end_offsets(good).values()) >= 160, 30, "the good events arrive")
            reasons = dict(link.execute("select e.topic || ':' || coalesce(e.aggregate_id, ''), r.reason from outbox_retry r "
                                        "join outbox_event e on e.id = r.row_id").fetchall())
        waits = sorted(record.timestamp / 1000 - float(record.payload) for record in read_topic(self.broker.bootstrap, good))
        p99 = waits[len(waits) * 99 // 100]
        print(f"  p50 {statistics.median(waits):.3f} s, p99 {p99:.3f} s, {len(waits)} records")
        self.assertLess(p99, 2, "one second, and one more for a slow machine")
        self.assertEqual(reasons, {
            f"{name}-compacted:": "invalid_record", f"{name}-late:late": "invalid_record",
            f"{name}-segments:segments": "too_large", f"{name}-small:small": "too_large",
            f"{name}-absent:absent": "unknown_topic", "no such topic!:name": "bad_topic",
            f"{name}-small:headers": "bad_headers"})
        self.assertNotIn("broker unavailable: ", relay.log())

    @faults(116)
    def test_a_limit_that_may_not_be_read_is_learnt(self):
        topic = f"limits-{uuid.uuid4()}"
        self.broker.create_topic(topic, 1, {"max.message.bytes": "20000"})
        with self.broker.admin() as admin:
            admin.allow_only(topic, WRITE, READ)
        relay = self.sqlite(self.broker.bootstrap, {"retry_backoff": "200ms", "max_attempts": 2})
        with sqlite3.connect(self.path, timeout=60) as link:
            link.executemany(INSERT, [(topic, f"k{n % 100}", "x" * 500, "{}") for n in range(3000)])
            link.executemany(INSERT, [(topic, f"large{n}", "x" * 30_000, "{}") for n in range(5)])
        found = relay.command("check", "--topic", topic)
        self.assertIn("DescribeConfigs", found.stdout + found.stderr)
        relay.start()
        relay.wait_while_running(lambda: self.status(relay)["blocked"] == 5, 60, "the large events are exhausted")
        self.wait_for_backlog(relay, 5)
        messages = [json.loads(line)["msg"] for line in relay.log().splitlines()]
        self.assertEqual(sum("does not let the relay's user read max.message.bytes" in text for text in messages), 1)
        ended = sum("gap-less guarantee" in text and text.startswith("producer of") for text in messages)
        print(f"  {ended} producers ended")
        self.assertLess(ended, 15)
        self.assertEqual(len({str(record.headers) for record in read_topic(self.broker.bootstrap, topic)}), 3000)


class DeletedTopicTest(FaultTest):
    @faults(115)
    def test_deleted_topics_do_not_come_back(self):
        """The broker creates every topic that a client requests by name, if the client allows it. In this test both the
        relay and its client library refresh topics every 200 ms instead of every five minutes."""
        with own_kafka(properties={"auto.create.topics.enable": "true"}) as broker:
            relay = self.sqlite(broker.bootstrap, kafka={"topic.metadata.refresh.interval.ms": "200"})
            relay.start()
            deleted, kept = (f"{name}-{uuid.uuid4()}" for name in ("deleted", "kept"))

            def send(topic, count):
                with sqlite3.connect(self.path, timeout=60) as link:
                    link.execute(INSERT, (topic, "k", "1", "{}"))
                relay.wait_while_running(lambda: sum(broker.end_offsets(topic).values()) >= count, 60, "the event arrives")

            def look_at_topics(first):
                begun = time.monotonic()
                for count in range(first, first + 5):
                    send(kept, count)
                wait_until(lambda: time.monotonic() > begun + 1, 5, "both have refreshed topics five times")

            with broker.admin() as admin:
                # An event creates its topic, as intended.
                for topic in (deleted, kept):
                    with sqlite3.connect(self.path, timeout=60) as link:
                        link.execute(INSERT, (topic, "k", "1", "{}"))
                    relay.wait_while_running(lambda topic=topic: topic in admin.topics(), 60, "the topic is created")
                    relay.wait_while_running(lambda topic=topic: sum(broker.end_offsets(topic).values()) == 1, 60, "the event arrives")
                admin.delete_topic(deleted)
                wait_until(lambda: deleted not in admin.topics(), 30, "the topic is deleted")
                look_at_topics(2)
                self.assertNotIn(deleted, admin.topics())
                # After a lost connection the client library requests topics again, and so does the relay while the broker
                # is unavailable.
                broker.kill()
                relay.wait_for_log("broker unavailable: ")
                broker.start()
                relay.wait_for_log("broker available again")
            with broker.admin() as admin:
                look_at_topics(7)
                self.assertNotIn(deleted, admin.topics())
                with sqlite3.connect(self.path, timeout=60) as link:
                    link.execute(INSERT, (deleted, "k", "2", "{}"))
                relay.wait_while_running(lambda: deleted in admin.topics(), 60, "an event creates the topic again")
            self.wait_for_backlog(relay, 0)
            self.assertEqual(relay.stop(), 0)


if __name__ == "__main__":
    unittest.main()
