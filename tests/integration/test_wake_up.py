"""Relays that are woken up by commits. They also poll, and poll more rarely the longer they are idle, so if an idle relay
delivers a new event at once, it was woken up."""

import re
import socket
import time
import unittest
import uuid

from catalogue import faults
from fault_drivers import MariadbDatabase, PostgresDatabase, SqliteDatabase
from servers import Relay, relay_config, shared_kafka, wait_until

# Times in seconds. The gap between two polls of an idle relay doubles each time, so after IDLE seconds without events a gap
# lasts between IDLE / 2 and IDLE seconds.
IDLE = 6.0
AT_ONCE = 2.0


class WakeUpTest(unittest.TestCase):
    def open(self, driver, **settings):
        self.database = driver(False)
        self.addCleanup(self.database.close)
        self.kafka = shared_kafka()
        self.topic = f"wake-up-{uuid.uuid4()}"
        self.kafka.create_topic(self.topic)
        self.relay = self.relay_with(**(settings or {"wake_up": True}))
        self.hint = lambda: None

    def relay_with(self, **settings):
        relay = Relay(relay_config(self.database.plugin, self.database.options(), self.kafka.bootstrap,
                                   {"reserve_duration": "2m", "poll_interval": "1m", **settings}))
        self.addCleanup(relay.close)
        return relay

    def migrate(self, relay):
        made = relay.command("migrate")
        self.assertEqual(made.returncode, 0, made.stderr)

    def arrived(self):
        return sum(self.kafka.end_offsets(self.topic).values())

    def commit_one(self):
        self.database.run(f"insert into outbox_event (topic, event_type) values ('{self.topic}', 'Placed')")
        self.hint()

    def wait_for_one_more(self, limit):
        before = self.arrived()
        self.commit_one()
        self.relay.wait_while_running(lambda: self.arrived() > before, limit, "the event arrives")

    def assert_woken_up(self):
        for _ in range(2):
            time.sleep(IDLE)  # no event to wait for: the relay has to be idle this long
            self.wait_for_one_more(AT_ONCE)
        self.assertEqual(self.relay.stop(), 0)
        self.assertNotIn("no wake-ups", self.relay.log())

    def test_sqlite(self):
        self.open(SqliteDatabase)
        self.migrate(self.relay)
        checked = self.relay.command("check")
        self.assertIn("wake-ups", checked.stdout)
        for mode in ("wal", "delete"):
            with self.subTest(journal=mode):
                self.database.run(f"pragma journal_mode = {mode}")
                self.relay.start()
                self.wait_for_one_more(30)
                self.assert_woken_up()

    def test_postgres(self):
        self.open(PostgresDatabase)
        self.migrate(self.relay)
        self.relay.start()
        self.wait_for_one_more(30)
        self.assert_woken_up()

    @faults(42)
    def test_postgres_ends_the_connection(self):
        self.open(PostgresDatabase)
        self.migrate(self.relay)
        self.relay.start()
        listens = "select pid from pg_stat_activity where query ilike 'listen outbox%' and datname = current_database()"
        before = wait_until(lambda: self.database.numbers(listens), 30, "the relay listens")
        self.database.run(f"select pg_terminate_backend(pid) from ({listens}) listening")
        wait_until(lambda: self.database.numbers(listens) not in ([], before), 30, "the relay listens again")
        self.assert_woken_up()

    def test_postgres_without_the_trigger(self):
        """Without the trigger the relay delivers by polling and logs what is missing. When the trigger exists, it is woken
        up."""
        self.open(PostgresDatabase)
        self.migrate(self.relay_with())
        checked = self.relay.command("check")
        self.assertEqual(checked.returncode, 78, checked.stdout)
        self.assertRegex(checked.stdout + checked.stderr, "no trigger.*outbox-relay migrate")
        self.relay.start()
        self.relay.wait_for_log("no wake-ups: .*outbox-relay migrate")
        self.wait_for_one_more(30)
        self.migrate(self.relay)
        self.assertEqual(self.relay.command("check").returncode, 0)
        self.relay.wait_for_log("wake-ups available again")
        time.sleep(IDLE)
        self.wait_for_one_more(AT_ONCE)
        self.assertEqual(self.relay.stop(), 0)

        # When the option is removed, migrate removes the trigger, which would slow down the application's transactions.
        triggers = "select count(*) from pg_trigger where tgname = 'outbox_wake_up'"
        self.assertEqual(self.database.numbers(triggers), [1])
        self.migrate(self.relay_with())
        self.assertEqual(self.database.numbers(triggers), [0])

    def test_a_plugin_that_cannot(self):
        self.open(MariadbDatabase)
        self.migrate(self.relay)
        for command in ("run", "check"):
            ended = self.relay.command(command)
            self.assertEqual(ended.returncode, 78, ended.stderr)
            self.assertRegex(ended.stdout + ended.stderr, "plugin .*mysql.* offers no wake-ups")

    def test_hints_of_the_application(self):
        """The application sends a datagram after its commit. This works with every database."""
        for driver in (MariadbDatabase, PostgresDatabase):
            with self.subTest(driver.__name__):
                self.open(driver, hints="127.0.0.1:0")
                self.migrate(self.relay)
                self.relay.start()
                self.wait_for_one_more(30)
                self.relay.wait_for_log("hints: receiving datagrams at")
                port = int(re.search(r"hints: receiving datagrams at 127\.0\.0\.1:(\d+)", self.relay.log()).group(1))
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.addCleanup(sender.close)
                self.hint = lambda to=sender, at=port: to.sendto(b"", ("127.0.0.1", at))
                self.assert_woken_up()

    def test_hints_at_an_address_that_is_taken(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            self.open(SqliteDatabase, hints=f"127.0.0.1:{taken.getsockname()[1]}")
            self.migrate(self.relay)
            ended = self.relay.command("run")
        self.assertEqual(ended.returncode, 75, ended.stderr)
        self.assertRegex(ended.stderr, "/relay/hints: cannot listen on .*: Address already in use; another program listens")
