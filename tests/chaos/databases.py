"""The databases of a chaos run. They extend those of tests/integration/fault_drivers by what only the nemesis needs."""

import contextlib
import sqlite3

from fault_drivers import MariadbDatabase, MysqlDatabase, PostgresDatabase, SqliteDatabase
from servers import wait_until

PATIENCE = 2  # seconds that the nemesis waits for a lock

TABLES = """
    create table aggregates (name varchar(200) primary key, version bigint not null);
    create table written (tx varchar(200) primary key);
"""


class _Server:
    """A database server with a TCP port, so that a proxy can be put in front of it."""

    networked = True
    LOOK = ("begin", "rollback")

    def restart_modes(self):
        return ("fast", "kill")

    def _hold(self, sql, *before):
        link = self.connect()
        try:
            for statement in (*before, sql):
                link.cursor().execute(statement)
        except self.error as error:
            link.close()
            raise TimeoutError(f"other transactions hold the locks: {error}") from error
        return link

    def begin_of(self, _name):
        return "begin"


class Postgres(_Server, PostgresDatabase):
    name = "postgres"
    MIGRATE = ("--payload", "bytea")
    LOCKS = (PostgresDatabase.LOCK_ROWS, PostgresDatabase.LOCK_TABLE, PostgresDatabase.LOCK_SHARDS)
    SNAPSHOT = ("begin isolation level repeatable read", "select count(*) from outbox_event")

    def connect_for_writing(self):
        """Returns a connection on which transactions are begun and ended explicitly. This is so for all databases."""
        link = self.connect()
        link.autocommit = True
        return link

    def restart_modes(self):
        return ("fast", "immediate", "kill")

    def halt_by(self, mode):
        self._server.halt(mode)

    def hold(self, sql):
        """Executes the statement in a new session, which keeps its locks until it is closed. Raises TimeoutError if an open
        transaction holds those locks."""
        return self._hold(sql, f"set lock_timeout = '{PATIENCE}s'")

    def prepare(self, link, name):
        with link.cursor() as cursor:
            cursor.execute(f"prepare transaction '{name}'")

    def settle(self, name, commit):
        with contextlib.closing(self.connect()) as link:
            link.autocommit = True
            with link.cursor() as cursor:
                cursor.execute(f"{'commit' if commit else 'rollback'} prepared '{name}'")


class _Mysql(_Server):
    MIGRATE = ()
    LOCKS = (MariadbDatabase.LOCK_ROWS, "lock tables outbox_event write", MariadbDatabase.LOCK_SHARDS)
    SNAPSHOT = ("start transaction with consistent snapshot", "select count(*) from outbox_event")

    def connect_for_writing(self):
        link = self.connect()
        link.autocommit(True)
        return link

    def halt_by(self, mode):
        self._server.halt(mode)

    def hold(self, sql):
        """As for PostgreSQL. READ COMMITTED, because the servers' default REPEATABLE READ would lock the gaps between the
        rows too."""
        return self._hold(sql, f"set session lock_wait_timeout = {PATIENCE}, innodb_lock_wait_timeout = {PATIENCE}",
                          "set session transaction isolation level read committed")

    def read_only(self, on):
        """Sets or resets the server's read_only. The server waits for all writers before it is read-only."""
        self._hold(f"set global read_only = {int(on)}", f"set session lock_wait_timeout = {PATIENCE if on else 60}").close()

    def begin_of(self, name):
        return f"xa start '{name}'" if name else super().begin_of(name)

    @staticmethod
    def prepare(link, name):
        with link.cursor() as cursor:
            cursor.execute(f"xa end '{name}'")
            cursor.execute(f"xa prepare '{name}'")

    def settle(self, name, commit):
        """Retries for some time: the server may still be ending the session that prepared the transaction, or be in
        recovery."""
        def settled():
            with contextlib.suppress(self.error), contextlib.closing(self.connect_for_writing()) as link:
                link.cursor().execute(f"xa {'commit' if commit else 'rollback'} '{name}'")
                return True

        wait_until(settled, 30, f"{name} is settled")


class Mariadb(_Mysql, MariadbDatabase):
    name = "mariadb"


class Mysql(_Mysql, MysqlDatabase):
    name = "mysql"


class Sqlite(SqliteDatabase):
    name = "sqlite"
    networked = False
    MIGRATE = ()
    LOCKS = (SqliteDatabase.LOCK_TABLE,)
    SNAPSHOT = ("begin", "select count(*) from outbox_event")
    DISK = 256  # MiB; large, because the journal only grows while a snapshot is held
    LOOK = ("begin immediate", "rollback")  # takes the write lock, so a slow query shows that a writer delays the relays

    def __init__(self, own):
        super().__init__(own)
        self.small_disk(self.DISK)

    def connect_for_writing(self):
        """Transactions are begun explicitly and immediately, so that they wait for the write lock instead of failing
        later."""
        return sqlite3.connect(self.path, timeout=60, check_same_thread=False, isolation_level=None)

    def hold(self, sql):
        link = sqlite3.connect(self.path, timeout=PATIENCE, check_same_thread=False)
        try:
            link.execute(sql)
        except self.error as error:
            link.close()
            raise TimeoutError(f"other transactions hold the locks: {error}") from error
        return link

    @staticmethod
    def begin_of(_name):
        return "begin immediate"


DATABASES = {kind.name: kind for kind in (Postgres, Mariadb, Mysql, Sqlite)}
