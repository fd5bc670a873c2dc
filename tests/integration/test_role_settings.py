"""Settings of a role, a database or a server that apply to each session of the relay and prevent its access to the outbox.
The message must name the setting and where it is set, and its fix must help."""

import json
import re
import unittest
import uuid

from servers import Relay, relay_config, shared_mariadb, shared_mysql, shared_postgres, wait_until

LINE = json.dumps({"topic": "t", "type": "y", "payload": "x"}) + "\n"


class PostgresRoleSettingsTest(unittest.TestCase):
    def setUp(self):
        self.server = shared_postgres()
        self.name = f"settings_{uuid.uuid4().hex[:12]}"  # name of both the database and the role
        self.server.create_database(self.name)
        self.sql(f"create role {self.name} login superuser")
        self.addCleanup(self.sql, f"drop role {self.name}")
        self.addCleanup(self.sql, f"drop database {self.name} with (force)")

    def sql(self, text, database="postgres"):
        return self.server.psql(text, database)

    def relay(self, table="outbox_event"):
        options = {"connection": self.server.dsn(self.name, self.name), "table": table}
        relay = Relay(relay_config("postgres", options, "", type="stdout"))
        self.addCleanup(relay.close)
        return relay

    def refused(self, relay, command, code, text=None):
        ended = relay.command(*command, text=text)
        self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
        return (ended.stdout + ended.stderr).replace('\\"', '"')  # the log of `run` is JSON

    def test_read_only_sessions_name_what_makes_them_so(self):
        relay = self.relay()
        self.refused(relay, ["migrate"], 0)
        role, database = self.name, self.name
        for what, place in ((f"role {role}", "the role"), (f"database {database}", "the database"),
                            (f"role {role} in database {database}", "the role in this database")):
            with self.subTest(what):
                self.sql(f"alter {what} set default_transaction_read_only = on")
                fix = f"begin read write; alter {what} reset default_transaction_read_only; commit;"
                said = (f"the session is read-only, because default_transaction_read_only is on for {place}, so delivered events could"
                        f" not be confirmed; to make the outbox writable: {fix}")
                for command in (["check"], ["emit"]):
                    self.assertIn(said, self.refused(relay, command, 1, LINE if command == ["emit"] else None))
                self.refused(relay, ["status"], 0)
                relay.start().wait_for_log("database unavailable: [^\"]*" + re.escape(said))
                self.sql(fix, database)
                relay.wait_for_log("delivering shard 0")
                self.assertEqual(relay.stop(), 0)

    def test_search_paths_that_miss_the_outbox(self):
        relay, named = self.relay(), self.relay("public.outbox_event")
        self.sql(f"alter role {self.name} set search_path = nowhere")
        said = self.refused(relay, ["migrate"], 78)
        self.assertIn("no schema to create tables in; search_path is 'nowhere', set for the role, which names no schema that", said)
        self.assertIn(f'"table": "SCHEMA.outbox_event", or correct the setting: alter role {self.name} reset search_path;', said)
        self.refused(named, ["migrate"], 0)
        self.sql("create schema hostile; create table hostile.outbox_event (like public.outbox_event including all)", self.name)
        for path in ("nowhere", "''", "pg_temp", "hostile", "hostile, public"):
            with self.subTest(path):
                self.sql(f"alter role {self.name} set search_path = {path}")
                for command in (["check"], ["run"], ["status"], ["find"]):
                    said = self.refused(relay, command, 78)
                    self.assertIn('contains tables of an outbox with this name: name the schema in /storage/options, "table": "public.outbox_event"',
                                  said)
                    self.assertIn(f"alter role {self.name} reset search_path;", said)
                    self.assertEqual("hostile" in path, 'in schema "hostile" run: outbox-relay migrate' in said, said)
                self.refused(named, ["check"], 0)
                self.refused(named, ["status"], 0)
        self.sql(f"alter role {self.name} reset search_path")
        self.refused(relay, ["check"], 0)


