"""What the comparison asks of every rival, and the outbox that all of them work on."""

import abc
import contextlib
import os
import pathlib

from lib import rig, usage
from servers.process import TemporaryFolder

# For log readers, and the same for those that read the table
SERVER = {"wal_level": "logical"}


class Rival(abc.ABC):
    """A program that moves the events of an outbox to the topic. It rests until work() is called.

    `name` is what the table shows, `about` what it runs with, `process` has a pid and a returncode, and is None while there
    is none.
    """

    name: str
    about: dict
    process = None
    tables = ("outbox_event",)  # analyzed and vacuumed before a drain
    keeps_order = True  # the events of a key come in order; where a rival does not promise it, disorder is only reported

    @classmethod
    def missing(cls):
        """Why it cannot run here, or None."""
        return None

    @classmethod
    def fetch(cls):
        """Downloads what missing() misses; says what. Raises Unavailable where it cannot be had."""

    @classmethod
    @abc.abstractmethod
    def beside(cls, bootstrap):
        """A context with (outbox, rival): a database of its own, and everything set up."""

    @abc.abstractmethod
    def rest(self):
        """Returns when it reads nothing any more, and will go on later where it is."""

    @abc.abstractmethod
    def work(self):
        """Returns at once; it may take a while to begin."""

    @abc.abstractmethod
    def has_confirmed(self):
        """All that was delivered is written down as delivered, so far as it does that at once."""

    def log(self):
        return self.process.log_tail()

    def cpu_seconds(self):
        return usage.cpu_seconds(self.process.pid) if self.process and self.process.returncode is None else 0

    def peak_mib(self):
        return usage.peak_mib(self.process.pid)


def outbox_with_table(bootstrap, settings=None):
    """A context with (outbox, relay with these settings). The relay has made the table, and is not started."""
    return rig.outbox_and_relay("postgres", bootstrap, settings, **SERVER)


@contextlib.contextmanager
def own_database():
    """A context with a database that has no outbox yet."""
    outbox = rig.DATABASES["postgres"](**SERVER)
    try:
        yield outbox
    finally:
        outbox.close()


@contextlib.contextmanager
def with_folder(rival_class, outbox, bootstrap):
    """A context with a rival that has a folder of its own. Its process and the folder end with it."""
    folder, rival = TemporaryFolder("rival"), None
    try:
        rival = rival_class(outbox, bootstrap, folder.path)
        yield rival
    finally:
        if rival and rival.process and rival.process.returncode is None:
            rival.process.kill()
        folder.remove()


def cache():
    """For downloads; outside of the source tree."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "outbox-relay-bench"
