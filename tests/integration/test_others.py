"""Objects and settings that others have added to the outbox and its companion tables: `check` reports each of them, and its
fix removes it. If rows are hidden from the relay, it reports this instead of sending nothing. Objects that `migrate`
creates are not reported."""

import contextlib
import http.client
import re
import sqlite3
import subprocess
import unittest
import uuid

import psycopg2

from catalogue import faults
from servers import Relay, TemporaryFolder, shared_mariadb, shared_postgres, wait_until

# SQL of what others do, and the findings of `check`; * stands for any text.
POSTGRES = """
create function others() returns trigger language plpgsql as 'begin return new; end';
create trigger archive before delete on outbox_event for each row execute function others();
create trigger stamp before insert on outbox_event for each row execute function others();
create trigger audit after insert on outbox_retry for each statement execute function others();
create trigger resting before delete on outbox_event for each row execute function others();
alter table outbox_event disable trigger resting;
create rule keep as on delete to outbox_event do instead nothing;
create table orders (id bigint primary key);
alter table outbox_event add column order_id bigint references orders (id) on delete cascade;
create table notes (event bigint references outbox_event (id), dead bigint references outbox_dead (row_id) on delete cascade);
alter table outbox_event add column tenant text not null;
alter table outbox_dead add column tenant text not null;
create unique index one_a_key on outbox_event (topic, aggregate_id);
alter table outbox_event add constraint no_overlap exclude using btree (created_at with =);
create unique index harmless on outbox_event (event_id);
alter table outbox_event alter column topic drop not null;
alter table outbox_shard drop constraint outbox_shard_pkey;
create table outbox_event_old () inherits (outbox_event);
alter table outbox_retry add constraint few check (attempts < 3);
alter table outbox_relay set unlogged;
alter table outbox_event set (autovacuum_enabled = false);
create publication everything for table outbox_meta, outbox_shard;
create role writer_{id}; alter role writer_{id} set synchronous_commit = off;
select setval('outbox_event_id_seq', 8000000000000000000);
"""
POSTGRES_FINDINGS = """
error table public.outbox_relay is unlogged
warn trigger archive runs before delete on table public.outbox_event: * "return new"
warn trigger stamp runs before insert on table public.outbox_event: * its changes to a row are sent
warn trigger audit runs after insert on table public.outbox_retry
error rule keep on delete of table public.outbox_event
warn foreign key notes_event_fkey of table notes refers to table public.outbox_event: * cannot be removed
warn foreign key notes_dead_fkey of table notes refers to table public.outbox_dead: * deletes rows of that table
warn foreign key outbox_event_order_id_fkey of table public.outbox_event refers to orders (on delete cascade)
warn column public.outbox_event.tenant is NOT NULL and has no default: * requeue
error column public.outbox_dead.tenant is NOT NULL and has no default: the relay
warn column public.outbox_event.topic may be NULL
warn unique index one_a_key on table public.outbox_event*(topic, aggregate_id)
warn unique index no_overlap on table public.outbox_event
warn check constraint few on table public.outbox_retry
error column public.outbox_shard.shard is not the primary key
error table public.outbox_shard is in the publication everything and has no replica identity
warn table outbox_event_old inherits from public.outbox_event
warn table public.outbox_event is not vacuumed
warn commits of role writer_{id} are visible before they are safe
warn the ids of table public.outbox_event are nearly used up (8000000000000000000 of
"""

