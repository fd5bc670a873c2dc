"""Applications that commit aggregates and their events, and log the outcome that they know: committed, rolled back or
unknown.

The events of a key are numbered by the row of its aggregate, which every transaction locks first. The committed events of a
key therefore have the numbers 1, 2, 3 … without a gap, in the order of their row ids. The table `written` has a row for
each committed transaction, which shows whether a transaction was committed whose COMMIT got no answer.
"""

import base64
import contextlib
import dataclasses
import json
import random
import threading
import time
import uuid
import zlib

WRITERS = 8
SIZES = (1, 2, 3, 8, 300), (400, 300, 260, 39, 1)  # events of a transaction, and how frequent these sizes are
LATE = 0.02  # share of transactions that stay open for a while
ROLLED_BACK = 0.08  # share of transactions
KEYLESS = 0.03  # share of events
POISON = 0.004  # share of events that can never be delivered
OVERSIZE = 0.02  # share of events for the small topic that are too large
SMALL_LIMIT = 3000  # largest record of the small topic, in bytes

@dataclasses.dataclass
class Topics:
    """The names of the topics of one round. The relay's settings depend on their first word: see cluster.py."""

    orders: str    # a failed event is retried, and its key waits
    payments: str  # the topic is deleted and created again
    small: str     # the topic accepts SMALL_LIMIT bytes; events that fail become dead letters
    poison: str    # the topic does not exist; its events become dead letters

    @staticmethod
    def of(tag):
        return Topics(*(f"{name}-{tag}" for name in ("orders", "payments", "small", "poison")))

    def partitions(self):
        return {self.orders: 3, self.payments: 2, self.small: 2}


@dataclasses.dataclass
class Event:
    event_id: str
    topic: str
    key: object
    number: int  # number within its key; 0 without a key
    dies: bool
    payload: bytes = dataclasses.field(repr=False)
    event_type: str = "changed"

    @property
    def mark(self):
        return checksum(self.topic, self.key, self.event_type, self.payload)

    def headers(self):
        """The checksum as four bytes, which can have any value including zero."""
        return json.dumps({"checksum": {"base64": base64.b64encode(self.mark.to_bytes(4, "big")).decode()}})

    def logged(self):
        return [self.event_id, self.topic, self.key, self.number, self.mark, self.dies]


def checksum(topic, key, event_type, payload):
    return zlib.crc32(json.dumps([topic, key, event_type]).encode() + payload)


@dataclasses.dataclass
class Transaction:
    name: str
    began: float
    events: list


