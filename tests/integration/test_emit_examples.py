"""The order services of examples/: the topic contains exactly the events that they commit."""

import collections
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import uuid

from out_of_tree import OutOfTree
from servers import Relay, read_topic, relay_config, shared_kafka, shared_postgres
from servers.relay import ROOT

SEED = int(os.environ.get("OUTBOX_TEST_SEED", "1"))
ORDERS = 60


def orders_text():
    dice = random.Random(SEED)
    print(f"  seed {SEED}")
    return "".join(f"{dice.randint(1, 3)} {dice.randint(100, 2000)}\n" for _ in range(ORDERS))


class EmitExamplesTest(OutOfTree):
    def relayed(self, plugin, options, serve, is_empty):
        """Lets a service write events while a relay runs. Returns the records."""
        kafka = shared_kafka()
        topic = f"orders-{uuid.uuid4()}"
        kafka.create_topic(topic, 3)
        with Relay(relay_config(plugin, options, kafka.bootstrap)) as relay:
            made = relay.command("migrate")
            self.assertEqual(made.returncode, 0, made.stderr)
            relay.start()
            serve(topic)
            relay.wait_while_running(is_empty, 30, "the outbox is empty")
            self.assertEqual(relay.stop(), 0)
        return read_topic(kafka.bootstrap, topic)

    def judge(self, orders, records):
        """Asserts that the records are those of the committed orders. `orders` is a list of (number, customer, cents)."""
        self.assertGreater(len(orders), ORDERS / 4)
        self.assertLess(len(orders), ORDERS, "some are rolled back")
        arrived = collections.defaultdict(list)
        for record in sorted(records, key=lambda r: (r.partition, r.offset)):
            self.assertEqual(record.header("event_type"), b"OrderPlaced")
            event = json.loads(record.payload)
            arrived[record.key.decode()].append((event["order"], event["cents"]))
        committed = collections.defaultdict(list)
        for number, customer, cents in sorted(orders):
            committed[f"customer-{customer}"].append((number, cents))
        self.assertEqual(arrived, committed)

    def serve(self, command, topic, source):
        """Runs the example service on the orders of the test. Its topic "orders" is replaced by the topic of the test."""
        text = source.read_text(encoding="utf-8")
        self.assertIn('"orders"', text)
        source.write_text(text.replace('"orders"', f'"{topic}"'), encoding="utf-8")
        if source.suffix == ".cpp":
            subprocess.run(["ninja", "-C", source.parent / "build"], check=True, capture_output=True)
        done = subprocess.run(command, input=orders_text(), text=True, capture_output=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_cpp_on_sqlite(self):
        source = self.build(ROOT / "examples/orders") / "orders.cpp"
        path = self.folder / "orders.db"
        path.touch()
        database = sqlite3.connect(path, timeout=30)
        self.addCleanup(database.close)
        records = self.relayed("sqlite", {"path": str(path)},
                               lambda topic: self.serve([source.parent / "build/orders", path], topic, source),
                               lambda: not database.execute("select 1 from outbox_event").fetchall())
        self.judge(database.execute("select number, customer, cents from orders").fetchall(), records)

    def test_python_on_postgres(self):
        postgres = shared_postgres()
        name = f"orders-{uuid.uuid4()}"
        dsn = postgres.create_database(name)
        source = self.folder / "orders.py"
        source.write_text((ROOT / "examples/orders-python/orders.py").read_text(encoding="utf-8"), encoding="utf-8")
        with contextlib.closing(postgres.connect(name)) as database, database.cursor() as cursor:
            def is_empty():
                cursor.execute("select 1 from outbox_event")
                return not cursor.fetchall()

            records = self.relayed("postgres", {"connection": dsn},
                                   lambda topic: self.serve([sys.executable, source, dsn], topic, source), is_empty)
            cursor.execute("select number, customer, cents from orders")
            self.judge(cursor.fetchall(), records)

    def test_examples_are_short(self):
        for name in ("orders/orders.cpp", "orders-python/orders.py"):
            lines = (ROOT / "examples" / name).read_text(encoding="utf-8").splitlines()
            self.assertLessEqual(len(lines), 80, name)