MARIADB = """
create trigger before_delete before delete on outbox_event for each row set @x = 1;
create trigger after_update after update on outbox_retry for each row set @x = 1;
create trigger unread after update on outbox_event for each row set @x = 1;
create table orders (id bigint primary key);
alter table outbox_event add column order_id bigint, add foreign key by_order (order_id) references orders (id) on delete cascade;
create table notes (event bigint, foreign key to_event (event) references outbox_event (id));
alter table outbox_event add column tenant varchar(10) not null;
alter table outbox_dead add column tenant varchar(10) not null;
create unique index one_a_key on outbox_event (topic, aggregate_id);
create unique index harmless on outbox_event (event_id);
alter table outbox_event modify column event_id char(36) null default (uuid());
alter table outbox_shard drop primary key;
alter table outbox_retry add constraint few check (attempts < 3);
alter table outbox_relay engine = Aria;
alter table outbox_dead convert to character set latin1;
alter table outbox_event auto_increment = 8000000000000000000;
create definer = 'nobody'@'%' trigger orphan after insert on outbox_meta for each row set @x = 1;
"""
MARIADB_FINDINGS = """
error table outbox_relay uses the storage engine Aria
warn trigger before_delete runs before delete on table outbox_event
warn trigger after_update runs after update on table outbox_retry
warn trigger orphan runs after insert on table outbox_meta
error trigger * on table outbox_meta runs as nobody@%, a user that does not exist
warn foreign key * of table * refers to table outbox_event: * cannot be removed
warn foreign key * of table outbox_event refers to orders (on delete cascade)
warn column outbox_event.tenant is NOT NULL and has no default: * requeue
error column outbox_dead.tenant is NOT NULL and has no default: the relay
warn column outbox_event.event_id may be NULL
warn unique index one_a_key on table outbox_event*(topic, aggregate_id)
error column outbox_shard.shard is not the primary key
warn check constraint few on table outbox_retry
warn columns of table outbox_dead do not compare byte by byte
warn the ids of table outbox_event are nearly used up (8000000000000000000 of
"""

SQLITE = """
create trigger kept before delete on outbox_event begin select raise(ignore); end;
create trigger some after delete on outbox_event when old.topic = 'a' begin select raise(ignore); end;
create trigger audit after insert on outbox_retry begin select 1; end;
create trigger unread after update on outbox_event begin select 1; end;
create table orders (id integer primary key);
alter table outbox_event add column order_id integer references orders (id) on delete cascade;
create table notes (event integer references outbox_event (id));
create unique index one_a_key on outbox_event (topic, aggregate_id);
create unique index harmless on outbox_event (event_id);
insert into sqlite_sequence (name, seq) values ('outbox_event', 8000000000000000000);
"""
SQLITE_FINDINGS = """
error trigger kept runs before delete on table outbox_event: raise(ignore) suppresses the write
warn trigger some runs after delete on table outbox_event: if it calls raise(ignore)
warn trigger audit runs after insert on table outbox_retry
warn foreign key event of table notes refers to table outbox_event
warn foreign key order_id of table outbox_event refers to orders (on delete cascade)
warn unique index one_a_key on table outbox_event*(topic, aggregate_id)
warn the ids of table outbox_event are nearly used up (8000000000000000000 of
"""


def parse(output):
    """Returns [verdict, finding, fix] for each finding in the output of `check`."""
    found = []
    for line in output.splitlines():
        match = re.match(r"(ok|note|warn|error) +(.*)", line)
        if match:
            found.append([match[1], match[2], ""])
        elif line.startswith("       fix: "):
            found[-1][2] = line.removeprefix("       fix: ")
        elif found:
            found[-1][2] += "\n" + line.strip()
    return [tuple(one) for one in found]


