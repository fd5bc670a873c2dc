"""An outbox in each kind of database, on a server of its own: fills it, and reads the database's counters of its work."""

import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "integration"))

from servers.mariadb import MariadbServer  # noqa: E402
from servers.mysql import MysqlServer  # noqa: E402
from servers.postgres import PostgresServer  # noqa: E402
from servers.process import TemporaryFolder, wait_until  # noqa: E402

TOPIC = "bench"
BUFFERS = {"innodb-buffer-pool-size": "128M"}
CHUNK = 1_000_000


class Outbox:
    """The parts that are the same for all databases."""

    _mark = "%s"

    def ask(self, sql, *values):
        """Executes the statement. Returns the first row of its result, or None."""
        cursor = self._link.cursor()
        cursor.execute(sql.replace("?", self._mark), values or None)
        return cursor.fetchone() if cursor.description else None

    def has(self, row):
        return bool(self.ask("select exists (select 1 from outbox_event where id = ?)", row)[0])

    def has_above(self, row):
        return bool(self.ask("select exists (select 1 from outbox_event where id > ?)", row)[0])

    def is_empty(self):
        return not self.ask("select exists (select 1 from outbox_event)")[0]

    def fill(self, events, size, keys, tidy=True):
        """Inserts events, up to a million per transaction. Returns the row id of the last one."""
        for first in range(0, events, CHUNK):
            self._insert(first, min(events - first, CHUNK), size, keys)
        if tidy:
            self._tidy()
        return self.ask("select max(id) from outbox_event")[0]


class OnAServer(Outbox):
    INSERT_ONE = "insert into outbox_event (topic, event_type, aggregate_id, payload) values ('bench', 'made', 'held', '')"

    def __init__(self, server, shared=False):
        """A `shared` server is running already and is not stopped by close()."""
        self.server = server
        self._shared = shared
        self._link = None
        if not shared:
            self.server.start()

    @property
    def pid(self):
        """Process id of the server."""
        return self.server.pid

    def hold(self, *sql):
        """Returns a session that has executed the statements in a transaction. Closing the session rolls the transaction
        back."""
        session = self._connect()
        for statement in sql:
            session.cursor().execute(statement)
        return session

    def hold_outbox_writer(self):
        return self.hold("begin", self.INSERT_ONE)

    def hold_foreign_writer(self):
        self._link.cursor().execute("create table if not exists foreign_table (i int)")
        return self.hold("begin", "insert into foreign_table values (1)")

    def writer(self):
        """A session in autocommit mode."""
        return self._connect()

    def restart_killed(self):
        """Kills the server and starts it again. Returns when it accepts connections."""
        self.server.restart("kill")
        self._link = self._connect()

    def close(self):
        if self._link:
            self._link.close()
        if not self._shared:
            self.server.stop()


class Postgres(OnAServer):
    plugin = "postgres"

    def __init__(self, server=None, database="postgres", **settings):
        super().__init__(server or PostgresServer({
            "shared_buffers": "128MB", "shared_preload_libraries": "pg_stat_statements", **settings}), server is not None)
        self._database = database
        self._link = self._connect()
        self._link.cursor().execute("create extension pg_stat_statements")
        if not self._shared:
            self._link.cursor().execute("create role relay superuser login")
        # The relay has its own user, which distinguishes its statements from ours.
        self.options = {"connection": self.server.dsn(database, "relay")}
        self.baseline = [self.options["connection"]]
        self.application = {"kind": "postgres", "dsn": self.server.dsn(database)}

    def _connect(self):
        return self.server.connect(self._database)

    def hold_snapshot(self):
        return self.hold("begin isolation level repeatable read", "select count(*) from outbox_event where id < 0")

    def forget_statistics(self):
        """Makes the planner take the table for empty, and stops the automatic updates of its statistics."""
        self._link.cursor().execute("alter table outbox_event set (autovacuum_enabled = false)")
        self._link.cursor().execute("vacuum analyze outbox_event")

    def another(self):
        """A second outbox on the same server."""
        self.server.create_database("another")
        return Postgres(self.server, "another")

    def _insert(self, first, events, size, keys):
        self._link.cursor().execute(
            "insert into outbox_event (topic, event_type, aggregate_id, payload) "
            "select %s, 'made', 'key-' || i %% %s, repeat('x', %s) from generate_series(%s, %s) i",
            (TOPIC, keys, size, first, first + events - 1))

    def _tidy(self):
        self._link.cursor().execute("vacuum analyze outbox_event")
        self._link.cursor().execute("checkpoint")

    def statements(self):
        """Number of statements of the relay since the server started."""
        return int(self.ask("select coalesce(sum(calls), 0) from pg_stat_statements where userid = 'relay'::regrole")[0])

    def log_bytes(self):
        return int(self.ask("select pg_current_wal_lsn() - '0/0'::pg_lsn")[0])

    def row_writes(self):
        """(updated, deleted) rows of the table. A session reports its counts when it ends, or after a second."""
        wait_until(lambda: not self.ask("select exists (select 1 from pg_stat_activity where usename = 'relay')")[0], 10,
                   "the relay's sessions have ended")
        return self.ask("select n_tup_upd, n_tup_del from pg_stat_user_tables where relname = 'outbox_event'")


