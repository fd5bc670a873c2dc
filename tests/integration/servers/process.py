"""Child processes of a test, with their logs and signals. None of them outlives the test run."""

import atexit
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time


class Unavailable(RuntimeError):
    """A server cannot run on this machine. The text has the reason and what to do."""


_given_ports = set()


def free_port():
    """Returns a loopback port that is free at the moment. It was not returned before, and is outside of the range of ports
    that the kernel gives to clients: a server takes seconds to start, and a client could use its port by then."""
    first_of_clients = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    dice = random.SystemRandom()
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", dice.randrange(10_000, first_of_clients) if first_of_clients > 20_000 else 0))
            port = probe.getsockname()[1]
            if port not in _given_ports:
                _given_ports.add(port)
                return port


def wait_until(condition, timeout, what, interval=0.02):
    """Waits for condition() and returns its first true value. The TimeoutError says that `what` did not happen."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(interval)


def memory(pid, what):
    """Memory of a process in bytes. `what` is a field of /proc/PID/status: VmRSS, VmHWM (the largest VmRSS so far) or
    VmData."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{what}:\s+(\d+) kB", status).group(1)) * 1024


class TemporaryFolder:
    """A folder in $TMPDIR or `parent`. It belongs to `owner`, if the server runs as another user."""

    def __init__(self, prefix, owner=None, parent=None):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"outbox-{prefix}-", dir=parent))
        if owner:
            shutil.chown(self.path, owner, owner)

    def remove(self):
        # OUTBOX_KEEP=1 keeps the data and logs for an examination.
        if not os.environ.get("OUTBOX_KEEP"):
            shutil.rmtree(self.path, ignore_errors=True)


def collect_messages(command, text):
    """Appends the output of a command of the relay to the file $OUTBOX_MESSAGES, if that is set, for
    tests/language/messages.py. Processes may do so at the same time."""
    file = os.environ.get("OUTBOX_MESSAGES")
    if file and text:
        with open(file, "ab", buffering=0) as messages:
            messages.write(json.dumps({"command": command, "text": text}).encode() + b"\n")


_templates = {}  # kind of server -> folder with its initial data


def make_data(kind, data, initialise):
    """Fills the folder `data` of a new server. For the first server of a kind in this process it calls initialise(); later
    ones get a copy of the first one's initial data, which takes a fraction of the time."""
    if kind not in _templates:
        initialise()
        template = TemporaryFolder(f"{kind}-template")
        atexit.register(template.remove)
        _copy(data, template.path / "data")
        _templates[kind] = template.path / "data"
    else:
        _copy(_templates[kind], data)


def _copy(source, target):
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True)


class Process:
    """Runs a command with its output in a log file. The command runs as `user`, a name or a number; this needs root.

    Thread: main, because the kernel kills the child when the thread that started it ends.
    """

    def __init__(self, command, log, env=None, user=None, cwd=None):
        self.log = pathlib.Path(log)
        words = list(map(str, command))
        # The command of the relay whose messages have not been collected yet; "" if this is another program.
        self._to_collect = next((to for word, to in zip(words, words[1:]) if word.endswith("/outbox-relay")), "")
        as_user = ["--reuid", str(user), "--regid", str(user), "--clear-groups"] if user else []
        with open(self.log, "ab") as output:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *as_user, "--", *words],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, cwd=cwd)
        self.pid = self._child.pid

    @property
    def returncode(self):
        """The exit code; None while the process runs, and the negative number of the signal if one killed it."""
        code = self._child.poll()
        if code is not None:
            self._collect_messages()
        return code

    def children(self):
        return [int(pid) for pid in pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def send(self, number):
        self._child.send_signal(number)

    def wait(self, timeout):
        code = self._child.wait(timeout)
        self._collect_messages()
        return code

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Sends the signal and waits for the end. Returns the exit code. After the timeout it kills the process and raises
        TimeoutExpired."""
        if self.returncode is None:
            self.send(number)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self._child.kill()
        return self.wait(30)

    def _collect_messages(self):
        if self._to_collect and "OUTBOX_MESSAGES" in os.environ:
            collect_messages(self._to_collect, self.log_text())
        self._to_collect = ""

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines=40):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return "".join(collections.deque(text, lines))
