"""What the benchmarks share: a broker and an outbox of their own, local and durable, and the programs that are measured."""

import contextlib
import os
import pathlib
import platform
import subprocess

from . import batches
from .outboxes import DATABASES, TOPIC, PostgresServer, TemporaryFolder  # noqa: F401
from servers.kafka import MEASURED, KafkaBroker
from servers.process import Process, free_port  # noqa: F401
from servers.relay import Relay, find_binary, outbox_relay, relay_config  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 1 << 20


class Baseline:
    """The shortest program that does the relay's work; see bench/baseline/baseline.hpp. It has the same interface as
    Relay."""

    def __init__(self, outbox, bootstrap):
        self._folder = TemporaryFolder("baseline")
        self._command = [find_binary().parents[2] / f"bench/bench-baseline-{outbox.plugin}", bootstrap, *outbox.baseline]
        self._process = None

    def start(self):
        self._process = Process(self._command, self._folder.path / "baseline.log")
        return self

    @property
    def pid(self):
        return self._process.pid

    @property
    def returncode(self):
        return self._process.returncode

    def log(self):
        return self._process.log_text()

    def stop(self):
        """Stops the process with SIGTERM. Returns 0 if that ended it, and 1 if it had ended by itself."""
        return 0 if self._process.stop() == -15 else 1

    def close(self):
        if self._process and self._process.returncode is None:
            self._process.kill()
        self._folder.remove()


class Topic:
    """The topic to which the events go. Old records are deleted early, because hundreds of millions would fill the disk."""

    KEPT = {"retention.bytes": 16 * MIB, "segment.bytes": 16 * MIB, "file.delete.delay.ms": 1000}

    def __init__(self, broker, partitions, configs):
        broker.create_topic(TOPIC, partitions, {name: str(value) for name, value in {**self.KEPT, **configs}.items()})
        self.bootstrap = broker.bootstrap
        self._broker = broker
        self._partitions = partitions
        self.connect()

    @property
    def broker_pid(self):
        return self._broker.pid

    def connect(self):
        """Connects to the broker. It has to be called again after a restart of the broker."""
        self._admin = self._broker.admin()

    def ends(self):
        """{partition: offset of the next record}"""
        return self._admin.end_offsets(TOPIC, self._partitions)

    def records(self):
        """Number of records that were ever written, including those that were deleted since."""
        return sum(self.ends().values())

    def requests(self, since):
        """Statistics of the produce requests since the offsets `since`, as far as the broker still keeps their records."""
        count, records, size = batches.count(self._broker.data, TOPIC, since)
        return {"requests_per_1000_events": round(1000 * count / records, 2), "records_per_request": round(records / count, 1),
                "log_bytes_per_record": round(size / records, 1)}


@contextlib.contextmanager
def broker_for(size, partitions, configs=None):
    """A context with a broker that has the topic. The topic has these configs and accepts events of `size` bytes."""
    largest = max(2_000_000, 2 * size)
    broker = KafkaBroker({"message.max.bytes": largest, "replica.fetch.max.bytes": largest,
                          "socket.request.max.bytes": max(104_857_600, 2 * largest),
                          "log.retention.check.interval.ms": 5000}, MEASURED)
    try:
        broker.start()
        broker.create_topic("warm-up")
        broker.topic = Topic(broker, partitions, {"max.message.bytes": largest, **(configs or {})})
        _warm(broker.bootstrap)
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def outbox_and_relay(name, bootstrap, relay=None, **settings):
    """A context with an empty outbox in the database called `name`, whose server gets `settings`, and a relay that is not
    started. `relay` is the section "relay" of its configuration."""
    with _relay_for(DATABASES[name](**settings), bootstrap, relay) as both:
        yield both


@contextlib.contextmanager
def another(outbox, bootstrap):
    """A context with a second outbox on the server of the first, and a relay for it that is not started."""
    with _relay_for(outbox.another(), bootstrap) as both:
        yield both


@contextlib.contextmanager
def _relay_for(outbox, bootstrap, settings=None):
    relay = None
    try:
        relay = make_relay(outbox, bootstrap, **(settings or {}))
        made = relay.command("migrate")
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        yield outbox, relay
    finally:
        if relay:
            relay.close()
        outbox.close()


def make_relay(outbox, bootstrap, **more):
    """A relay with the default configuration, except that `more` is its section "relay"."""
    config = relay_config(outbox.plugin, outbox.options, bootstrap)
    config["relay"] = more
    config["log"] = {"level": "info", "format": "json"}
    return Relay(config)


def add_slow_fsync(parser):
    parser.add_argument("--fsync-ms", type=float, default=0,
                        help="milliseconds by which each fsync of every started process is delayed")


def make_fsync_slow(arguments):
    if arguments.fsync_ms:
        library = find_binary().parents[2] / "bench/bench-slow-fsync.so"
        os.environ.update(LD_PRELOAD=str(library), OUTBOX_FSYNC_US=str(round(1000 * arguments.fsync_ms)))


def machine():
    return {"cores": os.cpu_count(), "kernel": platform.release(), "load": round(os.getloadavg()[0], 1)}


def _warm(bootstrap):
    """Lets one producer connect first. A broker that has just started has no producer ids yet, so its first idempotent
    client waits half a second for one."""
    subprocess.run(["kcat", "-P", "-b", bootstrap, "-t", "warm-up", "-X", "enable.idempotence=true",
                    "-X", "topic.metadata.refresh.interval.ms=100"], input=b"x", check=True, capture_output=True, timeout=60)
