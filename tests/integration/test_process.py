"""The program as a process: signals, shortages of resources, descriptors, users, and output that cannot be written."""

import contextlib
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import sqlite3
import subprocess
import unittest
import uuid

from catalogue import faults
from servers import (Process, Relay, TemporaryFolder, find_binary, free_port, outbox_relay, relay_config, shared_mariadb,
                     shared_postgres, wait_until)
from servers.relay import environment

# docs/guide/operations.md has the same table.
STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGPWR, signal.SIGXCPU]
ENDS = [signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGKILL,
        signal.SIGSEGV, signal.SIGSYS]
PAUSES = [signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]
STRANGER = 54321  # a user without an entry in /etc/passwd


def memory(**sections):
    return {**relay_config("memory", {}, "", type="stdout"), **sections}


class ProcessTest(unittest.TestCase):
    def setUp(self):
        folder = TemporaryFolder("process")
        self.addCleanup(folder.remove)
        self.folder = folder.path
        self.folder.chmod(0o755)

    def relay(self, config, env=None):
        made = Relay(config, env)
        self.addCleanup(made.close)
        return made

    def started(self, config=None, under=()):
        relay = self.relay(config or memory())
        relay.start(under=under)
        return relay

    def sqlite(self):
        relay = self.relay(relay_config("sqlite", {"path": str(self.folder / "outbox.db")}, "", type="stdout"))
        self.assertEqual(relay.command("migrate").returncode, 0)
        return relay


class SignalTest(ProcessTest):
    def ready(self, relay):
        relay.wait_for_log("delivering shard 0")
        return relay

    @faults(111)
    def test_every_signal_has_its_effect(self):
        stopping = {number: self.started() for number in STOPS}
        ending = {number: self.started() for number in ENDS}
        survivor = self.ready(self.started())
        ignored = [number for number in signal.Signals if number < 32 and number not in {*STOPS, *ENDS, *PAUSES}]
        self.assertEqual(len(ignored) + len(STOPS) + len(ENDS) + len(PAUSES), 31)
        for number in [*ignored, *(one for pause in PAUSES for one in (pause, signal.SIGCONT)), *ignored]:
            survivor.send(number)
        survivor.wait_for_log("SIGHUP: ignored; the log goes to stderr")
        self.assertEqual(survivor.stop(), 0)
        self.assertIn("SIGTERM: stopping", survivor.log())
        self.assertIn("stopped, nothing in flight", survivor.log())
        for number, relay in stopping.items():
            with self.subTest(number):
                self.assertEqual(self.ready(relay).stop(number), 0)
                self.assertIn(f"{signal.Signals(number).name}: stopping", relay.log())
                self.assertIn("stopped, nothing in flight", relay.log())
        for number, relay in ending.items():
            with self.subTest(number):
                self.assertEqual(self.ready(relay).stop(number), -number)

    @faults(111)
    def test_a_closed_terminal_stops_cleanly_unless_under_nohup(self):
        for ignore in (False, True):
            with self.subTest(nohup=ignore):
                relay = self.relay(memory())
                binary, log = find_binary(), self.folder / f"log-{ignore}"
                pid, terminal = pty.fork()
                if pid == 0:
                    signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore else signal.SIG_DFL)
                    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
                    os.execve(binary, [binary, "run", "-c", relay.config], {**os.environ, **environment(binary)})
                wait_until(lambda: log.exists() and "delivering shard 0" in log.read_text(), 30, "it works")
                os.close(terminal)
                if ignore:
                    wait_until(lambda: "SIGHUP: ignored" in log.read_text(), 30, "the relay has logged SIGHUP and continues")
                    os.kill(pid, signal.SIGTERM)
                self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
                self.assertIn("SIGTERM: stopping" if ignore else "SIGHUP: stopping", log.read_text())
                self.assertIn("stopped, nothing in flight", log.read_text())

    @faults(111)
    def test_other_commands(self):
        binary = find_binary()
        broker = Process([binary, "demo", "--broker-only"], self.folder / "demo.log", environment(binary))
        self.addCleanup(lambda: broker.returncode is None and broker.kill())
        relay = self.sqlite()
        emit = subprocess.Popen([binary, "emit", "-c", relay.config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env={**os.environ, **environment(binary)})
        self.addCleanup(emit.kill)
        emit.stdin.write(json.dumps({"topic": "t", "type": "y", "payload": "1"}) + "\n")
        emit.stdin.flush()
        wait_until(lambda: json.loads(relay.command("status", "--json").stdout)["backlog"] == 1, 30, "a line is committed")
        wait_until(lambda: "Ctrl-C" in broker.log_text(), 30, "the broker has started")
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
                       signal.SIGRTMIN, signal.SIGRTMAX):
            emit.send_signal(number)
            broker.send(number)
        out, _ = emit.communicate(json.dumps({"topic": "t", "type": "y", "payload": "2"}) + "\n", timeout=30)
        self.assertEqual((emit.returncode, out), (0, "2 events committed\n"))
        self.assertEqual(broker.stop(signal.SIGTERM), 0)

    def test_a_stop_during_the_start(self):
        """The signal arrives while the configuration is read, and so before any plugin is loaded. Reading lasts because the
        configuration is a pipe to which nobody writes."""
        binary = find_binary()
        cases = [("run", number, 0) for number in STOPS] + [("status", signal.SIGTERM, -signal.SIGTERM)]
        for command, number, code in cases:
            with self.subTest(command, number=number):
                pipe = self.folder / f"{command}-{number}.json"
                os.mkfifo(pipe)
                process = Process([binary, command, "-c", pipe], self.folder / f"{command}-{number}.log", environment(binary))
                self.addCleanup(lambda process=process: process.returncode is None and process.kill())
                writer = wait_until(lambda pipe=pipe: self.writer(pipe), 30, "the program is reading the configuration")
                self.addCleanup(os.close, writer)
                self.assertEqual(process.stop(number), code, process.log_text())
                self.assertIn("stopped before it had started" if code == 0 else "", process.log_text())

    def writer(self, pipe):
        """Returns a descriptor for writing to the pipe, or None while nobody reads it."""
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None

    @faults(118)
    def test_two_signals_at_once_are_one_stop(self):
        for first, second in [(signal.SIGTERM, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM)] * 4:
            relay = self.ready(self.started())
            relay.send(first)
            relay.send(second)
            self.assertEqual(relay.stop(second), 0)
            self.assertIn("stopped, nothing in flight", relay.log())


