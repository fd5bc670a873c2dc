"""The documents are correct: the commands of the README work as printed, and the configurations are valid."""

import json
import os
import pathlib
import re
import subprocess
import unittest
import uuid

from documents import blocks, section
from servers import TemporaryFolder, find_binary, shared_kafka, shared_postgres
from servers.relay import environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted(ROOT.glob("docs/**/*.md")),
             *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "core/README.md"))]

# The servers in the README's commands, which the test replaces by its own.
DATABASE, KAFKA = "postgresql://postgres@127.0.0.1:5432/postgres", "127.0.0.1:9092"


def own_run():
    return section(README, "With your own PostgreSQL and Kafka")


class OwnServersTest(unittest.TestCase):
    def setUp(self):
        self.commands = blocks(own_run(), "sh")
        self.folder = TemporaryFolder("readme")
        self.addCleanup(self.folder.remove)

    def test_at_most_eight_commands(self):
        self.assertLessEqual(len(self.commands), 8)

    def test_the_build_can_be_configured(self):
        """The configuration step works. Compiling, the slow part, is not repeated, because all other tests use the result
        of a build."""
        configure, compile_and_install = self.commands[:2]
        install, _, setup = configure.partition(" && ")
        self.assertEqual(self.bash(f"{ROOT}/{install} --dry-run").returncode, 0)
        build = re.search(r"meson setup (\S+)", setup).group(1)
        self.assertIn(f"ninja -C {build}", compile_and_install)
        done = self.bash(setup.replace(build, str(self.folder.path / "build"), 1), cwd=ROOT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_first_event_arrives(self):
        kafka, postgres = shared_kafka(), shared_postgres()
        database = f"readme-{uuid.uuid4()}"
        postgres.create_database(database)
        address = f"postgresql://postgres@127.0.0.1:{postgres.port}/{database}"
        # The topic is replaced too, because on an external broker the topic of the README may have older records.
        run = "".join(self.commands[2:])
        topic = f"readme-{uuid.uuid4()}"
        for printed, ours in ((DATABASE, address), (KAFKA, kafka.bootstrap), ("orders", topic)):
            self.assertIn(printed, run)
            run = run.replace(printed, ours)

        done = self.bash("set -e\n" + run + "outbox-relay status -c relay.json --json > status.json\nkill %1\nwait %1\n",
                         cwd=self.folder.path)

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("stopped, nothing in flight", done.stderr)
        printed = re.search(r"^    key=.*?(?=^\S)", own_run(), re.M | re.S).group(0)
        expected = re.escape(re.sub("^    ", "", printed, flags=re.M).strip())
        an_id = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        self.assertRegex(done.stdout, re.sub(r"event_id=[0-9a-f\\-]+", lambda _: f"event_id={an_id}", expected))
        payload = re.search(r"^payload=(.*)$", done.stdout, re.M).group(1)
        self.assertEqual(json.loads(payload)["note"], "two\nlines")
        self.assertEqual(postgres.psql("select count(*) from outbox_event", database).strip(), "0")
        status = json.loads((self.folder.path / "status.json").read_text(encoding="utf-8"))
        self.assertEqual(status["live_relays"], 1)

        emit = re.search(r"`(select outbox_emit\(.*?\))`", README.read_text(encoding="utf-8")).group(1)
        postgres.psql(emit, database)
        self.assertEqual(postgres.psql("select topic, payload from outbox_event", database).strip(), 'orders|{"order": 1}')

    def bash(self, script, cwd=None):
        binary = find_binary()
        commands = self.folder.path / "bin"
        commands.mkdir(exist_ok=True)
        link = commands / "outbox-relay"
        if not link.exists():
            link.symlink_to(binary)
        env = {**os.environ, "LC_ALL": "C.UTF-8", **environment(binary), "PATH": f"{commands}:{os.environ['PATH']}"}
        return subprocess.run(["bash", "-c", script], cwd=cwd or self.folder.path, env=env, capture_output=True, text=True,
                              timeout=180, check=False)


class DocumentsTest(unittest.TestCase):
    def test_configurations_are_right(self):
        found = 0
        for document in DOCUMENTS:
            for text in blocks(document.read_text(encoding="utf-8"), "json"):
                with self.subTest(document.name, text=text):
                    self.check(text)
                    found += 1
        self.assertGreater(found, 2)

    def check(self, text):
        """Runs `check` on the configuration. Only errors before the connection to the database count, because that does not
        exist."""
        folder = TemporaryFolder("config")
        self.addCleanup(folder.remove)
        file = folder.path / "relay.json"
        file.write_text(text, encoding="utf-8")
        binary = find_binary()
        env = {**os.environ, **environment(binary), "PGPASSWORD": "secret", "DB": DATABASE, "KAFKA": KAFKA}
        done = subprocess.run([binary, "check", "-c", file], env=env, capture_output=True, text=True, timeout=60, check=False)
        self.assertIn(f"ok     configuration {file}", done.stdout, done.stderr)

    def test_commands_are_there(self):
        """Every `outbox-relay COMMAND` in the documents exists."""
        usage = subprocess.run([find_binary(), "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
        there = set(re.findall(r"^  ([a-z]+) ", usage.partition("Subcommands:")[2], re.M))
        for document in DOCUMENTS:
            named = re.findall(r"outbox-relay ([a-z]+)\b", "\n".join(code(document.read_text(encoding="utf-8"))))
            with self.subTest(document.name):
                self.assertLessEqual(set(named), there)

    def test_the_adapter_shown_is_the_template(self):
        """The adapter in the documents is a part of the template, which test_out_of_tree.py builds and runs."""
        template = (ROOT / "sdk/template/my_adapter.cpp").read_text(encoding="utf-8")
        adapters = (ROOT / "docs/guide/adapters.md").read_text(encoding="utf-8")
        signatures, *excerpts = blocks(adapters, "cpp")
        self.assertEqual(len(excerpts), 2)
        for excerpt in excerpts:
            self.assertIn(excerpt, template)
        header = (ROOT / "sdk/include/outbox/adapter.hpp").read_text(encoding="utf-8")
        for line in signatures.splitlines():
            self.assertIn(line.partition(";")[0], header)


def code(text):
    return re.findall(r"```.*?```|`[^`\n]+`", text, re.S)
