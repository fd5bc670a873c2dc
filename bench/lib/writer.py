"""An application that commits transactions at a fixed rate in a process of its own, and measures the time of each step.

The load is open-loop: a slow transaction delays the following ones but does not reduce their number. For each step it is
also measured how long the application's thread and the server's thread for its session were runnable and waited for a
processor. On a busy machine that is most of the time that a step takes, and it is not the effect of any lock.
"""

import dataclasses
import socket
import sqlite3
import time

STEPS = ("begin", "insert", "commit")


@dataclasses.dataclass
class Plan:
    first: int  # number of the first event; the payload of an event begins with its number
    transactions: int
    each: int  # events per transaction
    rate: float  # transactions per second
    size: int  # size of a payload in bytes
    keys: int
    hints: int = 0  # the port on this machine that gets a datagram after each commit; 0 = none


def run(application, rate, stop, results):
    """Runs as a process of multiprocessing until `stop` is set, then puts a list into `results`. It has for each
    transaction (seconds too late, [seconds of each step], [seconds of each step that a thread waited for a processor])."""
    session = KINDS[application["kind"]](application)
    measured = []
    begin = time.monotonic() + 0.1
    while not stop.is_set():
        due = begin + len(measured) / rate
        time.sleep(max(0, due - time.monotonic()))
        times, delays = [time.monotonic()], [session.starved()]
        for step in (session.begin, session.insert, session.commit):
            step()
            times.append(time.monotonic())
            delays.append(session.starved())
        measured.append((times[0] - due, _differences(times), _differences(delays)))
    results.put(measured)


def run_plan(application, plan, results):
    """Runs as a process of multiprocessing. Puts a list into `results` with (due, begun, committed) for each transaction,
    in milliseconds since 1970."""
    session = KINDS[application["kind"]](application)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    times = []
    begin = time.time() + 0.1
    for i in range(plan.transactions):
        numbers = range(plan.first + i * plan.each, plan.first + (i + 1) * plan.each)
        rows = [f"('bench', 'made', 'key-{number % plan.keys}', '{str(number).ljust(plan.size)}')" for number in numbers]
        due = begin + i / plan.rate
        time.sleep(max(0, due - time.time()))
        begun = time.time()
        session.begin()
        session.insert(rows)
        session.commit()
        times.append((due * 1000, begun * 1000, time.time() * 1000))
        if plan.hints:
            datagrams.sendto(b"", ("127.0.0.1", plan.hints))
    results.put(times)


def _differences(numbers):
    return [after - before for before, after in zip(numbers, numbers[1:])]


def _run_delay(task):
    with open(f"/proc/{task}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1]) / 1e9


class _Session:
    """A connection of the application. `_tasks` are the threads whose waiting is measured, by their names in /proc."""

    INSERT = "insert into outbox_event (topic, event_type, aggregate_id, payload) values "
    ROW = "('bench', 'made', 'writer', '{}')"

    def starved(self):
        return sum(map(_run_delay, self._tasks))

    def begin(self):
        self._cursor.execute("begin")

    def insert(self, rows=(ROW,)):
        self._cursor.execute(self.INSERT + ", ".join(rows))

    def commit(self):
        self._cursor.execute("commit")


class _Postgres(_Session):
    def __init__(self, application):
        import psycopg2
        link = psycopg2.connect(application["dsn"])
        link.autocommit = True
        self._cursor = link.cursor()
        self._tasks = ["self", str(link.info.backend_pid)]


class _Mysql(_Session):
    def __init__(self, application):
        import pymysql
        link = pymysql.connect(autocommit=True, **application["connect"])
        self._cursor = link.cursor()
        self._cursor.execute(application["thread"])
        self._tasks = ["self", str(self._cursor.fetchone()[0])]


class _Sqlite(_Session):
    """`begin` takes the write lock, so its time is the wait for that lock. It retries every half millisecond instead of
    using SQLite's busy handler, whose longer pauses would be measured instead of the time that others hold the lock."""

    def __init__(self, application):
        self._cursor = sqlite3.connect(application["path"], isolation_level=None, timeout=0).cursor()
        self._tasks = ["self"]

    def begin(self):
        while True:
            try:
                return self._cursor.execute("begin immediate")
            except sqlite3.OperationalError:
                time.sleep(0.0005)


KINDS = {"postgres": _Postgres, "mysql": _Mysql, "sqlite": _Sqlite}