class ShortageTest(ProcessTest):
    def ended_or_started(self, relay):
        """Waits until the relay ends or delivers. Returns the exit code; 0 means that it has delivered and was stopped
        here."""
        wait_until(lambda: relay.returncode is not None or "delivering shard 0" in relay.log(), 60, "the relay ends or delivers")
        return relay.returncode if relay.returncode is not None else relay.stop()

    @faults(117)
    def test_descriptors_and_threads(self):
        config = {**relay_config("memory", {}, f"127.0.0.1:{free_port()}"), "http": {"listen": "127.0.0.1:0"}}
        config["relay"]["hints"] = "127.0.0.1:0"
        codes = []
        limits = [("nofile", ["prlimit", f"--nofile={count}", "--"]) for count in (5, 6, 8, 11, 14, 17, 20, 23)]
        if os.geteuid() == 0:  # this limit does not apply to root
            as_stranger = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--"]
            limits += [("nproc", ["prlimit", f"--nproc={count}:{count}", "--", *as_stranger])
                       for count in (1, 2, 4, 6, 8, 11, 14)]
        for what, under in limits:
            relay = self.relay(config)
            relay.config.chmod(0o644)
            relay.config.parent.chmod(0o755)
            relay.start(under=under)
            code = self.ended_or_started(relay)
            with self.subTest(under[1]):
                self.assertIn(code, (0, 75), relay.log())
                # If the dynamic linker fails before the program runs, there is no message of the program.
                self.assertRegex(relay.log(), "Too many open files|no thread could be started|thread|^$" if code else "stopped")
            codes.append((what, code))
        for what in {name for name, _ in limits}:
            self.assertIn((what, 75), codes, "the limit has had no effect")

    @faults(117, 120)
    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            listen, hints = (f"127.0.0.1:{one.getsockname()[1]}" for one in (tcp, udp))
            for config, key, address in ((memory(http={"listen": listen}), "/http/listen", listen),
                                         (memory(relay={"hints": hints}), "/relay/hints", hints)):
                relay = self.relay(config)
                for command in ("run", "check"):
                    ended = relay.command(command)
                    self.assertEqual(ended.returncode, 75, ended.stdout + ended.stderr)
                    self.assertIn(f"{key}: cannot listen on {address}: Address already in use; another program",
                                  ended.stdout + ended.stderr)
        relay = self.relay(memory(http={"listen": f"127.0.0.1:{free_port()}"}))
        self.assertRegex(relay.command("check").stdout, r"ok +/http/listen: \S+ is available")
        relay.start().wait_for_log("delivering shard 0")
        ended = relay.command("check")
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertRegex(ended.stdout, "warn +/http/listen: .* in use.*; a running relay listens there")
        self.assertEqual(relay.stop(), 0)


