"""Delivers a table for Debezium's EventRouter by capturing it with a trigger. Covers the records, the change-over from
Debezium, and the loss of the trigger."""

import collections
import json
import re
import subprocess
import unittest
import urllib.error
import urllib.request
import uuid

import psycopg2

from servers import Relay, outbox_relay, read_topic, relay_config, shared_kafka, shared_postgres, wait_until

TABLE = """
create table {table} (id uuid not null primary key, aggregatetype varchar(255), aggregateid varchar(255),
  type varchar(255) not null, payload jsonb)
"""
EVENTS = 600
KEYS = 7


class CaptureTest(unittest.TestCase):
    def setUp(self):
        self.kafka = shared_kafka()
        self.server = shared_postgres()
        self.database = f"capture_{uuid.uuid4().hex}"
        self.server.create_database(self.database)
        self.connection = psycopg2.connect(self.server.dsn(self.database))
        self.addCleanup(self.connection.close)
        self.route = f"capture-{uuid.uuid4()}"
        self.topic = f"outbox.event.{self.route}"
        self.kafka.create_topic(self.topic, 3)
        self.run_sql(TABLE.format(table="outboxevent"))
        self.relay = self.relay_with()

    def relay_with(self, options=None, record=None, **parts):
        config = relay_config("postgres", {"connection": self.server.dsn(self.database), "table": "public.outboxevent",
                                           "capture": "trigger", **(options or {})}, self.kafka.bootstrap)
        relay = Relay({**config, "record": {"like": "debezium", **(record or {})}, **parts})
        self.addCleanup(relay.close)
        return relay

    def run_sql(self, *statements):
        with self.connection, self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def ask(self, question):
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchall()

    def migrate(self):
        done = self.relay.command("migrate")
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def insert(self, first, count, delete=True):
        """Inserts each event in a transaction of its own. With `delete` every other row is deleted in the same transaction.
        Every tenth transaction is rolled back. Returns the numbers of the committed events."""
        committed = []
        for n in range(first, first + count):
            event = str(uuid.UUID(int=n))
            with self.connection.cursor() as cursor:
                cursor.execute("insert into outboxevent values (%s, %s, %s, 'Made', %s)",
                               (event, self.route, f"key-{n % KEYS}", json.dumps({"n": n, "a": [1, "ż"]})))
                if delete and n % 2:
                    cursor.execute("delete from outboxevent where id = %s", (event,))
            if n % 10 == 9:
                self.connection.rollback()
                continue
            self.connection.commit()
            committed.append(n)
        return committed

    def wait_until_empty(self):
        self.relay.wait_while_running(lambda: self.ask("select count(*) from outboxevent_capture") == [(0,)], 60,
                                      "all copies are delivered")

    def assert_records(self, committed, records):
        """Asserts that the records are those that Debezium would have written: the same keys, values and headers byte for
        byte, each once, in order per key."""
        self.assertEqual(len(records), len(committed))
        numbers = collections.defaultdict(list)
        for record in sorted(records, key=lambda record: (record.partition, record.offset)):
            n = json.loads(record.payload)["n"]
            self.assertEqual(record.payload, f'{{"a": [1, "ż"], "n": {n}}}'.encode())
            self.assertEqual(record.headers, [("id", str(uuid.UUID(int=n)).encode())])
            numbers[record.key].append(n)
        self.assertEqual(sorted(sum(numbers.values(), [])), committed)
        for key, seen in numbers.items():
            self.assertEqual(seen, sorted(seen), key)

    def test_rows_become_debeziums_records(self):
        self.run_sql("insert into outboxevent values ('00000000-0000-4000-8000-000000000000', 'early', 'k', 'Made', '{}')")
        self.migrate()
        committed = self.insert(0, EVENTS)
        checked = self.relay.command("check")
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        shown = json.loads(self.relay.command("check", "--show", "all", "--limit", "1", "--json").stdout)
        self.assertEqual((shown["topic"], shown["key"], shown["value"]), (self.topic, "key-0", '{"a": [1, "ż"], "n": 0}'))
        self.relay.start()
        self.wait_until_empty()
        committed += self.insert(EVENTS, 100)
        self.wait_until_empty()
        self.assertEqual(self.relay.stop(), 0)
        self.assert_records(committed, read_topic(self.kafka.bootstrap, self.topic))
        # The relay does not change the application's table: rows that the application kept are still there, and the early
        # row too.
        kept = len([n for n in committed if not n % 2]) + 1
        self.assertEqual(self.ask("select count(*) from outboxevent"), [(kept,)])

    def test_a_row_that_cannot_become_a_record_fails_alone(self):
        self.migrate()
        self.run_sql("insert into outboxevent values ('00000000-0000-4000-8000-0000000000aa', null, 'other', 'Made', null)")
        committed = self.insert(0, 20)
        self.relay.start()
        self.relay.wait_while_running(lambda: self.ask("select count(*) from outboxevent_capture") == [(1,)], 60,
                                      "the good events are delivered")
        wait_until(lambda: self.ask("select reason from outboxevent_capture_retry") == [("bad_topic",)], 30, "the bad event has failed")
        self.assertEqual(self.relay.stop(), 0)
        # Events are found by the id that consumers and the application use.
        why = self.relay.command("explain", "00000000-0000-4000-8000-0000000000aa")
        self.assertIn("the column \"aggregatetype\" is NULL", why.stdout)
        found = self.relay.command("find", "--key", "key-3", "--json")
        self.assertEqual(found.stdout, "")
        self.assert_records(committed, read_topic(self.kafka.bootstrap, self.topic))

    def test_operators_see_the_topic_of_the_record(self):
        self.migrate()
        self.insert(0, 5)
        found = self.relay.command("find", "--topic", f"{self.topic[:-3]}*", "--json").stdout.splitlines()
        self.assertEqual({json.loads(line)["topic"] for line in found}, {self.topic})
        self.assertEqual(len(found), 5)

    def test_nothing_is_made_where_no_record_could_be(self):
        for record, said in (({"topic": "a/b c"}, "/record/topic: not a valid topic name"),
                             ({"timestamp": "{type}"}, "/record/timestamp: the column \"type\""),
                             ({"headers": {"x": "{nowhere}"}}, "has no column \"nowhere\"")):
            relay = self.relay_with(record=record)
            refused = relay.command("migrate")
            self.assertEqual(refused.returncode, 78, refused.stdout)
            self.assertIn(said, refused.stderr)
        self.assertEqual(self.ask("select count(*) from pg_trigger where not tgisinternal"), [(0,)])
        quiet = self.relay.command("check")
        self.assertNotIn("holds secrets in plain text", quiet.stdout)

    def as_a_connector(self, numbers, value=lambda n: f'{{"a": [1, "ż"], "n": {n}}}'):
        """Writes the records that Debezium would send: the same as the relay's, with Debezium's own header in front."""
        for n in numbers:
            subprocess.run(["kcat", "-P", "-b", self.kafka.bootstrap, "-t", self.topic, "-K", "|", "-X", "partitioner=murmur2_random",
                            "-H", "__debezium.context.taskId=0", "-H", f"id={uuid.UUID(int=n)}"],
                           input=f"key-{n % KEYS}|{value(n)}".encode(), check=True, timeout=30)

    def verify(self, *options):
        return outbox_relay("import", "--verify", "-c", self.relay.config, *options)

    def test_the_change_over_loses_nothing_and_sends_nothing_twice(self):
        self.migrate()
        nothing = self.verify()
        self.assertEqual(nothing.returncode, 1)
        self.assertIn("nothing was compared", nothing.stderr)
        committed = self.insert(0, 60)
        self.as_a_connector(committed[:30])
        same = self.verify()
        self.assertEqual(same.returncode, 0, same.stdout + same.stderr)
        self.assertIn("30 records compared with the connector's: 30 the same, 0 different", same.stdout)
        self.assertIn(f"{len(committed) - 30} records not found", same.stdout)
        # The connector has been stopped and has sent some of the captured events.
        removed = self.verify("--remove-delivered")
        self.assertEqual(removed.returncode, 0, removed.stdout + removed.stderr)
        self.assertIn("30 captured rows removed", removed.stdout)
        self.relay.start()
        self.wait_until_empty()
        refused = self.verify("--remove-delivered")
        self.assertEqual(refused.returncode, 78)
        self.assertIn("a relay is running on this outbox", refused.stderr)
        self.assertEqual(self.relay.stop(), 0)
        records = [record for record in read_topic(self.kafka.bootstrap, self.topic)]
        self.assertEqual(sorted(json.loads(record.payload)["n"] for record in records), committed)
        for key in range(KEYS):
            seen = [json.loads(record.payload)["n"] for record in sorted(records, key=lambda record: record.offset)
                    if record.key == f"key-{key}".encode()]
            self.assertEqual(seen, sorted(seen))

    def test_the_table_of_the_go_package(self):
        topic = f"users-{uuid.uuid4()}"
        self.kafka.create_topic(topic, 3)
        self.run_sql("create table events (id uuid primary key default gen_random_uuid(), aggregate_id varchar(100) not null,"
                     " event_topic varchar(100) not null, event_type varchar(100) not null, payload jsonb not null,"
                     " status varchar(10) not null default 'new', created_at timestamp default now(), reserved_to timestamp)")
        self.relay = self.relay_with({"table": "public.events"}, {"like": "go-package"})
        suggested = self.relay.command("check", "--suggest", "public.events")
        self.assertEqual(suggested.returncode, 0, suggested.stderr)
        self.assertIn('"like": "go-package"', suggested.stdout)
        self.migrate()
        for n in range(6):
            self.run_sql(f"insert into events values ('{uuid.UUID(int=n)}', 'user-{n % 2}', '{topic}', 'user.created', '{{\"n\": {n}}}')")
        for n in range(3):  # events that the Go package has sent
            subprocess.run(["kcat", "-P", "-b", self.kafka.bootstrap, "-t", topic, "-K", "|", "-X", "partitioner=murmur2_random",
                            "-H", f"event_id={uuid.UUID(int=n)}", "-H", "event_type=user.created"],
                           input=f'user-{n % 2}|{{"n": {n}}}'.encode(), check=True, timeout=30)
        self.run_sql("update events set status = 'done' where payload ->> 'n' in ('0', '1', '2')")
        removed = self.verify("--remove-delivered")
        self.assertEqual(removed.returncode, 0, removed.stdout + removed.stderr)
        self.relay.start()
        self.relay.wait_while_running(lambda: self.ask("select count(*) from events_capture") == [(0,)], 60, "all events are delivered")
        self.assertEqual(self.relay.stop(), 0)
        records = read_topic(self.kafka.bootstrap, topic)
        self.assertEqual(sorted(record.header("event_id").decode() for record in records), [str(uuid.UUID(int=n)) for n in range(6)])
        self.assertEqual({tuple(name for name, _ in record.headers) for record in records}, {("event_id", "event_type")})

    def test_suggestions(self):
        for name, columns, said in (
                ("event_publication", "id uuid, listener_id text, event_type text, serialized_event text, publication_date timestamptz",
                 "Spring Modulith.*a row for each listener"),
                ("txno_outbox", "id text, invocation text, nextattempttime timestamp, attempts int, blocked boolean", "calls of Java methods"),
                ("domain_event_entry", "global_index bigint, event_identifier text, payload_type text, aggregate_identifier text,"
                                       " sequence_number bigint", "event store of Axon"),
                ("something", "a int, b text", "not those of a known outbox table")):
            self.run_sql(f"create table {name} ({columns})")
            refused = self.relay.command("check", "--suggest", name)
            self.assertEqual(refused.returncode, 1, refused.stdout)
            self.assertRegex(refused.stdout, said)
        fits = self.relay.command("check", "--suggest", "public.outboxevent")
        self.assertEqual(fits.returncode, 0, fits.stdout)
        self.assertIn('"like": "debezium"', fits.stdout)
        missing = self.relay.command("check", "--suggest", "nowhere")
        self.assertEqual(missing.returncode, 78)
        self.assertIn("there is no table nowhere", missing.stderr)

    def test_the_rehearsal(self):
        """The connector and the relay deliver at the same time, the relay into topics with a prefix. Events that the relay
        has delivered already are compared too."""
        prefix = f"rehearsal-{uuid.uuid4()}."
        self.kafka.create_topic(prefix + self.topic, 3)
        wrong = self.relay_with(record={"topic": "outbox.event.{aggregatetype}"})
        self.assertEqual(wrong.command("migrate").returncode, 0)
        refused = outbox_relay("import", "--verify", "-c", wrong.config, "--prefix", prefix)
        self.assertEqual(refused.returncode, 78)
        self.assertIn("/record/topic does not begin with the prefix", refused.stderr)
        self.relay = self.relay_with(record={"topic": prefix + "outbox.event.{aggregatetype}"})
        committed = self.insert(0, 12)
        self.relay.start()
        self.wait_until_empty()
        self.assertEqual(self.relay.stop(), 0)
        committed += self.insert(12, 3)  # captured and not delivered
        self.as_a_connector(committed[:-1])
        same = self.verify("--prefix", prefix)
        self.assertEqual(same.returncode, 0, same.stdout + same.stderr)
        self.assertIn(f"{len(committed) - 1} records compared with the connector's: {len(committed) - 1} the same", same.stdout)
        self.assertIn("1 record not found", same.stdout)
        self.as_a_connector(committed[:1], lambda n: "{}")
        self.assertEqual(self.verify("--prefix", prefix).returncode, 1)

    def test_a_difference_is_shown_byte_by_byte(self):
        self.migrate()
        committed = self.insert(0, 5)
        self.as_a_connector(committed[:1])
        self.as_a_connector(committed[1:2], lambda n: f'{{"n":{n}}}')
        different = self.verify("--remove-delivered")
        self.assertEqual(different.returncode, 1, different.stdout)
        self.assertIn("1 the same, 1 different", different.stdout)
        self.assertIn("the value differs from the record at", different.stdout)
        self.assertRegex(different.stdout, r"00000000  7b 22 61 22 3a 20 5b 31 .*\{\"a\": \[1")
        self.assertRegex(different.stdout, r"00000000  7b 22 6e 22 3a 31 7d +\{\"n\":1\}")
        self.assertIn("were not removed", different.stdout)
        self.assertEqual(self.ask("select count(*) from outboxevent_capture"), [(len(committed),)])

    def test_the_way_back(self):
        self.migrate()
        committed = self.insert(0, 10)
        removed = self.relay.command("migrate", "--remove-capture")
        self.assertEqual(removed.returncode, 0, removed.stderr)
        position = re.search("at position ([0-9A-F]+/[0-9A-F]+) of the write-ahead log", removed.stdout).group(1)
        self.insert(10, 10)
        self.assertEqual(self.ask("select count(*) from outboxevent_capture"), [(len(committed),)])
        # Rows that were inserted since then belong to Debezium, so the position stays the same.
        again = self.relay.command("migrate", "--remove-capture")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn(f"at position {position} of the write-ahead log", again.stdout)
        checked = self.relay.command("check")
        self.assertEqual(checked.returncode, 78)
        self.assertRegex(checked.stdout, "(?i)trigger")

    def test_a_trigger_left_on_the_old_table_is_noticed(self):
        """An online schema change renames the table and puts a new one without the trigger in its place."""
        self.relay = self.relay_with(http={"listen": "127.0.0.1:0"})
        self.migrate()
        self.relay.start()
        address = self.relay.wait_for_log(r'http: [^"]* at (127\.0\.0\.1:\d+)').group(1)
        self.insert(0, 10)
        self.wait_until_empty()
        self.run_sql("alter table outboxevent rename to outboxevent_old", "create table outboxevent (like outboxevent_old including all)")

        def ready():
            try:
                return urllib.request.urlopen(f"http://{address}/readyz", timeout=5).read().decode()
            except urllib.error.HTTPError as error:
                return error.read().decode()

        wait_until(lambda: ready().startswith("capture_broken"), 90, "the relay is not ready")
        metrics = urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode()
        self.assertRegex(metrics, r"(?m)^outbox_relay_capture_in_place 0$")
        self.assertEqual(len(re.findall("continuing with the rows that are in the outbox", self.relay.log())), 1)


if __name__ == "__main__":
    unittest.main()
