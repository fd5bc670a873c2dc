"""The behaviour of the daemon when events, tables, the database or the broker are faulty."""

import json
import signal
import sqlite3
import time
import unittest
import uuid

from catalogue import faults
from servers import (Relay, TemporaryFolder, own_kafka, own_mariadb, own_postgres, read_topic, relay_config, shared_kafka,
                     shared_postgres, wait_until)


def lines(topic, count, first=0, key="k", **more):
    return "".join(json.dumps({"topic": topic, "type": "made", "key": key, "payload": str(i), **more}) + "\n"
                   for i in range(first, first + count))


class FaultTest(unittest.TestCase):
    def relay(self, plugin, options, bootstrap, relay=None, **parts):
        made = Relay(relay_config(plugin, options, bootstrap, relay, **parts))
        self.addCleanup(made.close)
        return made

    def sqlite(self, bootstrap, relay=None, **parts):
        folder = TemporaryFolder("faults")
        self.addCleanup(folder.remove)
        self.path = folder.path / "outbox.db"
        made = self.relay("sqlite", {"path": str(self.path)}, bootstrap, relay, **parts)
        self.migrate(made)
        return made

    def migrate(self, relay):
        ended = relay.command("migrate")
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def emit(self, relay, text):
        ended = relay.command("emit", text=text)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def status(self, relay):
        ended = relay.command("status", "--json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)

    def wait_for_backlog(self, relay, count, timeout=60):
        relay.wait_while_running(lambda: self.status(relay)["backlog"] == count, timeout, f"a backlog of {count}")

    def payloads(self, bootstrap, topic):
        return [record.payload.decode() for record in read_topic(bootstrap, topic)]

    INSERT = "insert into outbox_event (topic, event_type, aggregate_id, payload) values (?, 'made', 'k', ?)"

    def insert(self, topic, count, first=0, size=0):
        """Inserts numbered events of one key in one transaction. Each payload is extended by `size` bytes."""
        with sqlite3.connect(self.path, timeout=60) as link:
            link.executemany(self.INSERT, [(topic, f"{first + i} " + "x" * size) for i in range(count)])

    def assert_numbered(self, bootstrap, topic, count, twice_at_most=0):
        """Asserts that the events 0 to count - 1 have arrived and their first copies are in order. Returns the number of
        duplicates."""
        arrived = [payload.partition(" ")[0] for payload in self.payloads(bootstrap, topic)]
        self.assertEqual(list(dict.fromkeys(arrived)), [str(i) for i in range(count)])
        self.assertLessEqual(len(arrived) - count, twice_at_most)
        return len(arrived) - count


class BrokerTest(FaultTest):
    @faults(13, 25, 63)
    def test_broker_down_at_start_and_later(self):
        broker = own_kafka()
        self.addCleanup(broker.stop)
        relay = self.sqlite(broker.bootstrap)
        self.emit(relay, lines("orders", 100))
        relay.start()
        relay.wait_for_log(f"broker unavailable: {broker.bootstrap}: nothing listens there: [^\"]*Connection refused")
        self.assertRegex(relay.command("check").stdout,
                         rf"(?m)^error +no answer from Kafka at {broker.bootstrap}: {broker.bootstrap}: nothing listens there: ")
        broker.start()
        broker.create_topic("orders")
        self.wait_for_backlog(relay, 0)

        broker.kill()
        self.emit(relay, lines("orders", 100, first=100))
        wait_until(lambda: relay.log().count("broker unavailable: ") == 2, 60, "the outage is logged")
        broker.start()
        self.wait_for_backlog(relay, 0)
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(list(dict.fromkeys(self.payloads(broker.bootstrap, "orders"))), [str(i) for i in range(200)])
        self.assertEqual(relay.log().count("broker unavailable: "), 2, "one line per change of state")
        self.assertNotIn("advertise", relay.log(), "its address is the configured one")
        with sqlite3.connect(self.path) as link:
            self.assertEqual(link.execute("select count(*) from outbox_retry").fetchone()[0], 0, "no attempt is charged")

    @faults(6)
    def test_stop_in_time_with_every_peer_dead(self):
        broker = own_kafka()
        self.addCleanup(broker.stop)
        broker.start()
        broker.create_topic("orders")
        server = own_postgres()
        self.addCleanup(server.stop)
        server.start()
        relay = self.relay("postgres", {"connection": server.dsn()}, broker.bootstrap, {"shutdown_timeout": "3s"})
        self.migrate(relay)
        self.emit(relay, lines("orders", 10))
        relay.start()
        self.wait_for_backlog(relay, 0)
        broker.pause()
        self.addCleanup(broker.resume)
        self.emit(relay, lines("orders", 1000))
        server.halt("immediate")
        relay.wait_for_log("database unavailable: ")
        begun = time.monotonic()
        self.assertEqual(relay.stop(timeout=10), 0)
        self.assertLess(time.monotonic() - begun, 4)


class StandbyTest(FaultTest):
    @faults(1)
    def test_a_standby_takes_over_when_the_lease_of_a_killed_relay_ends(self):
        kafka = shared_kafka()
        topic = f"standby-{uuid.uuid4()}"
        kafka.create_topic(topic)
        first = self.sqlite(kafka.bootstrap)
        second = self.relay("sqlite", {"path": str(self.path)}, kafka.bootstrap)
        first.start()
        first.wait_for_log("delivering shard 0")
        second.start()
        second.wait_for_log("standby")
        first.kill()
        killed = time.monotonic()
        self.emit(second, lines(topic, 10))
        self.wait_for_backlog(second, 0)
        self.assertLess(time.monotonic() - killed, 3 + 1 + 1, "longer than the lease of 3 s and a margin of 2 s")
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.payloads(kafka.bootstrap, topic), [str(i) for i in range(10)])


