"""Injects faults according to a plan that is derived from a seed. Some faults are alone, others overlap with another
one."""

import collections
import contextlib
import dataclasses
import itertools
import subprocess
import time

from faults import FAULTS
from servers import read_topic, wait_until
from servers.kafka_wire import KafkaError
from writers import SMALL_LIMIT

CALM_BEFORE, CALM_AFTER = 3.0, 4.0  # seconds without faults at the start and at the end of a round
TOGETHER = 0.35  # share of faults that begin while the one before lasts


@dataclasses.dataclass
class Strike:
    at: float
    until: float
    fault: object
    victim: int


@dataclasses.dataclass
class Underway:
    """A fault that is active. Times are in seconds of the wall clock, except `until`, which counts from the start of the
    round."""

    number: int
    strike: Strike
    harm: object
    inflicting: object
    until: float
    begin: float
    struck: float


def plan(dice, seconds, database, only=()):
    strikes, at = [], CALM_BEFORE
    known = [fault for fault in FAULTS if database in fault.databases and (not only or fault.name in only)]
    while True:
        fault = dice.choices(known, [fault.weight for fault in known])[0]
        lasts = dice.uniform(*fault.seconds)
        if at + lasts > seconds - CALM_AFTER:
            return strikes
        strikes.append(Strike(at, at + lasts, fault, dice.randrange(3)))
        at += dice.uniform(0.2, lasts) if dice.random() < TOGETHER else lasts + dice.choice((0.5, 2, 6))


class Scene:
    """What a fault can act on."""

    def __init__(self, cluster, writers, topics, dice, tag):
        self.database, self.broker, self.members = cluster.database, cluster.broker, cluster.members
        self.writers, self.topics, self.dice = writers, topics, dice
        self.victim, self.alone = None, True
        self.complaints = []
        self.kept = []  # the records of each topic that was deleted
        self._names = (f"{tag}-held-{i}" for i in itertools.count())

    HELD = ("held/0", "held/1")

    def held_keys(self):
        return [(self.topics.orders, key) for key in self.HELD]

    def next_name(self):
        return next(self._names)

    def names(self):
        return [member.name for member in self.members]

    def complain(self, text):
        self.complaints.append(text)

    def waiting_for(self, topic):
        return self.database.numbers(f"select count(*) from outbox_event where topic = '{topic}'")[0]

    def keep_records(self, topic):
        self.kept.append(read_topic(self.broker.bootstrap, topic))

    def make_topic(self, topic):
        """Creates the topic. Retries, because a topic that is being deleted still exists for a moment."""
        configs = {"message.timestamp.type": "LogAppendTime"}
        if topic == self.topics.small:
            configs["max.message.bytes"] = SMALL_LIMIT

        def make():
            with contextlib.suppress(KafkaError):
                self.broker.create_topic(topic, self.topics.partitions()[topic], configs)
                return True

        wait_until(make, 30, f"{topic} has been created")


class Nemesis:
    """Runs the plan. Thread: main, because the processes that it starts end with the thread that started them."""

    def __init__(self, scene, strikes, journal):
        self._scene = scene
        self._todo = collections.deque(enumerate(strikes))
        self._active = {}  # Fault.touches -> Underway
        self._journal = journal

    def run(self, until, every):
        """Runs until `until` seconds have passed and no fault is active. Meanwhile it calls `every` about twenty times a
        second."""
        began = time.monotonic()
        while True:
            now = time.monotonic() - began
            for one in sorted(self._active.values(), key=lambda one: one.until):
                if one.until <= now and self._may_end(one.strike.fault):
                    self._end(one)
            if self._todo and self._todo[0][1].at <= now:
                self._begin(*self._todo.popleft(), began)
            if now >= until and not self._active:
                return
            every()
            time.sleep(0.05)

    def _may_end(self, fault):
        return not fault.asks or "database" not in self._active

    def _begin(self, number, strike, began):
        fault, scene = strike.fault, self._scene
        if fault.touches in self._active or fault.asks and "database" in self._active:
            return
        scene.victim, scene.alone = scene.members[strike.victim], not self._active
        since = time.time()
        inflicting = fault.inflict(scene)
        try:
            harm = inflicting.__enter__()
        except (TimeoutError, subprocess.CalledProcessError) as error:
            # The fault could not be caused: others hold the locks, or the server accepts no more connections.
            self._journal.write(fault=fault.name, skipped=str(error), begin=since)
            return
        until = time.monotonic() - began + strike.until - strike.at
        self._active[fault.touches] = Underway(number, strike, harm, inflicting, until, since, time.time())

    def _end(self, one):
        fault, harm = one.strike.fault, one.harm
        self._scene.victim = self._scene.members[one.strike.victim]
        repair = time.time()
        one.inflicting.__exit__(None, None, None)
        del self._active[fault.touches]
        self._journal.write(number=one.number, fault=fault.name, to=harm.to, strikes=harm.strikes, stops=harm.stops,
                            begin=one.begin, struck=one.struck, repair=repair, end=time.time())

    def abandon(self):
        """Undoes as many active faults as possible after a failure of the run itself."""
        for one in self._active.values():
            with contextlib.suppress(Exception):
                one.inflicting.__exit__(None, None, None)
