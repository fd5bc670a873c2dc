"""For each relay of tests/chaos/mutants.py there is a scene that shows its error. The scenes show no error of a correct
relay."""

import collections
import contextlib
import pathlib
import signal
import sqlite3
import sys
import unittest
import uuid

import psycopg2

from servers import Relay, TemporaryFolder, read_topic, relay_config, shared_postgres, unavailable, wait_until
from servers.kafka_proxy import NOT_ENOUGH_REPLICAS, proxied_kafka

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
import crash_points
from mutants import MUTANTS

INVALID_RECORD = 87
COLUMNS = "(topic, event_type, aggregate_id, payload)"

broker = proxy = None


def setUpModule():
    global broker, proxy  # pylint: disable=global-statement
    broker, proxy = unittest.enterModuleContext(proxied_kafka())


class Outbox:
    """The outbox of a scene, in SQLite, or in PostgreSQL (with `dsn`) for scenes with concurrent transactions."""

    def __init__(self, test, mutant, dsn=None, **relay):
        self._mutant, self._dsn, self._settings = mutant, dsn, relay
        folder = TemporaryFolder("mutant")
        test.addCleanup(folder.remove)
        self.test, self.path = test, folder.path / "outbox.db"
        self.topic = f"mutants-{uuid.uuid4()}"
        broker.create_topic(self.topic)
        proxy.reset()
        made = self.relay().command("migrate")
        test.assertEqual(made.returncode, 0, made.stderr)

    def relay(self, **env):
        plugin = ("postgres", {"connection": self._dsn}) if self._dsn else ("sqlite", {"path": str(self.path)})
        config = relay_config(*plugin, proxy.bootstrap, {"reserve_duration": "2s", "poll_interval": "20ms", **self._settings},
                              kafka={"batch.num.messages": "2", "linger.ms": "0"})
        relay = Relay(config, env={**(self._mutant.env if self._mutant else {}), **env}, name="mutant",
                      binary=self._mutant.binary if self._mutant else None)
        self.test.addCleanup(relay.close)
        return relay

    def connect(self):
        return contextlib.closing(psycopg2.connect(self._dsn) if self._dsn else sqlite3.connect(self.path, timeout=30))

    def insert(self, link, *payloads, key="k", topic=None):
        cursor = link.cursor()
        place = "%s" if self._dsn else "?"
        cursor.executemany(f"insert into outbox_event {COLUMNS} values ({place}, 'n', {place}, {place})",
                           [(topic or self.topic, key, payload) for payload in payloads])

    def commit(self, *payloads, **where):
        with self.connect() as link:
            self.insert(link, *payloads, **where)
            link.commit()

    def count(self, table="outbox_event"):
        with self.connect() as link:
            cursor = link.cursor()
            cursor.execute(f"select count(*) from {table}")
            return cursor.fetchone()[0]

    def drain(self, relay):
        relay.wait_while_running(lambda: self.count() == 0, 30, "the outbox is empty")

    def arrived(self):
        return [record.payload for record in read_topic(broker.bootstrap, self.topic)]

    def first_copies(self):
        return list(dict.fromkeys(self.arrived()))


def texts(count, first=0):
    return [str(number) for number in range(first, first + count)]


def as_bytes(payloads):
    return [payload.encode() for payload in payloads]


def limit(outbox, size):
    with broker.admin() as admin:
        admin.alter_topic(outbox.topic, {"max.message.bytes": size})


# The scenes. Each returns a list of what is wrong.

def killed_while_sending(outbox):
    outbox.commit(*texts(40))
    death = outbox.path.with_name("death")
    relay = outbox.relay(**crash_points.environment("produce-request.before", 4, death)).start()
    wait_until(lambda: relay.returncode is not None, 20, "the relay has been killed")
    outbox.drain(outbox.relay().start())
    return sorted(set(as_bytes(texts(40))) - set(outbox.arrived()))


def refused_for_good(outbox, code=INVALID_RECORD):
    """One of several requests in flight is refused, and the ones after it are accepted."""
    outbox.commit(*texts(40))
    proxy.reset(refuse=lambda number, request: code if number == 4 else None,
                release=lambda requests: len(requests) > 5 or len(requests) < 5)
    relay = outbox.relay().start()
    outbox.drain(relay)
    return [] if outbox.first_copies() == as_bytes(texts(40)) else outbox.first_copies()


def refused_once(outbox):
    return refused_for_good(outbox, NOT_ENOUGH_REPLICAS)


def a_zero_byte(outbox):
    outbox.commit(b"a\0b")
    outbox.drain(outbox.relay().start())
    return [payload for payload in outbox.arrived() if payload != b"a\0b"]


def nothing_special(outbox):
    relay = outbox.relay().start()
    for first in range(0, 400, 10):
        outbox.commit(*texts(10, first))
        outbox.drain(relay)
    return [payload for payload, times in collections.Counter(outbox.arrived()).items() if times > 1]


def a_topic_that_cannot_be(outbox):
    outbox.commit("dead", topic="no topic!")
    relay = outbox.relay().start()
    outbox.drain(relay)
    return [] if outbox.count("outbox_dead") == 1 else ["the event is in no table"]


