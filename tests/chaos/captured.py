"""The outbox of a round with a captured table. The applications insert into a table of their own, `app_outbox`, and a trigger
copies each row into the relay's outbox. About half of the rows are deleted in the transaction that inserts them.

Views with the usual names of the relay's tables show the tables of the capture, so that faults, monitor and checker are the
same as without a capture.
"""

SOURCE = "app_outbox"
OUTBOX = f"{SOURCE}_capture"
TYPES = {"postgres": ("uuid", "bytea"), "mariadb": ("char(36)", "longblob"), "mysql": ("char(36)", "longblob")}

OPTIONS = {"table": SOURCE, "capture": "trigger",
           "columns": {"id": "id", "key": "aggregate_id", "payload": "payload"}}
RECORD = {"topic": "{topic}", "value": "bytes",
          "headers": {"event_id": "{id}", "event_type": "{type}", "checksum": "{checksum}"}}


class Plain:
    """The usual outbox, into which the applications insert their events directly."""

    def __init__(self, database):
        self._database = database

    def options(self, options):
        """The plugin's options of a relay."""
        return options

    def configure(self, config):
        """Adds to a relay's configuration what the outbox needs."""

    def migrate_options(self):
        return self._database.MIGRATE

    def create_table(self):
        """Creates what must exist before `migrate`."""

    def create_views(self):
        """Creates what is needed after `migrate`."""

    def insert(self, cursor, event, _dice):
        self._insert(cursor, "outbox_event (event_id, topic, event_type, aggregate_id, payload, headers)",
                     (event.event_id, event.topic, event.event_type, event.key, event.payload, event.headers()))

    def _insert(self, cursor, table, values):
        cursor.execute(f"insert into {table} values ({', '.join([self._database.place] * len(values))})", values)

    @staticmethod
    def mark_of(header):
        """The checksum of a record from its header."""
        return int.from_bytes(header or b"", "big")


class Captured(Plain):
    """A table of the applications, which the relays capture."""

    def __init__(self, database):
        super().__init__(database)
        self._id, self._bytes = TYPES[database.name]

    def options(self, options):
        return {**options, **OPTIONS}

    def configure(self, config):
        config["record"] = RECORD

    def migrate_options(self):
        return ()  # the payload has the type of the application's column

    def create_table(self):
        if self._database.plugin == "mysql":  # else the relay's user, who has no SUPER, cannot create a trigger
            self._database.run("set global log_bin_trust_function_creators = 1")
        self._database.run(f"create table {SOURCE} (id {self._id} not null primary key, topic varchar(255) not null, "
                           f"type varchar(255) not null, aggregate_id varchar(255), payload {self._bytes}, "
                           "checksum bigint not null)")

    def create_views(self):
        self._database.run(f"create view outbox_event as select id, source_topic as topic from {OUTBOX}; "
                           f"create view outbox_retry as select row_id from {OUTBOX}_retry; "
                           f"create view outbox_shard as select shard from {OUTBOX}_shard; "
                           f"create view outbox_dead as select row_id, source_id as event_id from {OUTBOX}_dead")

    def insert(self, cursor, event, dice):
        self._insert(cursor, f"{SOURCE} (id, topic, type, aggregate_id, payload, checksum)",
                     (event.event_id, event.topic, event.event_type, event.key, event.payload, event.mark))
        if dice.random() < 0.5:
            cursor.execute(f"delete from {SOURCE} where id = {self._database.place}", (event.event_id,))

    @staticmethod
    def mark_of(header):
        return int(header or b"0")