class EventTest(FaultTest):
    """A bad event fails with its reason, is handled according to the failure policy, and delays only its own key."""

    def spoil(self, kafka, insert):
        topic = f"bad-events-{uuid.uuid4()}"
        kafka.create_topic(topic, 3, {"max.message.bytes": "100000"})
        for key, target, payload, headers in [("large", topic, "x" * 200_000, "{}"), ("name", "no such topic!", "1", "{}"),
                                              ("absent", f"absent-{uuid.uuid4()}", "1", "{}"),
                                              ("headers", topic, "1", "[1]")]:
            insert(target, key, payload, headers)
            insert(topic, key, "follower", "{}")
        for i in range(100):
            insert(topic, "good", str(i), "{}")
        return topic

    REASONS = [("absent", "unknown_topic"), ("headers", "bad_headers"), ("large", "too_large"), ("name", "bad_topic")]

    def judge(self, relay, kafka, topic, reasons):
        relay.start()
        relay.wait_while_running(lambda: self.status(relay)["blocked"] == 4, 60, "all four events are exhausted")
        wait_until(lambda: len(self.payloads(kafka.bootstrap, topic)) == 100, 60, "the good events arrive")
        self.assertEqual(self.status(relay)["backlog"], 8)
        self.assertEqual(reasons(), self.REASONS)
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(self.payloads(kafka.bootstrap, topic), [str(i) for i in range(100)])

    BLOCK = {"max_attempts": 2, "retry_backoff": "100ms"}

    @faults(71, 72, 83, 84, 85)
    def test_sqlite_blocks_the_key(self):
        kafka = shared_kafka()
        relay = self.sqlite(kafka.bootstrap, self.BLOCK, kafka={"allow.auto.create.topics": "false"})
        with sqlite3.connect(self.path) as link:
            topic = self.spoil(kafka, lambda *row: link.execute(
                "insert into outbox_event (topic, event_type, aggregate_id, payload, headers) values (?1, 't', ?2, ?3, ?4)",
                row))
        with sqlite3.connect(self.path) as link:
            self.judge(relay, kafka, topic, lambda: link.execute(
                "select aggregate_id, reason from outbox_retry order by 1").fetchall())

    @faults(71, 72, 83, 84, 85)
    def test_postgres_blocks_the_key(self):
        kafka, server = shared_kafka(), shared_postgres()
        name = f"bad_events_{uuid.uuid4().hex}"
        server.create_database(name)
        relay = self.relay("postgres", {"connection": server.dsn(name)}, kafka.bootstrap, self.BLOCK,
                           kafka={"allow.auto.create.topics": "false"})
        self.migrate(relay)
        link = server.connect(name)
        self.addCleanup(link.close)
        cursor = link.cursor()
        topic = self.spoil(kafka, lambda *row: cursor.execute(
            "insert into outbox_event (topic, event_type, aggregate_id, payload, headers) values (%s, 't', %s, %s, %s)",
            row))

        def reasons():
            cursor.execute("select aggregate_id, reason from outbox_retry order by 1")
            return cursor.fetchall()

        self.judge(relay, kafka, topic, reasons)

    @faults(85)
    def test_dead_letters_let_the_key_go_on(self):
        kafka = shared_kafka()
        relay = self.sqlite(kafka.bootstrap, {**self.BLOCK, "on_exhausted": "dead_letter"},
                            kafka={"allow.auto.create.topics": "false"})
        with sqlite3.connect(self.path) as link:
            topic = self.spoil(kafka, lambda *row: link.execute(
                "insert into outbox_event (topic, event_type, aggregate_id, payload, headers) values (?1, 't', ?2, ?3, ?4)",
                row))
        relay.start()
        self.wait_for_backlog(relay, 0)
        self.assertEqual(self.status(relay)["dead"], 4)
        self.assertEqual(relay.stop(), 0)
        arrived = self.payloads(kafka.bootstrap, topic)
        self.assertEqual((len(arrived), arrived.count("follower")), (104, 4))
        with sqlite3.connect(self.path) as link:
            dead = link.execute("select aggregate_id, reason, attempts from outbox_dead order by 1").fetchall()
        self.assertEqual(dead, [(key, reason, 2) for key, reason in self.REASONS])

    @faults(68, 72)
    def test_the_broker_refuses_what_it_was_not_asked_about(self):
        """The limit of a topic is lowered while the relay runs: events that were acceptable are refused together with their
        batch."""
        kafka = shared_kafka()
        topic = f"lowered-{uuid.uuid4()}"
        kafka.create_topic(topic, 1)
        relay = self.sqlite(kafka.bootstrap, self.BLOCK, kafka={"linger.ms": "50"})
        relay.start()
        self.emit(relay, lines(topic, 1, key="warm"))
        self.wait_for_backlog(relay, 0)
        with kafka.admin() as admin:
            admin.alter_topic(topic, {"max.message.bytes": "10000"})
        text = lines(topic, 20, key="a", first=1) + lines(topic, 1, key="b", first=50).replace('"50"', json.dumps("x" * 20_000))
        self.emit(relay, text + lines(topic, 20, key="a", first=21) + lines(topic, 1, key="b", first=60))
        relay.wait_while_running(lambda: self.status(relay)["blocked"] == 1, 60, "the large event is exhausted")
        self.wait_for_backlog(relay, 2)
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(list(dict.fromkeys(self.payloads(kafka.bootstrap, topic))), ["0", *map(str, range(1, 41))])


