"""Three relays between one database and one broker. Each connection between a relay and a server goes through its own
proxies."""

import contextlib
import dataclasses
import signal
import time

from captured import Captured, Plain
from databases import DATABASES, TABLES
from servers import Relay, free_port, own_kafka, relay_config, wait_until
from servers.kafka import GUARDED
from servers.kafka_proxy import KafkaProxy
from servers.tcp_proxy import TcpProxy

RELAYS = 3
SHARDS = 6
WINDOW = 300  # events that one relay may have in flight
LEASE = 3.0
STORAGE_TIMEOUT = 2.0
DELIVERY_TIMEOUT = 5.0
SHUTDOWN_TIMEOUT = 5.0

SETTINGS = {
    "reserve_duration": f"{LEASE:.0f}s", "poll_interval": "100ms", "batch_size": 100, "max_in_flight_events": WINDOW,
    "storage_timeout": f"{STORAGE_TIMEOUT:.0f}s", "delivery_timeout": f"{DELIVERY_TIMEOUT:.0f}s",
    "shutdown_timeout": f"{SHUTDOWN_TIMEOUT:.0f}s",
    # max_attempts is so high that an event that is refused during a whole fault is not given up.
    "max_attempts": 1000, "retry_backoff": "200ms", "max_retry_backoff": "2s",
    "topics": [{"topic": "small-*", "on_exhausted": "dead_letter", "max_attempts": 3},
               {"topic": "poison-*", "on_exhausted": "dead_letter", "max_attempts": 3}],
}


class Member:
    """One relay and its proxies. `frames` parses Kafka requests and answers; `kafka` and `database` handle only bytes."""

    def __init__(self, number, cluster, own_port):
        self.name = f"relay-{number}"
        self.http = free_port()
        self.frames = KafkaProxy(free_port(), own_port)
        self.kafka = TcpProxy(self.frames.port, cluster.kafka_ports[own_port])
        self.database = TcpProxy(cluster.database.port) if cluster.database.networked else None
        self.wanted = False  # it should be running: it was started and not killed or stopped since
        options = cluster.database.options(**({"port": self.database.port} if self.database else {}))
        config = relay_config(cluster.database.plugin, cluster.outbox.options(options), f"127.0.0.1:{self.kafka.port}", {**SETTINGS, "id": self.name})
        config["http"] = {"listen": f"127.0.0.1:{self.http}", "refresh_interval": "500ms"}
        config["log"]["level"] = "info"
        cluster.outbox.configure(config)
        self.relay = Relay(config, env=cluster.mutant.env, name=self.name, binary=cluster.mutant.binary)

    def start(self):
        self.relay.start()
        self.wanted = True

    def kill(self):
        self.wanted = False
        self.relay.kill()

    def stop(self):
        """Returns the exit code."""
        self.wanted = False
        return self.relay.stop(timeout=SHUTDOWN_TIMEOUT + STORAGE_TIMEOUT + 15)

    @contextlib.contextmanager
    def paused(self):
        self.relay.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.relay.send(signal.SIGCONT)

    def proxies(self):
        return [proxy for proxy in (self.database, self.kafka, self.frames) if proxy]

    def close(self):
        self.relay.close()
        for proxy in self.proxies():
            proxy.close()


@dataclasses.dataclass
class Sound:
    """The real relay. It has the same attributes as the mutants of mutants.py."""

    binary = None
    env: dict = dataclasses.field(default_factory=dict)


class Cluster:
    """The servers and the relays of a chaos run. Use it as a context manager, which stops all of them."""

    def __init__(self, kind, mutant=None, captured=False):
        self.mutant = mutant or Sound()
        self._outbox_of = Captured if captured else Plain
        self._closing = contextlib.ExitStack()
        try:
            self._build(kind)
        except BaseException:
            self._closing.close()
            raise

    def _build(self, kind):
        self.database = DATABASES[kind](own=True)
        self._closing.callback(self.database.close)
        self.outbox = self._outbox_of(self.database)
        # The broker has a port for each relay, and the relay's proxy is in front of that port.
        self.kafka_ports = {free_port(): free_port() for _ in range(RELAYS)}
        self.broker = own_kafka(properties=GUARDED, behind=self.kafka_ports)
        self._closing.callback(self.broker.stop)
        self.broker.start()
        self.members = []
        for number, port in enumerate(self.kafka_ports, 1):
            self.members.append(Member(number, self, port))
            self._closing.callback(self.members[-1].close)
        self.outbox.create_table()
        made = self.members[0].relay.command("migrate", "--shards", SHARDS, *self.outbox.migrate_options())
        if made.returncode != 0:
            raise RuntimeError(f"migrate ended with {made.returncode}: {made.stderr}")
        self.outbox.create_views()
        self.database.run(TABLES)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.close()

    def start(self):
        for member in self.members:
            member.start()

    def fallen(self):
        """The relays that ended by themselves."""
        return [member for member in self.members if member.wanted and member.relay.returncode is not None]

    def wait_until_drained(self, seconds):
        """Waits until the outbox is empty. Returns how many rows are still in it, and how many seconds this took."""
        began = time.monotonic()

        def rest():
            return self.database.numbers("select count(*) from outbox_event")[0]

        with contextlib.suppress(TimeoutError):
            wait_until(lambda: rest() == 0, seconds, "the outbox is empty", interval=0.1)
        return rest(), time.monotonic() - began
