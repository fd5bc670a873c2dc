"""The program under test: its commands, and `outbox-relay run` as a process that can be stopped, killed and examined."""

import json
import os
import pathlib
import re
import signal
import subprocess

from .process import Process, TemporaryFolder, collect_messages, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]


def find_binary():
    """Returns $OUTBOX_RELAY, or the most recently built program of all build folders of this tree."""
    named = os.environ.get("OUTBOX_RELAY")
    if named:
        return pathlib.Path(named).resolve()
    built = [path for path in ROOT.glob("build*/core/**/outbox-relay") if path.is_file()]
    if not built:
        raise FileNotFoundError("no outbox-relay in build*/: build it, or set OUTBOX_RELAY to its path")
    return max(built, key=lambda path: path.stat().st_mtime)


def environment(binary):
    """The environment in which the program finds the plugins that were built with it. An installed program needs none."""
    folder = next((up for up in binary.parents if (up / "build.ninja").is_file()), None)
    if "OUTBOX_PLUGIN_PATH" in os.environ or folder is None:
        return {}
    plugins = sorted({str(path.parent) for path in (folder / "plugins").glob("*/outbox-*.so")})
    # The tree may belong to a user who is neither root nor the one who runs the tests.
    return {"OUTBOX_PLUGIN_PATH": ":".join(plugins), "OUTBOX_TRUSTED_OWNERS": str(folder.stat().st_uid)}


def outbox_relay(*arguments, env=None, text=None, timeout=60):
    """Runs a command and returns the completed process. It does not check the exit code."""
    binary = find_binary()
    ended = subprocess.run([binary, *map(str, arguments)], input=text, capture_output=True, text=True, check=False,
                           timeout=timeout, env={**os.environ, "LC_ALL": "C.UTF-8", **environment(binary), **(env or {})})
    for output in (ended.stdout, ended.stderr):
        collect_messages(str(arguments[0]) if arguments else "", output)
    return ended


def relay_config(plugin, options, bootstrap, relay=None, kafka=None, **publisher):
    """Returns a configuration for a test: the given parts, with short times as defaults."""
    return {
        "storage": {"plugin": plugin, "options": options},
        "publisher": {"type": "kafka", "kafka": {"bootstrap.servers": bootstrap, **(kafka or {})}, **publisher},
        "relay": {"reserve_duration": "3s", "poll_interval": "50ms", **(relay or {})},
        "log": {"level": "debug", "format": "json"},
    }


class Relay:
    """`outbox-relay run` with the given configuration. start() may be called again after stop() or kill(). `under` is the
    command of another program that executes the relay, such as prlimit.

    Each start has a log file of its own, and all of them are kept until close().
    """

    def __init__(self, config, env=None, name="relay", binary=None):
        self._binary = binary or find_binary()
        self._folder = TemporaryFolder(name)
        self._env = {**environment(self._binary), **(env or {})}
        self._lives = 0
        self._process = None
        self.config = self._folder.path / "config.json"
        self.config.touch(mode=0o600)
        self.config.write_text(json.dumps(config, indent=2), encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if self._process and failure:
            print(f"--- the relay's log, its end ---\n{self._process.log_tail()}", flush=True)
        self.close()

    def command(self, name, *arguments, **options):
        """Runs another command of the program with the same configuration, such as check or status."""
        return outbox_relay(name, "--config", self.config, *arguments, env=self._env, **options)

    def insert(self, text):
        """Runs `emit` without a check of the topics, as an application can insert events for topics that Kafka does not
        have."""
        config = json.loads(self.config.read_text(encoding="utf-8"))
        careless = self.config.with_name("careless.json")
        careless.write_text(json.dumps({**config, "publisher": {"type": "stdout"}}), encoding="utf-8")
        return outbox_relay("emit", "--config", careless, env=self._env, text=text)

    def start(self, under=()):
        self._lives += 1
        log = self._folder.path / f"relay-{self._lives}.log"
        self._process = Process([*under, self._binary, "run", "--config", self.config], log, self._env)
        return self

    @property
    def pid(self):
        return self._process.pid

    @property
    def returncode(self):
        return self._process.returncode

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Returns the exit code."""
        return self._process.stop(number, timeout)

    def kill(self):
        return self._process.kill()

    def send(self, number):
        self._process.send(number)

    def close(self):
        if self._process and self._process.returncode is None:
            self._process.kill()
        self._folder.remove()

    def log(self):
        """The log since the last start."""
        return self._process.log_text()

    def wait_for_log(self, pattern, timeout=30):
        """Waits until the log since the last start matches the pattern. Returns the match."""
        def look():
            match = re.search(pattern, self.log())
            if not match and self.returncode is not None:
                raise RuntimeError(f"the relay ended with {self.returncode} before it logged {pattern!r}:\n"
                                   f"{self._process.log_tail()}")
            return match

        return wait_until(look, timeout, f"the relay logs {pattern!r}")

    def wait_while_running(self, condition, timeout, what):
        """As wait_until(), but raises RuntimeError as soon as the relay has ended."""
        def look():
            value = condition()
            if not value and self.returncode is not None:
                raise RuntimeError(f"the relay ended with {self.returncode} before {what}:\n{self._process.log_tail()}")
            return value

        return wait_until(look, timeout, what)