class OthersTest(unittest.TestCase):
    maxDiff = None

    def relay(self, plugin, options, **more):
        relay = Relay({"storage": {"plugin": plugin, "options": options}, "publisher": {"type": "stdout"},
                       "relay": {"poll_interval": "50ms", "storage_timeout": "10s"}, **more})
        self.addCleanup(relay.close)
        return relay

    def migrate(self, relay):
        made = relay.command("migrate")
        self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
        return made

    def findings(self, relay, *verdicts):
        checked = relay.command("check")
        found = [one for one in parse(checked.stdout) if one[0] in (verdicts or ("warn", "error"))]
        self.assertEqual(checked.returncode, 78 if any(one[0] == "error" for one in found) else 0, checked.stdout)
        return found

    def assert_found(self, relay, expected):
        """Asserts that `check` has exactly the expected findings, each once. Returns their fixes."""
        found = self.findings(relay)
        left = list(found)
        for line in expected.strip().splitlines():
            verdict, what = line.split(" ", 1)
            pattern = ".*".join(map(re.escape, what.split("*")))
            hits = [one for one in left if one[0] == verdict and re.match(pattern, one[1])]
            self.assertEqual(len(hits), 1, f"{line}\namong\n" + "\n".join(map(str, found)))
            left.remove(hits[0])
        self.assertEqual(left, [])
        return [fix for _, _, fix in found]

    def assert_low_ids_found(self, relay, keys_by_id, refuse, allow):
        """Rows with ids below the first one that is read are an error. The fix gives them ids that are read and keeps their
        order. If the fix fails, it changes nothing, even in a client that goes on after an error. A running relay is not
        ready while there are such rows."""
        self.migrate(relay)
        self.sql("insert into outbox_event (id, topic, aggregate_id, event_type, payload)"
                 " values (-3, 't', 'second', 'T', 'p'), (1, 't', 'third', 'T', 'p'), (-7, 't', 'first', 'T', 'p')")
        [(what, fix)] = [one[1:] for one in self.findings(relay) if one[0] == "error"]
        self.assertRegex(what, r"table (public\.)?outbox_event has rows whose id is below 1, the lowest is -7")
        self.sql(refuse)
        self.paste(fix)
        self.assertEqual(keys_by_id("select aggregate_id from outbox_event order by id"), ["first", "second", "third"])
        self.sql(allow + "create unique index one_of_each on outbox_event (event_id);")
        self.paste(fix)
        self.assertEqual([one for one in self.findings(relay) if one[0] == "error"], [])
        self.assertEqual(keys_by_id("select aggregate_id from outbox_event where id > 0 order by id"),
                         ["third", "first", "second"])

        relay.start()
        port = int(relay.wait_for_log(r"http: [^\"]* at 127\.0\.0\.1:(\d+)").group(1))
        left = "select aggregate_id from outbox_event"
        relay.wait_while_running(lambda: not keys_by_id(left), 60, "the events have been removed")
        self.sql("insert into outbox_event (id, topic, aggregate_id, event_type) values (-5, 't', 'later', 'T')")
        self.wait_ready(relay, port, 503, r"rows whose id is below 1, the lowest is -5.*; begin; ")
        self.assertIn("the lowest is -5", relay.log())
        self.paste(fix)
        relay.wait_while_running(lambda: not keys_by_id(left), 60, "the event has gone")
        self.wait_ready(relay, port, 200, "")
        self.assertEqual(relay.stop(), 0)

    def assert_not_shown(self, relay, why):
        """Asserts that no command reports an empty outbox or a missing event if rows may be hidden."""
        for command in (("status",), ("find",), ("explain", "--key", "k"), ("dead", "list")):
            said = relay.command(*command)
            self.assertEqual((said.returncode, said.stdout), (78, ""), command)
            self.assertRegex(said.stderr, why)

    def wait_ready(self, relay, port, status, pattern):
        def look():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as link:
                link.request("GET", "/readyz")
                answer = link.getresponse()
                return answer.status == status and re.search(pattern, answer.read().decode())
        relay.wait_while_running(look, 60, f"/readyz answers {status} {pattern}")


