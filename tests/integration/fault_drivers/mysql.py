"""Drivers of MariaDB and MySQL and their faults."""

import contextlib
import uuid

import pymysql

from servers import own_mariadb, own_mysql, shared_mariadb, shared_mysql

from .server import ServerDatabase


class _Database(ServerDatabase):
    plugin = "mysql"
    error = pymysql.Error

    def __init__(self, server, own):
        super().__init__(server, own)
        name = uuid.uuid4().hex[:16]
        self._name, self._user = f"faults_{name}", f"relay_{name}"
        self._password = "right"
        self._server.create_database(self._name)
        # It has privileges only on its database: a user with administrative privileges can write to a read-only server.
        self._server.sql(f"create user {self._user} identified by 'right'; grant all on {self._name}.* to {self._user}")

    def close(self):
        super().close()
        if not self._own:
            self._server.sql("set global wait_timeout = default")

    def options(self, port=None, **more):
        return {"host": "127.0.0.1", "port": port or self.port, "user": self._user, "password": self._password,
                "database": self._name, **more}

    def connect(self):
        """Connects as a user who can write to a read-only server."""
        return self._server.connect(self._name, autocommit=False)

    def run(self, sql):
        self._server.sql(sql, self._name)

    def ask(self, sql):
        return self._server.sql(sql, self._name)

    # The sessions of the relay.

    def sessions(self):
        return set(self.numbers("select id from information_schema.processlist where db = database() and user <> 'outbox'"))

    def kill_sessions(self):
        with contextlib.closing(self.connect()) as link:
            for session in self.sessions():
                with contextlib.suppress(pymysql.Error):  # the session has ended by itself meanwhile
                    link.cursor().execute(f"kill {session}")

    def waiting(self):
        """Number of sessions that wait for a lock. `innodb_trx` cannot be used, because it is refreshed only 100 ms after
        it was read last."""
        return int(self._server.sql("show global status like 'Innodb_row_lock_current_waits'").split()[-1])

    def idle_timeout(self, seconds):
        self.run(f"set global wait_timeout = {seconds}")

    # Other operations of an administrator.

    HEADERS = "json"  # the column's type

    def read_only(self, on):
        self.run(f"set global read_only = {int(on)}")

    EMPTY, RESTART_IDS = "delete from outbox_event", "truncate outbox_event"
    LOCK_TABLE = "lock tables outbox_event write, orders write"

    def hold(self, sql):
        """Returns a connection whose transaction has executed `sql`. READ COMMITTED, because the servers' default
        REPEATABLE READ would lock the gaps between the rows too."""
        link = self.connect()
        link.cursor().execute("set session transaction isolation level read committed")
        link.cursor().execute(sql)
        return link

    def win_deadlocks(self, link):
        """Makes the transaction of `link` survive a deadlock: the server rolls back the transaction that has changed fewer
        rows."""
        self.run("create table ballast (n int); insert into ballast values (1)" + ", (1)" * 1000)
        link.cursor().execute("delete from ballast")

    # Authentication and TLS.

    def set_password(self, password):
        self.run(f"alter user {self._user} identified by '{password}'")

    def options_with_password(self, password):
        return self.options(password=password)

    HOST = "127.0.0.1"

    @property
    def _owner(self):
        return self._server.owner

    def certify(self, host):
        """Makes the server offer TLS with a certificate for `host`."""
        certificate, key = map(self._server.inside, self._authority.certify(host))
        self._server.configure({"ssl-cert": certificate, "ssl-key": key, **self._TLS_ON})
        self._server.restart()

    def demand_tls(self):
        self.run("set global require_secure_transport = on")

    def options_with_tls(self, verify=False):
        return self.options(tls="verify", tls_ca=str(self._authority.ca)) if verify else self.options(tls="require")

    def options_without_tls(self):
        return self.options(tls="off")


class MariadbDatabase(_Database):
    _TLS_ON = {}

    def __init__(self, own):
        super().__init__(own_mariadb() if own else shared_mariadb(), own)


class MysqlDatabase(_Database):
    # By default the server makes a certificate itself.
    _TLS_ON = {"tls-version": "TLSv1.2,TLSv1.3"}

    def __init__(self, own):
        super().__init__(own_mysql(settings={"tls-version": ""}) if own else shared_mysql(), own)
