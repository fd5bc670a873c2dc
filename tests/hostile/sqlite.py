"""The surroundings of an outbox in an SQLite file."""

import sqlite3
import threading

import scene
from scene import repeat_event_id
from servers import TemporaryFolder


class SqliteScene(scene.Scene):
    plugin = "sqlite"
    COUNTED = ("retrying", "blocked", "undeletable")

    def make_database(self):
        self.folder = TemporaryFolder("hostile")
        self.path = self.folder.path / "outbox.db"

    def close(self):
        super().close()
        self.folder.remove()

    def relay_options(self):
        return {"path": str(self.path)}

    administrator_options = relay_options

    def grant(self):
        """Does nothing: an SQLite file has no privileges."""

    def sql(self, sql):
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            with connection:
                connection.executescript("begin immediate;" + sql + ";commit;")
        finally:
            connection.close()

    def ask(self, sql, values=()):
        connection = sqlite3.connect(self.path, timeout=60)
        connection.text_factory = bytes
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    @staticmethod
    def refusals():
        return sqlite3.Error

    def insert_row(self, row):
        self.ask(f"insert into outbox_event ({', '.join(row)}) values ({', '.join('?' for _ in row)})", list(row.values()))

    def insert(self, count, **columns):
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            with connection:
                for n in range(count):
                    row = {"topic": self.topic, "aggregate_id": f"key-{n % scene.KEYS}", "event_type": "made",
                           "payload": f"p{n}", **columns}
                    try:
                        connection.execute(f"insert into outbox_event ({', '.join(row)}) values ({', '.join('?' for _ in row)})",
                                           list(row.values()))
                    except self.refusals():
                        continue
        finally:
            connection.close()

    def event_ids(self):
        return {text(event): key for event, key in self.ask(
            "select event_id, hex(coalesce(cast(aggregate_id as text), '')) from outbox_event")}

    def failures(self):
        pairs = self.ask("select e.event_id, hex(coalesce(cast(e.aggregate_id as text), '')) from outbox_retry r "
                         "join outbox_event e on e.id = r.row_id")
        return {text(event) for event, _ in pairs}, {key for _, key in pairs if key}

    def dead(self):
        return {text(event) for (event,) in self.ask("select event_id from outbox_dead")}

    def holding(self, sql, seconds):
        """Executes `sql` in a transaction that ends after `seconds`. The connection must not be bound to this thread,
        because the thread of the timer closes it."""
        connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False, isolation_level=None)
        connection.execute("begin immediate")
        connection.execute(sql).fetchall()
        threading.Timer(seconds, connection.close).start()


def text(value):
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def some(rng):
    return rng.choice(["old.id % 10 = 3", "old.id = 5", "old.payload like '%7'"])


def trigger(s, when, body, condition="true"):
    s.sql(f"create trigger t_{abs(hash((when, body, condition)))} {when} on outbox_event when {condition} begin {body}; end")


def odd_content(s, rng):
    column, value = rng.choice([("aggregate_id", "k" * 200_000), ("aggregate_id", ""), ("aggregate_id", 7), ("aggregate_id", b"\x00\xff"),
                                ("aggregate_id", 1.5), ("topic", "no such topic!"), ("topic", b"\xff"), ("topic", 3), ("topic", ""),
                                ("event_type", b"\x80"), ("event_type", 9), ("headers", '{"a": {"b": 1}}'), ("headers", "nothing"),
                                ("headers", b"{}"), ("created_at", 9223372036854775807), ("created_at", float("inf")),
                                ("created_at", ""), ("payload", "y" * 3_000_000), ("payload", 17), ("payload", None),
                                ("event_id", 12), ("event_id", b"\x01\x02"), ("event_id", "")])
    s.insert(3, **{column: value})


def foreign_key(s, rng):
    """SQLite enforces foreign keys only for connections that enable them, which the relay does not. So a trigger does the
    same."""
    s.sql("create table invoice (event integer); insert into invoice select id from outbox_event where id % 5 = 1")
    trigger(s, "before delete", "select raise(abort, 'an invoice is there')", "exists (select 1 from invoice where event = old.id)")


SURROUNDINGS = {
    "trigger-keeps-all": lambda s, rng: trigger(s, "before delete", "select raise(ignore)"),
    "trigger-keeps-some": lambda s, rng: trigger(s, "before delete", "select raise(ignore)", some(rng)),
    "trigger-refuses-some": lambda s, rng: trigger(s, "before delete", f"select raise({rng.choice(['abort', 'fail', 'rollback'])}, 'keep it')",
                                                   some(rng)),
    "trigger-refuses-all": lambda s, rng: trigger(s, "before delete", "select raise(abort, 'not allowed')"),
    "archive-trigger": lambda s, rng: (s.sql("create table archive as select * from outbox_event where false"), trigger(
        s, "before delete", "insert into archive select * from outbox_event where id = old.id")),
    "archive-without-a-table": lambda s, rng: (s.sql("create table archive (id)"), trigger(
        s, "after delete", "insert into archive values (old.id)"), s.sql("drop table archive")),
    "puts-it-back": lambda s, rng: trigger(
        s, "after delete", "insert into outbox_event select old.id, old.event_id, old.topic, old.aggregate_id, old.event_type, "
        "old.payload, old.headers, old.created_at", some(rng)),
    "foreign-key": foreign_key,
    "odd-content": odd_content,
    "many-failures": lambda s, rng: s.insert(rng.choice([3000, 20000]), topic="orders.v2 "),
    "same-event-id": lambda s, rng: repeat_event_id(s),
    "odd-ids": lambda s, rng: [s.insert(1, id=n) for n in rng.sample([9223372036854775806, 4611686018427387904, 1_000_000], 2)],
    "lock-held": lambda s, rng: s.holding("select 1", rng.choice([1, 3])),
    "added-columns": lambda s, rng: s.sql("alter table outbox_event add column " + rng.choice(
        ["tenant text not null default 'a'", "copy text as (topic || event_type)", "attempts integer not null default 7"])),
    "check-on-a-companion": lambda s, rng: (s.sql(
        "create trigger c before insert on outbox_retry begin select raise(abort, 'no failures here'); end"),
        s.insert(4, topic="no such topic!")),
    "view": lambda s, rng: s.sql("alter table outbox_event rename to outbox_rows;"
                                 "create view outbox_event as select * from outbox_rows where id % 2 = 0"),
    "journal": lambda s, rng: s.ask(f"pragma journal_mode = {rng.choice(['delete', 'truncate', 'persist'])}"),
}
