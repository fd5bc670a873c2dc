"""The errors of the commands for a wrong command line or configuration: one message with the location and no stack
trace."""

import array
import fcntl
import json
import os
import re
import signal
import subprocess
import termios
import time
import unittest
import uuid

from catalogue import faults
from servers import (PostgresServer, Relay, TemporaryFolder, Unavailable, find_binary, free_port, outbox_relay,
                     shared_kafka, unavailable, wait_until)
from servers.relay import ROOT, environment

COMMANDS = ["run", "check", "migrate", "status", "emit", "plugins", "version"]
NEED_CONFIG = ["run", "check", "migrate", "status", "emit"]
GOOD = {"storage": {"plugin": "memory"}, "publisher": {"type": "stdout"}}


def full(pipe):
    """True if the kernel buffer of the pipe is full, except for less than one page."""
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0] > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - 4096


class CommandTest(unittest.TestCase):
    def setUp(self):
        folder = TemporaryFolder("cli")
        self.addCleanup(folder.remove)
        self.folder = folder.path

    def write(self, text, name="relay.json", mode=0o600):
        file = self.folder / name
        file.touch(mode=mode)
        file.chmod(mode)
        file.write_text(text if isinstance(text, str) else json.dumps(text, indent=2), encoding="utf-8")
        return file

    def refused(self, file, command="check", **options):
        """Runs a command that must end with 78. Returns its error message, which must be its only output."""
        ended = outbox_relay(command, "--config", file, **options)
        self.assertEqual(ended.returncode, 78, ended.stderr)
        self.assertEqual(ended.stdout, "")
        self.assertNotRegex(ended.stderr, r"terminate called|what\(\)|exception|Aborted|\.cpp|0x[0-9a-f]{6}")
        self.assertTrue(ended.stderr.startswith("outbox-relay: "), ended.stderr)
        return ended.stderr.removeprefix("outbox-relay: ").rstrip("\n")


class ConfigTest(CommandTest):
    def test_missing_file(self):
        for command in NEED_CONFIG:
            with self.subTest(command):
                text = self.refused(self.folder / "none.json", command, text="")
                self.assertEqual(text, f"{self.folder}/none.json: cannot read the configuration: No such file or "
                                       "directory; set the path with --config FILE or OUTBOX_RELAY_CONFIG")

    def test_no_file_named(self):
        ended = outbox_relay("check", env={"OUTBOX_RELAY_CONFIG": ""})
        self.assertEqual(ended.returncode, 78)
        self.assertEqual(ended.stderr, "outbox-relay: no configuration; name it with --config FILE or in "
                                       "OUTBOX_RELAY_CONFIG\n")

    def test_file_named_by_the_environment(self):
        ended = outbox_relay("check", env={"OUTBOX_RELAY_CONFIG": str(self.write(GOOD))})
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)

    @faults(14)
    def test_not_json(self):
        file = self.write('{\n  "storage": {\n    "plugin": "memory",\n  }\n}\n')
        self.assertEqual(self.refused(file),
                         f"{file}:4:3: syntax error while parsing object key - unexpected '}}'; expected string "
                         "literal (remove the comma before it)")

    @faults(14)
    def test_unknown_key(self):
        file = self.write({**GOOD, "relay": {"batch_sise": 5}})
        self.assertEqual(self.refused(file), f'{file}:9: /relay/batch_sise: unknown key; did you mean "batch_size"?')

    @faults(14)
    def test_duplicate_key(self):
        file = self.write('{ "storage": { "plugin": "memory" },\n "log": {}, "publisher": { "type": "stdout" },\n "log": {} }')
        self.assertRegex(self.refused(file), r':2: /log: duplicate key "log", again on line 3')

    @faults(14)
    def test_wrong_type(self):
        file = self.write({**GOOD, "relay": {"batch_size": "many"}})
        self.assertEqual(self.refused(file), f'{file}:9: /relay/batch_size: "many" is not valid; expected a whole '
                                             "number from 1 to 100000")

    @faults(14)
    def test_impossible_relation(self):
        file = self.write({**GOOD, "relay": {"batch_size": 900, "max_in_flight_events": 1000}})
        self.assertRegex(self.refused(file), r"/relay/batch_size: 900 is more than half of max_in_flight_events")

    @faults(14)
    def test_missing_secret(self):
        file = self.write({**GOOD, "storage": {"plugin": "memory", "options": {"password": "${env:NOT_SET_ANYWHERE}"}}})
        for command in NEED_CONFIG:
            with self.subTest(command):
                self.assertEqual(self.refused(file, command, text=""),
                                 f"{file}:5: /storage/options/password: the environment variable NOT_SET_ANYWHERE is "
                                 "not set; set it for the relay")
        file = self.write({**GOOD, "relay": {"id": "${file:no-such-secret}"}})
        self.assertEqual(self.refused(file), f"{file}:9: /relay/id: cannot read the file {self.folder}/no-such-secret: "
                                             "No such file or directory")

    def test_all_mistakes_at_once(self):
        file = self.write({**GOOD, "relay": {"batch_size": 0, "nothing": 1, "ordering": "id"}})
        lines = self.refused(file).split("\n")
        self.assertEqual([re.search(r"/relay/\w+", line).group() for line in lines],
                         ["/relay/batch_size", "/relay/nothing", "/relay/ordering"])

    @faults(69)
    def test_refused_kafka_property(self):
        file = self.write({**GOOD, "publisher": {"kafka": {"bootstrap.servers": "127.0.0.1:9",
                                                           "plugin.library.paths": "/tmp/evil.so"}}})
        self.assertRegex(self.refused(file, "run"), "/publisher/kafka/plugin.library.paths: refused: it loads a library")

    def test_reference_config_is_accepted(self):
        """The reference configuration has no errors, if its plugin is replaced by one that needs no database."""
        text = (ROOT / "docs/guide/outbox-relay.reference.jsonc").read_text(encoding="utf-8")
        file = self.write(text.replace('"postgres"', '"memory"'))
        ended = outbox_relay("migrate", "--print", "-c", file, env={"PGPASSWORD": "x"})
        self.assertNotRegex(ended.stderr, r"relay\.json:\d")

    def test_readable_secret_is_warned_about(self):
        config = {**GOOD, "storage": {"plugin": "memory", "options": {}},
                  "publisher": {"type": "stdout", "kafka": {"sasl.password": "canary-7"}}}
        ended = outbox_relay("check", "-c", self.write(config, "open.json", 0o644))
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertRegex(ended.stdout, r"warn +\S+open.json can be read by other users and holds secrets in plain text "
                                       r"\(/publisher/kafka/sasl.password\); chmod 600 it")
        self.assertNotIn("canary-7", ended.stdout + ended.stderr)
        ended = outbox_relay("check", "-c", self.write(config, "closed.json", 0o600))
        self.assertNotIn("warn", ended.stdout)


