"""The common part of the scenes of database servers."""

import subprocess
import threading
import uuid

import scene


class ServerScene(scene.Scene):
    """A separate database on a shared server, and the user of the relay in it.

    A derived class defines shared(), make_role(), sql(sql), quote(value), insert_numbered() and rows().
    insert_numbered(count, columns) inserts rows with numbered keys and payloads by one statement; `columns` has SQL for
    further columns, or replaces that of keys and payloads. rows(table) returns pairs of an event id and a key in
    hexadecimal digits.
    """

    COUNTED = ("retrying", "blocked", "undeletable")

    def make_database(self):
        self.server = self.shared()
        self.database = f"hostile-{uuid.uuid4()}"
        self.server.create_database(self.database)
        self.role = f"relay_{uuid.uuid4().hex[:12]}"
        self.make_role()

    @staticmethod
    def refusals():
        return subprocess.CalledProcessError

    def insert_row(self, row):
        names, values = ", ".join(row), ", ".join(self.quote(value) for value in row.values())
        self.sql(f"insert into outbox_event ({names}) values ({values})")

    def insert(self, count, **columns):
        try:
            self.insert_numbered(count, {"topic": self.quote(self.topic), "event_type": "'made'",
                                         **{name: self.quote(value) for name, value in columns.items()}})
        except self.refusals():
            super().insert(count, **columns)

    def event_ids(self):
        """Returns {event id: key} for the rows in the outbox."""
        return dict(self.rows("outbox_event"))

    def failures(self):
        pairs = self.rows("outbox_retry")
        return {event for event, _ in pairs}, {key for _, key in pairs if key}

    def dead(self):
        return set(self.sql("select event_id from outbox_dead").split())

    def holding(self, sql, seconds):
        """Executes `sql` in the session of another user, whose transaction ends after `seconds`."""
        connection = self.server.connect(self.database, autocommit=False)
        connection.cursor().execute(sql)
        threading.Timer(seconds, connection.close).start()
