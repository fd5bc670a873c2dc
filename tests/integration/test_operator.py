"""The commands with which an operator handles events that are not delivered: list, show, requeue, discard, unblock,
explain, find."""

import ctypes
import json
import os
import re
import sqlite3
import subprocess
import unittest
import uuid

import test_end_to_end
from catalogue import faults
from servers import Relay, find_binary, wait_until
from servers.relay import environment

BAD_TOPIC = "no such topic!"
PATIENCE = 30


def matches(topic, pattern):
    """The result of fnmatch(3) in the C locale, in which a question mark matches one byte."""
    libc = ctypes.CDLL(None)
    return libc.fnmatch(pattern.encode(), topic.encode(), 0) == 0


class Operator(test_end_to_end.EndToEnd):
    """A mixin for the database classes of test_end_to_end.py, whose own test is not repeated."""

    test_everything_arrives_in_order = None
    waits_for_a_rescan = False  # true: the test waits for the rescan, once a minute, instead of restarting the relay

    def prepare_database(self):
        self.topic = self.topics[0]

    text_ids = True  # the outbox stores event ids as text
    lenient = ""  # SQL in front of an update that the server would refuse otherwise

    def open_relay(self, on_exhausted, **settings):
        config = json.loads(self.relay.config.read_text(encoding="utf-8"))
        config["relay"].update({"on_exhausted": on_exhausted, "max_attempts": 2, "retry_backoff": "50ms", **settings})
        relay = Relay(config)
        self.addCleanup(relay.close)
        return relay.start()

    def do(self, *arguments, code=0):
        """Runs a command, asserts its exit code, and returns its output; stderr is included if it is expected to fail."""
        ended = self.relay.command(*arguments)
        self.assertEqual(ended.returncode, code, f"{arguments}\n{ended.stdout}{ended.stderr}")
        return ended.stdout + (ended.stderr if code else "")

    def records_of(self, *arguments):
        return [json.loads(line) for line in self.do(*arguments, "--json").splitlines()]

    def explain(self, *arguments):
        return json.loads(self.do("explain", *arguments, "--json"))

    def emit(self, key, topic=BAD_TOPIC, event_type="created", payload="pay"):
        event_id = str(uuid.uuid4())
        line = {"topic": topic, "type": event_type, "key": key, "payload": payload, "event_id": event_id}
        ended = self.relay.insert(json.dumps(line) + "\n")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return event_id

    def status(self):
        return json.loads(self.do("status", "--json"))

    def wait_for_status(self, **counts):
        wait_until(lambda: counts.items() <= self.status().items(), PATIENCE, f"status says {counts}")

    def delivered(self):
        """The event ids in the topic, in the order of arrival."""
        return [record.header("event_id").decode() for record in sorted(self.records(), key=lambda r: r.timestamp)]

    def wait_for_delivery(self, *events, timeout=PATIENCE):
        wait_until(lambda: set(events) <= set(self.delivered()), timeout, f"{events} are delivered")

    def test_dead_letters(self):
        relay = self.open_relay("dead_letter")
        first = self.emit("k-1", event_type="odd", payload="Привет\0")
        dead = [self.emit(f"k-{n}") for n in range(2, 8)]
        good = self.emit("k-1", topic=self.topic)
        self.wait_for_status(dead=7, backlog=0)
        self.assertEqual(self.delivered(), [good])

        records = self.records_of("dead", "list")
        self.assertEqual([record["event_id"] for record in records], [first] + dead)
        self.assertEqual({(r["state"], r["reason"], r["topic"], r["attempts"]) for r in records},
                         {("dead", "bad_topic", BAD_TOPIC, 2)})
        one = records[0]
        self.assertEqual((one["key"], one["type"], one["payload_size"]), ("k-1", "odd", 13))
        self.assertTrue(one["created_at"] <= one["first_failed_at"] <= one["died_at"], one)
        self.assertNotIn("payload", one)
        text = self.do("dead", "list", "--limit", 2)
        self.assertEqual(len(text.splitlines()), 4, text)
        self.assertTrue(text.endswith("2 dead events\n"), text)
        for arguments, count in {("--type", "odd"): 1, ("--key", "k-3"): 1, ("--topic", "no such*"): 7,
                                 ("--topic", "orders"): 0, ("--reason", "bad_topic"): 7, ("--reason", "none"): 0,
                                 ("--newer-than", "1h"): 7, ("--older-than", "1d"): 0,
                                 ("--type", "created", "--limit", "2"): 2}.items():
            self.assertEqual(len(self.records_of("dead", "list", *arguments)), count, arguments)

        found = self.records_of("find", "--key", "k-1")
        self.assertEqual([(r["event_id"], r["state"]) for r in found], [(first, "dead")], "what is delivered is gone")

        shown = self.do("dead", "show", first)
        self.assertIn("payload size  13\n", shown)
        self.assertNotIn("Привет", shown)
        self.assertIn("Привет", self.do("dead", "show", first, "--payload"))
        self.assertEqual(self.records_of("dead", "show", first, "--payload")[0]["payload"], "Привет\0")
        nothing = str(uuid.uuid4())
        self.assertIn(f"no event {nothing} is dead", self.do("dead", "show", nothing, code=1))
        self.assertEqual(self.explain(first)["why"], "dead")

        # Requeue by event id, after the cause is fixed: the running relay delivers the event with the same event id.
        self.sql(f"update outbox_dead set topic = '{self.topic}'")
        self.assertEqual(self.do("dead", "requeue", first), "1 dead event requeued\n")
        self.wait_for_delivery(first)
        self.assertIn(f"not dead: {first}", self.do("dead", "requeue", first, code=1))

        # A filter is accepted only together with the right number of events.
        self.assertIn("no events selected", self.do("dead", "requeue", code=2))
        self.assertIn("run with --dry-run first", self.do("dead", "requeue", "--all", code=2))
        self.assertIn("6 dead events would be requeued; repeat with --count 6",
                      self.do("dead", "requeue", "--all", "--dry-run"))
        self.assertIn("found 6 dead events, expected 5; nothing was changed",
                      self.do("dead", "requeue", "--all", "--count", 5, code=1))
        self.assertEqual(self.status()["dead"], 6)
        self.assertEqual(self.do("dead", "discard", "--key", "k-7", "--count", 1), "1 dead event discarded\n")
        self.assertEqual(relay.stop(), 0)

        # Two concurrent requeues: each event is moved once, and each command reports the number that it has moved.
        binary = find_binary()
        both = [subprocess.Popen([binary, "dead", "requeue", "-c", self.relay.config, *dead[:5]], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment(binary)})
                for _ in range(2)]
        moved = [int(one.communicate()[0].split()[0]) for one in both]
        self.assertEqual(sum(moved), 5, moved)
        self.assertEqual((self.status()["dead"], self.status()["backlog"]), (0, 5))
        relay.start()
        self.wait_for_delivery(*dead[:5])
        self.wait_for_status(backlog=0)
        self.assertEqual(sorted(self.delivered()), sorted([good, first] + dead[:5]))
        for gone in (first, dead[5]):
            self.assertEqual((self.explain(gone)["state"], self.explain(gone)["why"]), ("absent", "no_trace"))

    def test_blocked_events(self):
        relay = self.open_relay("block")
        head, loose = self.emit("k-1"), self.emit(None)
        self.wait_for_status(blocked=2)
        tail = self.emit("k-1", topic=self.topic)
        self.assertEqual(self.records_of("dead", "list"), [])
        self.assertEqual({r["event_id"]: r["state"] for r in self.records_of("dead", "list", "--blocked")},
                         {head: "blocked", loose: "blocked"})

        # Events that are queued behind a blocked one belong to the backlog and not to "blocked", as docs and --help say.
        status = self.status()
        self.assertEqual((status["state"], status["blocked"], status["backlog"]), ("blocked", 2, 3))
        self.assertRegex(self.do("status"), r"(?m)^state +blocked \(every shard has an owner, and blocked events wait")
        self.assertIn("blocked counts the events that were given up", self.do("status", "--help"))
        seen = self.explain(head)
        self.assertEqual((seen["why"], seen["queued_behind"], seen["reason"]), ("blocked", 1, "bad_topic"))
        seen = self.explain(tail)
        self.assertEqual((seen["state"], seen["why"], seen["head"]["event_id"]), ("waiting", "queued_behind", head))
        self.assertIn(f"it is queued behind event {head} of its key, which is blocked", self.do("explain", tail))
        seen = self.explain("--key", "k-1")
        self.assertEqual([event["event_id"] for event in seen["events"]], [head, tail])
        self.assertEqual((seen["explanation"]["why"], seen["more_events"]), ("blocked", False))
        self.assertIn("2 in the outbox, the oldest first", self.do("explain", "--key", "k-1"))
        self.assertIn("no event of key", self.do("explain", "--key", "k"))

        # Without a fix the event blocks again, and no later event of its key has overtaken it.
        before = seen["explanation"]["last_failed_at"]
        self.assertEqual(self.do("unblock", head), "1 event will be retried now\n")
        wait_until(lambda: self.explain(head)["last_failed_at"] > before, 10, "the event is attempted again")
        self.wait_for_status(blocked=2)
        self.assertEqual(self.delivered(), [])

        # After a fix the running relay delivers the event without a restart, and then the rest of its key.
        self.assertIn("--break-order", self.do("dead", "discard", head, code=1))
        self.sql(f"update outbox_event set topic = '{self.topic}' where event_id = '{head}'")
        self.assertEqual(self.do("unblock", "--key", "k-1"), "1 event will be retried now\n")
        self.wait_for_delivery(head, tail, timeout=10)
        self.assertEqual(self.delivered(), [head, tail])
        self.assertIn(f"neither blocked, retrying nor undeletable: {head}", self.do("unblock", head, code=1))
        self.assertIn("not dead", self.do("dead", "requeue", loose, code=1))
        self.assertEqual(self.do("dead", "discard", loose), "1 event discarded\n")

        # If the event is discarded, its key goes on without it.
        head = self.emit("k-2")
        self.wait_for_status(blocked=1)
        tail = self.emit("k-2", topic=self.topic)
        self.assertIn("--break-order", self.do("dead", "discard", "--blocked", "--all", "--count", 1, code=2))
        self.assertEqual(self.do("dead", "discard", head, "--break-order"), "1 event discarded\n")
        if not self.waits_for_a_rescan:
            self.assertEqual(relay.stop(), 0)
            relay.start()
        self.wait_for_delivery(tail, timeout=90)
        self.wait_for_status(blocked=0, backlog=0)

    def test_explain_without_a_relay(self):
        first, second = self.emit("k-1", topic=self.topic), self.emit("k-2", topic=self.topic)
        seen = self.explain(second)
        self.assertEqual((seen["state"], seen["why"], seen["relay"], seen["rows_before"]),
                         ("waiting", "no_relay", None, 1))
        self.assertEqual(self.explain(first)["rows_before"], 0)
        self.assertIn("shard 0 has no owner", self.do("explain", second))
        self.assertIn("no trace", self.do("explain", str(uuid.uuid4())))
        key = str(uuid.uuid4())
        self.emit(key, topic=self.topic)
        self.assertIn(f"-> there are events with this key: outbox-relay explain --key {key}", self.do("explain", key))
        said = self.do("explain", "k-1", code=2)
        self.assertIn("\"k-1\" is not a UUID", said)
        self.assertIn("There are events with this key: outbox-relay explain --key k-1", said)
        self.assertEqual(self.records_of("dead", "list"), [])

    def test_find(self):
        events = [self.emit(f"k-{n % 3}", topic=self.topic, payload=f"pay-{n}") for n in range(7)]
        self.assertEqual([r["event_id"] for r in self.records_of("find")], events)
        self.assertEqual([r["event_id"] for r in self.records_of("find", "--key", "k-1", "--state", "waiting")],
                         events[1::3])
        self.assertEqual(self.records_of("find", events[3], "--payload")[0]["payload"], "pay-3")
        for nothing in (("--state", "blocked"), ("--topic", "no such*"), ("--older-than", "1h"), ("--type", "odd")):
            self.assertEqual(self.records_of("find", *nothing), [], nothing)
        absent = str(uuid.uuid4())
        found = self.do("find", absent, events[0], code=1)
        self.assertIn(f"  {events[0]}  ", found)
        self.assertIn(f"not in the outbox and not dead: {absent}; ", found)
        self.assertEqual(self.records_of("find", "--newer-than", "1h", "--limit", 3)[2]["event_id"], events[2])

        # A listing by pages, which begins with the outbox and continues with the dead letters.
        relay = self.open_relay("dead_letter")
        wait_until(lambda: set(events) <= set(self.delivered()), PATIENCE, "all events are delivered")
        dead = [self.emit("k-1") for _ in range(2)]
        self.wait_for_status(dead=2, backlog=0)
        self.assertEqual(relay.stop(), 0)
        waiting = [self.emit("k-2", topic=self.topic) for _ in range(2)]
        pages, place = [], []
        while place is not None and len(pages) < 5:
            page = self.relay.command("find", "--limit", 1, "--json", *place)
            pages += [json.loads(line)["event_id"] for line in page.stdout.splitlines()]
            more = re.search(r"--after (\S+)", page.stderr)
            place = ["--after", more[1]] if more else None
        self.assertEqual(pages, waiting + dead)
        self.assertIn("expected outbox:ROW", self.do("find", "--after", "7", code=2))

    def test_event_ids_that_are_none(self):
        event = self.emit("k-1", topic=self.topic)
        for command in (["explain"], ["find"], ["unblock"], ["dead", "show"], ["dead", "requeue"], ["dead", "discard"]):
            for wrong in ("notauuid", event[:-1], event + "0"):
                ids = [wrong] if command[-1] in ("explain", "show") else [event, wrong]
                with self.subTest(command, wrong=wrong):
                    said = self.do(*command, *ids, code=2)
                    self.assertRegex(said, f"^outbox-relay {' '.join(command)}: \"{wrong}\" is not a UUID, and no event has it as"
                                           " its event id; give an event id such as 0d5f3c52-.*`outbox-relay find --key KEY`")
                    self.assertEqual(len(said.splitlines()), 1, said)
            self.assertIn("An event id is a UUID", self.do(*command, "--help"))
        # Every form of a UUID that PostgreSQL accepts.
        for form in (event.upper(), "{" + event + "}", event.replace("-", ""), "{" + event.replace("-", "").upper() + "}"):
            with self.subTest(form):
                self.assertEqual(self.explain(form)["event_id"], event)
                self.assertEqual([r["event_id"] for r in self.records_of("find", form, event)], [event])
                for command in (["unblock"], ["dead", "requeue"], ["dead", "discard"], ["dead", "show"]):
                    self.assertIn(event, self.do(*command, form, code=1))
        if self.text_ids:
            self.sql(f"update outbox_event set event_id = 'odd' where event_id = '{event}'")
            self.assertEqual(self.explain("odd")["event_id"], "odd")

    @faults(108)
    def test_values_at_the_limits_of_their_types(self):
        """None of these values may make a command or a query of a monitoring system fail, or block the delivery of an
        event."""
        plain = self.emit("k", topic=self.topic)
        extremes = [(self.emit(f"k-{n}", topic=self.topic), value) for n, value in enumerate(self.extremes)]
        for event, value in extremes:
            self.sql(f"{self.lenient}update outbox_event set created_at = {value} where event_id = '{event}'")
        everything = [plain] + [event for event, _ in extremes]
        status = self.status()
        self.assertEqual(status["backlog"], len(everything))
        self.assertGreater(status["oldest_age_ms"], 0, "at least the age of the plain event is known")
        self.assertIn("oldest", self.do("status"))
        self.assertEqual([r["event_id"] for r in self.records_of("find")], everything)
        self.assertEqual(len(self.do("find").splitlines()), len(everything) + 2)
        for age in ("--older-than", "--newer-than"):
            self.records_of("find", age, "1h")
        for event in everything:
            self.assertEqual(self.explain(event)["why"], "no_relay")

        relay = self.open_relay("block")
        self.wait_for_delivery(*everything)
        self.wait_for_status(backlog=0, oldest_age_ms=None)
        self.assertEqual(relay.stop(), 0)

    def test_find_topics_by_pattern(self):
        topics = ["a%b", "a_b", "a!b", "a*b", "axb", "A_B", "a[b]", "ünïcode", "a\\b"]
        events = {topic: self.emit("k", topic=topic) for topic in topics}
        for pattern in ["a%b", "a_b", "a!b", "a?b", "a*", "*b", "[a]*b", "a\\*b", "ünïc*", "?*n*code", "a\\\\b", "*", "none*"]:
            wanted = [events[topic] for topic in topics if matches(topic, pattern)]
            self.assertEqual([r["event_id"] for r in self.records_of("find", "--topic", pattern)], wanted, pattern)

    @faults(121)
    def test_each_event_that_is_given_up_is_reported(self):
        relay = self.open_relay("block", max_attempts=1)
        given_up = [self.emit(f"k-{n}") for n in range(5)]
        self.wait_for_status(blocked=5, backlog=5, oldest_age_ms=None)
        log = relay.log()
        for event in given_up:
            self.assertIn(event, log)
        ended = self.relay.command("dead", "list")
        self.assertEqual((ended.returncode, ended.stdout), (0, "0 dead events\n"))
        self.assertIn("5 blocked events wait for an operator: outbox-relay dead list --blocked", ended.stderr)
        # A dry run prints all options that the change needs.
        dry = self.do("dead", "discard", "--blocked", "--all", "--dry-run")
        self.assertIn("; repeat with --count 5 --break-order", dry)
        arguments = dry.split("; repeat with ")[1].split()
        # A later event of another key is not hidden by the blocked ones, and its age is reported.
        self.assertEqual(relay.stop(), 0)
        self.emit("other", topic=self.topic)
        self.assertIsNotNone(self.status()["oldest_age_ms"])
        self.emit("k-1", topic=self.topic)
        self.assertEqual(self.do("dead", "discard", "--blocked", "--all", *arguments), "5 blocked events discarded\n")

    def test_explain_a_retry(self):
        relay = self.open_relay("block", max_attempts=5, retry_backoff="1h", max_retry_backoff="2h")
        event = self.emit("k-1")
        self.wait_for_status(retrying=1)
        seen = self.explain(event)
        self.assertEqual((seen["state"], seen["why"], seen["attempts"]), ("retrying", "retry", 1))
        self.assertGreater(seen["next_try_at"], seen["last_failed_at"])
        self.assertIn("attempt 2 is due at", self.do("explain", event))
        self.assertTrue(seen["relay"])
        self.assertIn("is being retried", self.do("dead", "discard", event, "--break-order", code=1))
        self.sql(f"update outbox_event set topic = '{self.topic}'")
        self.do("unblock", event)
        self.wait_for_delivery(event, timeout=10)
        self.assertEqual(relay.stop(), 0)