class PostgresOthersTest(OthersTest):
    def setUp(self):
        self.server = shared_postgres()
        self.tag = uuid.uuid4().hex[:8]
        self.dsn = self.server.create_database(f"others-{self.tag}")
        self.connection = psycopg2.connect(self.dsn)
        self.addCleanup(self.connection.close)
        self.connection.autocommit = True

    def sql(self, sql):
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []

    def drop_role(self, role):
        self.addCleanup(lambda: self.sql(f"drop owned by {role}; drop role {role}"))

    @faults(104)
    def test_check(self):
        relay = self.relay("postgres", {"connection": self.dsn})
        self.migrate(relay)
        self.assertEqual(self.findings(relay), [])
        self.sql(POSTGRES.format(id=self.tag))
        self.drop_role(f"writer_{self.tag}")
        for fix in self.assert_found(relay, POSTGRES_FINDINGS.format(id=self.tag)):
            if not fix.startswith("stop the writers"):
                self.sql(fix)
        self.assertEqual([what for _, what, _ in self.findings(relay)][1:], [])  # the finding about the ids remains

    @faults(104)
    def test_rows_that_are_not_read(self):
        relay = self.relay("postgres", {"connection": self.dsn}, http={"listen": "127.0.0.1:0"})
        self.migrate(relay)
        self.sql("alter sequence outbox_event_id_seq minvalue -10 restart with -10; select nextval('outbox_event_id_seq')")
        [(_, what, fix)] = self.findings(relay)
        self.assertIn("sequence outbox_event_id_seq assigns ids below 1", what)
        self.sql(fix + " select nextval('outbox_event_id_seq')")
        self.assert_low_ids_found(relay, lambda sql: [key for key, in self.sql(sql)],
                                  "alter table outbox_event add column tenant text not null default '';"
                                  " alter table outbox_event alter column tenant drop default",
                                  "alter table outbox_event drop column tenant;")

    def paste(self, sql):
        subprocess.run(["psql", "--no-psqlrc", self.dsn], input=sql, capture_output=True, text=True, check=True)

    @faults(104)
    def test_quoted_names(self):
        """Types are compared correctly with any setting of quote_all_identifiers."""
        relay = self.relay("postgres", {"connection": self.dsn})
        self.sql("create role quoting_{0} superuser login; alter role quoting_{0} set quote_all_identifiers = on".format(self.tag))
        self.drop_role(f"quoting_{self.tag}")
        self.migrate(relay)
        quoting = self.relay("postgres", {"connection": f"{self.dsn} user=quoting_{self.tag}"})
        self.assertEqual(self.findings(quoting), [])
        self.assertNotIn("change the type", quoting.command("migrate", "--payload", "text").stdout)

    @faults(104)
    def test_bytes_without_an_encoding(self):
        """If the database has no encoding, `check` reports it. Bytes that are not UTF-8 delay no other event."""
        name = f"ascii-{self.tag}"
        self.sql(f"create database \"{name}\" encoding 'SQL_ASCII' template template0 locale 'C'")
        dsn = self.server.dsn(name)
        relay = self.relay("postgres", {"connection": dsn}, http={"listen": "127.0.0.1:0"})
        self.migrate(relay)
        [(verdict, what, _)] = self.findings(relay)
        self.assertEqual(verdict, "warn")
        self.assertIn("the encoding of the database is SQL_ASCII", what)
        with contextlib.closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("set client_encoding = 'SQL_ASCII'; insert into outbox_event (topic, aggregate_id, event_type) values"
                           r" ('t', 'a', 'T'), ('t', E'k\xe9y', E'k\xe9y'), ('t', 'b', 'T')")

            def left():
                cursor.execute("select count(*) from outbox_event where id not in (select row_id from outbox_retry)")
                return cursor.fetchone()[0]
            relay.start()
            relay.wait_while_running(lambda: left() == 0, 60, "the events have been delivered or have failed")
            self.assertEqual(relay.stop(), 0)
        # A character that cannot be converted to UTF-8 cannot be read, and the relay reports this.
        name = f"euc-{self.tag}"
        self.sql(f"create database \"{name}\" encoding 'EUC_JP' template template0 locale 'C'")
        dsn = self.server.dsn(name)
        euc = self.relay("postgres", {"connection": dsn}, http={"listen": "127.0.0.1:0"})
        self.migrate(euc)
        with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("set client_encoding = 'EUC_JP'; insert into outbox_event (topic, aggregate_id, event_type) values"
                           r" ('t', E'\xa9\xa1', 'T')")
            connection.commit()
        euc.start()
        port = int(euc.wait_for_log(r"http: [^\"]* at 127\.0\.0\.1:(\d+)").group(1))
        self.wait_ready(euc, port, 503, "the server cannot send a row of .*outbox_event")
        self.assertEqual(euc.stop(), 0)

    @faults(104)
    def test_an_id_without_an_order_and_a_view(self):
        relay = self.relay("postgres", {"connection": self.dsn})
        # The table belongs to somebody else: migrate changes nothing and reports what the table lacks.
        self.sql("create table outbox_event (id uuid primary key default gen_random_uuid(), topic text not null)")
        made = relay.command("migrate")
        self.assertEqual(made.returncode, 78, made.stderr)
        self.assertRegex(made.stderr, r"is not an outbox, and nothing was changed; it lacks: id \(it is uuid, expected an"
                                      r" integer\), event_id, aggregate_id, event_type, payload, headers, created_at")
        self.assertEqual(self.sql("select count(*) from pg_tables where tablename like 'outbox%'"), [(1,)])
        self.sql("insert into outbox_event (topic) values ('a'), ('b')")
        for verdict, _, fix in self.findings(relay):
            if verdict == "error" and not fix.startswith("run:"):
                self.sql(fix)
        self.migrate(relay)
        self.sql("update outbox_event set event_type = 'T'")
        for _, what, fix in self.findings(relay):
            self.assertIn("may be NULL", what)
            self.sql(fix)
        self.assertEqual(self.findings(relay), [])
        self.assertEqual(self.sql("select count(*), count(distinct event_id) from outbox_event where id in (1, 2)"), [(2, 2)])

        self.sql("alter table outbox_event rename to outbox_all;"
                 " create view outbox_event as select * from outbox_all where topic = 'a'")
        [(verdict, what, fix)] = self.findings(relay)
        self.assertEqual((verdict, fix), ("error", "name the table itself in 'table' of /storage/options: outbox_all"))
        self.assertIn("outbox_event is a view, expected a table", what)
        self.assert_not_shown(relay, "outbox_event is a view")

    # (policies on the outbox, True if they may hide rows from the role)
    POLICIES = [
        ("", True),
        ("create policy p on outbox_event using (true)", False),
        ("create policy p on outbox_event for select using (true)", True),
        ("create policy p on outbox_event for select using (true);"
         " create policy q on outbox_event for delete using (true)", False),
        ("create policy p on outbox_event using (topic = 'a')", True),
        ("create policy p on outbox_event to {group} using (true)", False),
        ("create policy p on outbox_event to {other} using (true)", True),
        ("create policy p on outbox_event using (true);"
         " create policy q on outbox_event as restrictive for delete using (topic = 'a')", True),
        ("create policy p on outbox_event using (true);"
         " create policy q on outbox_event as restrictive to {other} using (false)", False),
    ]

    @faults(99)
    def test_hidden_rows(self):
        owner = self.relay("postgres", {"connection": self.dsn})
        self.migrate(owner)
        role, group, other = (f"{name}_{self.tag}" for name in ("mover", "movers", "nobody"))
        self.sql(f"create role {role} login; create role {group}; create role {other}; grant {group} to {role};"
                 f" grant all on all tables in schema public to {role}")
        for each in (role, group, other):
            self.drop_role(each)
        mover = self.relay("postgres", {"connection": f"{self.dsn} user={role}"}, http={"listen": "127.0.0.1:0"})
        self.assertEqual(self.findings(mover), [])
        self.sql("alter table outbox_event enable row level security")
        self.assertEqual(self.findings(owner), [], "a superuser sees every row")
        for policies, hidden in self.POLICIES:
            with self.subTest(policies):
                self.sql("drop policy if exists p on outbox_event; drop policy if exists q on outbox_event;"
                         " drop policy if exists outbox_relay on outbox_event")
                self.sql(f"alter role {role} nobypassrls; " + policies.format(group=group, other=other))
                found = self.findings(mover)
                self.assertEqual(len(found), int(hidden), found)
                for verdict, what, fix in found:
                    self.assertEqual(verdict, "error")
                    self.assertRegex(what, f"table public.outbox_event may hide rows from role {role}")
                    self.sql(fix)
                self.assertEqual(self.findings(mover), [])
        # Companion tables, and an owner for whom row security is forced.
        self.sql(f"alter role {role} nobypassrls; alter table outbox_retry enable row level security;"
                 f" alter table outbox_shard owner to {role}; alter table outbox_shard enable row level security")
        found = self.findings(mover)
        self.assertEqual(len(found), 1, found)
        [(_, what, fix)] = found
        self.assertIn("table public.outbox_retry may hide rows", what)
        self.sql(fix + "alter table outbox_shard force row level security")
        [(_, what, fix)] = self.findings(mover)
        self.assertIn("table public.outbox_shard may hide rows", what)

        # At the start of the relay it is a configuration error.
        mover.start()
        wait_until(lambda: mover.returncode is not None, 60, "the relay ends")
        self.assertEqual(mover.returncode, 78, mover.log())
        self.assertIn("create policy outbox_relay", mover.log())
        # Later the relay is not ready and reports the table. It loses nothing and continues when the cause is removed.
        self.sql(fix)
        mover.start()
        port = int(mover.wait_for_log(r"http: [^\"]* at 127\.0\.0\.1:(\d+)").group(1))
        self.wait_ready(mover, port, 200, "")
        self.sql("drop policy if exists p on outbox_event; drop policy if exists outbox_relay on outbox_event;"
                 " drop policy if exists q on outbox_event; insert into outbox_event (topic, event_type) values ('a', 'T')")
        self.wait_ready(mover, port, 503, "table public.outbox_event may hide rows.*create policy outbox_relay")
        self.assertIn("may hide rows", mover.log())
        self.assert_not_shown(mover, "table public.outbox_event may hide rows.*create policy outbox_relay")
        self.assertEqual(self.sql("select count(*) from outbox_event"), [(1,)])
        self.sql("create policy p on outbox_event using (true)")
        mover.wait_while_running(lambda: self.sql("select count(*) from outbox_event") == [(0,)], 60, "the event has gone")
        self.wait_ready(mover, port, 200, "")
        self.assertEqual(mover.stop(), 0)


