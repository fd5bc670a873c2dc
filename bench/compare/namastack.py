"""Namastack Outbox (Java, Spring Boot), which polls a table and calls a handler for each event, in order per key. The
handler in rivals/namastack/Forwarder.java publishes to Kafka; --fetch compiles it.

An application would write events with Namastack's Outbox.schedule(). Here a trigger on a view writes the same rows, so that
events are inserted with the same statement as for all rivals.
"""

import contextlib
import hashlib
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from debezium import DebeziumTuned
from rival import Rival, cache, own_database, with_folder
from servers.kafka import find_java
from servers.process import Process, Unavailable, wait_until

import maven_lock

LOCK = pathlib.Path(__file__).with_name("namastack.lock")
ARTIFACTS = {artifact.name: artifact for artifact in maven_lock.read(LOCK)}
SOURCE = pathlib.Path(__file__).with_name("rivals") / "namastack" / "Forwarder.java"
VERSIONS = {"namastack": ARTIFACTS["namastack-outbox-jdbc"].version, "spring-boot": ARTIFACTS["spring-boot"].version}

# Namastack creates its tables when it starts. It delivers the events of a key in the order of created_at. The partition
# number may be any of 256, but must be the same for all events of a key.
VIEW = """
create view outbox_event as select 0 as id, '' as topic, '' as event_type, '' as aggregate_id, '' as payload where false;
create function write_event() returns trigger language plpgsql as $$
begin
    insert into outbox_record (id, status, record_key, record_type, payload, context, created_at, failure_count, next_retry_at,
                               partition_no, handler_id)
    values (gen_random_uuid(), 'NEW', new.aggregate_id, 'outbox.bench.Forwarder$Event',
            json_build_object('topic', new.topic, 'type', new.event_type, 'payload', new.payload), '{}', clock_timestamp(), 0,
            clock_timestamp(), abs(hashtext(new.aggregate_id)) % 256,
            'outbox.bench.Forwarder$Handler#handle(outbox.bench.Forwarder$Event,'
            || 'io.namastack.outbox.handler.OutboxRecordMetadata)');
    return new;
end $$;
create trigger write_event instead of insert on outbox_event for each row execute function write_event();
"""

# Trigger, batch size, interval and instance settings are the "Platform-Thread Candidate" of its documentation (reference,
# Performance Tuning, version 1.7). Threads and connections are those of the consumer in its own performance test. That
# consumer keeps the rows, because the test counts them later; the consumer of version 1.6
# (namastack-outbox-performance-test-processor) deletes them, as here. The defaults are 10 keys every 2 s, and four to eight
# threads.
TUNING = {
    "namastack.outbox.polling.trigger": "fixed",
    "namastack.outbox.polling.batch-size": "1000",
    "namastack.outbox.polling.fixed.interval": "25ms",
    "namastack.outbox.processing.delete-completed-records": "true",
    "namastack.outbox.processing.stop-on-first-failure": "true",
    "namastack.outbox.processing.executor-core-pool-size": "16",
    "namastack.outbox.processing.executor-max-pool-size": "32",
    "namastack.outbox.instance.heartbeat-interval": "1s",
    "namastack.outbox.instance.stale-instance-timeout": "10s",
    "namastack.outbox.instance.rebalance-interval": "1s",
    "spring.datasource.hikari.maximum-pool-size": "30",
}
SETTINGS = {
    **TUNING,
    "spring.datasource.username": "postgres",
    "spring.datasource.password": "none",
    "spring.kafka.producer.acks": "all",
    "spring.main.banner-mode": "off",
}


class Namastack(Rival):
    name = "Namastack Outbox, tuned"
    heap = DebeziumTuned.heap
    about = {**VERSIONS, "settings": TUNING, "heap": heap}
    tables = ("outbox_record",)

    def __init__(self, outbox, bootstrap, folder):
        self._outbox = outbox
        server = outbox.server
        settings = {**SETTINGS, "spring.kafka.bootstrap-servers": bootstrap,
                    "spring.datasource.url": f"jdbc:postgresql://{server.host}:{server.port}/postgres"}
        self._command = [find_java(), *self.heap, "-cp", f"{_classes()}:{_jars()}/*", "outbox.bench.Forwarder",
                         *(f"--{key}={value}" for key, value in settings.items())]
        self._log = folder / "namastack.log"

    @classmethod
    def missing(cls):
        if not shutil.which("java"):
            return "no Java runtime (java)"
        jars = maven_lock.missing(ARTIFACTS.values(), _jars())
        return None if not jars and _classes().is_dir() else "not downloaded; run bench/compare/run --fetch"

    @classmethod
    def fetch(cls):
        if not shutil.which("javac"):
            raise Unavailable("building it needs a Java compiler (javac), which is not installed")
        print(f"downloading the jars of {LOCK} with Maven, 40 MB, into {_jars()}, and compiling {SOURCE}", file=sys.stderr)
        try:
            maven_lock.fetch(LOCK, _jars())
        except maven_lock.FetchError as error:
            raise Unavailable(str(error)) from error
        with tempfile.TemporaryDirectory(dir=_jars().parent) as scratch:
            classes = pathlib.Path(scratch, "classes")
            done = subprocess.run(["javac", "-parameters", "-cp", f"{_jars()}/*", "-d", classes, SOURCE], capture_output=True,
                                  text=True, check=False)
            if done.returncode != 0:
                raise Unavailable(f"javac failed: {done.stderr.strip()[-500:]}")
            with contextlib.suppress(OSError):  # a concurrent run has already made the folder
                classes.rename(_classes())

    @classmethod
    @contextlib.contextmanager
    def beside(cls, bootstrap):
        with own_database() as outbox, with_folder(cls, outbox, bootstrap) as rival:
            rival.work()
            wait_until(rival.has_partitions, 120, "Namastack has created its tables and owns its partitions", interval=0.2)
            outbox.ask(VIEW)
            yield outbox, rival

    def rest(self):
        """Suspends the process with SIGSTOP, so that the JVM stays warm. It may hold row locks then, but nobody waits for
        them."""
        self.process.send(signal.SIGSTOP)

    def work(self):
        if self.process:
            self.process.send(signal.SIGCONT)
        else:
            self.process = Process(self._command, self._log)

    def has_partitions(self):
        if self.process.returncode is not None:
            raise RuntimeError(f"Namastack ended with {self.process.returncode}:\n{self.log()}")
        return (self._outbox.ask("select to_regclass('outbox_partition') is not null")[0]
                and self._outbox.ask("select count(*) = 256 from outbox_partition where instance_id is not null")[0])

    def has_confirmed(self):
        return not self._outbox.ask("select exists (select from outbox_record where status = 'NEW')")[0]


def _jars():
    return cache() / f"namastack-{VERSIONS['namastack']}" / "jars"


def _classes():
    digest = hashlib.sha256(SOURCE.read_bytes() + LOCK.read_bytes()).hexdigest()
    return _jars().parent / f"classes-{digest[:12]}"
