"""Network faults between a relay and its database, and between it and Kafka: resets, lost answers, slow connections and
changed addresses.

In every test all committed events arrive, in order per key, and none is charged an attempt. The relay logs each change of
state once, not each try. Each test defines which events may arrive twice.
"""

import os
import random
import re
import sqlite3
import unittest
import uuid

import psycopg2

from catalogue import faults
from fault_drivers import MariadbDatabase, PostgresDatabase
from fault_scene import BACK, BAD, STILL_BAD, Scene
from servers import (TemporaryFolder, free_port, memory, own_kafka, read_topic, shared_kafka, shared_postgres,
                     unavailable, wait_until)
from servers.tcp_proxy import DOWN, TcpProxy
from test_faults import FaultTest


class Flipping(TcpProxy):
    """Flips one bit in one of `every` bytes, while `every` is set."""

    every = None
    flipped = 0
    _dice = random.Random(21)

    def _spend(self, link, data, target):
        data = bytearray(data)
        for at in range(len(data)):
            if self.every and self._dice.randrange(self.every) == 0:
                data[at] ^= 1 << self._dice.randrange(8)
                self.flipped += 1
        return super()._spend(link, bytes(data), target)


class ToTheDatabase:
    """A confirmation whose answer was lost is repeated before anything is read again, so nothing arrives twice."""

    Database = None

    def scene(self, proxy=TcpProxy):
        database = self.Database(False)
        self.addCleanup(database.close)
        proxy = proxy(database.port)
        self.addCleanup(proxy.close)
        return Scene(self, database, database.options(proxy.port), lease="10s").start(), proxy

    @staticmethod
    def failed(scene):
        """Number of calls that have failed so far."""
        return len(scene.logged(("database: ", BAD)))

    @staticmethod
    def wait_for_good(scene):
        scene.relay.wait_while_running(lambda: len(scene.logged(BACK)) == len(scene.logged(BAD)), 30,
                                       "the database is available again")

    @faults(16)
    def test_reset_after_each_number_of_bytes(self):
        """Depending on the number, the connection is reset during the handshake, a read, a confirmation, or the renewal of
        a lease."""
        scene, proxy = self.scene()
        counts = (1, 50, 100, 300, 500, 800, 1200, 2000, 3000, 4000, 5000, 6000, 7000, 8000)
        for count in counts:
            used_up = proxy.used_up
            proxy.reset_after(count)
            scene.relay.wait_while_running(lambda: proxy.used_up > used_up + 3, 30,  # pylint: disable=W0640
                                           "connections have ended")
            proxy.heal()
            proxy.cut()
            self.wait_for_good(scene)
        for reason in scene.logged((BAD, STILL_BAD)):
            self.assertRegex(reason, "onnect|gone away|no answer|reset by peer|closed")
        scene.finish(outages=1, at_most=4 * len(counts))

    @faults(18)
    def test_answers_are_lost(self):
        """The database executes the statements, and their answers are lost."""
        scene, proxy = self.scene()
        for _ in range(3):
            proxy.silence(directions=(DOWN,))
            scene.wait_for_bad(tries=0)
            scene.application.flow(5)
            proxy.heal()
            self.wait_for_good(scene)
        scene.finish(outages=3, at_most=6)

    @faults(18)
    def test_stop_on_connections_that_died(self):
        """The lease is released nevertheless, so the next relay need not wait until it expires."""
        scene, proxy = self.scene()
        scene.application.stop()
        scene.wait_until_empty()
        proxy.silence(directions=(DOWN,))
        proxy.heal()
        self.assertEqual(scene.relay.stop(), 0)
        self.assertEqual(scene.logged("the lease could not be released"), [])
        scene.relay.start()
        took_over = scene.relay.wait_for_log("delivering shard 0 of 1 .*")
        self.assertNotIn("did not release it", took_over[0])

    @faults(19, 20)
    def test_a_byte_at_a_time_and_slowly(self):
        scene, proxy = self.scene()
        scene.application.pause()
        scene.wait_until_empty()
        for weather in ({"bite": 1}, {"delay": 0.1, "rate": 10_000}):
            proxy.slow(**weather)
            scene.application.commit(10)
            scene.wait_until_empty()
        proxy.heal()
        scene.application.resume()
        scene.finish(outages=0, at_most=2)

    @faults(21)
    def test_bits_flip(self):
        """Nothing is guaranteed about events during the fault. The relay must not end, and must continue when the fault is
        over."""
        scene, proxy = self.scene(Flipping)
        proxy.every = 300
        for flips in range(5, 30, 5):
            scene.application.flow(5)
            scene.relay.wait_while_running(lambda due=flips: proxy.flipped >= due, 30, "enough bits have been flipped")
        proxy.every = None
        proxy.cut()
        scene.application.pause()
        number, = scene.application.commit()
        scene.relay.wait_while_running(lambda: str(number) in self.payloads(scene), 30, "a later event arrives")
        scene.application.stop()
        self.assertEqual(scene.relay.stop(), 0)

    @staticmethod
    def payloads(scene):
        return {record.payload.decode(errors="replace") for record in read_topic(scene.kafka.bootstrap, scene.topic)}

    @faults(23)
    def test_up_and_down(self):
        """Each change of state is logged once, and there are pauses between the tries."""
        scene, proxy = self.scene()
        for _ in range(10):
            proxy.shut()
            scene.wait_for_bad(tries=0)
            proxy.heal()
            self.wait_for_good(scene)
            scene.wait_for_arrivals()
        self.assertLess(self.failed(scene), 10 * 10)
        scene.finish(outages=10)


