"""A child process of a test: its log, its signals, its end. Nothing that a test starts outlives the test run."""

import atexit
import collections
import contextlib
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
    """A server cannot be had on this machine; the text says why and what to do."""


_given_ports = set()


def free_port():
    """A loopback port that was free a moment ago, none that was asked for before, and none that a client's connection is
    given by itself: a server takes seconds to start, and would find it taken."""
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
    """Returns the first true value of condition(); the time-out names what did not happen."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(interval)


def memory(pid, what):
    """In bytes; `what` as in /proc/PID/status: VmRSS, VmHWM for the most so far, VmData."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{what}:\s+(\d+) kB", status).group(1)) * 1024


class TemporaryFolder:
    """A folder under $TMPDIR or `parent`, given to `owner` where the server runs as somebody else."""

    def __init__(self, prefix, owner=None, parent=None):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"outbox-{prefix}-", dir=parent))
        if owner:
            shutil.chown(self.path, owner, owner)

    def remove(self):
        # OUTBOX_KEEP=1 keeps data and logs for a post-mortem
        if not os.environ.get("OUTBOX_KEEP"):
            shutil.rmtree(self.path, ignore_errors=True)


_templates = {}  # kind of server: the folder that has its new data


def make_data(kind, data, initialise):
    """Fills the folder `data` of a server that has not run yet, by initialise() for the first server of a kind in this
    process. Others of the kind get a copy of what that one began with, which takes a fraction of the time."""
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
    """Runs a command with its output in a log file. `user`, a name or a number, is taken up through setpriv, which needs root.

    The kernel kills the child when the thread that started it ends, so start servers on the main thread.
    """

    def __init__(self, command, log, env=None, user=None, cwd=None):
        self.log = pathlib.Path(log)
        as_user = ["--reuid", str(user), "--regid", str(user), "--clear-groups"] if user else []
        with open(self.log, "ab") as output:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *as_user, "--", *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, cwd=cwd)
        self.pid = self._child.pid

    @property
    def returncode(self):
        """None while it runs; minus the signal if one killed it."""
        return self._child.poll()

    def children(self):
        return [int(pid) for pid in pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def send(self, number):
        self._child.send_signal(number)

    def wait(self, timeout):
        return self._child.wait(timeout)

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Asks, waits, and kills what does not answer. Returns the exit code."""
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

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines=40):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return "".join(collections.deque(text, lines))
