"""Debezium's PostgreSQL connector with the EventRouter, on a Kafka Connect worker in standalone mode.

It reads the WAL from a replication slot, so it delivers only events that are inserted after the slot was created. The
connector is therefore started once, stopped over REST (the slot stays, and the JVM stays warm), and resumed when the
backlog has been inserted. It deletes no rows, and nobody deletes them for it; by default it stores its position once a
minute. Neither of these costs is part of its result.
"""

import contextlib
import json
import pathlib
import shutil
import sys
import tempfile
import urllib.error
import urllib.request

from lib.outboxes import TOPIC
from rival import Rival, cache, outbox_with_table, with_folder
from servers.kafka import find_java
from servers.process import Process, Unavailable, free_port, wait_until

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import maven_lock  # noqa: E402

LOCK = pathlib.Path(__file__).with_name("debezium.lock")
ARTIFACTS = {artifact.name: artifact for artifact in maven_lock.read(LOCK)}
CONNECTOR_ARCHIVE = ARTIFACTS["debezium-connector-postgres"]
MAIN = "org.apache.kafka.connect.cli.ConnectStandalone"
SLOT = "debezium"
VERSIONS = {"debezium": CONNECTOR_ARCHIVE.version, "kafka": ARTIFACTS["connect-runtime"].version}

WORKER = {
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    "header.converter": "org.apache.kafka.connect.storage.StringConverter",
    "producer.acks": "all",
}

CONNECTOR = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": "1",
    "plugin.name": "pgoutput",
    "publication.autocreate.mode": "filtered",
    "slot.name": SLOT,
    "topic.prefix": "outbox",
    "table.include.list": "public.outbox_event",
    "snapshot.mode": "no_data",
    "tombstones.on.delete": "false",
    "transforms": "outbox",
    "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
    "transforms.outbox.route.by.field": "topic",
    "transforms.outbox.route.topic.replacement": "${routedByValue}",
    "transforms.outbox.table.field.event.id": "event_id",
    "transforms.outbox.table.field.event.key": "aggregate_id",
    "transforms.outbox.table.field.event.type": "event_type",
    "transforms.outbox.table.field.event.payload": "payload",
    "transforms.outbox.table.fields.additional.placement": "event_type:header:event_type",
}


class Debezium(Rival):
    name = "Debezium, defaults"
    heap = ("-Xms256m", "-Xmx2g")  # as in Kafka's own start script
    settings = {}
    about = {**VERSIONS, "settings": "defaults", "heap": heap}

    def __init__(self, outbox, bootstrap, folder):
        self._outbox = outbox
        self._rest_url = f"http://127.0.0.1:{free_port()}"
        worker, connector = folder / "worker.properties", folder / "connector.json"
        worker.write_text(_properties({
            **WORKER, "bootstrap.servers": bootstrap, "plugin.path": _downloads() / "plugins",
            "offset.storage.file.filename": folder / "offsets", "listeners": self._rest_url}))
        server = outbox.server
        connector.write_text(json.dumps({"name": "outbox", "config": {
            **CONNECTOR, "database.hostname": server.host, "database.port": str(server.port), "database.user": "postgres",
            "database.password": "none", "database.dbname": "postgres", **self.settings}}))
        self.process = Process([find_java(), *self.heap, "-XX:+UseG1GC", "-cp", f"{_downloads() / 'worker'}/*",
                                f"-Dlog4j2.configurationFile={_logging(folder)}", MAIN, worker, connector],
                               folder / "connect.log")
        self._wait(self._is_streaming, "Debezium reads from its replication slot")

    @classmethod
    def missing(cls):
        if not shutil.which("java"):
            return "no Java runtime (java)"
        jars = maven_lock.missing(ARTIFACTS.values(), _downloads() / "worker")
        return None if not jars and (_downloads() / "plugins").is_dir() else "not downloaded; run bench/compare/run --fetch"

    @classmethod
    def fetch(cls):
        worker, plugins = _downloads() / "worker", _downloads() / "plugins"
        print(f"downloading Kafka Connect and Debezium of {LOCK} with Maven, 90 MB, into {_downloads()}", file=sys.stderr)
        try:
            maven_lock.fetch(LOCK, worker)
        except maven_lock.FetchError as error:
            raise Unavailable(str(error)) from error
        if not plugins.is_dir():
            with tempfile.TemporaryDirectory(dir=_downloads()) as scratch:
                part = pathlib.Path(scratch, "plugins")
                shutil.unpack_archive(worker / CONNECTOR_ARCHIVE.file, part)
                with contextlib.suppress(OSError):  # a concurrent run has already made the folder
                    part.rename(plugins)

    @classmethod
    @contextlib.contextmanager
    def beside(cls, bootstrap):
        with outbox_with_table(bootstrap) as (outbox, _), with_folder(cls, outbox, bootstrap) as rival:
            yield outbox, rival

    def rest(self):
        self._ask("PUT", "/stop")
        self._wait(lambda: not self._is_streaming() and not self._ask("GET", "/status")["tasks"], "Debezium has stopped")

    def work(self):
        self._ask("PUT", "/resume")

    def has_confirmed(self):
        return True

    def _is_streaming(self):
        active = "select exists (select 1 from pg_replication_slots where slot_name = ? and active)"
        return self._outbox.ask(active, SLOT)[0]

    def _ask(self, method, path):
        request = urllib.request.Request(f"{self._rest_url}/connectors/outbox{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _wait(self, condition, what):
        def look():
            if self.process.returncode is not None:
                raise RuntimeError(f"Kafka Connect ended with {self.process.returncode}:\n{self.log()}")
            return condition()

        try:
            wait_until(look, 180, what, interval=0.2)
        except (TimeoutError, urllib.error.URLError) as error:
            raise RuntimeError(f"{error}:\n{self.log()}") from error


class DebeziumTuned(Debezium):
    """With the settings that the documentation recommends for throughput: larger batches and queue, a short poll interval,
    and a producer that fills its requests."""

    name = "Debezium, tuned"
    heap = ("-Xms2g", "-Xmx2g")
    settings = {
        "max.batch.size": "32768",
        "max.queue.size": "262144",
        "poll.interval.ms": "10",
        "producer.override.linger.ms": "5",
        "producer.override.batch.size": "262144",
        "producer.override.compression.type": "lz4",
        "producer.override.buffer.memory": "134217728",
    }
    about = {**VERSIONS, "settings": settings, "heap": heap}


def _downloads():
    return cache() / f"debezium-{CONNECTOR_ARCHIVE.version}"


def _properties(values):
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _logging(folder):
    """Makes a configuration that logs to stdout, at the default level."""
    file = folder / "log4j2.properties"
    file.write_text(_properties({
        "appender.out.type": "Console", "appender.out.name": "out", "appender.out.layout.type": "PatternLayout",
        "appender.out.layout.pattern": "%d %p %c{1}: %m%n",
        "rootLogger.level": "info", "rootLogger.appenderRef.out.ref": "out"}))
    return file
