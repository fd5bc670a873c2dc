"""One test for each fault of a database, with every database.

An application commits events before, during and after the fault. In the end all of them must be in the topic, in order per
key, none twice and none that was rolled back. No event may be charged an attempt. The relay must have logged once that the
database is unavailable and once that it is available again, regardless of how often it tried.
"""

import contextlib
import json
import signal
import time
import unittest

from catalogue import faults
from fault_drivers import MariadbDatabase, MysqlDatabase, PostgresDatabase, SqliteDatabase
from fault_scene import BACK, BAD, STORAGE_TIMEOUT, Scene
from servers import TemporaryFolder, wait_until
from servers.tcp_proxy import TcpProxy


class DatabaseFaults:
    """The tests. A test that a database cannot have is None in the derived class, which gives the reason."""

    Database = None

    def scene(self, own=False, prepare=lambda database: None):
        database = self.Database(own)
        self.addCleanup(database.close)
        prepare(database)
        return Scene(self, database)

    # The server is not available.

    @faults(26)
    def test_restarted(self):
        scene = self.scene(own=True).start()
        scene.database.halt()
        scene.wait_for_bad()
        scene.database.start()
        scene.finish(outages=1)

    @faults(26, 27)
    def test_killed(self):
        scene = self.scene(own=True).start()
        scene.database.kill()
        scene.wait_for_bad()
        scene.database.start()
        scene.finish(outages=1, comes_back=True)

    @faults(23)
    def test_restarted_five_times_in_a_row(self):
        scene = self.scene(own=True).start()
        begun = time.monotonic()
        for turn in range(1, 6):
            scene.database.halt()
            scene.database.start()
            wait_until(lambda due=begun + 2 * turn: time.monotonic() >= due, 10, "two seconds have passed")
        scene.wait_for_arrivals()
        scene.finish(outages=0, at_most=5)

    @faults(13, 22)
    def test_down_at_start(self):
        scene = self.scene(own=True)
        scene.application.commit(20)
        scene.database.halt()
        scene.relay.start()
        scene.wait_for_bad("Connection refused|Can't connect")
        scene.database.start()
        scene.application.start()
        scene.finish(outages=1)

    @faults(26, 49)
    def test_sessions_killed(self):
        scene = self.scene().start()
        for _ in range(20):
            scene.database.kill_sessions()
            scene.application.flow(3)
        scene.finish(outages=0, at_most=20)

    @faults(49)
    def test_idle_sessions_closed(self):
        """The server closes sessions that are idle for too long. The relay need not log this."""
        scene = self.scene(prepare=lambda database: database.idle_timeout(1)).start()
        for _ in range(2):
            scene.application.pause()
            before = scene.database.sessions()
            wait_until(lambda old=before: old - scene.database.sessions(), 30, "the server has closed an idle session")
            scene.application.resume()
            scene.application.flow()
        scene.finish(outages=0)

    # The server runs and does not work as it should.

    @faults(29, 51)
    def test_read_only(self):
        """Nothing is sent while the database is read-only, because it could not be confirmed."""
        scene = self.scene(own=True).start()
        scene.application.pause()
        scene.wait_until_empty()
        scene.database.read_only(True)
        before = scene.arrived()
        scene.application.resume()
        scene.wait_for_bad(scene.database.READ_ONLY)
        scene.application.flow(50)
        self.assertEqual(scene.arrived(), before)
        scene.database.read_only(False)
        scene.finish(outages=1)

    @faults(13, 29, 51)
    def test_read_only_at_start(self):
        scene = self.scene(own=True)
        scene.application.commit(20)
        scene.database.read_only(True)
        scene.relay.start()
        scene.wait_for_bad(scene.database.READ_ONLY)
        scene.database.read_only(False)
        scene.application.start()
        scene.finish(outages=1)

    @faults(17, 24)
    def test_half_open(self):
        """The peer disappears without a FIN or a reset, and what is sent to it is still acknowledged by the kernel."""
        database = self.Database(False)
        self.addCleanup(database.close)
        with TcpProxy(database.port) as proxy:
            scene = Scene(self, database, database.options(proxy.port)).start()
            proxy.silence()
            silent = time.monotonic()
            scene.wait_for_bad("no answer|Lost connection", tries=0)
            self.assertLess(time.monotonic() - silent, STORAGE_TIMEOUT + 1)
            scene.application.flow(20)
            proxy.heal()
            scene.finish(outages=1, at_most=2)  # another session may time out after the first one has recovered

    @faults(17)
    def test_half_open_while_connecting(self):
        """The server is silent from the n-th answer of a connection on, during its handshake or its first statements."""
        database = self.Database(False)
        self.addCleanup(database.close)
        with TcpProxy(database.port) as proxy:
            scene = Scene(self, database, database.options(proxy.port)).start()
            for answers in range(5):
                with self.subTest(answers=answers):
                    proxy.silence(after=answers)
                    scene.wait_for_bad(tries=1)
                    scene.application.flow(10)
                    proxy.heal()
                    wait_until(lambda: len(scene.logged(BACK)) == len(scene.logged(BAD)), 30, "the relay goes on")
            scene.finish(outages=5, at_most=7)  # sessions that were waiting for an answer notice it at their own timeout

    @faults(57)
    def test_disk_full(self):
        scene = self.scene(prepare=lambda database: database.small_disk(4)).start()
        scene.database.fill_disk()
        scene.wait_for_bad("disk is full")
        scene.database.empty_disk()
        scene.finish(outages=1)

    # Others hold locks.

    def hold(self, scene, sql):
        """Begins a transaction of another session that executes `sql`. It ends when its connection is closed."""
        link = scene.database.hold(sql)
        self.addCleanup(self.let_go, scene, link)
        return link

    @staticmethod
    def let_go(scene, link):
        with contextlib.suppress(scene.database.error):
            link.close()

    @faults(31, 44)
    def test_rows_locked(self):
        """Others lock rows that were delivered. The relay does not wait for them, and logs who has locked which row."""
        scene = self.scene().start()
        scene.application.pause()
        scene.wait_until_empty()
        scene.relay.send(signal.SIGSTOP)
        scene.application.commit(5)
        link = self.hold(scene, scene.database.LOCK_ROWS)
        scene.relay.send(signal.SIGCONT)
        kept = "select count(*) from outbox_retry where remove_at is not null"
        wait_until(lambda: scene.database.numbers(kept) == [5], 60, "the rows are recorded as delivered")
        scene.relay.wait_for_log("cannot be removed.*the row is locked by")
        scene.application.resume()
        scene.application.flow(20)
        self.let_go(scene, link)
        scene.finish(outages=0, failures=5)

    @faults(31, 54)
    def test_table_locked(self):
        scene = self.scene().start()
        link = self.hold(scene, scene.database.LOCK_TABLE)
        scene.application.order(link, "holder")
        scene.wait_for_bad("(?i)timeout|locked")
        link.commit()
        self.let_go(scene, link)
        scene.finish(outages=1)

    @faults(31)
    def test_shards_locked(self):
        """The recording of a failure has to wait for a lock. The failure is counted once, regardless of how often recording
        is tried."""
        scene = self.scene().start()
        link = self.hold(scene, scene.database.LOCK_SHARDS)
        scene.database.run("insert into outbox_event (topic, event_type, aggregate_id, payload)"
                           " values ('no such topic!', 'made', 'failing', '0')")
        scene.wait_for_bad("(?i)timeout")
        scene.application.flow(20)
        self.let_go(scene, link)
        wait_until(lambda: scene.database.numbers("select attempts from outbox_retry"), 30, "the failure is recorded")
        self.assertEqual(scene.database.numbers("select attempts from outbox_retry"), [1])
        scene.database.run("delete from outbox_event where topic = 'no such topic!'; delete from outbox_retry")
        scene.finish(outages=1, failures=1)

    @faults(30, 45)
    def test_deadlock(self):
        """The relay's delete and another transaction lock two rows in opposite order."""
        scene = self.scene().start()
        scene.relay.send(signal.SIGSTOP)
        orders = scene.application.commit(2)
        first, second = scene.database.numbers(
            f"select id from outbox_event where payload in ('{orders[0]}', '{orders[1]}') order by id")
        row = "select id from outbox_event where id = {} for update"
        link = self.hold(scene, row.format(second))
        scene.database.win_deadlocks(link)
        scene.relay.send(signal.SIGCONT)
        wait_until(scene.database.waiting, 30, "the relay's delete waits")
        link.cursor().execute(row.format(first))
        self.let_go(scene, link)
        scene.finish(outages=0)

    # The schema changes while the relay runs. This is an outage until the change is undone.

    def schema(self, change, undo, why):
        scene = self.scene().start()
        scene.database.run(change)
        scene.wait_for_bad(why + ".*migrate.*retrying")
        scene.database.run(undo)
        wait_until(lambda: scene.logged(BACK), 30, "the relay goes on")
        scene.finish(outages=1)

    @faults(39)
    def test_column_renamed(self):
        self.schema("alter table outbox_event rename column created_at to made",
                    "alter table outbox_event rename column made to created_at", "created_at")

    @faults(39)
    def test_column_dropped(self):
        self.schema("alter table outbox_event drop column headers",
                    f"alter table outbox_event add column headers {self.Database.HEADERS}", "headers")

    @faults(39)
    def test_table_renamed(self):
        self.schema("alter table outbox_event rename to gone", "alter table gone rename to outbox_event", "outbox_event")

    @faults(94)
    def test_table_emptied(self):
        """The table is emptied while the relay runs. It is emptied again with ids that restart while the relay is stopped,
        because this is not allowed while it runs: docs/guide/guarantees.md."""
        scene = self.scene().start()
        scene.application.pause()
        scene.wait_until_empty()
        scene.database.run(scene.database.EMPTY)
        scene.application.resume()
        scene.wait_for_arrivals()
        scene.application.pause()
        scene.wait_until_empty()
        self.assertEqual(scene.relay.stop(), 0)
        scene.database.run(scene.database.RESTART_IDS)
        scene.relay.start()
        scene.application.resume()
        scene.finish(outages=0)

    # Authentication. An operator has to fix these errors, so a relay ends at its start. A relay that was connected before
    # waits.

    def refused(self, scene, options, why):
        relay = scene.relay_with(options).start()
        wait_until(lambda: relay.returncode is not None, 30, "the relay ends")
        self.assertEqual(relay.returncode, 78, relay.log())
        last = json.loads(relay.log().splitlines()[-1])
        self.assertEqual(last["level"], "error")
        self.assertRegex(last["msg"], why)

    def start_as(self, scene, options):
        """Replaces the relay of the scene by one with these options and starts it."""
        scene.relay = scene.relay_with(options)
        return scene.start()

    def test_wrong_password(self):
        scene = self.scene(own=True)
        database = scene.database
        scene.application.commit(20)
        self.refused(scene, database.options_with_password("wrong"), "(?i)password|access denied")
        self.start_as(scene, database.options_with_password("right"))
        database.set_password("changed")
        database.kill_sessions()
        scene.wait_for_bad("(?i)password|access denied")
        database.set_password("right")
        scene.finish(outages=1)

    @faults(110)
    def test_password_that_is_replaced(self):
        """The password is replaced in the file that the configuration names. If the file cannot be read or the new password
        is refused, the old one stays in use."""
        scene = self.scene(own=True)
        database = scene.database
        folder = TemporaryFolder("secret")
        self.addCleanup(folder.remove)
        file = folder.path / "password"
        file.write_text("right\n", encoding="utf-8")
        self.start_as(scene, database.options_with_password("${file:" + str(file) + "}"))
        file.write_text("too/early@all\n", encoding="utf-8")
        database.kill_sessions()
        scene.relay.wait_for_log("continuing with the secret that worked before")
        scene.wait_for_arrivals()
        file.unlink()
        database.kill_sessions()
        scene.relay.wait_for_log("cannot read the file [^\"]*; continuing with the secret that was read before")
        scene.wait_for_arrivals()
        database.set_password("n/e@w: %41")
        database.kill_sessions()
        scene.wait_for_bad("(?i)password|access denied")
        file.write_text("n/e@w: %41\n", encoding="utf-8")
        scene.relay.wait_for_log("connected with a secret that has changed")
        # A session that was connecting with the old password may be refused after another session has recovered.
        scene.finish(outages=1, at_most=2)
        for secret in ("too/early", "early", "n/e@w"):
            self.assertNotIn(secret, scene.relay.log())

    def test_tls_demanded_by_the_relay_alone(self):
        scene = self.scene(own=True)
        scene.application.commit(20)
        self.refused(scene, scene.database.options_with_tls(), "(?i)(ssl|tls).*(connection|set 'tls')")
        self.start_as(scene, scene.database.options_without_tls())
        scene.finish(outages=0)

    def test_tls_demanded_by_the_server_alone(self):
        scene = self.scene(own=True)
        scene.application.commit(20)
        scene.database.certify(scene.database.HOST)
        scene.database.demand_tls()
        self.refused(scene, scene.database.options_without_tls(), "(?i)no encryption|secure|'tls'")
        self.start_as(scene, scene.database.options_with_tls())
        scene.finish(outages=0)

    def test_certificate_of_another_host(self):
        scene = self.scene(own=True)
        scene.application.commit(20)
        scene.database.certify("another.example")
        self.refused(scene, scene.database.options_with_tls(verify=True), "(?i)certificate")
        scene.database.certify(scene.database.HOST)
        self.start_as(scene, scene.database.options_with_tls(verify=True))
        scene.finish(outages=0)


