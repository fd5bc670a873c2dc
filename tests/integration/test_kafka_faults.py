"""Faults of a broker that is running: errors before and after the append, lost answers, fatal errors of the producer, a
frozen or slow broker, and refused logins."""

import struct
import time
import unittest
import uuid

from catalogue import faults
from servers import free_port, own_kafka
from servers.kafka import GUARDED
from servers.kafka_proxy import NOT_ENOUGH_REPLICAS, OUT_OF_ORDER_SEQUENCE, proxied_kafka
from servers.kafka_wire import array, string
from test_faults import FaultTest, lines

NOT_LEADER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND, STORAGE_ERROR = 6, 7, 20, 56
EVENTS = 300


class KafkaTest(FaultTest):
    def start(self, bootstrap, relay=None, **kafka):
        made = self.sqlite(bootstrap, relay, kafka=kafka)
        made.start()
        return made

    def assert_no_attempt(self, relay):
        self.assertEqual(self.status(relay)["retrying"] + self.status(relay)["blocked"], 0)
        self.assertNotIn("failed (attempt", relay.log())


class ProxiedTest(KafkaTest):
    @classmethod
    def setUpClass(cls):
        cls.broker, cls.proxy = cls.enterClassContext(proxied_kafka())

    def setUp(self):
        self.topic = f"kafka-faults-{uuid.uuid4()}"
        self.broker.create_topic(self.topic)
        self.proxy.reset()

    def deliver(self, relay, twice_at_most=0):
        """Waits until the outbox is empty, and asserts that all events have arrived in order. Returns the number of
        duplicates."""
        self.wait_for_backlog(relay, 0)
        self.assert_no_attempt(relay)
        self.assertEqual(relay.stop(), 0)
        return self.assert_numbered(self.broker.bootstrap, self.topic, EVENTS, twice_at_most)

    # Settings that make many small requests.
    SMALL = {"batch.num.messages": "10", "linger.ms": "0"}

    @faults(63, 64, 76)
    def test_errors_that_pass(self):
        """Some errors come before the append and some after it. The broker recognises a batch that is sent again as a
        duplicate, whichever error it got, unless the next request is stored first. In that case librdkafka reports the
        first batch as delivered without an offset, and it reports lost records in the same way (decision 0007), so the
        relay sends those events again."""
        passing = (NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, NOT_LEADER, REQUEST_TIMED_OUT, STORAGE_ERROR)
        before, after = list(passing), list(passing)

        def refuse(number, _):
            return before.pop() if before and number % 5 == 3 else None

        def belie(request):
            return after.pop() if after and self.proxy.requests.index(request) % 5 == 1 else None

        self.proxy.reset(refuse=refuse, belie=belie)
        relay = self.start(self.proxy.bootstrap, **self.SMALL)
        self.insert(self.topic, EVENTS)
        twice = self.deliver(relay, len(passing) * int(self.SMALL["batch.num.messages"]))
        self.assertEqual((before, after), ([], []), "some of the errors have not occurred")
        print(f"  {len(self.proxy.requests)} requests, {twice} events twice")

    @faults(65)
    def test_stored_and_the_answer_is_lost(self):
        lost = []

        def lose(request):
            if self.proxy.requests.index(request) % 10 != 4:
                return False
            lost.append(request)
            return True

        self.proxy.reset(lose=lose)
        relay = self.start(self.proxy.bootstrap, **self.SMALL, **{"reconnect.backoff.max.ms": "100"})
        self.insert(self.topic, EVENTS)
        self.deliver(relay)
        self.assertGreater(len(lost), 2)

    @faults(70)
    def test_the_producer_ends(self):
        """The broker answers that it has missed records, which is a fatal error of the producer."""
        answers = [OUT_OF_ORDER_SEQUENCE] * 3

        def refuse(number, _):
            return answers.pop() if answers and number % 8 == 4 else None

        self.proxy.reset(refuse=refuse)
        relay = self.start(self.proxy.bootstrap, {"max_in_flight_events": 100, "batch_size": 50}, **self.SMALL)
        self.insert(self.topic, EVENTS)
        twice = self.deliver(relay, twice_at_most=3 * 100)
        self.assertGreaterEqual(relay.log().count("Fatal error: Broker: "), 3, "the producer has not ended three times")
        print(f"  {twice} events twice")

    @faults(77, 78)
    def test_frozen_and_thawed_again_and_again(self):
        """After the broker resumes, it stores what the old producer had sent in addition to what the new one sends."""
        relay = self.start(self.proxy.bootstrap, {"delivery_timeout": "1s"})
        self.insert(self.topic, EVENTS // 3)
        self.wait_for_backlog(relay, 0)
        for turn in (1, 2):
            self.broker.pause()
            self.addCleanup(self.broker.resume)
            self.insert(self.topic, EVENTS // 3, turn * EVENTS // 3)
            # The first reset replaces the producer that has sent the events, the second one its successor.
            relay.wait_for_log("(?s)" + "reset by the relay.*" * 2 * turn)
            self.broker.resume()
            self.wait_for_backlog(relay, 0)
        twice = self.deliver(relay, twice_at_most=2 * EVENTS // 3)
        print(f"  {twice} events twice")
        self.assertGreater(twice, 0, "the broker has not stored what was sent before it resumed")

    @faults(76)
    def test_throttled(self):
        """The broker delays its answers. Records that wait for them are not sent again."""
        self.quota(27_000)
        self.addCleanup(self.quota, None)
        relay = self.start(self.proxy.bootstrap, **self.SMALL, **{"compression.type": "none"})
        begun = time.monotonic()
        self.insert(self.topic, EVENTS, size=1000)
        self.deliver(relay)
        print(f"  {time.monotonic() - begun:.1f} s")
        self.assertGreater(time.monotonic() - begun, 1, "the broker was not throttled")

    def quota(self, rate):
        """Sets the quota of each producer in bytes per second; None removes it."""
        entity = array([string("client-id") + string(None)])
        change = string("producer_byte_rate") + struct.pack(">d?", rate or 0, rate is None)
        with self.broker.admin() as admin:
            answer = admin._call(49, 0, array([entity + array([change])]) + b"\0")  # pylint: disable=protected-access
            answer.take("i")
            answer.take("i")
            self.assertEqual(answer.take("h"), 0, "AlterClientQuotas")


class DoorTest(KafkaTest):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()  # the listener that requires a login
        cls.broker = own_kafka(behind={cls.port: cls.port}, properties={
            **GUARDED, "sasl.enabled.mechanisms": "PLAIN",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,BEHIND{cls.port}:SASL_PLAINTEXT",
            f"listener.name.behind{cls.port}.plain.sasl.jaas.config":
                'org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="right";'})
        cls.addClassCleanup(cls.broker.stop)
        cls.broker.start()

    @faults(73)
    def test_wrong_password(self):
        """The relay waits as for an unavailable broker, because the password may be changed at this moment."""
        topic = f"password-{uuid.uuid4()}"
        self.broker.create_topic(topic)
        relay = self.start(f"127.0.0.1:{self.port}", **{
            "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "relay",
            "sasl.password": "wrong"})
        self.insert(topic, 10)
        relay.wait_for_log("broker unavailable: .*(?i:authentication)")
        relay.wait_for_log("identical error")  # logged by the next try
        self.assertEqual(relay.log().count("broker unavailable: "), 1)
        self.assert_no_attempt(relay)
        self.assertEqual(relay.stop(), 0)
        relay.config.write_text(relay.config.read_text(encoding="utf-8").replace('"wrong"', '"right"'), encoding="utf-8")
        relay.start()
        self.wait_for_backlog(relay, 0)
        self.assertEqual(relay.stop(), 0)
        self.assert_numbered(self.broker.bootstrap, topic, 10)

    @faults(74)
    def test_one_topic_is_forbidden(self):
        forbidden, allowed = (f"{name}-{uuid.uuid4()}" for name in ("forbidden", "allowed"))
        self.broker.create_topic(forbidden)
        self.broker.create_topic(allowed)
        with self.broker.admin() as admin:
            admin.allow_reading_only(forbidden)
        patient = {"retry_backoff": "200ms", "max_retry_backoff": "400ms", "max_attempts": 1000}
        relay = self.start(self.broker.bootstrap, patient)
        self.emit(relay, lines(forbidden, 3, key="a") + lines(allowed, 100, key="b"))
        self.wait_for_backlog(relay, 3)
        relay.wait_for_log("forbidden_topic")
        self.assertEqual(len(self.payloads(self.broker.bootstrap, allowed)), 100)
        with self.broker.admin() as admin:
            admin.allow_all(forbidden)
        self.wait_for_backlog(relay, 0)
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(self.payloads(self.broker.bootstrap, forbidden), ["0", "1", "2"])


if __name__ == "__main__":
    unittest.main()
