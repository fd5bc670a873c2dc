"""The outbox of a round with a captured table. The applications insert into a table of their own, `app_outbox`, and a trigger
copies each row into the relay's outbox. About half of the rows are deleted in the transaction that inserts them.

Views with the usual names of the relay's tables show the tables of the capture, so that faults, monitor and checker are the
same as without a capture.
"""

SOURCE = "app_outbox"
OUTBOX = f"{SOURCE}_capture"
TYPES = {"postgres": ("uuid", "bytea"), "mariadb": ("char(36)", "longblob"), "mysql": ("char(36)", "longblob")}

COLUMNS = "(id, topic, type, aggregate_id, payload, checksum)"
OPTIONS = {"table": SOURCE, "capture": "trigger",
           "columns": {"id": "id", "key": "aggregate_id", "payload": "payload"}}
RECORD = {"topic": "{topic}", "value": "bytes",
          "headers": {"event_id": "{id}", "event_type": "{type}", "checksum": "{checksum}"}}


class Captured:
    """Writes the events of the applications into their own table, and configures the relays to capture it."""

    def __init__(self, database):
        self._database = database
        self._id, self._bytes = TYPES[database.name]

    def options(self, options):
        return {**options, **OPTIONS}

    def configure(self, config):
        config["record"] = RECORD

    def migrate_options(self):
        return ()  # the payload has the type of the application's column

    def create_table(self):
        """Creates the application's table. Must be called before `migrate`."""
        if self._database.plugin == "mysql":  # else the relay's user, who has no SUPER, cannot create a trigger
            self._database.run("set global log_bin_trust_function_creators = 1")
        self._database.run(f"create table {SOURCE} (id {self._id} not null primary key, topic varchar(255) not null, "
                           f"type varchar(255) not null, aggregate_id varchar(255), payload {self._bytes}, "
                           "checksum bigint not null)")

    def create_views(self):
        """Creates the views with the usual names. Must be called after `migrate`."""
        self._database.run(f"create view outbox_event as select id, source_topic as topic from {OUTBOX}; "
                           f"create view outbox_retry as select row_id from {OUTBOX}_retry; "
                           f"create view outbox_shard as select shard from {OUTBOX}_shard; "
                           f"create view outbox_dead as select row_id, source_id as event_id from {OUTBOX}_dead")

    def insert(self, cursor, event, dice):
        place = self._database.place
        cursor.execute(f"insert into {SOURCE} {COLUMNS} values ({', '.join([place] * 6)})",
                       (event.event_id, event.topic, event.event_type, event.key, event.payload, event.mark))
        if dice.random() < 0.5:
            cursor.execute(f"delete from {SOURCE} where id = {place}", (event.event_id,))

    @staticmethod
    def mark_of(header):
        """The checksum of a record from its header."""
        return int(header or b"0")


class Plain:
    """The usual outbox, into which the applications insert their events directly. It has the same methods as Captured."""

    def __init__(self, database):
        self._database = database

    def options(self, options):
        return options

    def configure(self, config):
        pass

    def migrate_options(self):
        return self._database.MIGRATE

    def create_table(self):
        pass

    def create_views(self):
        pass

    def insert(self, cursor, event, _dice):
        place = self._database.place
        cursor.execute("insert into outbox_event (event_id, topic, event_type, aggregate_id, payload, headers) values "
                       f"({', '.join([place] * 6)})",
                       (event.event_id, event.topic, event.event_type, event.key, event.payload, event.headers()))

    @staticmethod
    def mark_of(header):
        return int.from_bytes(header or b"", "big")