class Writers:
    """The threads that write. `rate` is the number of events per second of all writers together."""

    def __init__(self, database, outbox, topics, journal, seed, rate):
        self.database = database
        self._outbox = outbox
        self._topics = topics
        self._journal = journal
        self._seed = seed
        self._pause = WRITERS * 2.4 / rate  # a transaction has 2.4 events on average
        self._stopping = threading.Event()
        self._withheld = set()
        self._busy = {}  # open transactions: name -> topics
        self._threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(WRITERS)]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(90)
            if thread.is_alive():
                raise TimeoutError("a writer has not returned from a database call for 90 s")

    def withhold(self, topic):
        """Transactions that begin from now on have no events for this topic."""
        self._withheld.add(topic)

    def resume(self, topic):
        self._withheld.discard(topic)

    def busy_with(self, topic):
        """True if an open transaction has events for the topic."""
        return any(topic in topics for topics in list(self._busy.values()))

    def _work(self, number):
        dice = random.Random(f"{self._seed}/{number}")
        link = None
        due = time.monotonic()
        for count in range(1 << 60):
            if self._stopping.is_set():
                break
            due = max(due + dice.expovariate(1 / self._pause), time.monotonic() - 1)
            self._stopping.wait(max(0.0, due - time.monotonic()))
            link = self._transaction(link, dice, f"{self._seed}-{number}-{count}")
        self._close(link)

    def _transaction(self, link, dice, name):
        """Runs one transaction. Returns the connection, or None if it is broken."""
        try:
            link = link or self.database.connect_for_writing()
            transaction = self.open(link, dice, name, dice.choices(*SIZES)[0])
        except self.database.error:
            self._close(link)
            self._busy.pop(name, None)
            return None
        if dice.random() < LATE:
            self._stopping.wait(dice.uniform(0.02, 1))
        return self.end(link, transaction, commit=dice.random() >= ROLLED_BACK)

    def open(self, link, dice, name, size, keys=None, prepared=None):
        """Begins a transaction and inserts its events. Raises the database's error if that fails; then it is not
        committed."""
        place = self.database.place
        transaction = Transaction(name, time.time(), [])
        # All topics count as busy until _draw() has read what is withheld, so that busy_with() misses no transaction.
        self._busy[name] = set(self._topics.partitions())
        wanted = sorted(keys or (self._draw(dice) for _ in range(size)), key=lambda drawn: drawn[1] or "")
        self._busy[name] = {topic for topic, _ in wanted}
        cursor = link.cursor()
        cursor.execute(self.database.begin_of(prepared))
        cursor.execute(f"insert into written (tx) values ({place})", (name,))
        for topic, key in wanted:
            event = self._event(cursor, dice, topic, key)
            self._outbox.insert(cursor, event, dice)
            transaction.events.append(event)
        cursor.close()
        return transaction

    def end(self, link, transaction, commit):
        """Ends the transaction and logs its outcome. Returns the connection, or None if it is broken."""
        try:
            link.cursor().execute("commit" if commit else "rollback")
            self.log_outcome(transaction, "committed" if commit else "rolled back")
            return link
        except self.database.error:
            self._close(link)
            self.log_outcome(transaction, "unknown" if commit else "rolled back")
            return None

    def log_outcome(self, transaction, outcome):
        self._busy.pop(transaction.name, None)
        self._journal.write(tx=transaction.name, began=transaction.began, ended=time.time(), outcome=outcome,
                            events=[event.logged() for event in transaction.events])

    def _draw(self, dice):
        """Returns a random (topic, key). Each key has one topic, and some keys are more frequent than others."""
        topics = self._topics
        if dice.random() < POISON and topics.poison not in self._withheld:
            return topics.poison, f"poison/{dice.randrange(3)}"
        topic, keys = dice.choices(((topics.orders, 60), (topics.payments, 30), (topics.small, 15)), (60, 25, 15))[0]
        if topic in self._withheld:
            topic, keys = topics.orders, 60
        if dice.random() < KEYLESS:
            return topic, None
        return topic, f"{topic.partition('-')[0]}/{min(dice.randrange(keys), dice.randrange(keys))}"

    def _event(self, cursor, dice, topic, key):
        number = 0
        if key is not None:
            number = self._next_version(cursor, f"{topic}/{key}")
        dies = topic == self._topics.poison
        size = dice.choices((0, 200, 1000), (5, 80, 15))[0]
        if topic == self._topics.small:
            size = min(size, 200)
            if dice.random() < OVERSIZE:
                dies, size = True, SMALL_LIMIT + 500
        head = json.dumps({"key": key, "number": number}).encode() + b"\0"
        return Event(str(uuid.UUID(int=dice.getrandbits(128), version=4)), topic, key, number, dies, head + dice.randbytes(size))

    def _next_version(self, cursor, name):
        place = self.database.place
        cursor.execute(f"update aggregates set version = version + 1 where name = {place}", (name,))
        if cursor.rowcount == 0:
            raise LookupError(f"no aggregate {name}")
        cursor.execute(f"select version from aggregates where name = {place}", (name,))
        return cursor.fetchone()[0]

    def prepare_tables(self, held):
        """Creates the aggregates of this round. `held` are additional keys of the orders topic."""
        topics = self._topics
        names = [f"{topic}/{word}/{number}"
                 for topic, word, count in ((topics.orders, "orders", 60), (topics.payments, "payments", 30),
                                            (topics.small, "small", 15), (topics.poison, "poison", 3))
                 for number in range(count)]
        names += [f"{topics.orders}/{key}" for key in held]
        self.database.run("delete from written; delete from aggregates; insert into aggregates (name, version) values " +
                          ", ".join(f"('{name}', 0)" for name in names))

    def _close(self, link):
        with contextlib.suppress(self.database.error):
            if link:
                link.close()
