"""The SDK from the view of an author of an adapter: it is installed, and template and examples are built outside of the
tree and run."""

import json
import os
import pathlib
import shlex
import shutil
import sqlite3
import tempfile
import unittest

from out_of_tree import OutOfTree, run
from servers import find_binary, outbox_relay
from servers.relay import ROOT

EVENTS = [("k", '{"n":1}'), ("k", '{"n":2}'), (None, None), ("", ""), ("ключ", '{"n":3}')]


class TemplateTest(OutOfTree):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        template = run("pkg-config", "--variable=template", "outbox-sdk", env=cls.env).strip()
        cls.source = cls.build(template)
        cls.plugin = cls.source / "build/outbox-mine.so"

    def database(self, name):
        path = self.folder / name
        connection = sqlite3.connect(path)
        self.addCleanup(connection.close)
        connection.executescript((self.source / "schema.sql").read_text(encoding="utf-8"))
        return path, connection

    def test_exports_one_symbol_and_installs_where_the_relay_looks(self):
        symbols = run("nm", "-D", "--defined-only", self.plugin).split()
        self.assertEqual(symbols[2::3], ["outbox_plugin_v1"])
        run("meson", "install", "-C", self.source / "build", "--no-rebuild")
        found = list(self.prefix.rglob("outbox-relay/outbox-mine.so"))
        self.assertEqual(len(found), 1, found)
        found[0].unlink()  # other tests use the prefix too

    def test_is_listed(self):
        listed = outbox_relay("plugins", "--json", env={"OUTBOX_PLUGIN_PATH": str(self.plugin.parent)})
        self.assertEqual(listed.returncode, 0, listed.stderr)
        mine = [plugin for plugin in json.loads(listed.stdout)["plugins"] if plugin["name"] == "mine"]
        self.assertEqual([plugin["file"] for plugin in mine], [str(self.plugin)])
        self.assertEqual(mine[0]["version"], "0.1.0")

    def test_keeps_the_contract(self):
        build = next(up for up in find_binary().parents if (up / "build.ninja").is_file())
        empty, connection = self.database("empty.db")
        connection.close()
        fresh, used = shlex.quote(str(empty)), shlex.quote(str(self.folder / "used.db"))
        report = run(build / "tests/contract/outbox-plugin-check", self.plugin, "--seed", 1,
                     "--before", f"rm -f {used}* && cp {fresh} {used}",
                     "--options", json.dumps({"path": str(self.folder / "used.db")}))
        passed = [line.split()[1] for line in report.splitlines() if line.startswith("ok ")]
        self.assertGreater(len(passed), 40, report)
        self.assertIn("values/bytes-are-bytes", passed)

    def test_relays(self):
        path, connection = self.database("relayed.db")
        for key, payload in EVENTS:
            connection.execute("INSERT INTO outbox_event (aggregate_id, event_type, topic, payload)"
                               " VALUES (?, 'noted', 'notes', ?)", (key, payload))
        connection.commit()
        records = self.relay(self.plugin, {"path": str(path)},
                             lambda: not connection.execute("SELECT 1 FROM outbox_event").fetchall())
        self.assertEqual([(record["topic"], record["key"], record["payload"]) for record in records],
                         [("notes", key, payload) for key, payload in EVENTS])


class SpoolTest(OutOfTree):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plugin = cls.build(ROOT / "examples/spool") / "build/outbox-spool.so"

    def setUp(self):
        self.spool = self.folder / "spool"
        self.new = self.spool / "new"
        self.new.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, self.spool)

    def test_relays_and_empties_the_folder(self):
        (self.new / "000002,orders,order.paid,c-7").write_bytes(b"2")
        (self.new / "000001,orders,order.created,c-7").write_bytes(b"1")
        (self.new / "000003,orders,order.noted").write_bytes(b"\xff\0")
        records = self.relay(self.plugin, {"folder": str(self.spool)}, lambda: not list(self.new.iterdir()))
        self.assertEqual([(record["key"], record["payload"]) for record in records],
                         [("c-7", "1"), ("c-7", "2"), (None, {"base64": "/wA="})])

    def test_blocked_key_waits_and_others_flow(self):
        stuck = [self.new / "000001,orders,made,c-7", self.new / "000002,orders,made,c-7"]
        for file in stuck:
            file.write_bytes(b"{}")
        (self.new / "000003,orders,made,c-8").write_bytes(b"{}")
        failed = self.spool / "failed"
        failed.mkdir()
        mark = failed / stuck[0].name
        mark.write_text("too_large\n")
        in_an_hour = mark.stat().st_mtime + 3600
        os.utime(mark, (in_an_hour, in_an_hour))
        records = self.relay(self.plugin, {"folder": str(self.spool)}, lambda: len(list(self.new.iterdir())) == 2)
        self.assertEqual([record["key"] for record in records], ["c-8"])
        self.assertEqual(sorted(self.new.iterdir()), stuck)


class InstalledLibraries(unittest.TestCase):
    """The libraries are installed from the build that is tested, because building the whole relay again would take
    minutes."""

    def compile(self, package, tag, source):
        """Compiles a program from the source with the flags that pkg-config prints for the package. Returns the program."""
        build = next(up for up in find_binary().parents if (up / "build.ninja").is_file())
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{package}-"))
        self.addCleanup(shutil.rmtree, folder)
        run("meson", "install", "-C", build, "--no-rebuild", "--tags", f"devel,{tag}",
            env={**os.environ, "DESTDIR": str(folder)})
        found = next(folder.rglob(f"{package}.pc")).parent
        flags = run("pkg-config", "--define-prefix", "--cflags", "--libs", package,
                    env={**os.environ, "PKG_CONFIG_PATH": str(found)}).split()
        program = folder / "program"
        run("c++", "-std=c++20", ROOT / source, *flags, "-o", program)
        return program

    def test_a_relay_in_a_program_of_its_own(self):
        run(self.compile("outbox-embed", "embed", "examples/embed/two_relays.cpp"))

    def test_the_base_of_sql_adapters(self):
        made = run(self.compile("outbox-sql", "sql", "tests/integration/sql_base.cpp"))
        self.assertEqual(made.count("create table"), 6, made)
        self.assertIn('"shop_event" (\n  id numeric(18) not null primary key', made)
