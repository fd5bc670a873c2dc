"""PgBouncer between the relay and PostgreSQL, in each of its modes. The pool has only one session, so the next client gets
the one that the relay used."""

import unittest
import uuid

import psycopg2

from catalogue import faults
from servers import PgBouncer, Relay, Unavailable, shared_postgres, unavailable, wait_until

# The settings that a relay changes in its sessions, with their default values.
DEFAULTS = {"enable_seqscan": "on", "enable_sort": "on", "enable_hashjoin": "on", "enable_mergejoin": "on",
            "enable_bitmapscan": "on", "jit": "on", "plan_cache_mode": "auto", "statement_timeout": "0",
            "extra_float_digits": "1", "default_transaction_isolation": "read committed"}


class PoolerTest(unittest.TestCase):
    def setUp(self):
        self.server = shared_postgres()
        self.name = f"pooled-{uuid.uuid4()}"
        self.direct = self.server.create_database(self.name)
        made = self.relay(self.direct).command("migrate")
        self.assertEqual(made.returncode, 0, made.stderr)

    def pooler(self, mode, size=1, **settings):
        try:
            pooler = PgBouncer(self.server, mode, {"default_pool_size": size, **settings})
        except Unavailable as reason:
            unavailable(str(reason))
        self.enterContext(pooler)
        return pooler.dsn(self.name)

    def relay(self, connection):
        relay = Relay({"storage": {"plugin": "postgres", "options": {"connection": connection}},
                       "publisher": {"type": "stdout"}, "relay": {"poll_interval": "50ms", "storage_timeout": "4s"}})
        self.addCleanup(relay.close)
        return relay

    def sql(self, connection, sql):
        connected = psycopg2.connect(connection)
        try:
            connected.autocommit = True
            cursor = connected.cursor()
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
        finally:
            connected.close()

    def keep(self, connection):
        connected = psycopg2.connect(connection)
        self.addCleanup(connected.close)
        connected.cursor().execute("select 1")

    def assert_untouched(self, connection, after):
        """Asserts that another client of the pooler gets a session without settings or prepared statements of the relay."""
        names = ", ".join(f"'{name}'" for name in DEFAULTS)
        found = dict(self.sql(connection, f"select name, setting from pg_settings where name in ({names})"))
        self.assertEqual(found, DEFAULTS, after)
        self.assertEqual(self.sql(connection, "select count(*) from pg_prepared_statements"), [(0,)], after)

    def commands(self, connection):
        return {name: self.relay(connection).command(*name.split())
                for name in ("check", "status", "dead list", "explain --key k")}

    def assert_refused(self, mode):
        connection = self.pooler(mode)
        for name, ended in self.commands(connection).items():
            with self.subTest(mode=mode, command=name):
                self.assertEqual(ended.returncode, 78 if name == "check" else 0, ended.stdout + ended.stderr)
                if name == "check":
                    self.assertRegex(ended.stdout, rf"error +the connection goes through a pooler .*\({mode} mode\)")
                    self.assertEqual(ended.stdout.count("\nerror"), 1, ended.stdout)
        self.assert_untouched(connection, "the commands")
        run = self.relay(connection).start()
        wait_until(lambda: run.returncode is not None, 60, "the relay ends")
        self.assertEqual(run.returncode, 78, run.log())
        self.assertRegex(run.log(), rf"\({mode} mode\)(.|\n)*pool in session mode")
        self.assert_untouched(connection, "run")

    @faults(41, 112)
    def test_transaction_mode(self):
        self.assert_refused("transaction")

    @faults(112)
    def test_statement_mode(self):
        self.assert_refused("statement")

    @faults(112)
    def test_commands_that_write_leave_nothing(self):
        connection = self.pooler("transaction")
        relay = self.relay(connection)
        made = relay.command("migrate")
        self.assertEqual(made.returncode, 78, made.stderr)  # migrate prints the findings of check
        emitted = relay.command("emit", text='{"topic": "t", "key": "k", "type": "T", "payload": "p"}\n' * 3)
        self.assertEqual(emitted.returncode, 0, emitted.stderr)
        self.sql(self.direct, "with e as (delete from outbox_event returning *) insert into outbox_dead select id, event_id,"
                              " topic, aggregate_id, event_type, payload, headers, created_at, 1, now(), now(), 'r', 'e' from e")
        again = relay.command("dead", "requeue", "--all", "--count", "3")
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertEqual(self.sql(self.direct, "select count(*) from outbox_event"), [(3,)])
        self.assert_untouched(connection, "emit and requeue")

    @faults(112)
    def test_session_mode(self):
        # This pool does not reset sessions before it gives them to the next client, so the relay must reset what it has
        # changed.
        connection = self.pooler("session", size=10, server_reset_query="")
        for name, ended in self.commands(connection).items():
            self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
            if name == "check":
                self.assertRegex(ended.stdout, r"note +the connection goes through a pooler .*\(session mode\)")
        relay = self.relay(connection).start()
        self.sql(self.direct, "insert into outbox_event (topic, event_type) select 't', 'T' from generate_series(1, 100)")
        relay.wait_while_running(lambda: self.sql(self.direct, "select count(*) from outbox_event") == [(0,)], 30,
                                 "all events are delivered")
        self.assertEqual(relay.stop(), 0)
        for _ in range(10):  # each session is kept open, so that the next query gets another one
            self.assert_untouched(connection, "run")
            self.keep(connection)
