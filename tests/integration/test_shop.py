"""The three services of examples/shop. The consumer is killed at random moments, and each effect must be in the database
once."""

import collections
import contextlib
import json
import os
import random
import subprocess
import sys
import uuid

import psycopg2.extras
from out_of_tree import OutOfTree
from servers import Relay, relay_config, shared_kafka, shared_postgres, wait_until
from servers.process import Process
from servers.relay import ROOT

SEED = int(os.environ.get("OUTBOX_TEST_SEED", "1"))
KILLS = int(os.environ.get("OUTBOX_TEST_KILLS", "12"))  # number of kills of the consumer; 200 take some minutes
PARTITIONS = 4
EVENTS_A_KILL = 150


class ShopTest(OutOfTree):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.programs = cls.build(ROOT / "examples/shop") / "build"

    def test_three_services_that_crash(self):
        shared_kafka(), shared_postgres()  # skips the tests if the servers cannot run on this machine
        done = subprocess.run([sys.executable, ROOT / "examples/shop/run", "--bin", self.programs, "--orders", "900",
                               "--kills", "9", "--seed", str(SEED)], capture_output=True, text=True, timeout=300, check=False)
        print("  " + done.stdout.replace("\n", "\n  "))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("900 orders committed", done.stdout)

    def test_the_consumer_killed_with_duplicates_on_the_way(self):
        dice = random.Random(SEED)
        print(f"  seed {SEED}, {KILLS} kills")
        kafka, postgres = shared_kafka(), shared_postgres()
        name = f"kills-{uuid.uuid4()}"
        dsn = postgres.create_database(name)
        topic = f"orders-{uuid.uuid4()}"
        kafka.create_topic(topic, PARTITIONS)
        group = f"billing-{uuid.uuid4()}"
        command = [self.programs / "billing", kafka.bootstrap, dsn, topic, f"group.id={group}", "group.instance.id=one"]
        log = self.folder / "billing.log"

        with Relay(relay_config("postgres", {"connection": dsn}, kafka.bootstrap)) as relay, \
                contextlib.closing(postgres.connect(name)) as link, link.cursor() as cursor:
            def count(table):
                cursor.execute(f"select to_regclass('{table}') is not null")
                if not cursor.fetchone()[0]:
                    return 0
                cursor.execute(f"select count(*) from {table}")
                return cursor.fetchone()[0]

            def is_handled():
                with kafka.admin() as admin:
                    ends = admin.end_offsets(topic, PARTITIONS)
                    return admin.group_offsets(group, topic, PARTITIONS) == {p: end or -1 for p, end in ends.items()}

            self.assertEqual(relay.command("migrate").returncode, 0)
            relay.start()
            events, sent = [], []
            for _ in range(KILLS):
                consumer = Process(command, log)
                before = count("invoices")
                rows = self.rows(dice, events)
                sent += rows
                psycopg2.extras.execute_values(
                    cursor, "insert into outbox_event (topic, event_id, aggregate_id, event_type, payload) values %s",
                    [(topic, *row) for row in rows])
                wait_until(lambda b=before: count("invoices") > b or consumer.returncode is not None, 60, "it works", 0.001)
                self.assertIsNone(consumer.returncode, log.read_text(encoding="utf-8")[-2000:])
                consumer.kill()
            consumer = Process(command, log)
            wait_until(lambda: count("outbox_event") == 0, 60, "the outbox is empty")
            wait_until(is_handled, 60, "all events are handled")
            self.assertEqual(consumer.stop(), 0)
            self.assertEqual(relay.stop(), 0)

            cursor.execute("select order_number, cents from invoices")
            invoices = collections.Counter(cursor.fetchall())
            cursor.execute("select customer, owed from accounts")
            owed = dict(cursor.fetchall())
        self.assertGreater(len(sent), len(events) * 1.3, "there are duplicates")
        print(f"  {len(events)} events in {len(sent)} records")
        self.assertEqual(invoices, collections.Counter({(e["order"], e["cents"]): 1 for e in events}))
        should = collections.Counter()
        for event in events:
            should[event["customer"]] += event["cents"]
        self.assertEqual(owed, dict(should))

    @staticmethod
    def rows(dice, events):
        """Returns rows for new events, each one to three times, and for some earlier events. Appends the new events to
        `events`."""
        new = []
        for _ in range(EVENTS_A_KILL):
            number = len(events) + len(new) + 1
            new.append({"order": number, "customer": dice.randint(1, 20), "cents": dice.randint(1, 1000),
                        "id": str(uuid.UUID(int=dice.getrandbits(128), version=4))})
        rows = [event for event in new for _ in range(dice.choice((1, 1, 1, 2, 3)))]
        rows += [dice.choice(events) for _ in range(EVENTS_A_KILL // 10) if events]
        dice.shuffle(rows)
        events += new
        return [(row["id"], f"customer-{row['customer']}", "OrderPlaced", json.dumps(row)) for row in rows]
