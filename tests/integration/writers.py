"""Applications that write events by plain SQL, several at a time, each transaction serialised per key.

A writer keeps a journal of what it has committed: that, and nothing else, is what a relay must deliver.
"""

import dataclasses
import queue
import random
import sqlite3
import threading
import time
import zlib

from events import Event

INSERT = "insert into outbox_event (topic, event_type, aggregate_id, payload, headers) values ({}) returning id, event_id"

# What a transaction does with its events, and how often. "late" stays open while others commit above its ids.
ENDINGS = {"commit": 70, "late": 12, "rollback": 8, "savepoint": 6, "prepared": 3, "prepared rollback": 1}


@dataclasses.dataclass
class Transaction:
    events: list
    ending: str
    pause: float  # seconds between the inserts and the end, where the ending has a pause


def make_transactions(seed, events, endings, max_size=12):
    dice = random.Random(seed)
    plan, at = [], 0
    while at < len(events):
        size = dice.randint(1, max_size)
        ending = dice.choices(list(endings), list(endings.values()))[0]
        plan.append(Transaction(events[at:at + size], ending, dice.choice((0.005, 0.02, 0.02, 0.2))))
        at += size
    return plan


class Writers:
    """Runs the plan on `count` threads. `open_writer()` gives each thread its connection: an object with run() and close()."""

    def __init__(self, plan, open_writer, count):
        self._plan = queue.SimpleQueue()
        for transaction in plan:
            self._plan.put(transaction)
        self._open_writer = open_writer
        self._journal = []
        self._errors = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def _work(self):
        try:
            writer = self._open_writer()
            try:
                while True:
                    self._journal.extend(writer.run(self._plan.get_nowait()))
            finally:
                writer.close()
        except queue.Empty:
            pass
        except Exception as error:  # pylint: disable=broad-except  # shown by join()
            self._errors.append(error)

    @property
    def committed(self):
        """How many events so far."""
        return len(self._journal)

    @property
    def running(self):
        return any(thread.is_alive() for thread in self._threads)

    def join(self, timeout):
        """Returns the journal: all committed events."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._errors:
            raise self._errors[0]
        if self.running:
            raise TimeoutError(f"writers still at work after {timeout} s, {self.committed} events committed")
        return list(self._journal)


class PostgresWriter:
    """Serialises by advisory locks on its keys, held to the end of the transaction, be it prepared.

    They give the transaction no xid, so that a slow BEFORE trigger meets one that has taken its id already
    and is not yet to be seen in any snapshot.
    """

    def __init__(self, connection):
        connection.autocommit = True  # transactions are opened and ended by hand
        self._connection = connection
        self._cursor = connection.cursor()

    def close(self):
        self._connection.close()

    def run(self, transaction):
        """Returns the events that are now committed."""
        sql = self._cursor.execute
        sql("begin")
        for lock in sorted({zlib.crc32(event.key.encode()) for event in transaction.events if event.key is not None}):
            sql("select pg_advisory_xact_lock(%s)", (lock,))
        kept = list(transaction.events)
        for event in transaction.events[:-1]:
            self._insert(event)
        if transaction.ending == "savepoint":
            sql("savepoint s")
            self._insert(kept.pop())
            sql("rollback to savepoint s")
        else:
            self._insert(kept[-1])
        return kept if self._end(transaction) else []

    def _end(self, transaction):
        sql = self._cursor.execute
        if transaction.ending == "late":
            time.sleep(transaction.pause)
        if transaction.ending.startswith("prepared"):
            name = f"writer-{self._connection.info.backend_pid}"
            sql(f"prepare transaction '{name}'")
            time.sleep(transaction.pause)
            sql(f"{'rollback' if transaction.ending.endswith('rollback') else 'commit'} prepared '{name}'")
        else:
            sql("rollback" if transaction.ending == "rollback" else "commit")
        return not transaction.ending.endswith("rollback")

    def _insert(self, event: Event):
        payload = event.payload.encode() if isinstance(event.payload, str) else event.payload
        self._cursor.execute(INSERT.format("%s, %s, %s, %s, %s"),
                             (event.topic, event.event_type, event.key, payload, event.headers_json()))
        event.row_id, event.event_id = self._cursor.fetchone()


class SqliteWriter:
    """SQLite has one writer at a time, which serialises everything."""

    def __init__(self, path):
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)

    def close(self):
        self._connection.close()

    def run(self, transaction):
        """Returns the events that are now committed."""
        sql = self._connection.execute
        sql("begin immediate")
        kept = list(transaction.events)
        for event in transaction.events[:-1]:
            self._insert(event)
        if transaction.ending == "savepoint":
            sql("savepoint s")
            self._insert(kept.pop())
            sql("rollback to savepoint s")
        else:
            self._insert(kept[-1])
        if transaction.ending == "late":
            time.sleep(transaction.pause / 2)  # everybody waits for this one
        rolled_back = transaction.ending == "rollback"
        sql("rollback" if rolled_back else "commit")
        return [] if rolled_back else kept

    def _insert(self, event: Event):
        cursor = self._connection.execute(INSERT.format("?, ?, ?, ?, ?"),
                                          (event.topic, event.event_type, event.key, event.payload, event.headers_json()))
        (event.row_id, event.event_id), = cursor.fetchall()
