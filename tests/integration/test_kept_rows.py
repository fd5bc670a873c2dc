"""Delivered rows that cannot be removed: the delete is refused or ignored, or the row is inserted again."""

import concurrent.futures
import contextlib
import json
import signal
import sqlite3
import time
import unittest
import urllib.error
import urllib.request
import uuid

from catalogue import faults
from fault_drivers.mysql import MariadbDatabase
from fault_drivers.postgres import PostgresDatabase
from metrics import parse_metrics
from servers import Relay, TemporaryFolder, free_port, read_topic, relay_config, shared_kafka, wait_until


class KeptRowsTest(unittest.TestCase):
    def begin(self, plugin, options, run, retry="5m"):
        kafka = shared_kafka()
        self.topic = f"kept-{uuid.uuid4()}"
        kafka.create_topic(self.topic, 3)
        self.bootstrap = kafka.bootstrap
        self.http = free_port()
        config = relay_config(plugin, options, kafka.bootstrap, {"max_retry_backoff": retry, "retry_backoff": "1s"})
        config["http"] = {"listen": f"127.0.0.1:{self.http}", "refresh_interval": "200ms"}
        relay = Relay(config)
        self.addCleanup(relay.close)
        made = relay.command("migrate")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.run_sql = run
        return relay

    def postgres(self, **more):
        database = PostgresDatabase(own=False)
        self.addCleanup(database.close)
        self.numbers, self.database = database.numbers, database
        return self.begin("postgres", database.options(), database.run, **more)

    def sqlite(self, **more):
        folder = TemporaryFolder("kept")
        self.addCleanup(folder.remove)
        path = folder.path / "outbox.db"

        def run(sql):
            with sqlite3.connect(path, timeout=60) as link:
                link.executescript(sql)

        return self.begin("sqlite", {"path": str(path)}, run, **more)

    def insert(self, values):
        self.run_sql("insert into outbox_event (topic, aggregate_id, event_type, payload) " + values)

    def status(self, relay):
        ended = relay.command("status", "--json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()
        except urllib.error.URLError:  # the relay does not listen yet
            return 0, ""

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=10) as answer:
            return parse_metrics(answer.read().decode()).get(name)

    def acknowledged(self):
        return len(read_topic(self.bootstrap, self.topic))

    def wait_for(self, relay, rows, undeletable, timeout=120):
        def look():
            status = self.status(relay)
            return status["backlog"] == rows and status["undeletable"] == undeletable

        relay.wait_while_running(look, timeout, f"{rows} rows are left, {undeletable} of them undeletable")

    def judge_one_of_many(self, relay, count, kept):
        """Asserts that one row out of `count` is undeletable and all others are removed. `kept` is its row id."""
        relay.start()
        self.wait_for(relay, 1, 1)
        relay.wait_for_log(rf"\(row {kept}\) is delivered and cannot be removed")
        self.assertEqual(self.ready()[0], 200)
        wait_until(lambda: self.metric("outbox_relay_undeletable_events") == 1, 30, "the metric counts the row")
        self.assertEqual(self.metric("outbox_relay_events_undeletable_total"), 1)
        event = relay.command("dead", "list", "--undeletable", "--json")
        event = json.loads(event.stdout)
        self.assertEqual((event["row_id"], event["state"]), (str(kept), "undeletable"))
        explained = relay.command("explain", event["event_id"])
        self.assertIn(f"its row {kept} cannot be removed", explained.stdout)
        # Later events of its key are delivered, also by another relay.
        self.insert(f"values ('{self.topic}', 'k{kept}', 'T', 'later')")
        self.wait_for(relay, 1, 1)
        begun = time.monotonic()
        self.assertEqual(relay.stop(), 0)
        self.assertLess(time.monotonic() - begun, 10)
        relay.start()
        self.insert(f"values ('{self.topic}', 'k{kept}', 'T', 'last')")
        self.wait_for(relay, 1, 1)
        self.assertEqual(self.acknowledged(), count + 2, "each once")
        return event["event_id"]

    @faults(101)
    def test_postgres_foreign_key_on_one_of_30000(self):
        relay = self.postgres()
        self.insert(f"select '{self.topic}', 'k' || g, 'T', 'p' from generate_series(1, 30000) g")
        self.run_sql("create table note (of bigint references outbox_event (id)); insert into note values (17003)")
        event = self.judge_one_of_many(relay, 30000, 17003)
        again = relay.command("unblock", event)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("still cannot be removed", again.stderr)
        self.run_sql("drop table note")
        self.assertEqual(relay.command("unblock", event).returncode, 0)
        self.wait_for(relay, 0, 0)
        self.assertEqual(self.numbers("select count(*) from outbox_retry"), [0])
        self.assertEqual(relay.stop(), 0)

    @faults(98)
    def test_postgres_unblock_counts_what_a_relay_removes_meanwhile(self):
        relay = self.postgres()
        self.insert("select 't', null, 'T', 'p' from generate_series(1, 2500)")
        self.run_sql("insert into outbox_retry (row_id, event_id, remove_at, attempts, first_failed, last_failed, reason, error)"
                     " select id, event_id, now(), 1, now(), now(), 'still_there', '' from outbox_event")
        with contextlib.closing(self.database.connect()) as link, link.cursor() as at_work, \
                concurrent.futures.ThreadPoolExecutor() as pool:
            at_work.execute("select from outbox_event where id = 1 for update")
            unblock = pool.submit(relay.command, "unblock", "--all")
            wait_until(lambda: self.numbers("select count(*) from pg_locks where not granted") == [1], 30, "it waits for row 1")
            at_work.execute("delete from outbox_retry where row_id > 2000; delete from outbox_event where id > 2000")
            link.commit()
        said = unblock.result()
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("2500 of 2500 undeletable events removed", said.stdout)

    @faults(101)
    def test_mariadb_trigger_on_one_row(self):
        database = MariadbDatabase(own=False)
        self.addCleanup(database.close)
        relay = self.begin("mysql", database.options(), database.run, retry="2s")
        self.insert(f"select '{self.topic}', concat('k', seq), 'T', 'p' from seq_1_to_3000")
        database.run("create table note (of bigint, foreign key (of) references outbox_event (id));"
                     " insert into note values (1703)")
        self.judge_one_of_many(relay, 3000, 1703)
        database.run("drop table note")
        self.wait_for(relay, 0, 0)  # the relay removes the row without an unblock
        self.assertEqual(relay.stop(), 0)

    def judge_locked(self, relay, connect, who):
        """Another session locks one of 3000 delivered rows. A later event of its key is delivered meanwhile, and the row is
        removed after the transaction of that session has ended."""
        with contextlib.closing(connect()) as link, link.cursor() as at_work:
            at_work.execute("select id from outbox_event where id = 1703 for update")
            relay.start()
            self.wait_for(relay, 1, 1)
            relay.wait_for_log(rf"\(row 1703\) is delivered and cannot be removed.*the row is locked by {who}")
            self.insert(f"values ('{self.topic}', 'k1703', 'T', 'later')")
            self.wait_for(relay, 1, 1)
            link.rollback()
        self.wait_for(relay, 0, 0)  # the relay removes the row without an unblock
        self.assertEqual(self.acknowledged(), 3001, "each once")
        self.assertEqual(relay.stop(), 0)

    @faults(31, 101)
    def test_postgres_row_locked_by_others(self):
        relay = self.postgres(retry="2s")
        self.insert(f"select '{self.topic}', 'k' || g, 'T', 'p' from generate_series(1, 3000) g")
        self.judge_locked(relay, self.database.connect, r"pid \d+, user ")

    @faults(31, 101)
    def test_mariadb_row_locked_by_others(self):
        database = MariadbDatabase(own=False)
        self.addCleanup(database.close)
        relay = self.begin("mysql", database.options(), database.run, retry="2s")
        self.insert(f"select '{self.topic}', concat('k', seq), 'T', 'p' from seq_1_to_3000")
        self.judge_locked(relay, database.connect, "another transaction")

    @faults(98, 101)
    def test_sqlite_trigger_on_one_row(self):
        relay = self.sqlite(retry="2s")
        self.insert(f"with recursive n (i) as (select 1 union all select i + 1 from n where i < 3000)"
                    f" select '{self.topic}', 'k' || i, 'T', 'p' from n")
        self.run_sql("create trigger keep before delete on outbox_event when old.id = 1703 begin"
            " select raise(abort, 'needed'); end")
        self.judge_one_of_many(relay, 3000, 1703)
        self.run_sql("drop trigger keep; create trigger keep before delete on outbox_event when old.id = 1703 begin"
            " select raise(ignore); end")
        again = relay.command("unblock", "--all")
        self.assertIn("still cannot be removed", again.stderr)
        self.run_sql("drop trigger keep")
        self.wait_for(relay, 0, 0)
        self.assertEqual(relay.stop(), 0)

    def test_sqlite_rows_that_come_back_are_left_to_the_operator(self):
        relay = self.sqlite()
        self.run_sql("create trigger back after delete on outbox_event begin insert into outbox_event"
                     " (id, event_id, topic, aggregate_id, event_type, payload) values"
                     " (old.id, old.event_id, old.topic, old.aggregate_id, old.event_type, old.payload); end")
        self.insert(f"values ('{self.topic}', 'k1', 'T', 'p'), ('{self.topic}', 'k2', 'T', 'p')")
        relay.start()
        # The relay finds the rows again when it reads from the oldest row, for example after a pause that is longer than
        # its lease.
        for times in (1, 2):
            wait_until(lambda: self.acknowledged() == 2 * times, 30, "the rows are sent again")
            wait_until(lambda: self.metric("outbox_relay_events_confirmed_total") == 2 * times, 30, "the rows are removed again")
            relay.send(signal.SIGSTOP)
            wait_until(lambda: self.status(relay)["shards_owned"] == 0, 30, "the lease has ended")
            relay.send(signal.SIGCONT)
        self.wait_for(relay, 2, 2)
        wait_until(lambda: self.ready()[0] == 503, 30, "nothing is removed")
        self.assertRegex(self.ready()[1], rf"(?m)^undeletable: .* the last one was event [0-9a-f-]+ for topic '{self.topic}' "
                                          r"\(row [12]\): its row was removed after the delivery and came back")
        event = json.loads(relay.command("dead", "list", "--undeletable", "--json").stdout.splitlines()[0])
        self.assertEqual((event["reason"], event["next_try_at"]), ("returned", None))
        shown = relay.command("dead", "show", event["event_id"]).stdout
        self.assertRegex(shown, "(?m)^next try +not automatic; `outbox-relay unblock` retries the removal$")
        said = relay.command("explain", event["event_id"]).stdout
        self.assertIn("relays do not retry the removal of its row", said)
        self.assertIn(f"-> remove what puts the row back, then: outbox-relay unblock {event['event_id']}", said)
        self.assertRegex(relay.command("find", event["event_id"], "--json").stdout, '"next_try_at":null')
        # The row is still there after the removal, so the relay retries the removal from then on.
        again = relay.command("unblock", "--all")
        self.assertEqual(again.returncode, 1, again.stdout + again.stderr)
        self.assertRegex(relay.command("explain", event["event_id"]).stdout, "the removal of its row is retried at 20")
        self.run_sql("drop trigger back")
        self.assertEqual(relay.command("unblock", "--all").returncode, 0)
        self.wait_for(relay, 0, 0)
        self.assertEqual(relay.stop(), 0)

    @faults(98)
    def test_postgres_deletes_that_remove_nothing(self):
        relay = self.postgres(retry="2s")
        self.run_sql("create function keep() returns trigger language plpgsql as"
                     " 'begin if old.aggregate_id like ''s%'' then return null; end if; return old; end';"
                     " create trigger keep before delete on outbox_event for each row execute function keep()")
        relay.start()
        self.insert(f"select '{self.topic}', 's' || g, 'T', 'p' from generate_series(1, 20) g")
        self.wait_for(relay, 20, 20)
        wait_until(lambda: self.ready()[0] == 503, 30, "nothing is removed")
        self.assertIn("the row is still there", self.ready()[1])
        self.assertEqual(self.status(relay)["state"], "undeletable")
        # A row that can be removed.
        self.insert(f"values ('{self.topic}', 'good', 'T', 'p')")
        wait_until(lambda: self.ready()[0] == 200, 30, "a row is removed")
        self.assertEqual(self.acknowledged(), 21)
        self.run_sql("drop trigger keep on outbox_event")
        self.wait_for(relay, 0, 0)

        # Rows that a trigger inserts again are detected when they are read again, so they are not sent endlessly.
        self.run_sql("create function put_back() returns trigger language plpgsql as 'begin"
                     " insert into outbox_event overriding system value select old.*; return null; end';"
                     " create trigger put_back after delete on outbox_event for each row execute function put_back()")
        self.insert(f"select '{self.topic}', 'b' || g, 'T', 'p' from generate_series(1, 5) g")
        relay.wait_for_log("was removed from the outbox after its delivery and has come back", 90)

        # If they are inserted with new row ids, each has to be treated as a new event: it is sent, counted and logged.
        self.run_sql("drop trigger put_back on outbox_event; truncate outbox_event, outbox_retry;"
                     " create function put_again() returns trigger language plpgsql as 'begin"
                     " insert into outbox_event (event_id, topic, aggregate_id, event_type, payload)"
                     " values (old.event_id, old.topic, old.aggregate_id, old.event_type, old.payload); return null; end';"
                     " create trigger put_again after delete on outbox_event for each row execute function put_again()")
        before = self.metric("outbox_relay_events_returned_total")
        self.insert(f"values ('{self.topic}', 'again', 'T', 'p')")
        relay.wait_for_log("has come back; sending it again; it has another row id, so something inserts delivered events again")
        wait_until(lambda: self.metric("outbox_relay_events_returned_total") > before + 3, 30, "each return is counted")
        self.assertEqual(relay.stop(), 0)

    @faults(101)
    def test_record_that_cannot_be_written_stops_the_shard(self):
        relay = self.postgres()
        self.run_sql("create table note (of bigint references outbox_event (id));"
                     " alter table outbox_retry add constraint none check (remove_at is null)")
        self.insert(f"select '{self.topic}', 'k' || g, 'T', 'p' from generate_series(1, 50) g")
        self.run_sql("insert into note values (7)")
        relay.start()
        wait_until(lambda: self.ready()[0] == 503 and "cannot be recorded" in self.ready()[1], 60, "the relay is not ready")
        self.assertIn("row 7", self.ready()[1])
        self.insert(f"select '{self.topic}', 'k' || g, 'T', 'p' from generate_series(51, 60) g")
        time.sleep(1)
        self.assertEqual(self.numbers("select count(*) from outbox_event"), [11], "nothing more is sent")
        begun = time.monotonic()
        self.assertEqual(relay.stop(), 0)
        self.assertLess(time.monotonic() - begun, 10)
        relay.start()
        wait_until(lambda: "cannot be recorded" in self.ready()[1], 60, "the relay is not ready again")
        self.run_sql("alter table outbox_retry drop constraint none")
        self.wait_for(relay, 1, 1)
        wait_until(lambda: self.ready()[0] == 200, 30, "the relay is ready again")

    @faults(98, 107)
    def test_restored_rows_are_sent_again_and_stop_nothing(self):
        relay = self.postgres()
        self.insert(f"select '{self.topic}', 'k' || g, 'T', 'p' from generate_series(1, 500) g")
        self.run_sql("create table backup as select * from outbox_event")
        relay.start()
        self.wait_for(relay, 0, 0)
        self.run_sql("insert into outbox_event overriding system value select * from backup")
        self.wait_for(relay, 0, 0)
        self.assertEqual(self.acknowledged(), 1000)
        self.assertEqual(self.ready()[0], 200)
        self.assertEqual(self.numbers("select count(*) from outbox_retry"), [0])
        # Other events with the same row ids.
        self.run_sql("insert into outbox_event (id, topic, aggregate_id, event_type, payload) overriding system value"
                     " select id, topic, aggregate_id, event_type, 'other' from backup")
        self.wait_for(relay, 0, 0)
        self.assertEqual(self.acknowledged(), 1500)


if __name__ == "__main__":
    unittest.main()