class Mysql(OnAServer):
    """MySQL or MariaDB."""

    plugin = "mysql"
    THREAD = {"MariaDB": "select tid from information_schema.processlist where id = connection_id()",
              "MySQL": "select thread_os_id from performance_schema.threads where processlist_id = connection_id()"}

    def __init__(self, server, depth, database="bench", shared=False):
        """`depth` is the name of the server variable that limits the depth of a recursive query."""
        super().__init__(server, shared)
        self._depth = depth
        self._database = database
        self.options = self.server.create_database(database)
        self.baseline = [self.options[name] for name in ("host", "port", "user", "password", "database")]
        self.application = {"kind": "mysql", "thread": self.THREAD[server.name],
                            "connect": {"unix_socket": str(server.socket), "user": server.user,
                                        "password": server.password, "database": database}}
        self._link = self._connect()

    def _connect(self):
        link = self.server.connect(self._database)
        link.cursor().execute(f"set {self._depth} = {CHUNK}")
        return link

    def hold_snapshot(self):
        return self.hold("start transaction with consistent snapshot", "select count(*) from outbox_event where id < 0")

    def forget_statistics(self):
        """Makes the planner take the table for empty, and stops the automatic updates of its statistics."""
        self.ask("alter table outbox_event stats_auto_recalc = 0")
        self.ask("analyze table outbox_event")

    def another(self):
        """A second outbox on the same server."""
        return Mysql(self.server, self._depth, "another", shared=True)

    def _insert(self, first, events, size, keys):
        self.ask("insert into outbox_event (topic, event_type, aggregate_id, payload) "
                 "with recursive n(i) as (select ? union all select i + 1 from n where i < ?) "
                 "select ?, 'made', concat('key-', i % ?), repeat('x', ?) from n",
                 first, first + events - 1, TOPIC, keys, size)

    def ask(self, sql, *values):
        return super().ask(sql.replace("%", "%%") if values else sql, *values)

    def _tidy(self):
        self.ask("analyze table outbox_event")

    def _status(self, name, scope="global"):
        return int(self.ask(f"show {scope} status like '{name}'")[1])

    def statements(self):
        """Number of statements since the server started, without those of this session."""
        return self._status("Questions") - self._status("Questions", "session")

    def log_bytes(self):
        return self._status("Innodb_os_log_written")

    def row_writes(self):
        """(updated, deleted) rows of all tables, so the renewal of a lease counts too."""
        return self._status("Handler_update"), self._status("Handler_delete")


class Sqlite(Outbox):
    plugin = "sqlite"
    pid = None  # no server: SQLite runs in the relay's process
    _mark = "?"

    def __init__(self):
        self._folder = TemporaryFolder("drain")
        self.path = self._folder.path / "outbox.db"
        self.options = {"path": str(self.path)}
        self.baseline = [str(self.path)]
        self.application = {"kind": "sqlite", "path": str(self.path)}
        self._link = self._connect()

    def _connect(self):
        return sqlite3.connect(self.path, isolation_level=None, timeout=30)

    def hold_snapshot(self):
        session = self._connect()
        session.execute("begin")
        session.execute("select count(*) from outbox_event where id < 0")
        return session

    def another(self):
        """A second outbox in a file of its own."""
        return Sqlite()

    def ask(self, sql, *values):
        return self._link.execute(sql, values).fetchone()

    def _insert(self, first, events, size, keys):
        self.ask("with recursive n(i) as (select ? union all select i + 1 from n where i < ?) "
                 "insert into outbox_event (topic, event_type, aggregate_id, payload) "
                 "select ?, 'made', 'key-' || (i % ?), cast(printf('%.*c', ?, 'x') as blob) from n",
                 first, first + events - 1, TOPIC, keys, size)

    def _tidy(self):
        self.ask("pragma wal_checkpoint(truncate)")

    def statements(self):
        return None  # SQLite has no such counter

    def log_bytes(self):
        return None

    def row_writes(self):
        return None

    def close(self):
        self._link.close()
        self._folder.remove()


DATABASES = {
    "postgres": Postgres,
    "mariadb": lambda: Mysql(MariadbServer(BUFFERS), "max_recursive_iterations"),
    "mysql": lambda: Mysql(MysqlServer(BUFFERS), "cte_max_recursion_depth"),
    "sqlite": Sqlite,
}
