"""One outbox whose relays die where they are told to, and what must be true of it afterwards."""

import collections
import contextlib
import signal
import uuid

import crash_points
from application import Application
from servers import Relay, TemporaryFolder, read_topic, relay_config, wait_until

LEASE = "2s"  # the shortest
LIMIT = 20_000  # bytes that the small topic takes
WINDOW = 400
BEFORE_NOW = {"postgres": "'2000-01-01'", "mysql": "'2000-01-01'", "sqlite": "0"}


class CrashScene:
    """`database` is one of tests/integration/fault_drivers. Use as a context manager."""

    def __init__(self, database, kafka, seed=1):
        name = uuid.uuid4()
        self._database = database
        self._kafka = kafka
        self._topic, self._small = f"crash-{name}", f"small-{name}"
        self._folder = TemporaryFolder("crash")
        self._log = self._folder.path / "death"
        self._log.touch()
        self._relay_number = 0
        self._provoked = {self._small: [], "doomed!": []}
        self.deaths = 0
        kafka.create_topic(self._topic, 3)
        kafka.create_topic(self._small, 1, {"max.message.bytes": LIMIT})
        with self._relay() as relay:
            made = relay.command("migrate")
            if made.returncode != 0:
                raise RuntimeError(made.stderr)
        database.run(Application.TABLE)
        self.application = Application(database, self._topic, seed)

    def __enter__(self):
        self.application.start()
        return self

    def __exit__(self, *_):
        self.application.stop()
        self._folder.remove()

    def _relay(self, env=None):
        # Under its old name a relay has its lease again at once.
        return Relay(relay_config(self._database.plugin, self._database.options(), self._kafka.bootstrap, {
            "id": f"relay-{self._relay_number}", "reserve_duration": LEASE, "poll_interval": "20ms",
            "batch_size": 50, "max_in_flight_events": WINDOW, "max_attempts": 1_000_000,
            "retry_backoff": "50ms", "max_retry_backoff": "50ms",
            "topics": [{"topic": "doomed*", "max_attempts": 1, "on_exhausted": "dead_letter"}],
        }), env, name="crashing")

    def _provoke(self, need, relay):
        if need == crash_points.STOP:
            relay.send(signal.SIGTERM)
        elif need == crash_points.REFUSAL:
            self._insert(self._small, LIMIT + 1000)
        elif need == crash_points.RESET:
            self._insert(self._small, 10)
        elif need == crash_points.DEATH:
            self._insert("doomed!", 10)

    def succeed(self):
        """The next relay has another name, and the time of the dead one's lease has passed."""
        self._relay_number += 1
        self._database.run(f"update outbox_relay set expires = {BEFORE_NOW[self._database.plugin]}")

    def _insert(self, topic, size):
        name = f"{len(self._provoked[topic])}-"
        place = self._database.place
        with contextlib.closing(self._database.connect()) as link:
            link.cursor().execute("insert into outbox_event (topic, event_type, aggregate_id, payload) values "
                                  f"({place}, 'provoked', {place}, {place})", (topic, name, name.ljust(size, "x")))
            link.commit()
        self._provoked[topic].append(name)

    def live(self, point, n=1, timeout=20):
        """One life of a relay. False: it did not die at the point in this time, and was killed."""
        if point.needs == crash_points.TAKEOVER:
            self.succeed()
        with self._relay(crash_points.environment(point.name, n, self._log)) as relay:
            relay.start()
            try:
                if point.needs not in (crash_points.NOTHING, crash_points.TAKEOVER):
                    relay.wait_for_log("delivering shard")
                    self._provoke(point.needs, relay)
                wait_until(lambda: relay.returncode is not None, timeout, f"the relay dies at {point.name}", 0.005)
            except TimeoutError:
                pass
            died = relay.returncode == -signal.SIGKILL and self._log.read_text().split() == [point.name]
        self._log.write_text("")
        self.deaths += died
        return died

    def finish(self):
        """A relay that lives drains all. Returns what is wrong then."""
        self.application.stop()
        with self._kafka.admin() as admin:
            admin.alter_topic(self._small, {"max.message.bytes": 4 * LIMIT})
        self.succeed()
        with self._relay() as relay:
            relay.start()
            relay.wait_while_running(lambda: self._count("outbox_event") == 0, 120, "the outbox is empty")
            code = relay.stop()
        return [*([f"the last relay ended with {code}"] if code else []), *self._judge_orders(), *self._judge_provoked()]

    def _count(self, table):
        return self._database.numbers(f"select count(*) from {table}")[0]

    def _judge_orders(self):
        orders = set(self._database.numbers("select number from orders"))
        records = sorted(read_topic(self._kafka.bootstrap, self._topic), key=lambda r: (r.partition, r.offset))
        arrived = [int(record.payload) for record in records]
        self.delivered, self.duplicates = len(orders), len(arrived) - len(set(arrived))
        if orders != set(arrived):
            yield f"lost {sorted(orders - set(arrived))[:9]}, ghosts {sorted(set(arrived) - orders)[:9]}"
        if self.duplicates > WINDOW * (self.deaths + 1):
            yield f"{self.duplicates} duplicates after {self.deaths} deaths"
        first = collections.defaultdict(dict)
        for record in records:
            first[record.key].setdefault(int(record.payload))
        for key, numbers in first.items():
            if list(numbers) != sorted(numbers):
                yield f"order of {key}"

    def _judge_provoked(self):
        arrived = {record.payload.split(b"-")[0].decode() + "-"
                   for record in read_topic(self._kafka.bootstrap, self._small)}
        if arrived != set(self._provoked[self._small]):
            yield f"of the small topic, {len(arrived)} of {len(self._provoked[self._small])} arrived"
        if self._count("outbox_dead") != len(self._provoked["doomed!"]):
            yield f"{self._count('outbox_dead')} dead of {len(self._provoked['doomed!'])}"
