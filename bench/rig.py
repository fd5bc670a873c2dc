"""What the benchmarks share: a broker and an outbox that nobody else uses, everything local and durable, and the relay."""

import contextlib
import os
import pathlib
import platform
import sqlite3
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from servers.kafka import MEASURED, KafkaBroker  # noqa: E402
from servers.mariadb import MariadbServer  # noqa: E402
from servers.mysql import MysqlServer  # noqa: E402
from servers.postgres import PostgresServer  # noqa: E402
from servers.process import TemporaryFolder  # noqa: E402
from servers.relay import Relay, outbox_relay, relay_config  # noqa: E402

TOPIC = "bench"
BUFFERS = {"innodb-buffer-pool-size": "128M"}


class OnAServer:
    """What is the same on every database server."""

    def __init__(self, server, shared=False):
        """A `shared` server runs already, and goes on."""
        self.server = server
        self._shared = shared
        self._link = None
        if not shared:
            self.server.start()

    def is_empty(self):
        with self._link.cursor() as cursor:
            cursor.execute("select exists (select 1 from outbox_event)")
            return not cursor.fetchone()[0]

    def has(self, row):
        with self._link.cursor() as cursor:
            cursor.execute("select exists (select 1 from outbox_event where id = %s)", (row,))
            return bool(cursor.fetchone()[0])

    def close(self):
        if self._link:
            self._link.close()
        if not self._shared:
            self.server.stop()


class Postgres(OnAServer):
    """The outbox in PostgreSQL."""

    plugin = "postgres"

    def __init__(self, server=None, database="postgres", **settings):
        super().__init__(server or PostgresServer({"shared_buffers": "128MB", **settings}), server is not None)
        self._database = database
        self.options = {"connection": self.server.dsn(database)}

    def another(self):
        """One more, on the same server."""
        self.server.create_database("another")
        return Postgres(self.server, "another")

    def fill(self, events, size, keys):
        self._link = self.server.connect(self._database)
        with self._link.cursor() as cursor:
            cursor.execute(
                "insert into outbox_event (topic, event_type, aggregate_id, payload) "
                "select %s, 'made', 'key-' || i %% %s, repeat('x', %s) from generate_series(1, %s) i",
                (TOPIC, keys, size, events))
            cursor.execute("vacuum analyze outbox_event")
            cursor.execute("checkpoint")


class Mysql(OnAServer):
    """The outbox in MySQL or MariaDB."""

    plugin = "mysql"

    def __init__(self, server, depth, database="bench", shared=False):
        """`depth` is what the server calls the limit of a recursive query."""
        super().__init__(server, shared)
        self._depth = depth
        self._database = database
        self.options = self.server.create_database(database)

    def another(self):
        """One more, on the same server."""
        return Mysql(self.server, self._depth, "another", shared=True)

    def fill(self, events, size, keys):
        self._link = self.server.connect(self._database)
        with self._link.cursor() as cursor:
            cursor.execute(f"set {self._depth} = %s", (events,))
            cursor.execute(
                "insert into outbox_event (topic, event_type, aggregate_id, payload) "
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < %s) "
                "select %s, 'made', concat('key-', i %% %s), repeat('x', %s) from n", (events, TOPIC, keys, size))
            cursor.execute("analyze table outbox_event")


class Sqlite:
    """The outbox in an SQLite file."""

    plugin = "sqlite"

    def __init__(self):
        self._folder = TemporaryFolder("drain")
        self.path = self._folder.path / "outbox.db"
        self._link = None
        self.options = {"path": str(self.path)}

    def another(self):
        """One more, in a file of its own."""
        return Sqlite()

    def fill(self, events, size, keys):
        self._link = sqlite3.connect(self.path, isolation_level=None, timeout=30)
        self._link.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) "
            "insert into outbox_event (topic, event_type, aggregate_id, payload) "
            "select ?, 'made', 'key-' || (i % ?), cast(printf('%.*c', ?, 'x') as blob) from n", (events, TOPIC, keys, size))

    def is_empty(self):
        return not self._link.execute("select exists (select 1 from outbox_event)").fetchone()[0]

    def has(self, row):
        return self._link.execute("select exists (select 1 from outbox_event where id = ?)", (row,)).fetchone()[0]

    def close(self):
        if self._link:
            self._link.close()
        self._folder.remove()


DATABASES = {
    "postgres": Postgres,
    "mariadb": lambda: Mysql(MariadbServer(BUFFERS), "max_recursive_iterations"),
    "mysql": lambda: Mysql(MysqlServer(BUFFERS), "cte_max_recursion_depth"),
    "sqlite": Sqlite,
}


@contextlib.contextmanager
def broker_for(size, partitions):
    """A broker with the topic, which takes events of `size` bytes."""
    largest = max(2_000_000, 2 * size)
    broker = KafkaBroker({"message.max.bytes": largest, "replica.fetch.max.bytes": largest,
                          "socket.request.max.bytes": max(104_857_600, 2 * largest)}, MEASURED)
    try:
        broker.start()
        broker.create_topic("warm-up")
        broker.create_topic(TOPIC, partitions, {"max.message.bytes": str(largest)})
        _warm(broker.bootstrap)
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def outbox_and_relay(name, bootstrap, **settings):
    """An empty outbox of the database called `name`, its server with these settings, and a relay that is not started."""
    with _relay_for(DATABASES[name](**settings), bootstrap) as both:
        yield both


@contextlib.contextmanager
def another(outbox, bootstrap):
    """Likewise on the same server, and beside the first one."""
    with _relay_for(outbox.another(), bootstrap) as both:
        yield both


@contextlib.contextmanager
def _relay_for(outbox, bootstrap):
    relay = None
    try:
        config = relay_config(outbox.plugin, outbox.options, bootstrap,
                                relay={"reserve_duration": "15s", "poll_interval": "250ms"})
        config["log"] = {"level": "info", "format": "json"}
        relay = Relay(config)
        made = relay.command("migrate")
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        yield outbox, relay
    finally:
        if relay:
            relay.close()
        outbox.close()


def machine():
    return {"cores": os.cpu_count(), "kernel": platform.release()}


def _warm(bootstrap):
    """A broker that has just begun has no producer ids to give yet: the first client waits half a second for one."""
    subprocess.run(["kcat", "-P", "-b", bootstrap, "-t", "warm-up", "-X", "enable.idempotence=true",
                    "-X", "topic.metadata.refresh.interval.ms=100"], input=b"x", check=True, capture_output=True, timeout=60)