class DescriptorTest(ProcessTest):
    @faults(123)
    def test_closed_descriptors_are_not_used_for_anything_else(self):
        folder = self.folder
        relay = self.relay(relay_config("sqlite", {"path": str(folder / "outbox.db")}, "", type="stdout"))
        self.assertEqual(relay.command("migrate").returncode, 0)
        relay.start(under=["bash", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "bash"])
        targets = wait_until(lambda: self.opened(relay.pid), 30, "the relay has opened the database")
        self.assertEqual([targets[number] for number in "012"], ["/dev/null"] * 3)
        self.assertEqual(relay.stop(), 0)
        for redirect, code, text in ((">&-", 1, "the output could not be written: Bad file descriptor"),
                                     ("<&-", 1, "stdin, line 1: cannot be read: Bad file descriptor")):
            command = "find" if redirect == ">&-" else "emit"
            binary = find_binary()
            ended = subprocess.run(["bash", "-c", f'"$@" {redirect}', "bash", binary, command, "-c", relay.config], check=False,
                                   capture_output=True, text=True, env={**os.environ, **environment(binary)})
            self.assertEqual(ended.returncode, code, ended.stderr)
            self.assertIn(text, ended.stderr)

    @staticmethod
    def opened(pid):
        links = {}
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                links[name] = os.readlink(f"/proc/{pid}/fd/{name}")
        return links if any(target.endswith("outbox.db") for target in links.values()) else None

    @faults(123)
    @unittest.skipIf(os.geteuid() != 0, "only root can become a user without an entry")
    def test_a_user_without_an_entry_ends_the_start(self):
        relay = self.relay(relay_config("postgres", {"connection": f"host=127.0.0.1 port={free_port()} dbname=x"}, "",
                                        type="stdout"))
        relay.config.chmod(0o644)
        relay.config.parent.chmod(0o755)
        relay.start(under=["env", "-u", "PGUSER", "setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--"])
        wait_until(lambda: relay.returncode is not None, 30, "it ends")
        self.assertEqual(relay.returncode, 78, relay.log())
        self.assertRegex(relay.log(), f"local user with ID {STRANGER} does not exist; correct 'connection'")