class MariadbOthersTest(OthersTest):
    def setUp(self):
        self.server = shared_mariadb()
        self.options = self.server.create_database(f"others-{uuid.uuid4().hex[:8]}")

    def sql(self, sql):
        return self.server.sql(sql, self.options["database"])

    @faults(104)
    def test_check(self):
        relay = self.relay("mysql", self.options)
        self.migrate(relay)
        before = self.findings(relay)  # findings about the server's settings
        self.sql(MARIADB)
        expected = "".join(f"{verdict} {what}\n" for verdict, what, _ in before)
        for fix in self.assert_found(relay, expected.replace("*", "") + MARIADB_FINDINGS):
            if not fix.startswith(("stop the writers", "set innodb")):
                with self.subTest(fix):
                    self.sql(fix)
        left = [what for _, what, _ in self.findings(relay) if what not in [one[1] for one in before]]
        self.assertEqual(len(left), 1, left)
        self.assertIn("nearly used up", left[0])

    @faults(104)
    def test_what_is_not_shown(self):
        self.migrate(self.relay("mysql", self.options))
        name, database = f"mover_{uuid.uuid4().hex[:8]}", self.options["database"]
        grants = {"event": "select, delete", "retry": "select, insert, update, delete", "dead": "select, insert, delete",
                  "relay": "select, insert, update, delete", "shard": "select, update", "meta": "select, update"}
        self.sql(f"create user {name} identified by 'm';")
        self.addCleanup(lambda: self.sql(f"drop user {name}"))
        relay = self.relay("mysql", {**self.options, "user": name, "password": "m"})
        refused = relay.command("check").stdout
        self.assertRegex(refused, "Access denied .* to database .*correct 'database', or run in it: grant select, delete on")
        self.sql(" ".join(f"grant {right} on outbox_{table} to {name};" for table, right in grants.items()))
        [(_, what, fix)] = self.findings(relay, "note")
        self.assertIn("cannot see the triggers of the outbox's tables or foreign keys of other tables to the outbox's tables", what)
        self.sql("create trigger hidden after delete on outbox_event for each row set @x = 1;"
                 " create table notes (event bigint, foreign key (event) references outbox_event (id))")
        seen = self.sql(fix.removeprefix("as an administrator run:"))
        self.assertRegex(seen, rf"hidden\tAFTER\tDELETE\toutbox_event(.|\n)*{database}\tnotes")

    @faults(104)
    def test_rows_that_are_not_read(self):
        self.assert_low_ids_found(self.relay("mysql", self.options, http={"listen": "127.0.0.1:0"}),
                                  lambda sql: self.sql(sql).split(),
                                  "alter table outbox_event add column tenant varchar(10) not null;",
                                  "alter table outbox_event drop column tenant;")

    def paste(self, sql):
        self.server.sql(sql, self.options["database"], "--force")

    @faults(99, 104)
    def test_an_id_without_an_order_and_a_view(self):
        relay = self.relay("mysql", self.options)
        self.sql("create table outbox_event (id char(36) primary key default (uuid()), topic varchar(249) not null)")
        made = relay.command("migrate")
        self.assertEqual(made.returncode, 78, made.stderr)
        self.assertRegex(made.stderr, r"it lacks: id \(it is char, expected an integer\), event_id, aggregate_id")
        self.assertEqual(self.sql("show tables"), "outbox_event\n")
        self.sql("insert into outbox_event (topic) values ('a'), ('b')")
        for verdict, _, fix in self.findings(relay):
            if verdict == "error" and not fix.startswith("run:"):
                self.sql(fix)
        self.migrate(relay)
        self.assertEqual([one for one in self.findings(relay) if one[0] == "error"], [])
        self.assertEqual(self.sql("select count(*), count(distinct event_id) from outbox_event where id in (1, 2)"), "2\t2\n")

        self.sql("rename table outbox_event to outbox_all;"
                 " create view outbox_event as select * from outbox_all where topic = 'a'")
        self.assertRegex(str(self.findings(relay)), "outbox_event is a view, expected a table")
        self.assert_not_shown(relay, "outbox_event is a view")
        status = relay.start()
        wait_until(lambda: status.returncode is not None, 60, "the relay ends")
        self.assertEqual(status.returncode, 78, status.log())