class SchemaTest(FaultTest):
    """With wrong tables, `run` and `check` end with 78 and print the SQL or grant that fixes them."""

    def refused(self, relay, *patterns):
        for command in ("check", "run"):
            ended = relay.command(command)
            self.assertEqual(ended.returncode, 78, command + ": " + ended.stdout + ended.stderr)
            for pattern in patterns:
                self.assertRegex(ended.stdout + ended.stderr, pattern)

    @faults(12, 58)
    def test_sqlite(self):
        folder = TemporaryFolder("schema")
        self.addCleanup(folder.remove)
        path = folder.path / "outbox.db"
        relay = self.relay("sqlite", {"path": str(path)}, "", kafka=None, type="stdout")
        self.refused(relay, str(path), "migrate")
        sqlite3.connect(path).execute("create table other (x)").connection.close()
        self.refused(relay, "outbox-relay migrate")
        self.migrate(relay)
        with sqlite3.connect(path) as link:
            link.execute("update outbox_meta set version = 99")
        self.refused(relay, "99")
        with sqlite3.connect(path) as link:
            link.execute("update outbox_meta set version = 2")
            sql = link.execute("select sql from sqlite_master where name = 'outbox_event'").fetchone()[0]
            link.execute("drop table outbox_event")
            link.execute(sql.replace("autoincrement", "").replace("AUTOINCREMENT", ""))
        self.refused(relay, "(?i)autoincrement")

    @faults(12)
    def test_postgres(self):
        server = shared_postgres()
        name = f"schema_{uuid.uuid4().hex}"
        server.create_database(name)
        relay = self.relay("postgres", {"connection": server.dsn(name)}, "", kafka=None, type="stdout")
        self.refused(relay, "outbox-relay migrate")
        self.migrate(relay)
        for spoil, fix, pattern in [
                ("alter table outbox_event rename headers to h", "alter table outbox_event rename h to headers", "headers"),
                ("update outbox_meta set version = 99", "update outbox_meta set version = 2", "99"),
                ("alter sequence outbox_event_id_seq cycle", "alter sequence outbox_event_id_seq no cycle", "(?i)no cycle")]:
            server.psql(spoil, name)
            self.refused(relay, pattern)
            server.psql(fix, name)
        server.psql("alter sequence outbox_event_id_seq cache 50", name)
        warned = relay.command("check")
        self.assertEqual(warned.returncode, 0, warned.stdout + warned.stderr)
        self.assertRegex(warned.stdout + warned.stderr, "(?i)warn.*cache")

        server.psql(f"create role reader_{name} login", name)
        poor = self.relay("postgres", {"connection": server.dsn(name, f"reader_{name}")}, "", kafka=None, type="stdout")
        self.refused(poor, "(?i)grant ")

    def test_mariadb_as_it_comes_is_a_warning(self):
        """Without a binary log, MariaDB makes commits visible before they are on disk."""
        with own_mariadb(settings={"skip-log-bin": None, "sync-binlog": "0"}) as server:
            relay = self.relay("mysql", server.create_database("shop"), "", kafka=None, type="stdout")
            self.migrate(relay)
            checked = relay.command("check")
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            self.assertRegex(checked.stdout + checked.stderr, r"(?i)warn.*\(sync_binlog=0, log_bin=0\)")


if __name__ == "__main__":
    unittest.main()
