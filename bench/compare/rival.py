"""The interface that every rival of the comparison implements, and the database server that all of them use."""

import abc
import contextlib
import os
import pathlib

from lib import rig, usage
from servers.process import TemporaryFolder

# Rivals that read the WAL need it; the others get the same setting.
SERVER = {"wal_level": "logical"}


class Rival(abc.ABC):
    """A program that delivers the events of an outbox to the topic. It does nothing until work() is called.

    `name` is its name in the table of results. `about` holds its version and settings. `process` has a pid and a
    returncode; it is None while no process exists.
    """

    name: str
    about: dict
    process = None
    tables = ("outbox_event",)  # vacuumed and analyzed before a drain
    keeps_order = True  # it promises order per key; if not, events out of order are reported and do not count as a failure

    @classmethod
    def missing(cls):
        """Returns why it cannot run on this machine, or None."""
        return None

    @classmethod
    def fetch(cls):
        """Downloads or builds what missing() reports, and prints what it does. Raises Unavailable if that fails."""

    @classmethod
    @abc.abstractmethod
    def beside(cls, bootstrap):
        """A context with (outbox, rival), in which the rival is set up and has a database server of its own."""

    @abc.abstractmethod
    def rest(self):
        """Pauses it. Returns when it has stopped reading; work() makes it continue at the same position."""

    @abc.abstractmethod
    def work(self):
        """Starts or resumes it. Returns immediately; the first record may come later."""

    @abc.abstractmethod
    def has_confirmed(self):
        """True if it has recorded in the database all that it delivered. Rivals that do this only now and then return
        True."""

    def log(self):
        return self.process.log_tail()

    def cpu_seconds(self):
        return usage.cpu_seconds(self.process.pid) if self.process and self.process.returncode is None else 0

    def peak_mib(self):
        return usage.peak_mib(self.process.pid)


def outbox_with_table(bootstrap, settings=None):
    """A context with (outbox, relay with these settings). The table exists, and the relay is not started."""
    return rig.outbox_and_relay("postgres", bootstrap, settings, **SERVER)


@contextlib.contextmanager
def own_database():
    """A context with a database server that has no outbox yet."""
    outbox = rig.DATABASES["postgres"](**SERVER)
    try:
        yield outbox
    finally:
        outbox.close()


@contextlib.contextmanager
def with_folder(rival_class, outbox, bootstrap):
    """A context with a rival that has a folder of its own. On exit its process is killed and the folder removed."""
    folder, rival = TemporaryFolder("rival"), None
    try:
        rival = rival_class(outbox, bootstrap, folder.path)
        yield rival
    finally:
        if rival and rival.process and rival.process.returncode is None:
            rival.process.kill()
        folder.remove()


def cache():
    """Folder for downloads, outside of the source tree."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "outbox-relay-bench"
