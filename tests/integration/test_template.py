"""The SDK as an author of an adapter meets it: installed, its template built outside the tree, checked and relayed with."""

import json
import os
import pathlib
import shlex
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from servers import find_binary, outbox_relay, wait_until
from servers.process import Process
from servers.relay import ROOT

EVENTS = [("k", '{"n":1}'), ("k", '{"n":2}'), (None, None), ("", ""), ("ключ", '{"n":3}')]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False,
                          **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(str(part) for part in command)}\n{done.stdout}{done.stderr}")
    return done.stdout


class TemplateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-template-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        prefix = cls.folder / "prefix"
        # only what an author needs: nothing of the relay is built for it
        run("meson", "setup", cls.folder / "sdk", ROOT, "--prefix", prefix, "-Dtests=false", "-Dbench=false",
            "-Dplugin_sqlite=disabled", "-Dplugin_postgres=disabled")
        run("meson", "install", "-C", cls.folder / "sdk", "--no-rebuild", "--tags", "devel")
        pkg_config = next(prefix.rglob("outbox-sdk.pc")).parent
        cls.env = {**os.environ, "PKG_CONFIG_PATH": str(pkg_config)}
        template = run("pkg-config", "--variable=template", "outbox-sdk", env=cls.env).strip()
        cls.source = cls.folder / "mine"
        shutil.copytree(template, cls.source)
        run("meson", "setup", cls.source / "build", cls.source, "--prefix", prefix, "--werror", env=cls.env)
        run("ninja", "-C", cls.source / "build")
        cls.plugin = cls.source / "build/outbox-mine.so"

    def setUp(self):
        self.database = self.folder / f"{self.id()}.db"
        connection = sqlite3.connect(self.database)
        connection.executescript((self.source / "schema.sql").read_text(encoding="utf-8"))
        self.addCleanup(connection.close)
        self.sqlite = connection

    def test_exports_one_symbol_and_installs_where_the_relay_looks(self):
        symbols = run("nm", "-D", "--defined-only", self.plugin).split()
        self.assertEqual(symbols[2::3], ["outbox_plugin_v1"])
        run("meson", "install", "-C", self.source / "build", "--no-rebuild")
        found = list((self.folder / "prefix").rglob("outbox-relay/outbox-mine.so"))
        self.assertEqual(len(found), 1, found)

    def test_is_listed(self):
        listed = outbox_relay("plugins", "--json", env={"OUTBOX_PLUGIN_PATH": str(self.plugin.parent)})
        self.assertEqual(listed.returncode, 0, listed.stderr)
        mine = [plugin for plugin in json.loads(listed.stdout)["plugins"] if plugin["name"] == "mine"]
        self.assertEqual([plugin["file"] for plugin in mine], [str(self.plugin)])
        self.assertEqual(mine[0]["version"], "0.1.0")

    def test_keeps_the_contract(self):
        build = next(up for up in find_binary().parents if (up / "build.ninja").is_file())
        database, empty = (shlex.quote(str(path)) for path in (self.database, self.folder / "empty.db"))
        with sqlite3.connect(self.folder / "empty.db") as made:
            made.executescript((self.source / "schema.sql").read_text(encoding="utf-8"))
        made.close()
        report = run(build / "tests/contract/outbox-plugin-check", self.plugin, "--seed", 1,
                     "--before", f"rm -f {database}* && cp {empty} {database}",
                     "--options", json.dumps({"path": str(self.database)}))
        passed = [line.split()[1] for line in report.splitlines() if line.startswith("ok ")]
        self.assertGreater(len(passed), 40, report)
        self.assertIn("values/bytes-are-bytes", passed)

    def test_relays(self):
        for key, payload in EVENTS:
            self.sqlite.execute("INSERT INTO outbox_event (aggregate_id, event_type, topic, payload)"
                                " VALUES (?, 'noted', 'notes', ?)", (key, payload))
        self.sqlite.commit()
        config = self.folder / "config.json"
        config.write_text(json.dumps({
            "storage": {"plugin": "mine", "options": {"path": str(self.database)}},
            "publisher": {"type": "stdout"},
            "relay": {"poll_interval": "50ms"}}), encoding="utf-8")
        config.chmod(0o600)
        output = self.folder / "output"
        # the records go to stdout, the log to stderr: here they meet in one file
        relay = Process([find_binary(), "run", "--config", config], output,
                        env={"OUTBOX_PLUGIN_PATH": str(self.plugin.parent)})
        self.addCleanup(lambda: relay.returncode is None and relay.kill())
        try:
            wait_until(lambda: not self.sqlite.execute("SELECT 1 FROM outbox_event").fetchall(), 30,
                       "the outbox is empty")
            self.assertEqual(relay.stop(), 0)
        except (TimeoutError, AssertionError):
            print(output.read_text(encoding="utf-8"))
            raise
        lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()
                 if line.startswith('{"topic"')]
        self.assertEqual([(line["topic"], line["key"], line["payload"]) for line in lines],
                         [("notes", key, payload) for key, payload in EVENTS])
