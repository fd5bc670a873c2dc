"""The surroundings of an outbox in MariaDB or MySQL."""

import uuid

import scene
from scene import repeat_event_id
from server_scene import ServerScene
from servers import shared_mariadb, shared_mysql

COMPANIONS = ("outbox_retry", "outbox_dead", "outbox_relay", "outbox_shard")


def quote(value):
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


class MysqlScene(ServerScene):
    plugin = "mysql"
    shared = staticmethod(shared_mysql)
    quote = staticmethod(quote)

    def make_role(self):
        self.sql(f"create user {self.role} identified by 'secret'")

    def relay_options(self):
        return {**self.server.options(self.database), "user": self.role, "password": "secret"}

    def administrator_options(self):
        return self.server.options(self.database)

    def grant(self):
        for rights, tables in (("select, delete", ["outbox_event"]), ("select, insert, update, delete", COMPANIONS),
                               ("select, update", ["outbox_meta"])):
            for table in tables:
                self.sql(f"grant {rights} on `{self.database}`.{table} to {self.role}")

    def sql(self, sql):
        return self.server.sql(sql, self.database)

    def insert_numbered(self, count, more):
        rows = {"aggregate_id": f"concat('key-', g.n mod {scene.KEYS})", "payload": "concat('p', g.n)", **more}
        self.sql("set session max_recursive_iterations = 1000000;" * (self.shared is shared_mariadb)
                 + "set session cte_max_recursion_depth = 1000000;" * (self.shared is shared_mysql)
                 + f"insert into outbox_event ({', '.join(rows)}) with recursive g (n) as (select 1 union all "
                 f"select n + 1 from g where n < {count}) select {', '.join(rows.values())} from g")

    def rows(self, table):
        rows = self.sql(f"select event_id, coalesce(hex(convert(aggregate_id using utf8mb4)), '') from {table}")
        return [(line + "\t").split("\t")[:2] for line in rows.splitlines()]


class MariadbScene(MysqlScene):
    shared = staticmethod(shared_mariadb)


def trigger(s, when, body):
    s.sql(f"delimiter //\ncreate trigger t_{uuid.uuid4().hex[:8]} {when} on outbox_event for each row begin {body} end//")


def some(rng):
    return rng.choice(["old.id % 10 = 3", "old.id = 5", "old.payload like '%7'"])


SIGNAL = "signal sqlstate '45000' set message_text = 'keep it';"


def foreign_key(s, rng):
    s.sql("create table invoice (event bigint, foreign key (event) references outbox_event (id));"
          f"insert into invoice select id from outbox_event where id % {rng.choice([5, 1000])} = 1")


def settings_of_the_server(s, rng):
    """Changes a setting of new sessions. It is reset at the end of the round, because the server is shared."""
    isolation = "transaction_isolation" if s.shared is shared_mysql else "tx_isolation"
    name, value = rng.choice([
        ("sql_mode", "''"), ("sql_mode", "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'"), ("time_zone", "'+12:45'"),
        ("lock_wait_timeout", "1"), ("innodb_lock_wait_timeout", "1"), ("wait_timeout", "1"), ("autocommit", "0"),
        ("sql_safe_updates", "1"), ("sql_select_limit", "7"), ("group_concat_max_len", "1024"), (isolation, "'SERIALIZABLE'")])
    before = s.sql(f"select @@global.{name}").strip()
    s.sql(f"set global {name} = {value}")
    s.on_close.append(lambda: s.sql(f"set global {name} = " + (before if before.isdigit() else quote(before))))


def withdrawn_right(s, rng):
    right, table = rng.choice([("delete", "outbox_event"), ("insert", "outbox_retry"), ("update", "outbox_shard"),
                               ("delete", "outbox_relay")])
    s.sql(f"revoke {right} on `{s.database}`.{table} from {s.role}")


def view(s, rng):
    """Puts a view in front of the table that hides some rows, or none."""
    condition = rng.choice(["true", "id % 2 = 0", "topic <> 'x'"])
    s.sql(f"rename table outbox_event to outbox_rows; create view outbox_event as select * from outbox_rows where {condition};"
          f"grant select, delete on `{s.database}`.outbox_event to {s.role}")


def odd_content(s, rng):
    column, value = rng.choice([("aggregate_id", "k" * 255), ("aggregate_id", "\U0001f511" * 255), ("aggregate_id", ""),
                                ("aggregate_id", "KEY-1"), ("aggregate_id", "key-1 "), ("topic", "no such topic!"), ("topic", ""),
                                ("topic", "x" * 249), ("topic", "missing-topic"), ("event_type", "t" * 255),
                                ("headers", '{"a": {"b": 1}}'), ("headers", "[1]"), ("headers", '{"n": 1, "b": true}'),
                                ("created_at", "2038-01-19 03:14:07.999999"), ("payload", "y" * 3_000_000), ("payload", None)])
    s.insert(3, **{column: value})


def lock_held(s, rng):
    s.holding(rng.choice(["select * from outbox_event for update", "select * from outbox_shard for update",
                          "select * from outbox_meta for update"]), rng.choice([1, 3]))


SURROUNDINGS = {
    "trigger-refuses-some": lambda s, rng: trigger(s, "before delete", f"if {some(rng)} then {SIGNAL} end if;"),
    "trigger-refuses-all": lambda s, rng: trigger(s, "before delete", SIGNAL),
    "archive-trigger": lambda s, rng: (s.sql("create table archive like outbox_event"), trigger(
        s, "before delete", "insert into archive (event_id, topic, event_type) values (old.event_id, old.topic, old.event_type);")),
    "archive-without-a-table": lambda s, rng: trigger(s, "after delete", "insert into not_there values (1);"),
    "slow-trigger": lambda s, rng: trigger(s, "after delete", "if old.id % 20 = 0 then do sleep(0.02); end if;"),
    "foreign-key": foreign_key,
    "settings-of-the-server": settings_of_the_server,
    "withdrawn-right": withdrawn_right,
    "view": view,
    "odd-content": odd_content,
    "many-failures": lambda s, rng: s.insert(rng.choice([3000, 20000]), topic="orders.v2 "),
    "same-event-id": lambda s, rng: repeat_event_id(s),
    "odd-ids": lambda s, rng: [s.insert(1, id=n) for n in rng.sample([4611686018427387904, 1_000_000, 9223372036854775806], 2)],
    "lock-held": lock_held,
    "added-columns": lambda s, rng: s.sql("alter table outbox_event add column " + rng.choice(
        ["tenant varchar(9) not null default 'a'", "copy varchar(600) as (concat(topic, event_type)) stored",
         "attempts int not null default 7", "`select` text"])),
    "keys-without-case": lambda s, rng: (s.sql(
        "alter table outbox_event modify aggregate_id varchar(255) character set utf8mb4 collate utf8mb4_general_ci"),
        s.insert(2, aggregate_id="KEY-2", topic="no such topic!")),
    "another-engine": lambda s, rng: s.sql("alter table outbox_event engine = MyISAM"),
}