class SqliteOthersTest(OthersTest):
    def setUp(self):
        folder = TemporaryFolder("others")
        self.addCleanup(folder.remove)
        self.path = folder.path / "outbox.db"

    def sql(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection:
            connection.executescript(sql)

    @faults(104)
    def test_check(self):
        relay = self.relay("sqlite", {"path": str(self.path)})
        self.migrate(relay)
        self.assertEqual(self.findings(relay), [])
        self.sql(SQLITE)
        for fix in self.assert_found(relay, SQLITE_FINDINGS):
            if fix.startswith("drop "):
                self.sql(fix)
        self.assertEqual(len(self.findings(relay)), 3)
        # A trigger that cannot run is reported before it makes a confirmation fail.
        self.sql("create trigger broken after delete on outbox_event begin select no_such_function(old.id); end;")
        [broken] = [one for one in self.findings(relay) if one[0] == "error"]
        self.assertRegex(broken[1], r"the relay cannot run .* no such function: no_such_function")

    @faults(104)
    def test_rows_that_are_not_read(self):
        def keys(sql):
            with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as connection:
                return [key for key, in connection.execute(sql)]
        self.assert_low_ids_found(
            self.relay("sqlite", {"path": str(self.path)}, http={"listen": "127.0.0.1:0"}), keys,
            "create trigger refuses before insert on outbox_event begin select raise(abort, 'no'); end",
            "drop trigger refuses;")

    def paste(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as connection:
            for statement in sql.split(";"):
                with contextlib.suppress(sqlite3.Error):
                    connection.execute(statement)

    @faults(104)
    def test_another_encoding(self):
        """Casts between text and blob would change bytes, so every command refuses the file. The fix makes a copy."""
        relay = self.relay("sqlite", {"path": str(self.path)})
        self.sql("pragma encoding = 'UTF-16'; create table orders (id integer primary key, name text);"
                 " insert into orders values (1, 'h\u00e9')")
        for command in (["migrate"], ["check"], ["run"], ["status"], ["find", "--key", "k"], ["dead", "list"]):
            refused = relay.command(*command)
            self.assertEqual(refused.returncode, 78, f"{command} {refused.stdout}{refused.stderr}")
            self.assertRegex(refused.stdout + refused.stderr, "keeps text in UTF-16le .*expected UTF-8")
        fix = re.search(r"copy in UTF-8: (.*?); put", refused.stdout + refused.stderr).group(1)
        subprocess.run(fix, shell=True, check=True)
        (self.path.parent / (self.path.name + ".utf8")).rename(self.path)
        self.migrate(relay)
        self.assertEqual(self.findings(relay), [])

    @faults(8)
    def test_no_descriptors(self):
        """The error names the shortage of the machine and does not blame the file."""
        relay = self.relay("sqlite", {"path": str(self.path)})
        self.migrate(relay)
        texts = []
        for count in range(5, 14):
            relay.start(under=["prlimit", f"--nofile={count}:{count}", "--"])
            wait_until(lambda: relay.returncode is not None or "descriptors" in relay.log() or "many open" in relay.log()
                       or "delivering shard 0" in relay.log(), 60, "the relay ends, delivers, or reports why not")
            texts.append(relay.log())
            if relay.returncode is None:
                relay.stop()
            self.assertNotRegex(texts[-1], r"unable to open database file \(|its folder must exist")
        self.assertRegex("".join(texts), r"Too many open files \(the limit of this process is reached")

    @faults(99, 104)
    def test_an_id_without_an_order_and_a_view(self):
        relay = self.relay("sqlite", {"path": str(self.path)})
        self.sql("create table outbox_event (id text primary key, topic text not null);"
                 " insert into outbox_event values ('u', 'a')")
        made = relay.command("migrate")
        self.assertEqual(made.returncode, 78, made.stderr)
        self.assertRegex(made.stderr, r"it lacks: id \(it is text, expected an integer\), event_id, aggregate_id")
        self.sql("drop table outbox_event; create table outbox_event (id text primary key, event_id text not null, topic text"
                 " not null, aggregate_id text, event_type text not null, payload blob, headers text, created_at text not null"
                 " default 'x'); insert into outbox_event (id, event_id, topic, event_type) values ('u', 'e', 't', 'T')")
        for _, what, fix in self.findings(relay):
            if "expected integer" in what:
                self.sql(fix)
        self.migrate(relay)
        self.assertEqual(self.findings(relay), [])
        self.sql("alter table outbox_event rename to outbox_all; create view outbox_event as select * from outbox_all")
        [(verdict, what, _)] = self.findings(relay)
        self.assertEqual(verdict, "error")
        self.assertIn("outbox_event is a view, expected a table", what)
        self.assert_not_shown(relay, "outbox_event is a view")