class SqliteOperatorTest(Operator, test_end_to_end.SqliteTest):
    waits_for_a_rescan = True
    extremes = ("9223372036854775807", "-9223372036854775808", "1e308", "9e999", "-9e999", "''", "'infinity'", "x'00ff'",
                "'0000-01-01T00:00:00Z'", "'9999-12-31T23:59:59.999Z'", "0")

    def sql(self, statement):
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            with connection:
                connection.execute(statement)
        finally:
            connection.close()


class PostgresOperatorTest(Operator, test_end_to_end.PostgresTest):
    text_ids = False
    extremes = ("'infinity'", "'-infinity'", "'294276-12-31 23:59:59.999999+00'", "'4714-11-24 00:00:00+00 BC'",
                "'0001-01-01 00:00:00+00'", "'9999-12-31 23:59:59.999999+00'", "'epoch'")

    def sql(self, statement):
        self.server.psql(statement, self.database)


class MysqlLike(Operator):
    extremes = ("'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'", "'0000-00-00 00:00:00'")
    lenient = "set sql_mode = '', time_zone = '+00:00'; "

    def sql(self, statement):
        self.server.sql(statement, self.database)


class MariadbOperatorTest(MysqlLike, test_end_to_end.MariadbTest):
    pass


class MysqlOperatorTest(MysqlLike, test_end_to_end.MysqlTest):
    pass


if __name__ == "__main__":
    unittest.main()
