"""Runs the examples of docs/guide/emit.md in other languages. Each is put into a program of snippets/ that pays an order
with it. If the event is refused, the order must be unchanged."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import uuid

from documents import blocks, section
from servers import TemporaryFolder, shared_postgres
from servers.relay import outbox_relay, relay_config

HERE = pathlib.Path(__file__).resolve().parent
EMIT = HERE.parents[1] / "docs/guide/emit.md"
REFUSED = 2  # the order whose event the database refuses
ORDERS = """
create table orders (id int primary key, state text not null);
insert into orders select i, 'new' from generate_series(1, 3) i;
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;
create trigger refuse before insert on outbox_event for each row when (new.aggregate_id = 'order-%d')
  execute function refuse();
""" % REFUSED
JAVA = "/usr/share/java/postgresql.jar"
DEBIANS_NODE_MODULES = pathlib.Path("/usr/share/nodejs")
PG_FOR_NODE = "pg@8.16.3"


class EmitSnippetsTest(unittest.TestCase):
    def setUp(self):
        self.folder = TemporaryFolder("snippets")
        self.addCleanup(self.folder.remove)
        postgres = shared_postgres()
        name = f"snippets-{uuid.uuid4()}"
        dsn = postgres.create_database(name)
        config = self.folder.path / "relay.json"
        config.write_text(json.dumps(relay_config("postgres", {"connection": dsn}, "127.0.0.1:1")), encoding="utf-8")
        made = outbox_relay("migrate", "--config", config)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.database = postgres.connect(name)
        self.addCleanup(self.database.close)
        self.ask(ORDERS)
        self.environment = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(postgres.port), "PGUSER": "postgres",
                            "PGDATABASE": name, "PGSSLMODE": "disable"}

    def ask(self, sql):
        with self.database.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else None

    def program(self, language, name):
        """Writes the program with the snippet in its place, indented accordingly. Returns the file."""
        snippet, = blocks(section(EMIT, "Other languages"), language)
        text = (HERE / "snippets" / name).read_text(encoding="utf-8")
        place = re.search(r"^([ \t]*)(//|#) SNIPPET\n", text, re.M)
        inside = "".join(f"{place.group(1)}{line}\n" if line else "\n" for line in snippet.splitlines())
        made = self.folder.path / name
        made.write_text(text.replace(place.group(0), inside), encoding="utf-8")
        return made

    def run_it(self, *command, **more):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=120,
                              cwd=self.folder.path, env={**self.environment, **more})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def judge(self, printed, headers=None):
        self.assertEqual(printed.split("\n")[:-1], ["paid 1", f"refused {REFUSED}", "paid 3"])
        self.assertEqual(self.ask("select id, state from orders order by id"), [(1, "paid"), (REFUSED, "new"), (3, "paid")])
        self.assertEqual(
            self.ask("select topic, aggregate_id, event_type, payload::jsonb, headers from outbox_event order by id"),
            [("orders", f"order-{order}", "OrderPaid", {"order": order}, headers) for order in (1, 3)])

    def test_python(self):
        self.judge(self.run_it(sys.executable, self.program("python", "order.py"), 1, REFUSED, 3))

    def test_go(self):
        source = self.program("go", "order.go")
        self.judge(self.run_it("/usr/bin/go", "run", source, 1, REFUSED, 3, GO111MODULE="off", GOPATH="/usr/share/gocode",
                               GOCACHE=str(self.folder.path / "cache"), GOFLAGS=""))

    def test_java(self):
        source = self.program("java", "Order.java")
        self.run_it("ecj", "-17", "-nowarn", "-proc:none", "-cp", JAVA, source)
        self.judge(self.run_it("java", "-cp", f"{JAVA}:{self.folder.path}", "Order", 1, REFUSED, 3), {"source": "shop"})

    def test_php(self):
        self.judge(self.run_it("php", self.program("php", "order.php"), 1, REFUSED, 3))

    def test_node(self):
        """The PostgreSQL client is Debian's package, or npm's if Node does not come from Debian."""
        if shutil.which("node") is None:
            self.skipTest("Node (node) is not installed")
        modules = DEBIANS_NODE_MODULES
        if not (modules / "pg").exists():
            if shutil.which("npm") is None:
                self.skipTest("neither node-pg nor npm is installed")
            got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PG_FOR_NODE],
                                 cwd=self.folder.path, capture_output=True, text=True, check=False, timeout=120)
            if got.returncode != 0:
                self.skipTest("npm cannot install " + PG_FOR_NODE)
            modules = self.folder.path / "node_modules"
        self.judge(self.run_it("node", self.program("js", "order.js"), 1, REFUSED, 3, NODE_PATH=str(modules)))

