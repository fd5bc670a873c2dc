"""A broker without state for a producer accepts any first sequence number: docs/design/decisions/0007.

A proxy answers the first request of a new idempotent producer with a retriable error in place of the broker. Everything
else is the behaviour of Apache Kafka and librdkafka.
"""

import collections
import re
import sqlite3
import subprocess
import unittest
import uuid

from catalogue import faults
from servers import Relay, TemporaryFolder, read_topic, relay_config
from servers.kafka_proxy import NOT_ENOUGH_REPLICAS, OUT_OF_ORDER_SEQUENCE, proxied_kafka

MESSAGES = [str(number) for number in range(1, 11)]

# The settings of the relay, with small requests.
PIPELINED = {"enable.idempotence": "true", "enable.gapless.guarantee": "true", "message.timeout.ms": "0",
             "batch.num.messages": "2", "linger.ms": "100"}

broker = proxy = None


def setUpModule():
    global broker, proxy  # pylint: disable=global-statement
    broker, proxy = unittest.enterModuleContext(proxied_kafka())


def produce(topic):
    """Writes the messages to partition 0 with kcat. Returns the offsets that were reported, in the order of the
    messages."""
    options = [word for key, value in PIPELINED.items() for word in ("-X", f"{key}={value}")]
    kcat = subprocess.run(["kcat", "-P", "-vvv", "-b", proxy.bootstrap, "-t", topic, "-p", "0", *options],
                          input="".join(f"{message}\n" for message in MESSAGES), capture_output=True, text=True,
                          check=True, timeout=60)
    return [int(offset) for offset in re.findall(r"delivered to partition 0 \(offset (-?\d+)\)", kcat.stderr)]


class FreshProducerTest(unittest.TestCase):
    """Tests the library without the relay, to show the facts on which the decision is based."""

    def test_what_is_lost_is_reported_without_an_offset(self):
        topic = f"fresh-{uuid.uuid4()}"
        broker.create_topic(topic)
        proxy.reset(refuse=lambda number, _: NOT_ENOUGH_REPLICAS if number == 0 else None,
                    release=lambda requests: len(requests) >= 3)
        offsets = produce(topic)
        log = [record.payload.decode() for record in read_topic(broker.bootstrap, topic)]
        for request in proxy.requests:
            print(f"  {request}")
        print(f"  reported delivered: {len(offsets)}, without an offset: {sum(o < 0 for o in offsets)}; log: {log}")
        self.assertEqual(len(offsets), len(MESSAGES), "the library reports every message as delivered")
        # The relay relies on this: a report with an offset is true, and the report of a lost message has no offset.
        reported = {message: offset for message, offset in zip(MESSAGES, offsets) if offset >= 0}
        self.assertEqual({message: log[offset] for message, offset in reported.items()}, {m: m for m in reported})
        # This is why the relay sends nothing more before the first such report: with Kafka 3.9.1 and librdkafka 2.0.2 or
        # 2.15 all messages without an offset are lost.
        lost = [message for message in MESSAGES if message not in log]
        self.assertIn(lost, ([], [message for message in MESSAGES if message not in reported]))


class RelayTest(unittest.TestCase):
    EVENTS, KEYS = 1000, 7

    def relay_through_proxy(self, partitions, **trouble):
        """Delivers events through a relay whose requests contain two records at most, so that several requests are in
        flight. Returns the records.

        The requests are that small because librdkafka counts messages where it should count requests: with five or more
        messages in a request it sends one request at a time.
        """
        proxy.reset(**trouble)
        folder = TemporaryFolder("first-flight")
        self.addCleanup(folder.remove)
        path = folder.path / "outbox.db"
        topic = f"relay-{uuid.uuid4()}"
        broker.create_topic(topic, partitions)
        config = relay_config("sqlite", {"path": str(path)}, proxy.bootstrap,
                              kafka={"batch.num.messages": "2", "linger.ms": "0"})
        with Relay(config) as relay:
            self.assertEqual(relay.command("migrate").returncode, 0)
            connection = sqlite3.connect(path)
            with connection:
                connection.executemany(
                    "insert into outbox_event (topic, event_type, aggregate_id, payload) values (?, 'n', ?, ?)",
                    [(topic, f"key-{n % self.KEYS}", str(n)) for n in range(self.EVENTS)])
            connection.close()
            relay.start()
            relay.wait_while_running(lambda: sum(broker.end_offsets(topic).values()) >= self.EVENTS, 60, "all events arrive")
            self.assertEqual(relay.stop(), 0)
        return read_topic(broker.bootstrap, topic)

    def assert_each_once_in_order(self, records):
        self.assertEqual(len(records), self.EVENTS)
        for key in range(self.KEYS):
            line = [int(record.payload) for record in records if record.key == f"key-{key}".encode()]
            self.assertEqual(line, list(range(key, self.EVENTS, self.KEYS)))

    @staticmethod
    def before(request):
        """The requests that the same producer has sent to the same partition."""
        line = (request.topic, request.partition, request.producer_id)
        return [other for other in proxy.requests if (other.topic, other.partition, other.producer_id) == line]

    @faults(64)
    def test_first_flights_are_alone_and_may_be_refused(self):
        overtaking = []

        def refuse(_, request):
            before = self.before(request)
            if before and before[-1].error is None and all(other.offset is None for other in before):
                overtaking.append(request)
            return None if before else NOT_ENOUGH_REPLICAS

        self.assert_each_once_in_order(self.relay_through_proxy(2, refuse=refuse))
        self.assertEqual(sum(request.refused_here for request in proxy.requests), 2, "one per partition")
        self.assertEqual(overtaking, [], "sent while the partition's first record had no offset")

    @faults(64)
    def test_a_request_refused_later_goes_again_before_those_behind_it(self):
        refused = []

        def refuse(number, request):
            if len(self.before(request)) not in (3, 10, 30):
                return None
            refused.append(number)
            return NOT_ENOUGH_REPLICAS

        # The relay has sent another request before it receives the refusal.
        self.assert_each_once_in_order(self.relay_through_proxy(
            1, refuse=refuse, release=lambda requests: len(requests) > refused[-1] + 1))
        errors = collections.Counter(request.error for request in proxy.requests)
        print(f"  answers by error code: {dict(errors)}")
        self.assertEqual(errors[NOT_ENOUGH_REPLICAS], len(refused))
        self.assertGreater(errors[OUT_OF_ORDER_SEQUENCE], 0, "the broker has state and refuses requests that are too early")
