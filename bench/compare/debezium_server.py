"""Debezium Server: a program with the connector and the EventRouter of debezium.py that has a producer of its own and does
not need Kafka Connect. Its settings follow
https://debezium.io/documentation/reference/stable/operations/debezium-server.html.

It has no command to pause it, so its process is suspended with SIGSTOP while the backlog is inserted. The JVM stays warm,
as that of Kafka Connect does. What the database server sends meanwhile fills the buffers of the connection, a few MB; this
favours it.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from debezium import CONNECTOR, Debezium, DebeziumTuned
from rival import Rival, cache, outbox_with_table, with_folder
from servers.process import Process, Unavailable, free_port, wait_until

import maven_lock

LOCK = pathlib.Path(__file__).with_name("debezium_server.lock")
ARCHIVE, = maven_lock.read(LOCK)
OLDEST_JAVA = 21  # the version that its classes are compiled for
SLOT = CONNECTOR["slot.name"]

SERVER = {
    "debezium.sink.type": "kafka",
    "debezium.sink.kafka.producer.key.serializer": "org.apache.kafka.common.serialization.StringSerializer",
    "debezium.sink.kafka.producer.value.serializer": "org.apache.kafka.common.serialization.StringSerializer",
    "debezium.sink.kafka.producer.acks": "all",
    "debezium.format.key": "simplestring",
    "debezium.format.value": "simplestring",
    "quarkus.log.console.json": "false",
}


class DebeziumServer(Rival):
    name = "Debezium Server, defaults"
    heap = Debezium.heap
    settings = {}
    producer = {}
    about = {"debezium": ARCHIVE.version, "settings": "defaults", "heap": heap}

    def __init__(self, outbox, bootstrap, folder):
        self._outbox = outbox
        server = outbox.server
        settings = {
            **SERVER, **{f"debezium.sink.kafka.producer.{name}": value for name, value in self.producer.items()},
            "debezium.sink.kafka.producer.bootstrap.servers": bootstrap, "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": free_port(), "debezium.source.offset.storage.file.filename": folder / "offsets"}
        for name, value in {**CONNECTOR, "database.hostname": server.host, "database.port": server.port,
                            "database.user": "postgres", "database.password": "none", "database.dbname": "postgres",
                            **self.settings}.items():
            if name != "tasks.max":  # a setting of Kafka Connect
                transform = name.startswith("transforms")
                settings[f"debezium.{name}" if transform else f"debezium.source.{name}"] = str(value).replace("$", r"\\$")
        config = folder / "config"
        config.mkdir()
        (config / "application.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        home = _home()
        runner, = home.glob("debezium-server-*runner.jar")
        # The class path is that of its run.sh.
        classes = f"{runner}:{home / 'config/lib'}:{home / 'lib'}/*"
        self.process = Process([_java(), *self.heap, "--add-opens=java.base/java.lang=ALL-UNNAMED", "-cp", classes,
                                "io.debezium.server.Main"], folder / "server.log", cwd=folder)
        wait_until(self._is_streaming, 180, "Debezium Server reads from its replication slot", interval=0.2)

    @classmethod
    def missing(cls):
        if not _java():
            return f"no Java runtime of version {OLDEST_JAVA} or newer (JAVA_HOME, or java)"
        return None if _home().is_dir() else "not downloaded; run bench/compare/run --fetch"

    @classmethod
    def fetch(cls):
        folder = _home().parent
        print(f"downloading the archive of {LOCK} with Maven, 780 MB, into {folder}", file=sys.stderr)
        try:
            maven_lock.fetch(LOCK, folder)
        except maven_lock.FetchError as error:
            raise Unavailable(str(error)) from error
        unused = [f"--exclude=debezium-server/{part}" for part in ("lib_opt", "lib_metrics", "connectors")]
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            subprocess.run(["tar", "xzf", folder / ARCHIVE.file, "-C", scratch, *unused], check=True)
            with contextlib.suppress(OSError):  # a concurrent run has already made the folder
                pathlib.Path(scratch, "debezium-server").rename(_home())
        (folder / ARCHIVE.file).unlink()

    @classmethod
    @contextlib.contextmanager
    def beside(cls, bootstrap):
        with outbox_with_table(bootstrap) as (outbox, _):
            outbox.ask("alter system set wal_sender_timeout = 0")  # it does not reply to keepalives while it is suspended
            outbox.ask("select pg_reload_conf()")
            with with_folder(cls, outbox, bootstrap) as rival:
                yield outbox, rival

    def rest(self):
        self.process.send(signal.SIGSTOP)

    def work(self):
        self.process.send(signal.SIGCONT)

    def has_confirmed(self):
        return True

    def _is_streaming(self):
        if self.process.returncode is not None:
            raise RuntimeError(f"Debezium Server ended with {self.process.returncode}:\n{self.log()}")
        active = "select exists (select 1 from pg_replication_slots where slot_name = ? and active)"
        return self._outbox.ask(active, SLOT)[0]


class DebeziumServerTuned(DebeziumServer):
    """With the batch size, queue size, poll interval, producer settings and heap of the tuned connector of debezium.py."""

    name = "Debezium Server, tuned"
    heap = DebeziumTuned.heap
    settings = {name: value for name, value in DebeziumTuned.settings.items() if not name.startswith("producer.")}
    producer = {name.removeprefix("producer.override."): value for name, value in DebeziumTuned.settings.items()
                if name.startswith("producer.")}
    about = {"debezium": ARCHIVE.version, "settings": DebeziumTuned.settings, "heap": heap}


def _home():
    return cache() / f"debezium-server-{ARCHIVE.version}" / "debezium-server"


def _java():
    """Returns the first Java that is new enough, from JAVA_HOME, PATH, or Debian's packages; None if there is none."""
    candidates = [os.environ.get("JAVA_HOME", "") + "/bin/java", "java", *pathlib.Path("/usr/lib/jvm").glob("*/bin/java")]
    for java in candidates:
        if shutil.which(java):
            printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
            version = re.search(r'version "(\d+)', printed)
            if version and int(version[1]) >= OLDEST_JAVA:
                return str(java)
    return None