class CommandLineTest(CommandTest):
    def test_help_has_examples(self):
        for command in COMMANDS:
            with self.subTest(command):
                ended = outbox_relay(command, "--help")
                self.assertEqual(ended.returncode, 0)
                self.assertRegex(ended.stdout, rf"Examples?:\n(.*\n)*? +.*outbox-relay {command}")
        ended = outbox_relay("--help")
        self.assertEqual(ended.returncode, 0)
        for command in COMMANDS:
            self.assertRegex(ended.stdout, rf"(?m)^  {command} +\w")

    def test_version(self):
        line = r"outbox-relay \d+\.\d+\.\d+ \(commit [\w-]+\)\n"
        self.assertRegex(outbox_relay("--version").stdout, f"^{line}$")
        ended = outbox_relay("version")
        self.assertEqual(ended.returncode, 0)
        self.assertRegex(ended.stdout, rf"^{line}plugin ABI +1\.\d+\nlibrdkafka +\d+\.")

    def test_wrong_command_lines(self):
        for arguments, text in {
            (): "  check  ",
            ("statsu",): 'unknown command "statsu"; did you mean "status"?',
            ("check", "--frob"): "check: unknown option --frob",
            ("check", "--topics", "orders"): 'unknown option --topics; did you mean "--topic"?',
            ("check", "relay.json"): "to name a configuration file, give -c relay.json",
            ("check", "-c", "a.json", "-c", "b.json"): "--config may be given only once",
            ("migrate", "--shards", "0"): "--shards",
            ("migrate", "--payload", "xml"): "--payload",
            ("emit", "--batch", "many"): "--batch",
            ("dead", "discard", "--all", "--count", "-1"): "--count",
            ("dead", "list", "--limit", "0"): "--limit: Value 0 not in range 1 to",
        }.items():
            with self.subTest(arguments):
                ended = outbox_relay(*arguments)
                self.assertEqual(ended.returncode, 2)
                self.assertIn(text, ended.stderr)

    def test_plugins(self):
        ended = outbox_relay("plugins", "--json")
        self.assertEqual(ended.returncode, 0)
        plugins = {plugin["name"]: plugin for plugin in json.loads(ended.stdout)["plugins"]}
        self.assertIn("order_keys", plugins["memory"]["capabilities"])
        self.assertIn("memory", outbox_relay("plugins").stdout)

    def test_unknown_plugin_names_every_place_searched(self):
        file = self.write({**GOOD, "storage": {"plugin": "memroy"}})
        ended = outbox_relay("run", "-c", file, env={"OUTBOX_PLUGIN_PATH": "/nowhere:/elsewhere"})
        self.assertEqual(ended.returncode, 78)
        self.assertIn("/nowhere/outbox-memroy.so, /elsewhere/outbox-memroy.so", ended.stderr)