class PluginTest(ProcessTest):
    @faults(119)
    @unittest.skipIf(os.geteuid() != 0, "only root can give a file to another user")
    def test_a_plugin_of_another_owner(self):
        built = next(path for folder in environment(find_binary())["OUTBOX_PLUGIN_PATH"].split(":")
                     for path in pathlib.Path(folder).glob("outbox-memory.so"))
        folder = self.folder / "theirs"
        folder.mkdir()
        plugin = shutil.copy(built, folder)
        os.chown(folder, STRANGER, STRANGER)
        config = memory()
        config["storage"]["plugin_path"] = plugin
        refused = self.relay(config)
        for command in ("check", "run", "status"):
            ended = refused.command(command)
            self.assertEqual(ended.returncode, 78, ended.stdout + ended.stderr)
            self.assertIn(f"the folder {folder} belongs to uid {STRANGER}, who could replace the plugin",
                          ended.stdout + ended.stderr)
        ended = self.relay({**config, "plugins": {"trusted_owners": [STRANGER]}}).command("check")
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        for owners, refused in (("", True), (f"bin:{STRANGER}", False)):
            env = {"OUTBOX_PLUGIN_PATH": str(folder), "OUTBOX_TRUSTED_OWNERS": owners}
            plugins = json.loads(outbox_relay("plugins", "--json", env=env).stdout)["plugins"]
            self.assertEqual([("refused" in found) for found in plugins if found["file"] == plugin], [refused])


