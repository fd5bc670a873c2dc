"""Does harm by a plan that a seed has made: some faults alone, others while another one lasts."""

import contextlib
import dataclasses
import heapq
import itertools
import subprocess
import time

from faults import FAULTS
from servers import read_topic, wait_until
from servers.kafka_wire import KafkaError
from writers import SMALL_LIMIT

CALM_BEFORE, CALM_AFTER = 3.0, 4.0  # seconds of a round without faults
TOGETHER = 0.35  # of the faults begin while the one before lasts


@dataclasses.dataclass
class Strike:
    at: float
    until: float
    fault: object
    victim: int


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
    """What a fault may lay hands on."""

    def __init__(self, stage, writers, topics, dice, tag):
        self.database, self.broker, self.members = stage.database, stage.broker, stage.members
        self.writers, self.topics, self.dice = writers, topics, dice
        self.victim, self.alone = None, True
        self.complaints = []
        self.kept = []  # the records of each topic that is no more
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
        """A topic that is being deleted is still there for a moment."""
        configs = {"message.timestamp.type": "LogAppendTime"}
        if topic == self.topics.small:
            configs["max.message.bytes"] = SMALL_LIMIT

        def make():
            with contextlib.suppress(KafkaError):
                self.broker.create_topic(topic, self.topics.partitions()[topic], configs)
                return True

        wait_until(make, 30, f"{topic} is made")


class Nemesis:
    """Runs on the main thread: what it starts ends with the thread that started it."""

    def __init__(self, scene, strikes, journal):
        self._scene = scene
        self._todo = [(strike.at, number, strike) for number, strike in enumerate(strikes)]
        self._active = {}  # what is touched -> (end, number, strike, harm, mend, begun, struck)
        self._journal = journal

    def run(self, until, every):
        """`every` is called all the while, ten times a second."""
        heapq.heapify(self._todo)
        began = time.monotonic()
        while True:
            now = time.monotonic() - began
            for touched, (end, *_) in sorted(self._active.items(), key=lambda item: item[1][0]):
                if end <= now and self._may_end(touched):
                    self._end(touched)
            if self._todo and self._todo[0][0] <= now:
                _, number, strike = heapq.heappop(self._todo)
                self._begin(number, strike, began)
            if now >= until and not self._active:
                return
            every()
            time.sleep(0.05)

    def _may_end(self, touched):
        return not self._active[touched][2].fault.asks or "database" not in self._active

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
            # Its harm was not done: somebody is in the way, or a server has no connection to give.
            self._journal.write(fault=fault.name, skipped=str(error), begin=since)
            return
        end = time.monotonic() - began + strike.until - strike.at
        self._active[fault.touches] = (end, number, strike, harm, inflicting, since, time.time())

    def _end(self, touched):
        _, number, strike, harm, inflicting, since, struck = self._active[touched]
        self._scene.victim = self._scene.members[strike.victim]
        mending = time.time()
        inflicting.__exit__(None, None, None)
        del self._active[touched]
        self._journal.write(number=number, fault=strike.fault.name, to=harm.to, strikes=harm.strikes, stops=harm.stops,
                            begin=since, struck=struck, mending=mending, end=time.time())

    def abandon(self):
        """After a failure of the run itself: mends what can be mended."""
        for *_, inflicting, _, _ in self._active.values():
            with contextlib.suppress(Exception):
                inflicting.__exit__(None, None, None)