class EmitTest(CommandTest):
    LINE = '{"topic":"orders","type":"created","key":"o-1","payload":{"total":3}}\n'

    def emit(self, text, *arguments):
        return outbox_relay("emit", "-c", self.write(GOOD), *arguments, text=text)

    def test_counts_what_is_committed(self):
        ended = self.emit(self.LINE * 7 + "\n" + self.LINE, "--batch", 3)
        self.assertEqual((ended.returncode, ended.stdout), (0, "8 events committed\n"), ended.stderr)

    def test_bad_line(self):
        ended = self.emit(self.LINE * 5 + '{"topic":"orders"}\n' + self.LINE, "--batch", 2)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr,
                         'outbox-relay: stdin, line 6: "type" is missing or empty; committed up to line 4\n')

    def test_topic_that_kafka_cannot_have(self):
        """`emit` refuses a topic that the relay would refuse, so the event does not block its key later."""
        file = self.write({**GOOD, "publisher": {"kafka": {"bootstrap.servers": "127.0.0.1:1"}}})
        for topic in ("a b", "a\u202eb", "\x01", "t" * 250, ".", "__own"):
            line = json.dumps({"topic": topic, "type": "t", "payload": 1}) + "\n"
            ended = outbox_relay("emit", "-c", file, text=line)
            self.assertEqual(ended.returncode, 1, topic)
            self.assertRegex(ended.stderr, '^outbox-relay: stdin, line 1: "topic": .*; no earlier line is committed\n$')
        self.assertEqual(outbox_relay("emit", "-c", file, text=self.LINE).returncode, 0)
        self.assertEqual(outbox_relay("emit", "-c", self.write(GOOD), text=line).returncode, 0, "Kafka is not asked")


class TopicsTest(CommandTest):
    def test_missing_topics_are_told_and_made_on_demand(self):
        kafka = shared_kafka()
        topic = f"check-{uuid.uuid4()}"
        file = self.write({**GOOD, "publisher": {"kafka": {"bootstrap.servers": kafka.bootstrap}}})

        for _ in range(2):  # the first check has not created the topic
            ended = outbox_relay("check", "-c", file, "--topic", topic)
            self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
            self.assertRegex(ended.stdout, rf"error +topic {topic} does not exist.*\n +fix: outbox-relay check .* "
                                           rf"--topic {topic} --create-topics\n")
        ended = outbox_relay("check", "-c", file, "--topic", topic, "--create-topics")
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn(f"topic {topic} created", ended.stdout)
        ended = outbox_relay("check", "-c", file, "--topic", topic)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertRegex(ended.stdout, rf"ok +topic {topic}, \d+ partition")
        ended = outbox_relay("check", "-c", file, "--topic", "a/b", "--create-topics")
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stdout, "error +topic a/b: ")


class DownTest(CommandTest):
    """An unavailable database or broker is not an error in the configuration."""

    def test_kafka_down(self):
        file = self.write({**GOOD, "publisher": {"kafka": {"bootstrap.servers": f"127.0.0.1:{free_port()}"}}})
        ended = outbox_relay("check", "-c", file)
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        self.assertRegex(ended.stdout, "error +no answer from Kafka at 127.0.0.1:.*Connection refused")

    def test_database_down(self):
        if not re.search("(?m)^postgres ", outbox_relay("plugins").stdout):
            self.skipTest("the postgres plugin is not built")
        options = {"connection": f"host=127.0.0.1 port={free_port()} dbname=shop password=canary-9"}
        file = self.write({**GOOD, "storage": {"plugin": "postgres", "options": options}})
        for command in ("check", "migrate", "status", "emit"):
            with self.subTest(command):
                ended = outbox_relay(command, "-c", file, text="")
                self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
                self.assertIn("Connection refused", ended.stdout + ended.stderr)
                self.assertNotIn("canary-9", ended.stdout + ended.stderr)

    @faults(13)
    def test_run_waits_for_the_database(self):
        try:
            server = PostgresServer()
        except Unavailable as error:
            unavailable(str(error))
        self.addCleanup(server.stop)
        config = {**GOOD, "storage": {"plugin": "postgres", "options": {"connection": server.dsn()}},
                  "log": {"format": "json"}}
        with Relay(config) as relay:
            relay.start().wait_for_log("database unavailable: .*Connection refused")
            server.start()
            # The tables do not exist, and waiting would not help: the relay ends and names the command to run.
            wait_until(lambda: relay.returncode is not None, 30, "the relay ends")
            self.assertEqual(relay.returncode, 78)
            self.assertRegex(relay.log(), "outbox_event.*(.*\n)*.*migrate")
            self.assertEqual(relay.log().count("unavailable: "), 1)

            self.assertEqual(relay.command("migrate").returncode, 0)
            server.halt()
            relay.start().wait_for_log("database unavailable: ")
            server.start()
            relay.wait_for_log("database available again")
            relay.wait_for_log("delivering shard 0")
            self.assertEqual(relay.stop(), 0)


