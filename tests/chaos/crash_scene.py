"""One outbox whose relays are killed at chosen points, and the check of what must be true afterwards."""

import contextlib
import signal
import time
import uuid

import crash_points
from captured import Plain
from checker import History, judge
from databases import TABLES
from journal import Journal, read
from round import seen
from servers import Relay, TemporaryFolder, read_topic, relay_config, wait_until
from writers import SMALL_LIMIT, Event, Topics, Transaction, Writers

LEASE = "2s"  # the shortest lease that the relay accepts
WINDOW = 400
BEFORE_NOW = {"postgres": "'2000-01-01'", "mysql": "'2000-01-01'", "sqlite": "0"}


class CrashScene:
    """`database` is an object of databases.py. Use it as a context manager."""

    def __init__(self, database, kafka, seed=1, rate=400):
        self._database, self._kafka = database, kafka
        self._outbox = Plain(database)
        self._folder = TemporaryFolder("crash")
        self._death = self._folder.path / "death"
        self._death.touch()
        self._relay_number = 0
        self._topics = Topics.of(uuid.uuid4())
        self._began = time.time()
        self.deaths, self.verdict = 0, {}
        for topic, partitions in self._topics.partitions().items():
            limit = {"max.message.bytes": SMALL_LIMIT} if topic == self._topics.small else {}
            kafka.create_topic(topic, partitions, {"message.timestamp.type": "LogAppendTime", **limit})
        with self._relay() as relay:
            made = relay.command("migrate", *database.MIGRATE)
            if made.returncode != 0:
                raise RuntimeError(made.stderr)
        database.run(TABLES)
        self._journal = Journal(self._folder.path / "writers.jsonl.gz")
        self._writers = Writers(database, self._outbox, self._topics, self._journal, seed, rate)
        self._writers.prepare_tables(held=())
        # Events for these topics are inserted only when a point needs them.
        self._writers.withhold(self._topics.small)
        self._writers.withhold(self._topics.poison)

    def __enter__(self):
        self._writers.start()
        return self

    def __exit__(self, *_):
        self._writers.stop()
        self._folder.remove()

    def _relay(self, env=None):
        return Relay(relay_config(self._database.plugin, self._database.options(), self._kafka.bootstrap, {
            "id": f"relay-{self._relay_number}", "reserve_duration": LEASE, "poll_interval": "20ms",
            "batch_size": 50, "max_in_flight_events": WINDOW, "retry_backoff": "50ms", "max_retry_backoff": "50ms",
            "topics": [{"topic": "small-*", "max_attempts": 3, "on_exhausted": "dead_letter"},
                       {"topic": "poison-*", "max_attempts": 1, "on_exhausted": "dead_letter"}],
        }), env, name="crashing")

    def succeed(self):
        """Gives the next relay another name."""
        self._relay_number += 1

    def _end_lease(self):
        """Ends the lease of the killed relay. Even a relay with the same name would wait until it expires."""
        self._database.run(f"update outbox_relay set expires = {BEFORE_NOW[self._database.plugin]}")

    def live(self, point, n=1, timeout=20):
        """Runs one relay, which is to be killed at the n-th pass of the point. Returns False if it did not reach the point
        within `timeout` seconds and was killed then."""
        if point.needs == crash_points.TAKEOVER:
            self.succeed()
            wait_until(lambda: self._column("select id from outbox_event"), 60, "a row is in the outbox")
        self._end_lease()
        with self._relay(crash_points.environment(point.name, n, self._death)) as relay:
            relay.start()
            with contextlib.suppress(TimeoutError):
                if point.needs not in (crash_points.NOTHING, crash_points.TAKEOVER):
                    relay.wait_for_log("delivering shard")
                    self._provoke(point.needs, relay)
                wait_until(lambda: relay.returncode is not None, timeout, f"the relay is killed at {point.name}", 0.005)
            died = relay.returncode == -signal.SIGKILL and self._death.read_text().split() == [point.name]
        self._death.write_text("")
        self.deaths += died
        return died

    def _provoke(self, need, relay):
        if need == crash_points.STOP:
            relay.send(signal.SIGTERM)
        elif need == crash_points.REFUSAL:
            self._commit(self._topics.small, SMALL_LIMIT + 500, dies=True)
        elif need == crash_points.RESET:
            self._commit(self._topics.small, 10, dies=False)
        elif need == crash_points.DEATH:
            self._commit(self._topics.poison, 10, dies=True)

    def _commit(self, topic, size, dies):
        event = Event(str(uuid.uuid4()), topic, None, 0, dies, bytes(size))
        transaction = Transaction(event.event_id, time.time(), [event])
        place = self._database.place
        with contextlib.closing(self._database.connect()) as link:
            cursor = link.cursor()
            cursor.execute(f"insert into written (tx) values ({place})", (transaction.name,))
            self._outbox.insert(cursor, event, None)
            link.commit()
        self._writers.log_outcome(transaction, "committed")

    def finish(self):
        """Drains the outbox with a relay that is not killed. Returns the broken promises."""
        self._writers.stop()
        self._journal.close()
        self.succeed()
        self._end_lease()
        complaints = []
        with self._relay() as relay:
            # An event that was sent alone while relays of different names were killed has been given up as a poison event.
            relay.command("unblock", "--all")
            relay.start()
            with contextlib.suppress(TimeoutError):
                relay.wait_while_running(lambda: not self._column("select id from outbox_event"), 120, "the outbox is empty")
            code = relay.stop()
            if code:
                complaints = [f"the last relay ended with {code}"]
        self.verdict = judge(self._history(complaints))
        return self.verdict["broken"]

    def _history(self, complaints):
        records = [seen(record, self._outbox) | {"life": 0} for topic in self._topics.partitions()
                   for record in read_topic(self._kafka.bootstrap, topic)]
        deaths = {"number": 1, "fault": "crashes", "to": "one relay after the other", "strikes": self.deaths + 1,
                  "stops": [], "begin": self._began, "repair": time.time(), "end": time.time()}
        tables = {"written": self._column("select tx from written"), "outbox": self._column("select id from outbox_event"),
                  "retry": self._column("select row_id from outbox_retry"),
                  "dead": self._column("select event_id from outbox_dead")}
        return History(read(self._folder.path / "writers.jsonl.gz"), [deaths], records, tables, [], complaints, WINDOW)

    def _column(self, sql):
        with contextlib.closing(self._database.connect()) as link:
            cursor = link.cursor()
            cursor.execute(sql)
            return [str(row[0]) for row in cursor.fetchall()]