class OutputTest(ProcessTest):
    HOSTILE = "a\u009b31mb\u202ec\u2066d\u200fe\u061cf\u200bg\u2028h\U000e0041i"

    @faults(122)
    def test_what_cannot_be_written_is_an_error(self):
        relay = self.sqlite()
        config = ["-c", relay.config]
        lines = "".join(json.dumps({"topic": "t", "type": "y", "payload": "x", "key": str(i)}) + "\n" for i in range(2000))
        self.assertEqual(relay.command("emit", "--batch", 2000, text=lines).returncode, 0)
        event = json.loads(relay.command("find", "--json", "--limit", 1).stdout)["event_id"]
        commands = [["--help"], ["version"], ["plugins"], ["plugins", "--json"], ["run", "--help"], ["status", *config],
                    ["status", "--json", *config], ["find", *config], ["find", "--json", *config], ["check", *config],
                    ["migrate", *config], ["migrate", "--print", *config], ["dead", "list", *config],
                    ["explain", event, *config], ["explain", "--json", event, *config],
                    ["unblock", "--all", *config], ["dead", "requeue", "--all", "--dry-run", *config]]
        binary = find_binary()
        env = {**os.environ, **environment(binary)}
        for command in commands:
            with self.subTest(command), open("/dev/full", "w", encoding="ascii") as full:
                ended = subprocess.run([binary, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True, env=env,
                                       check=False, timeout=60)
                self.assertEqual(ended.returncode, 1, ended.stderr)
                self.assertIn("outbox-relay: the output could not be written: No space left on device", ended.stderr)
        # If the reader closes the pipe, it needs no more output, so this is no error, as with other tools.
        for command in [*commands, ["find", "--limit", 10, *config], ["find", event, str(uuid.uuid4()), *config],
                        ["find", "--json", "--limit", 2000, *config]]:
            with self.subTest(command, pipe="closed"):
                reader, writer = os.pipe()
                os.close(reader)
                ended = subprocess.run([binary, *map(str, command)], stdout=writer, stderr=subprocess.PIPE, text=True, env=env,
                                       check=False, timeout=60)
                os.close(writer)
                self.assertEqual((ended.returncode, ended.stderr), (141, ""))
        failing = subprocess.run(["sh", "-c", f"{binary} explain notauuid -c {relay.config} | true"], stderr=subprocess.PIPE,
                                 text=True, env=env, check=True, timeout=60)
        self.assertIn("is not a UUID", failing.stderr, "an error of its own is still reported")

    @faults(122)
    def test_text_of_others_does_not_reach_the_terminal(self):
        relay = self.sqlite()
        event = {"topic": self.HOSTILE, "type": self.HOSTILE, "key": self.HOSTILE, "payload": self.HOSTILE,
                 "headers": {"h": self.HOSTILE}}
        self.assertEqual(relay.command("emit", text=json.dumps(event) + "\n").returncode, 0)
        shown = json.loads(relay.command("find", "--json", "--payload").stdout)
        self.assertEqual((shown["key"], shown["payload"]), (self.HOSTILE, self.HOSTILE), "JSON keeps its meaning")
        texts = []
        for command in (["find"], ["find", "--payload"], ["find", "--json", "--payload"], ["explain", "--key", self.HOSTILE],
                        ["explain", self.HOSTILE], ["unblock", self.HOSTILE], ["explain", "--key", self.HOSTILE, "--json"]):
            ended = relay.command(*command)
            texts.append(ended.stdout + ended.stderr)
        texts.append(outbox_relay("run", "-c", self.folder / self.HOSTILE).stderr)
        texts.append(outbox_relay(self.HOSTILE).stderr)
        texts.append(outbox_relay("find", self.HOSTILE, "--no-such-" + self.HOSTILE).stderr)
        relay.start().wait_for_log("delivering shard 0")
        wait_until(lambda: "u202ec" in relay.log(), 30, "the event is written to stdout")
        self.assertEqual(relay.stop(), 0)
        texts.append(relay.log())
        for text in texts:
            self.assertIn("u202ec", text)
            raw = {character for character in text if character in self.HOSTILE and not character.isascii()}
            self.assertEqual(raw, set(), text)

    def refuse_newer_tables(self, plugin, options, execute):
        relay = self.relay(relay_config(plugin, options, "", {"max_attempts": 1, "topics": [
            {"topic": "dead", "max_attempts": 1, "on_exhausted": "dead_letter"}]}, type="stdout"))
        self.assertEqual(relay.command("migrate").returncode, 0)
        for topic in ("blocked", "dead"):
            execute(f"insert into outbox_event (topic, aggregate_id, event_type, payload, headers) values "
                    f"('{topic}', '{topic}', 'T', 'x', '{{\"nested\": [1]}}')")

        def failed():
            status = json.loads(relay.command("status", "--json").stdout)
            return (status["blocked"], status["dead"]) == (1, 1)

        relay.start()
        relay.wait_while_running(failed, 30, "both events have failed")
        self.assertEqual(relay.stop(), 0)
        blocked = json.loads(relay.command("dead", "list", "--blocked", "--json").stdout)["event_id"]
        execute("update outbox_meta set version = version + 98")
        line = json.dumps({"topic": "t", "type": "y", "payload": "x"}) + "\n"
        for command in (["emit"], ["migrate"], ["run"], ["unblock", "--all"], ["dead", "requeue", "--all", "--count", "1"],
                        ["dead", "discard", "--all", "--count", "1"], ["dead", "discard", blocked, "--break-order"]):
            with self.subTest(command):
                ended = relay.command(*command, text=line if command == ["emit"] else None)
                self.assertEqual(ended.returncode, 78, ended.stdout + ended.stderr)
                self.assertRegex(ended.stdout + ended.stderr, r"the tables have version \d+ and this relay supports up to \d+")
        for command in (["status"], ["find"], ["explain", blocked], ["dead", "list"]):
            self.assertEqual(relay.command(*command).returncode, 0)
        status = json.loads(relay.command("status", "--json").stdout)
        self.assertEqual((status["backlog"], status["blocked"], status["dead"]), (1, 1, 1), "nothing was changed")

    @faults(122)
    def test_commands_that_write_refuse_newer_tables(self):
        path = self.folder / "outbox.db"

        def execute(sql):
            with contextlib.closing(sqlite3.connect(path)) as db:
                db.execute(sql)
                db.commit()

        self.refuse_newer_tables("sqlite", {"path": str(path)}, execute)

    @faults(122)
    def test_commands_that_write_refuse_newer_tables_of_postgres(self):
        server, name = shared_postgres(), f"newer_{uuid.uuid4().hex}"
        self.refuse_newer_tables("postgres", {"connection": server.create_database(name)}, lambda sql: server.psql(sql, name))

    @faults(122)
    def test_commands_that_write_refuse_newer_tables_of_mariadb(self):
        server, name = shared_mariadb(), f"newer_{uuid.uuid4().hex}"
        self.refuse_newer_tables("mysql", server.create_database(name), lambda sql: server.sql(sql, name))


if __name__ == "__main__":
    unittest.main()
