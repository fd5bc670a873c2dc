"""PostgreSQL, and what can go wrong with it."""

import functools
import uuid

import psycopg2

from servers import own_postgres, shared_postgres
from servers.certificates import Authority

RELAY = "application_name = 'outbox-relay'"


class PostgresDatabase:
    plugin = "postgres"
    error = psycopg2.Error
    place = "%s"

    def __init__(self, own):
        """`own`: a server for this test alone, which may stop it. Otherwise a database of the shared one."""
        self._own = own
        self._server = own_postgres() if own else shared_postgres()
        self._name = "postgres" if own else f"faults_{uuid.uuid4().hex}"
        self.port = self._server.port
        if own:
            self._server.start()
        else:
            self._server.create_database(self._name)
        self.run(f"alter database {self._name} set deadlock_timeout = '200ms'")
        if own:
            self.run("create role guarded login superuser password 'right'")
            self._server.allow("host all guarded 127.0.0.1/32 scram-sha-256")

    def close(self):
        if self._own:
            self._server.stop()

    @functools.cached_property
    def _authority(self):
        return Authority(self._server.folder.path, self._server.user)

    def options(self, port=None, **more):
        named = {"host": "127.0.0.1", "port": port or self.port, "user": "postgres", "dbname": self._name,
                 "connect_timeout": 2, **more}
        return {"connection": " ".join(f"{key}={value}" for key, value in named.items())}

    def connect(self):
        """Writes also where the database is read-only by default."""
        link = psycopg2.connect(self._server.dsn(self._name), options="-c default_transaction_read_only=off")
        link.autocommit = False
        return link

    def run(self, sql):
        self._server.psql("set default_transaction_read_only = off; " + sql, self._name)

    def numbers(self, sql):
        return [int(line) for line in self._server.psql(sql, self._name).split()]

    # The server.

    def start(self):
        self._server.start()

    def halt(self):
        self._server.halt("fast")

    def kill(self):
        """As when the machine loses its power: nobody of the server gets to say anything."""
        self._server.halt("kill")

    def recover(self):
        """Starts and takes nobody, as while there is a long log to go through."""
        self._server.set({"hot_standby": "off"})
        (self._server.data / "standby.signal").touch()
        self._server.start(wait=False)

    def recovered(self):
        self._server.promote()

    # Its sessions with the relay.

    def sessions(self):
        return set(self.numbers(f"select pid from pg_stat_activity where {RELAY} and datname = current_database()"))

    def kill_sessions(self):
        self.run(f"select pg_terminate_backend(pid) from pg_stat_activity where {RELAY} and datname = current_database()")

    def waiting(self):
        """How many of them wait for a lock."""
        return self.numbers(f"select count(*) from pg_stat_activity where {RELAY} and wait_event_type = 'Lock'"
                            " and datname = current_database()")[0]

    def idle_timeout(self, seconds):
        self.run(f'alter database "{self._name}" set idle_session_timeout = {seconds * 1000}')

    # What else an operator may do to it.

    READ_ONLY = "read-only"
    HEADERS = "jsonb"  # the column's type

    def read_only(self, on):
        self.run(f"alter system set default_transaction_read_only = {'on' if on else 'off'}")
        self._server.reload()

    EMPTY, BEGIN_ANEW = "truncate outbox_event", "truncate outbox_event restart identity"
    LOCK_ROWS = "select id from outbox_event for update"
    LOCK_TABLE = "lock table outbox_event in access exclusive mode"
    LOCK_SHARDS = "select shard from outbox_shard for update"

    def hold(self, sql):
        """A transaction that has run `sql`."""
        link = self.connect()
        link.cursor().execute(sql)
        return link

    @staticmethod
    def be_spared(link):
        """In a deadlock the other one is given up: who looks first finds it, and the relay looks soon."""
        link.cursor().execute("set deadlock_timeout = '1min'")

    # Who may connect.

    def set_password(self, password):
        """Of the user `guarded`, who may do all that the relay does."""
        self.run(f"alter role guarded password '{password}'")

    def options_with_password(self, password):
        return self.options(user="guarded", password=password)

    HOST = "localhost"

    def certify(self, host):
        """The server offers TLS as `host` from now on."""
        certificate, key = self._authority.certify(host)
        for setting, value in [("ssl_cert_file", certificate), ("ssl_key_file", key), ("ssl", "on")]:
            self.run(f"alter system set {setting} = '{value}'")
        self._server.reload()

    def demand_tls(self):
        self._server.allow("hostnossl all postgres 127.0.0.1/32 reject")

    def options_with_tls(self, verify=False):
        if not verify:
            return self.options(sslmode="require")
        return self.options(host="localhost", hostaddr="127.0.0.1", sslmode="verify-full",
                            sslrootcert=self._authority.ca)

    def options_without_tls(self):
        return self.options(sslmode="disable")
