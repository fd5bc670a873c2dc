"""The program under test: its commands, and `outbox-relay run` as a process to stop, kill and question."""

import json
import os
import pathlib
import re
import signal
import subprocess

from .process import Process, TemporaryFolder, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]


def find_binary():
    """$OUTBOX_RELAY, or the program built last in any build folder of this tree."""
    named = os.environ.get("OUTBOX_RELAY")
    if named:
        return pathlib.Path(named).resolve()
    built = [path for path in ROOT.glob("build*/core/**/outbox-relay") if path.is_file()]
    if not built:
        raise FileNotFoundError("no outbox-relay in build*/: build it, or name it in OUTBOX_RELAY")
    return max(built, key=lambda path: path.stat().st_mtime)


def environment(binary):
    """Where the program finds the plugins that were built with it; an installed one needs no help."""
    folder = next((up for up in binary.parents if (up / "build.ninja").is_file()), None)
    if "OUTBOX_PLUGIN_PATH" in os.environ or folder is None:
        return {}
    plugins = sorted({str(path.parent) for path in (folder / "plugins").glob("*/outbox-*.so")})
    # The tree may belong to somebody else than root and who runs the tests.
    return {"OUTBOX_PLUGIN_PATH": ":".join(plugins), "OUTBOX_TRUSTED_OWNERS": str(folder.stat().st_uid)}


def outbox_relay(*arguments, env=None, text=None, timeout=60):
    """Runs a command to its end and returns it, whatever its exit code."""
    binary = find_binary()
    return subprocess.run([binary, *map(str, arguments)], input=text, capture_output=True, text=True, check=False,
                          timeout=timeout, env={**os.environ, "LC_ALL": "C.UTF-8", **environment(binary), **(env or {})})


def relay_config(plugin, options, bootstrap, relay=None, kafka=None, **publisher):
    """The config of a test: the given parts over the defaults, the short times that tests want."""
    return {
        "storage": {"plugin": plugin, "options": options},
        "publisher": {"type": "kafka", "kafka": {"bootstrap.servers": bootstrap, **(kafka or {})}, **publisher},
        "relay": {"reserve_duration": "3s", "poll_interval": "50ms", **(relay or {})},
        "log": {"level": "debug", "format": "json"},
    }


class Relay:
    """`outbox-relay run` with a config of ours. start() may be called again after stop() or kill(), and then `under`
    another program that becomes it, such as prlimit.

    The log files of all lives are kept until close(), one per life.
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
        """Another command of the program with the same config, such as check or status."""
        return outbox_relay(name, "--config", self.config, *arguments, env=self._env, **options)

    def insert(self, text):
        """`emit` of lines with any topic, as an application may insert them: Kafka is not asked whether it has such topics."""
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
        """What this life has said so far."""
        return self._process.log_text()

    def wait_for_log(self, pattern, timeout=30):
        """Waits for a line that the pattern is found in; returns the match."""
        def look():
            match = re.search(pattern, self.log())
            if not match and self.returncode is not None:
                raise RuntimeError(f"the relay ended with {self.returncode} before it said {pattern!r}:\n"
                                   f"{self._process.log_tail()}")
            return match

        return wait_until(look, timeout, f"the relay says {pattern!r}")

    def wait_while_running(self, condition, timeout, what):
        """wait_until, which a relay that has ended cuts short."""
        def look():
            value = condition()
            if not value and self.returncode is not None:
                raise RuntimeError(f"the relay ended with {self.returncode} before {what}:\n{self._process.log_tail()}")
            return value

        return wait_until(look, timeout, what)