class MariadbSettingsTest(unittest.TestCase):
    """Settings of the server that apply to a user without administrative privileges."""

    server = staticmethod(shared_mariadb)

    def setUp(self):
        self.maria = self.server()
        name = f"settings_{uuid.uuid4().hex[:12]}"
        self.options = self.maria.create_database(name)
        self.database = name
        self.maria.sql(f"create user '{name}' identified by 'pw'; grant all on `{name}`.* to '{name}'")
        self.addCleanup(self.maria.sql, f"drop user '{name}'; drop database `{name}`")
        self.relay = Relay(relay_config("mysql", {**self.options, "user": name, "password": "pw"}, "", type="stdout"))
        self.addCleanup(self.relay.close)
        made = self.relay.command("migrate")
        self.assertEqual(made.returncode, 0, made.stderr)

    def set_global(self, setting, value, back):
        self.maria.sql(f"set global {setting} = {value}")
        self.addCleanup(self.maria.sql, f"set global {setting} = {back}")

    def said(self, command, text=None):
        ended = self.relay.command(command, text=text)
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        return ended.stdout + ended.stderr

    def test_read_only_server(self):
        self.set_global("read_only", "on", "off")
        for command in ("check", "emit"):
            self.assertIn("the server is read-only, so delivered events could not be confirmed; if it stays read-only, set 'host' to the"
                          " server that accepts writes, or run: set global read_only = off;", self.said(command, LINE))

    def test_read_only_session(self):
        variable = self.maria.sql("select variable_name from information_schema.global_variables where variable_name in"
                                  " ('TX_READ_ONLY', 'TRANSACTION_READ_ONLY')" if self.server is shared_mariadb else
                                  "select 'transaction_read_only'").split()[0].lower()
        for setting, value, back in ((variable, "on", "off"),
                                     ("init_connect", f"'set session {variable} = on'", "''")):
            with self.subTest(setting):
                self.maria.sql(f"set global {setting} = {value}")
                try:
                    self.relay.start()
                    for command in ("check", "emit"):
                        said = self.said(command, LINE)
                        self.assertIn("the session is read-only, so delivered events could not be confirmed: transaction_read_only", said)
                        self.assertIn("remove it from the server's init_connect, or run: set global transaction_read_only = off;", said)
                    self.relay.wait_for_log("database unavailable: [^\"]*the session is read-only")
                finally:
                    self.maria.sql(f"set global {setting} = {back}")
                self.relay.wait_for_log("delivering shard 0")
                self.assertEqual(self.relay.stop(), 0)

    def test_init_connect_that_fails_is_named(self):
        self.set_global("init_connect", "'select nonsense'", "''")
        self.assertIn("init_connect fails for this user: see the server's error log", self.said("status"))

    def test_init_connect_that_sets_what_the_relay_needs_otherwise(self):
        """init_connect sets an encoding and the largest number of rows of a result, and begins a transaction that nobody
        commits."""
        text = "Привет, 世界"
        setting = "set names latin1, session sql_select_limit = 1; start transaction"
        self.set_global("init_connect", f"'{setting}'", "''")
        headers = json.dumps({"h": text}, ensure_ascii=False)
        self.maria.sql("insert into outbox_event (topic, aggregate_id, event_type, payload, headers)"
                       f" values ('t', '{text}', 'T', '{text}', '{headers}')", self.database)
        event = json.dumps({"topic": "t", "type": "T", "key": text, "payload": text}) + "\n"
        self.assertEqual(self.relay.insert(event * 10).returncode, 0)
        self.assertEqual(self.maria.sql(f"select count(*) from outbox_event where aggregate_id = '{text}'", self.database).strip(), "11")
        shown = self.relay.command("find", "--payload", "--json").stdout.splitlines()
        self.assertEqual([(json.loads(line)["key"], json.loads(line)["payload"]) for line in shown], [(text, text)] * 11)
        self.relay.start()
        wait_until(lambda: self.relay.log().count(text) >= 23, 30, "all events are sent unchanged, with their keys and headers")
        wait_until(lambda: self.maria.sql("select count(*) from outbox_event", self.database).strip() == "0", 30,
                   "what is confirmed is committed")
        self.assertEqual(self.relay.stop(), 0)

    def test_temporary_table_that_hides_the_outbox(self):
        hides = f"create temporary table if not exists `{self.database}`.outbox_event as select * from `{self.database}`.outbox_event"
        self.set_global("init_connect", f"'{hides}'", "''")
        for command in ("run", "status", "find"):
            ended = self.relay.command(command)
            self.assertEqual(ended.returncode, 78, ended.stdout + ended.stderr)
            self.assertIn("is a temporary table of the relay's own session, which hides the real one", ended.stdout + ended.stderr)
            self.assertIn("from the server's init_connect", ended.stdout + ended.stderr)


class MysqlSettingsTest(MariadbSettingsTest):
    server = staticmethod(shared_mysql)


if __name__ == "__main__":
    unittest.main()