class RunTest(CommandTest):
    def run_against_a_full_pipe(self, shutdown_timeout):
        """Starts a relay whose stdout publisher blocks, because nobody reads the other end of the pipe."""
        file = self.write({"storage": {"plugin": "sqlite", "options": {"path": str(self.folder / "outbox.db")}},
                           "publisher": {"type": "stdout"}, "log": {"format": "json"},
                           "relay": {"shutdown_timeout": shutdown_timeout}})
        self.assertEqual(outbox_relay("migrate", "-c", file).returncode, 0)
        line = json.dumps({"topic": "t", "type": "y", "payload": "x" * 1000}) + "\n"
        self.assertEqual(outbox_relay("emit", "-c", file, "--batch", 1000, text=line * 1000).returncode, 0)
        binary = find_binary()
        with open(self.folder / "log", "wb") as log:
            relay = subprocess.Popen([binary, "run", "-c", file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=log, env={**os.environ, **environment(binary)})
        self.addCleanup(relay.stdout.close)
        self.addCleanup(relay.kill)
        wait_until(lambda: full(relay.stdout), 30, "the pipe is full")
        return relay

    def said(self, text):
        return text in (self.folder / "log").read_text(encoding="utf-8")

    @faults(6)
    def test_stops_in_time_although_nothing_moves(self):
        relay = self.run_against_a_full_pipe("1s")
        relay.send_signal(signal.SIGTERM)
        self.assertEqual(relay.wait(3), 0)

    @faults(6, 118)
    def test_second_signal_stops_at_once(self):
        relay = self.run_against_a_full_pipe("1m")
        relay.send_signal(signal.SIGTERM)
        wait_until(lambda: self.said("SIGTERM: stopping"), 10, "the relay has handled the first signal")
        heard = time.monotonic()

        def ended():
            relay.send_signal(signal.SIGINT)
            return relay.poll() is not None

        wait_until(ended, 10, "a second signal ends the relay")
        self.assertEqual(relay.returncode, 1)
        self.assertGreater(time.monotonic() - heard, 0.9, "a second signal shortly after the first one is ignored")
        self.assertTrue(self.said("a second signal: ended at once"))

    def test_stops_cleanly_at_the_first_signal_and_shows_no_secret(self):
        config = {"storage": {"plugin": "memory"},
                  "publisher": {"kafka": {"bootstrap.servers": "127.0.0.1:9", "sasl.password": "${env:CANARY}"}},
                  "relay": {"shutdown_timeout": "5s"}, "log": {"level": "trace"}}
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number), Relay(config, env={"CANARY": "canary-8"}) as relay:
                relay.start().wait_for_log("relay .* started")
                self.assertEqual(relay.stop(number, timeout=6), 0)
                self.assertIn('\\"sasl.password\\":\\"${env:CANARY}\\"', relay.log())
                self.assertNotIn("canary-8", relay.log())
                for line in relay.log().splitlines():
                    json.loads(line)

    def test_leaves_no_core_and_no_file_for_others(self):
        with Relay({**GOOD}) as relay:
            relay.start().wait_for_log("relay .* started")
            with open(f"/proc/{relay.pid}/limits", encoding="ascii") as limits:
                self.assertRegex(limits.read(), r"Max core file size +0 +0 ")
            with open(f"/proc/{relay.pid}/status", encoding="ascii") as status:
                self.assertRegex(status.read(), r"Umask:\s+0027")
            self.assertEqual(relay.stop(), 0)