class PostgresNetwork(ToTheDatabase, unittest.TestCase):
    Database = PostgresDatabase

    @faults(20)
    def test_too_slow_for_a_batch(self):
        """A whole batch would take longer than storage_timeout, so the relay reads fewer rows at a time. (With MySQL's
        client library this is not needed, because it waits as long as bytes arrive.)"""
        scene, proxy = self.scene()
        scene.application.pause()
        scene.wait_until_empty()
        proxy.slow(rate=60_000)
        scene.application.commit(1500)
        scene.wait_until_empty()
        proxy.heal()
        scene.application.resume()
        scene.finish(outages=1, at_most=4)


class MariadbNetwork(ToTheDatabase, unittest.TestCase):
    Database = MariadbDatabase


class ToKafka(FaultTest):
    """Events that were in flight may arrive twice, at most one window for each fault."""

    WINDOW = 100

    @classmethod
    def setUpClass(cls):
        port = free_port()
        cls.broker = own_kafka(properties={"advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"})
        cls.addClassCleanup(cls.broker.stop)
        cls.broker.start()
        cls.proxy = TcpProxy(cls.broker.port, port)
        cls.addClassCleanup(cls.proxy.close)

    def setUp(self):
        self.topic = f"network-{uuid.uuid4()}"
        self.broker.create_topic(self.topic)
        self.proxy.heal()
        self.faults = self.sent = 0
        self.relay_ = self.sqlite(f"127.0.0.1:{self.proxy.port}", {
            "max_in_flight_events": self.WINDOW, "batch_size": self.WINDOW // 2, "delivery_timeout": "2s"},
            kafka={"reconnect.backoff.max.ms": "200"})
        self.relay_.start()
        self.flow()
        self.wait_for_backlog(self.relay_, 0)

    def flow(self, count=50, size=0):
        """Commits `count` events."""
        self.insert(self.topic, count, self.sent, size)
        self.sent += count

    @faults(17)
    def test_a_question_that_got_no_answer(self):
        """The answer to a metadata request is lost. No record is in flight that could time out, but the connection is
        closed soon after the delivery timeout nevertheless."""
        other = f"network-{uuid.uuid4()}"
        self.broker.create_topic(other)
        self.proxy.silence(directions=(DOWN,))
        swallowed = self.proxy.swallowed
        self.insert(other, 10, 0)
        wait_until(lambda: self.proxy.swallowed > swallowed, 30, "the relay has requested the topic")
        self.proxy.heal()
        self.relay_.wait_while_running(lambda: sum(self.broker.end_offsets(other).values()) == 10, 20, "the events arrive")
        self.finish(faults=1)

    def finish(self, faults):
        """Ends a test. Asserts that each logged outage of the broker was followed by a logged recovery, and that no attempt
        was charged."""
        self.proxy.heal()
        self.flow()
        self.wait_for_backlog(self.relay_, 0)
        self.assertEqual(self.relay_.stop(), 0)
        twice = self.assert_numbered(self.broker.bootstrap, self.topic, self.sent, twice_at_most=faults * self.WINDOW)
        log = self.relay_.log()
        self.assertIn(log.count("broker unavailable: "), range(2 * faults + 1))
        self.assertEqual(log.count("broker unavailable: "), log.count("broker available again"))
        with sqlite3.connect(self.path) as link:
            self.assertEqual(link.execute("select count(*) from outbox_retry").fetchone(), (0,))
        print(f"  {self.sent} events, {twice} duplicates")

    def wait_until_empty(self):
        self.wait_for_backlog(self.relay_, 0)

    def arrived(self):
        return sum(self.broker.end_offsets(self.topic).values())

    def wait_for_arrivals(self, count):
        self.relay_.wait_while_running(lambda: self.arrived() >= count, 30, f"the topic has {count} records")

    @faults(16, 65)
    def test_reset_after_each_number_of_bytes(self):
        counts = (1, 50, 200, 400, 600, 800, 1000, 1500, 2500, 4000)
        for count in counts:
            before = self.resets()
            self.proxy.reset_after(count)
            self.flow(20, size=100)
            self.relay_.wait_while_running(lambda seen=before: self.resets() > seen + 1, 30, "connections are reset")
            self.proxy.heal()
            self.proxy.cut()
            self.wait_until_empty()
        self.finish(faults=len(counts))

    def resets(self):
        return len(re.findall("librdkafka FAIL|Disconnected|reset by peer", self.relay_.log()))

    @faults(18, 25, 66)
    def test_answers_are_lost(self):
        """The broker stores the records, and its answers are lost. After the delivery timeout the relay sends the events
        again."""
        for turn in (1, 2):
            self.proxy.silence(directions=(DOWN,))
            before = self.arrived()
            self.flow()
            self.wait_for_arrivals(before + 50)
            self.relay_.wait_for_log("(?s)" + "reset by the relay.*" * turn)
            self.proxy.heal()
            self.proxy.cut()
            self.wait_until_empty()
        self.finish(faults=2)

    @faults(19, 20)
    def test_a_byte_at_a_time_and_slowly(self):
        self.proxy.slow(bite=1)
        self.flow(20)
        self.wait_until_empty()
        # The relay reads only one window ahead, however slowly it is sent: 2 MB of a backlog of 20 MB.
        before = memory(self.relay_.pid, "VmHWM")
        self.proxy.slow(rate=2_000_000)
        arrived = self.arrived()
        self.flow(10 * self.WINDOW, size=20_000)
        self.wait_for_arrivals(arrived + 2 * self.WINDOW)
        self.assertLess(memory(self.relay_.pid, "VmHWM") - before, 10 << 20)
        self.finish(faults=1)

    @faults(23, 25)
    def test_up_and_down(self):
        for turn in range(1, 6):
            self.proxy.shut()
            self.flow(5)
            self.relay_.wait_while_running(lambda due=turn: self.outages() >= due, 30, "the relay logs the outage")
            self.proxy.heal()
            self.wait_until_empty()
        self.finish(faults=5)
        self.assertLess(len(self.relay_.log().splitlines()), 200)

    def outages(self):
        return self.relay_.log().count("broker unavailable: ")


def with_hosts(hosts):
    """Returns a command prefix that runs a program in a mount namespace whose /etc/hosts is the file `hosts`.

    unshare could set the propagation of / itself, but that fails inside a chroot, where / is not a mount point. So it is
    set by a separate command that may fail: the creator of the chroot decides what propagates out of it.
    """
    return ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
            f'mount --make-rprivate / 2>/dev/null; mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]


class NamesTest(FaultTest):
    @faults(22)
    def test_a_host_moves(self):
        """The host names of the database and of Kafka resolve to an address where nobody listens, until they are
        changed."""
        if os.geteuid() != 0:
            unavailable("only root can run a program with its own /etc/hosts")
        kafka, server = shared_kafka(), shared_postgres()
        topic, name = f"names-{uuid.uuid4()}", f"names_{uuid.uuid4().hex}"
        kafka.create_topic(topic)
        server.create_database(name)
        port = kafka.bootstrap.rpartition(":")[2]
        relay = self.relay("postgres", {"connection": f"host=db.example port={server.port} user=postgres dbname={name}"},
                           f"kafka.example:{port}")
        with psycopg2.connect(server.dsn(name)) as link:
            link.cursor().execute(relay.command("migrate", "--print").stdout)
        folder = TemporaryFolder("names")
        self.addCleanup(folder.remove)
        hosts = folder.path / "hosts"
        hosts.write_text("127.0.0.2 db.example kafka.example\n", encoding="ascii")
        relay.start(under=with_hosts(hosts))
        relay.wait_for_log("database unavailable: .*127.0.0.2")
        server.psql(f"insert into outbox_event (topic, event_type, payload) values ('{topic}', 'made', '0')", name)
        hosts.write_text("127.0.0.1 db.example\n127.0.0.2 kafka.example\n", encoding="ascii")
        relay.wait_for_log("database available again")
        relay.wait_for_log("broker unavailable: ")
        hosts.write_text("127.0.0.1 db.example kafka.example\n", encoding="ascii")
        wait_until(lambda: self.payloads(kafka.bootstrap, topic) == ["0"], 30, "the event arrives")
        self.assertEqual(relay.stop(), 0)


if __name__ == "__main__":
    unittest.main()
