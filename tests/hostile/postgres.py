"""The surroundings of an outbox in PostgreSQL."""

import uuid

import scene
from scene import repeat_event_id
from server_scene import ServerScene
from servers import shared_postgres


def quote(value):
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


class PostgresScene(ServerScene):
    plugin = "postgres"
    shared = staticmethod(shared_postgres)
    quote = staticmethod(quote)

    def make_role(self):
        self.server.psql(f"create role {self.role} login")

    def relay_options(self):
        return {"connection": self.server.dsn(self.database, self.role)}

    def administrator_options(self):
        return {"connection": self.server.dsn(self.database)}

    def grant(self):
        companions = "outbox_retry, outbox_dead, outbox_relay, outbox_shard"
        self.sql(f"grant select, delete on outbox_event to {self.role};"
                 f"grant select, insert, update, delete on {companions} to {self.role};"
                 f"grant select, update on outbox_meta to {self.role};"
                 f"grant select on sequence outbox_event_id_seq to {self.role}")

    def sql(self, sql):
        return self.server.psql(sql, self.database)

    def insert_numbered(self, count, more):
        rows = {"aggregate_id": f"'key-' || g % {scene.KEYS}", "payload": "'p' || g", **more}
        self.sql(f"insert into outbox_event ({', '.join(rows)}) select {', '.join(rows.values())} "
                 f"from generate_series(1, {count}) g")

    def rows(self, table):
        rows = self.sql(f"select event_id || '|' || coalesce(encode(convert_to(aggregate_id, 'UTF8'), 'hex'), '') from {table}")
        return [line.split("|") for line in rows.splitlines()]


def function(body, returns="trigger"):
    name = f"f_{uuid.uuid4().hex[:8]}"
    return name, (f"create function {name}() returns {returns} language plpgsql as $f$ begin {body} end $f$;")


def trigger(s, when, body, condition="", each="row", constraint=""):
    name, sql = function(body)
    condition = f"when ({condition})" if condition else ""
    s.sql(sql + f"create {constraint} trigger {name} {when} on outbox_event "
                f"{'deferrable initially deferred' if constraint else ''} for each {each} {condition} execute function {name}()")


def some(rng):
    return rng.choice(["old.id % 10 = 3", "old.id = 5", "old.payload like '%7'"])


def foreign_key(s, rng):
    s.sql("create table invoice (event bigint references outbox_event (id));"
          f"insert into invoice select id from outbox_event where id % {rng.choice([5, 1000])} = 1")


def row_security(s, rng):
    s.sql("alter table outbox_event enable row level security;"
          + rng.choice(["", "create policy p on outbox_event for select using (true)",
                        "create policy p on outbox_event using (true)", "create policy p on outbox_event using (id % 2 = 0)",
                        f"create policy p on outbox_event to {s.role} using (true);"
                        "create policy q on outbox_event as restrictive using (topic <> 'x')"]))


def companion_security(s, rng):
    table = rng.choice(["outbox_retry", "outbox_shard", "outbox_relay", "outbox_meta", "outbox_dead"])
    s.sql(f"alter table {table} enable row level security")


def settings_of_the_role(s, rng):
    setting = rng.choice(["statement_timeout = '300ms'", "lock_timeout = '1ms'", "idle_session_timeout = '200ms'",
                          "default_transaction_isolation = 'serializable'", "timezone = 'Asia/Kathmandu'",
                          "bytea_output = 'escape'", "datestyle = 'German'", "search_path = pg_temp", "search_path = ''",
                          "default_transaction_read_only = on", "row_security = off", "standard_conforming_strings = off",
                          "intervalstyle = 'sql_standard'", "enable_indexscan = off", "work_mem = '64kB'",
                          "default_transaction_deferrable = on", "xmlbinary = 'hex'", "array_nulls = off",
                          "client_encoding = 'LATIN1'", "extra_float_digits = -15", "quote_all_identifiers = on",
                          "plan_cache_mode = force_custom_plan", "transform_null_equals = on", "jit = on"])
    s.sql(f"alter role {s.role} set {setting}")


def decoy(s, rng):
    s.sql("create schema tenant; create table tenant.outbox_event (like public.outbox_event including all);"
          f"grant all on schema tenant to {s.role}; grant all on all tables in schema tenant to {s.role};"
          f"alter role {s.role} set search_path = " + rng.choice(["tenant, public", "public, tenant"]))