class PostgresFaults(DatabaseFaults, unittest.TestCase):
    Database = PostgresDatabase
    test_disk_full = None  # without space for its log the server ends, which is test_killed


class MariadbFaults(DatabaseFaults, unittest.TestCase):
    Database = MariadbDatabase
    test_disk_full = None  # without space for its log the server ends, which is test_killed


class MysqlFaults(DatabaseFaults, unittest.TestCase):
    Database = MysqlDatabase
    test_disk_full = None  # without space for its log the server ends, which is test_killed


class SqliteFaults(DatabaseFaults, unittest.TestCase):
    """There is no server, so the faults are those of the file, of its disk and of other writers."""

    Database = SqliteDatabase

    # SQLite has no server, no sessions and no network.
    test_restarted = test_killed = test_restarted_five_times_in_a_row = test_down_at_start = None
    test_sessions_killed = test_idle_sessions_closed = None
    test_half_open = test_half_open_while_connecting = None
    test_password_that_is_replaced = test_wrong_password = test_certificate_of_another_host = None
    test_tls_demanded_by_the_relay_alone = test_tls_demanded_by_the_server_alone = None
    # Permissions are checked only when the file is opened, and it stays open.
    test_read_only = test_read_only_at_start = None
    test_rows_locked = test_shards_locked = None  # the file has one lock: test_table_locked
    test_deadlock = None  # there is only one writer at a time

    @faults(58)
    def test_missing_at_start(self):
        scene = self.scene()
        scene.application.commit(20)
        scene.database.hide()
        self.refused(scene, scene.database.options(), "does not exist.*correct 'path'")
        scene.database.show()
        scene.start()
        scene.finish(outages=0)

    @faults(59)
    def test_file_replaced(self):
        """The file is replaced by a copy of itself. From then on the application commits to the copy."""
        scene = self.scene().start()
        scene.application.pause()
        scene.application.commit(20)
        scene.wait_until_empty()
        scene.database.restore()
        scene.application.resume()
        scene.finish(outages=0, at_most=1)

    @faults(56)
    def test_long_reader(self):
        """While a reader is active, the write-ahead log grows and the relay goes on. The relay itself does not make it
        grow."""
        scene = self.scene().start()
        log = scene.database.path.with_name(scene.database.path.name + "-wal")
        scene.database.run("create table ballast (data blob)")

        def grow():
            for _ in range(80):
                scene.database.run("insert into ballast values (zeroblob(100000))")
            scene.application.flow(20)
            scene.wait_for_arrivals()
            return log.stat().st_size

        reader = self.hold(scene, "begin")
        reader.execute("select count(*) from ballast")
        largest = grow()
        self.let_go(scene, reader)
        self.assertGreater(largest, 8_000_000)
        self.assertLess(max(grow(), grow()), largest + 4_000_000)
        scene.finish(outages=0)

    @faults(55, 61)
    def test_vacuum_and_other_schemas(self):
        scene = self.scene().start()
        for turn in range(20):
            scene.database.run(f"create table other_{turn} (x); alter table orders add column c{turn}; vacuum;"
                               f" drop table other_{turn}; create index i{turn} on outbox_event (topic); vacuum")
            scene.application.flow(3)
        scene.finish(outages=0)


if __name__ == "__main__":
    unittest.main()
