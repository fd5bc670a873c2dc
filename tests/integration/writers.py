"""Applications that write events with plain SQL on several threads. Transactions are serialised per key.

The writers keep a journal of what they have committed. A relay must deliver exactly that.
"""

import dataclasses
import queue
import random
import sqlite3
import threading
import time
import uuid
import zlib

from events import Event

INSERT = "insert into outbox_event (topic, event_type, aggregate_id, payload, headers) "

# How transactions end, and how frequent each kind is. "late" stays open while others commit rows with higher ids.
ENDINGS = {"commit": 70, "late": 12, "rollback": 8, "savepoint": 6, "prepared": 3, "prepared rollback": 1}


@dataclasses.dataclass
class Transaction:
    events: list
    ending: str
    pause: float  # seconds between the inserts and the end, for an ending with a pause


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
    """Executes the plan on `count` threads. `open_writer()` returns a connection for a thread: an object with run() and
    close()."""

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
        """Number of events that are committed so far."""
        return len(self._journal)

    @property
    def running(self):
        return any(thread.is_alive() for thread in self._threads)

    def join(self, timeout):
        """Waits for the threads. Returns the journal, which is the list of all committed events."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._errors:
            raise self._errors[0]
        if self.running:
            raise TimeoutError(f"the writers have not ended after {timeout} s; {self.committed} events are committed")
        return list(self._journal)


class Writer:
    """The common part of the writers. A derived class for a database defines how to begin, insert and end, and `_sql`."""

    def run(self, transaction):
        """Executes a transaction. Returns the events that it has committed."""
        kept = list(transaction.events)
        undone = kept.pop() if transaction.ending == "savepoint" else None
        self._begin(transaction)
        self._insert_all(kept, transaction)
        if undone:
            self._sql("savepoint s")
            self._insert(undone)
            self._sql("rollback to savepoint s")
        self._end(transaction)
        return [] if transaction.ending.endswith("rollback") else kept

    def _insert_all(self, events, _transaction):
        for event in events:
            self._insert(event)

    def _end(self, transaction):
        if transaction.ending == "late":
            time.sleep(transaction.pause)
        self._sql("rollback" if transaction.ending == "rollback" else "commit")


class PostgresWriter(Writer):
    """Serialises transactions by advisory locks on their keys, which are held to the end of the transaction, even a
    prepared one.

    Advisory locks do not assign an xid to the transaction. During a slow BEFORE trigger a transaction therefore has taken a
    row id already, but is not visible in any snapshot.
    """

    def __init__(self, connection):
        connection.autocommit = True  # transactions are begun and ended explicitly
        self._connection = connection
        self._cursor = connection.cursor()
        self._sql = self._cursor.execute

    def close(self):
        self._connection.close()

    def _begin(self, transaction):
        self._sql("begin")
        for lock in lock_numbers(transaction):
            self._sql("select pg_advisory_xact_lock(%s)", (lock,))

    def _end(self, transaction):
        if not transaction.ending.startswith("prepared"):
            super()._end(transaction)
            return
        name = f"writer-{self._connection.info.backend_pid}"
        self._sql(f"prepare transaction '{name}'")
        time.sleep(transaction.pause)
        self._sql(f"{'rollback' if transaction.ending.endswith('rollback') else 'commit'} prepared '{name}'")

    def _insert(self, event: Event):
        self._sql(INSERT + "values (%s, %s, %s, %s, %s) returning id, event_id",
                  _row(event))
        event.row_id, event.event_id = self._cursor.fetchone()


class SqliteWriter(Writer):
    """SQLite allows one writer at a time, which serialises all transactions. All others wait for one that is late."""

    def __init__(self, path):
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._sql = self._connection.execute

    def close(self):
        self._connection.close()

    def _begin(self, _transaction):
        self._sql("begin immediate")

    def _insert(self, event: Event):
        cursor = self._sql(INSERT + "values (?, ?, ?, ?, ?) returning id, event_id",
                           (event.topic, event.event_type, event.key, event.payload, event.headers_json()))
        (event.row_id, event.event_id), = cursor.fetchall()


class MysqlWriter(Writer):
    """Writer for MariaDB and MySQL. Each key has a lock. For half of the keys it is a row lock, which makes the transaction
    visible to others. For the other half it is a named lock, which does not, and which is released after the commit.

    The endings "values" and "select" insert several rows with one statement, which takes ids before it inserts their rows;
    for a SELECT, MySQL takes them in blocks of 1, 2, 4... During a slow trigger, others see not even a lock for the ids
    whose rows are missing.
    """

    LOCK_ROWS = 1000
    PREPARE = f"""
        create table lock_row (id int primary key);
        insert into lock_row values {", ".join(f"({i})" for i in range(LOCK_ROWS))};
        create trigger slow before insert on outbox_event for each row
            do sleep(case new.event_type when 'slow' then 0.15 when 'very slow' then 3 else 0 end);
    """

    def __init__(self, connection):
        self._connection = connection
        self._cursor = connection.cursor()
        self._sql = self._cursor.execute

    def close(self):
        self._connection.close()

    def run(self, transaction):
        kept = super().run(transaction)
        self._sql("select release_all_locks()")
        return kept

    def _begin(self, transaction):
        locks = lock_numbers(transaction)
        for name in (lock for lock in locks if lock % 2):
            self._sql("select get_lock(%s, 60)", (f"writer-{name}",))
            if self._cursor.fetchone() != (1,):
                raise TimeoutError(f"the lock of a key was not free after 60 s: writer-{name}")
        self._sql(f"xa start '{self._name()}'" if transaction.ending.startswith("prepared") else "begin")
        for row in sorted({lock // 2 % self.LOCK_ROWS for lock in locks if lock % 2 == 0}):
            self._sql("select id from lock_row where id = %s for update", (row,))

    def _name(self):
        return f"writer-{self._connection.thread_id()}"

    def _end(self, transaction):
        if not transaction.ending.startswith("prepared"):
            super()._end(transaction)
            return
        self._sql(f"xa end '{self._name()}'")
        self._sql(f"xa prepare '{self._name()}'")
        time.sleep(transaction.pause)
        self._sql(f"xa {'rollback' if transaction.ending.endswith('rollback') else 'commit'} '{self._name()}'")

    def _insert(self, event: Event):
        self._sql(INSERT + "values (%s, %s, %s, %s, %s)", _row(event))
        self._sql("select id, event_id from outbox_event where id = last_insert_id()")
        event.row_id, event.event_id = self._cursor.fetchone()

    def _insert_all(self, events, transaction):
        if transaction.ending not in ("values", "select"):
            super()._insert_all(events, transaction)
            return
        ids = [str(uuid.uuid4()) for _ in events]
        values = [value for event, event_id in zip(events, ids) for value in (*_row(event), event_id)]
        if transaction.ending == "values":
            rows = "values " + ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(events))
        else:
            rows = "select * from (" + " union all ".join(
                ["select %s as a, %s as b, %s as c, cast(%s as binary) as d, %s as e, %s as f"] * len(events)) + ") as source"
        self._sql(INSERT.replace("headers)", "headers, event_id)") + rows, values)
        self._sql(f"select event_id, id from outbox_event where id >= last_insert_id() and event_id in "
                  f"({', '.join(['%s'] * len(ids))})", ids)
        row_ids = dict(self._cursor.fetchall())
        for event, event.event_id in zip(events, ids):
            event.row_id = row_ids[event.event_id]


MYSQL_ENDINGS = {**ENDINGS, "values": 8, "select": 8}


def slow_down(plan):
    """Delays the second row in statements of several rows. Meanwhile its id and the following ones are taken and have no
    rows."""
    several = [transaction for transaction in plan if transaction.ending in ("values", "select")]
    for i, transaction in enumerate(several):
        # In MariaDB other inserts wait for a statement with SELECT, so those are delayed only a little.
        very = transaction.ending == "values" and i % 25 == 0
        transaction.events[1 % len(transaction.events)].event_type = "very slow" if very else "slow"
    return plan


def lock_numbers(transaction):
    """Returns the locks of a transaction in the order in which all transactions take them, which avoids deadlocks."""
    return sorted({zlib.crc32(event.key.encode()) for event in transaction.events if event.key is not None})


def payload_bytes(event):
    return event.payload.encode() if isinstance(event.payload, str) else event.payload


def _row(event):
    return event.topic, event.event_type, event.key, payload_bytes(event), event.headers_json()