def withdrawn_right(s, rng):
    right, table = rng.choice([("delete", "outbox_event"), ("select", "outbox_event"), ("insert", "outbox_retry"),
                               ("update", "outbox_shard"), ("delete", "outbox_relay"), ("select", "outbox_meta")])
    s.sql(f"revoke {right} on {table} from {s.role}")


def rule(s, rng):
    s.sql(f"create rule r as on delete to outbox_event {rng.choice(['', 'where old.id % 10 = 3'])} do instead nothing")


def odd_content(s, rng):
    column, value = rng.choice([("aggregate_id", "k" * 200_000), ("aggregate_id", ""), ("aggregate_id", "ключ \\ ' \" %"),
                                ("topic", "no such topic!"), ("topic", ""), ("topic", "x" * 300), ("topic", "missing-topic"),
                                ("event_type", "t" * 100_000), ("headers", '{"a": {"b": 1}}'), ("headers", "[1]"),
                                ("headers", '{"n": 1, "b": true}'), ("created_at", "infinity"), ("created_at", "-infinity"),
                                ("created_at", "294276-12-31 00:00:00+00"), ("payload", "y" * 3_000_000), ("payload", None)])
    s.insert(3, **{column: value})


def many_failures(s, rng):
    s.insert(rng.choice([3000, 20000]), topic="orders.v2 ")


def same_event_id(s, _):
    repeat_event_id(s)


def odd_ids(s, rng):
    for number in rng.sample([9223372036854775807, 4611686018427387904, 1_000_000], 2):
        s.insert(1, id=number)


def old_statistics(s, rng):
    s.sql("delete from outbox_event; vacuum analyze outbox_event; alter table outbox_event set (autovacuum_enabled = off)")
    s.insert(rng.choice([500, 20000]))


def lock_held(s, rng):
    s.holding(rng.choice(["select * from outbox_event for update", "lock table outbox_event in share mode",
                          "select * from outbox_shard for update", "lock table outbox_retry"]), rng.choice([1, 3]))


def added_columns(s, rng):
    s.sql("alter table outbox_event add column " + rng.choice(
        ["tenant text not null default 'a'", "copy text generated always as (topic || event_type) stored",
         "attempts int not null default 7", '"select" text', "shards int default 3, add column troubled bool"]))


def check_on_companion(s, rng):
    s.sql(rng.choice(["alter table outbox_retry add check (attempts < 2)", "alter table outbox_dead add check (false)",
                      "create unique index on outbox_retry (reason)"]))
    s.insert(4, topic="no such topic!")


SURROUNDINGS = {
    "trigger-keeps-all": lambda s, rng: trigger(s, "before delete", "return null;"),
    "trigger-keeps-some": lambda s, rng: trigger(s, "before delete", "return null;", some(rng)),
    "archive-trigger-returns-new": lambda s, rng: (s.sql("create table if not exists archive (like outbox_event)"), s.sql(
        f"grant all on archive to {s.role}"), trigger(s, "before delete", "insert into archive select old.*; return new;")),
    "archive-trigger": lambda s, rng: (s.sql("create table if not exists archive (like outbox_event)"), s.sql(
        f"grant all on archive to {s.role}"), trigger(s, "before delete", "insert into archive select old.*; return old;")),
    "archive-without-rights": lambda s, rng: (s.sql("create table if not exists archive (like outbox_event)"), trigger(
        s, "before delete", "insert into archive select old.*; return old;")),
    "trigger-refuses-some": lambda s, rng: trigger(s, "before delete", "raise exception 'keep %', old.id;", some(rng)),
    "trigger-refuses-all": lambda s, rng: trigger(s, "before delete", "raise exception 'not allowed';", each="statement"),
    "refused-at-commit": lambda s, rng: trigger(s, "after delete", "raise exception 'not at commit %', old.id;", some(rng),
                                                constraint="constraint"),
    "slow-trigger": lambda s, rng: trigger(s, "after delete", "perform pg_sleep(0.02); return null;", "old.id % 20 = 0"),
    "rule": rule,
    "foreign-key": foreign_key,
    "row-security": row_security,
    "row-security-of-a-companion": companion_security,
    "settings-of-the-role": settings_of_the_role,
    "decoy-in-the-search-path": decoy,
    "withdrawn-right": withdrawn_right,
    "unlogged": lambda s, rng: s.sql("alter table outbox_event set unlogged"),
    "odd-content": odd_content,
    "many-failures": many_failures,
    "same-event-id": same_event_id,
    "odd-ids": odd_ids,
    "old-statistics": old_statistics,
    "lock-held": lock_held,
    "added-columns": added_columns,
    "check-on-a-companion": check_on_companion,
}