def too_large_for_a_while(outbox):
    limit(outbox, 100_000)
    outbox.commit("x" * 200_000, "small")
    relay = outbox.relay().start()
    wait_until(lambda: outbox.count("outbox_retry") or outbox.arrived(), 20, "the first event is refused")
    limit(outbox, 1_000_000)
    relay.kill()
    outbox.drain(outbox.relay().start())
    return [] if len(outbox.arrived()[0]) > 100 else ["the second came first"]


def ended_before_the_dead_letter(outbox):
    limit(outbox, 100_000)
    outbox.commit("x" * 200_000, "small")
    with outbox.connect() as lock:
        lock.cursor().execute("lock table outbox_dead in access exclusive mode")
        relay = outbox.relay().start()
        with contextlib.suppress(TimeoutError):
            wait_until(outbox.arrived, 3, "the second event overtakes the first")
        relay.kill()
        # Otherwise the server would still execute the statement of the killed relay.
        lock.cursor().execute("select pg_terminate_backend(pid) from pg_stat_activity where"
                              " application_name = 'outbox-relay' and datname = current_database()")
    limit(outbox, 1_000_000)
    outbox.drain(outbox.relay().start())
    return [] if len(outbox.arrived()[0]) > 100 else ["the second came first"]


def a_late_commit(outbox):
    relay = outbox.relay().start()
    with outbox.connect() as late:
        outbox.insert(late, "1", key="late")
        outbox.commit("a", "b", key="other")
        wait_until(lambda: outbox.count() == 0, 20, "the other events are removed")
        late.commit()
    outbox.commit("2", key="late")
    wait_until(lambda: b"2" in outbox.arrived(), 20, "the second event has arrived")
    relay.kill()
    outbox.drain(outbox.relay().start())
    return [] if outbox.arrived().index(b"1") < outbox.arrived().index(b"2") else ["2 before 1"]


def two_relays(outbox):
    first, second = outbox.relay().start(), outbox.relay().start()
    first.wait_for_log("delivering shard|standby")
    second.wait_for_log("delivering shard|standby")
    for number in range(0, 300, 10):
        outbox.commit(*texts(10, number))
        outbox.drain(first)
    return [payload for payload, times in collections.Counter(outbox.arrived()).items() if times > 1]


def paused_past_the_lease(outbox):
    first = outbox.relay().start()
    first.wait_for_log("delivering shard")
    first.send(signal.SIGSTOP)
    second = outbox.relay().start()
    second.wait_for_log("delivering shard")
    first.send(signal.SIGCONT)
    outbox.commit(*texts(10))
    outbox.drain(second)
    wait_until(lambda: outbox.count() == 0, 20, "the outbox is empty")
    with contextlib.suppress(RuntimeError, TimeoutError):
        first.wait_for_log("lease of shard 0 lost", 5)
    for number in range(10, 300, 10):
        outbox.commit(*texts(10, number))
        outbox.drain(second)
    return [payload for payload, times in collections.Counter(outbox.arrived()[20:]).items() if times > 1]


SCENES = {
    "confirm-before-ack": killed_while_sending,
    "optimistic-dead-letter": ended_before_the_dead_letter,
    "restart-in-report-order": refused_for_good,
    "every-report-is-good": refused_for_good,
    "not-idempotent": refused_once,
    "cuts-at-nul": a_zero_byte,
    "stale-reads": nothing_special,
    "failures-vanish": a_topic_that_cannot_be,
    "failed-to-the-end": too_large_for_a_while,
    "id-cursor-only": a_late_commit,
    "two-owners": two_relays,
    "lease-ignored": paused_past_the_lease,
}
SIDE_BY_SIDE = (ended_before_the_dead_letter, a_late_commit, two_relays, paused_past_the_lease)
DIES = {"max_attempts": 1, "on_exhausted": "dead_letter"}
SETTINGS = {a_topic_that_cannot_be: DIES, ended_before_the_dead_letter: DIES,
            too_large_for_a_while: {"retry_backoff": "50ms", "max_retry_backoff": "50ms", "max_attempts": 1000}}


class MutantsTest(unittest.TestCase):
    def play(self, scene, mutant):
        dsn = shared_postgres().create_database(f"mutants_{uuid.uuid4().hex}") if scene in SIDE_BY_SIDE else None
        return scene(Outbox(self, mutant, dsn, **SETTINGS.get(scene, {})))

    def test_each_is_caught(self):
        try:
            MUTANTS["confirm-before-ack"].binary
        except FileNotFoundError as error:
            unavailable(str(error))
        for name, scene in SCENES.items():
            with self.subTest(name):
                found = self.play(scene, MUTANTS[name])
                print(f"  {name}: {str(found)[:100]}", flush=True)
                self.assertTrue(found, "the scene has shown no error")

    def test_a_sound_relay_is_not(self):
        for scene in dict.fromkeys(SCENES.values()):
            with self.subTest(scene.__name__):
                self.assertEqual(self.play(scene, None), [])


if __name__ == "__main__":
    unittest.main()
