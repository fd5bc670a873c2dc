"""MariaDB and MySQL, and what can go wrong with them."""

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
        # no rights beyond its database: one that may administrate writes also where the server is read-only
        self._server.sql(f"create user {self._user} identified by 'right'; grant all on {self._name}.* to {self._user}")

    def close(self):
        super().close()
        if not self._own:
            self._server.sql("set global wait_timeout = default")

    def options(self, port=None, **more):
        return {"host": "127.0.0.1", "port": port or self.port, "user": self._user, "password": self._password,
                "database": self._name, **more}

    def connect(self):
        """By a user who writes also where the server is read-only."""
        return self._server.connect(self._name, autocommit=False)

    def run(self, sql):
        self._server.sql(sql, self._name)

    def ask(self, sql):
        return self._server.sql(sql, self._name)

    # Its sessions with the relay.

    def sessions(self):
        return set(self.numbers("select id from information_schema.processlist where db = database() and user <> 'outbox'"))

    def kill_sessions(self):
        with contextlib.closing(self.connect()) as link:
            for session in self.sessions():
                with contextlib.suppress(pymysql.Error):  # it has ended by itself meanwhile
                    link.cursor().execute(f"kill {session}")

    def waiting(self):
        """How many sessions wait for a lock. `innodb_trx` is no source: it is taken anew only 100 ms after it was last asked."""
        return int(self._server.sql("show global status like 'Innodb_row_lock_current_waits'").split()[-1])

    def idle_timeout(self, seconds):
        self.run(f"set global wait_timeout = {seconds}")

    # What else an operator may do to it.

    HEADERS = "json"  # the column's type

    def read_only(self, on):
        self.run(f"set global read_only = {int(on)}")

    EMPTY, BEGIN_ANEW = "delete from outbox_event", "truncate outbox_event"
    LOCK_TABLE = "lock tables outbox_event write, orders write"

    def hold(self, sql):
        """At the servers' own REPEATABLE READ the gaps between the rows would be locked as well."""
        link = self.connect()
        link.cursor().execute("set session transaction isolation level read committed")
        link.cursor().execute(sql)
        return link

    def be_spared(self, link):
        """In a deadlock the one is given up that has changed less."""
        self.run("create table ballast (n int); insert into ballast values (1)" + ", (1)" * 1000)
        link.cursor().execute("delete from ballast")

    # Who may connect.

    def set_password(self, password):
        self.run(f"alter user {self._user} identified by '{password}'")

    def options_with_password(self, password):
        return self.options(password=password)

    HOST = "127.0.0.1"

    @property
    def _owner(self):
        return self._server.owner

    def certify(self, host):
        """The server offers TLS as `host` from now on."""
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
    # Left alone, the server makes itself a certificate.
    _TLS_ON = {"tls-version": "TLSv1.2,TLSv1.3"}

    def __init__(self, own):
        super().__init__(own_mysql(settings={"tls-version": ""}) if own else shared_mysql(), own)
