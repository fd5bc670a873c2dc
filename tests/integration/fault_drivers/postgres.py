"""Driver of PostgreSQL and its faults."""

import uuid

import psycopg2

from servers import own_postgres, shared_postgres

from .server import ServerDatabase

RELAY = "application_name = 'outbox-relay'"


class PostgresDatabase(ServerDatabase):
    plugin = "postgres"
    error = psycopg2.Error

    def __init__(self, own):
        super().__init__(own_postgres() if own else shared_postgres(), own)
        self._name = "postgres" if own else f"faults_{uuid.uuid4().hex}"
        if not own:
            self._server.create_database(self._name)
        self.run(f"alter database {self._name} set deadlock_timeout = '200ms'")
        if own:
            self.run("create role guarded login superuser password 'right'")
            self._server.allow("host all guarded 127.0.0.1/32 scram-sha-256")

    @property
    def _owner(self):
        return self._server.user

    def options(self, port=None, **more):
        named = {"host": "127.0.0.1", "port": port or self.port, "user": "postgres", "dbname": self._name,
                 "connect_timeout": 2, **more}
        return {"connection": " ".join(f"{key}={value}" for key, value in named.items())}

    def connect(self):
        """Connects with a session that can write even if the database is read-only by default."""
        link = psycopg2.connect(self._server.dsn(self._name), options="-c default_transaction_read_only=off")
        link.autocommit = False
        return link

    def run(self, sql):
        self._server.psql("set default_transaction_read_only = off; " + sql, self._name)

    def ask(self, sql):
        return self._server.psql(sql, self._name)

    # Start and recovery of the server.

    def recover(self):
        """Starts the server so that it refuses connections, as during the recovery from a long log."""
        self._server.set({"hot_standby": "off"})
        (self._server.data / "standby.signal").touch()
        self._server.start(wait=False)

    def recovered(self):
        self._server.promote()

    # The sessions of the relay.

    def sessions(self):
        return set(self.numbers(f"select pid from pg_stat_activity where {RELAY} and datname = current_database()"))

    def kill_sessions(self):
        self.run(f"select pg_terminate_backend(pid) from pg_stat_activity where {RELAY} and datname = current_database()")

    def waiting(self):
        """Number of the relay's sessions that wait for a lock."""
        return self.numbers(f"select count(*) from pg_stat_activity where {RELAY} and wait_event_type = 'Lock'"
                            " and datname = current_database()")[0]

    def idle_timeout(self, seconds):
        self.run(f'alter database "{self._name}" set idle_session_timeout = {seconds * 1000}')

    # Other operations of an administrator.

    HEADERS = "jsonb"  # the column's type

    def read_only(self, on):
        self.run(f"alter system set default_transaction_read_only = {'on' if on else 'off'}")
        self._server.reload()

    EMPTY, RESTART_IDS = "truncate outbox_event", "truncate outbox_event restart identity"
    LOCK_TABLE = "lock table outbox_event in access exclusive mode"

    @staticmethod
    def win_deadlocks(link):
        """Makes the transaction of `link` survive a deadlock: the session that detects it is rolled back, and with its
        shorter deadlock_timeout that is the relay's."""
        link.cursor().execute("set deadlock_timeout = '1min'")

    # Authentication and TLS.

    def set_password(self, password):
        """Sets the password of the user `guarded`, who has all privileges that the relay needs."""
        self.run(f"alter role guarded password '{password}'")

    def options_with_password(self, password):
        return self.options(user="guarded", password=password)

    HOST = "localhost"

    def certify(self, host):
        """Makes the server offer TLS with a certificate for `host`."""
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
