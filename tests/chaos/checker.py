"""Judges a round by what its writers have logged, what the topics hold, and the tables at the end. It asks no relay.

`judge(history)` returns {"broken": {promise: [what]}, "counts": {...}, "recovery": [...]}; a sound relay breaks nothing.
"""

import bisect
import collections
import dataclasses
import itertools
from typing import Dict, List

SHOWN = 5      # findings of a kind that are written down
GRACE = 12.0   # seconds after its end in which a fault explains a second copy: lease, delivery timeout, reconnect
BLIND = 8.5    # seconds that a relay may take to notice that it can move nothing: a call's time and the wait for answers
SLOW = 1.0     # seconds for an answer of the database to the monitor: a third of a lease, in which none can be renewed
OLD = 3.0      # seconds after which a row that waits must be in every backlog
SILENT = 10.0    # seconds in which a row waits and nothing moves, after which no relay may call itself ready
RECOVERY = 30.0  # seconds from the end of a lone fault until all that waited has arrived


@dataclasses.dataclass
class History:
    transactions: List[dict]   # of the writers: tx, began, ended, outcome, events
    faults: List[dict]         # number, fault, to, strikes, stops, begin, mending, end
    records: List[dict]        # topic, life, partition, offset, time, event_id, key, mark, intact
    tables: Dict[str, list]    # written, outbox, retry, dead
    samples: List[dict]        # of the monitor
    complaints: List[str]      # of the nemesis: relays that ended by themselves, stops that failed
    window: int = 300          # events in flight of one relay
    relays: int = 3

    def slow_looks(self):
        """When the database had no time for its clients, be it for a fault or because the machine is busy."""
        return [look for look in self.samples if "rows" in look and look["answered"] - look["asked"] > SLOW]


@dataclasses.dataclass
class Sent:
    """One committed event."""

    tx: str
    topic: str
    key: object
    number: int
    mark: int
    dies: bool
    committed: float


class _Broken(collections.defaultdict):
    """promise -> findings, of which only the first are kept in full."""

    def __init__(self):
        super().__init__(list)
        self.counts = collections.Counter()

    def add(self, promise, text):
        self.counts[promise] += 1
        if len(self[promise]) < SHOWN:
            self[promise].append(text)


def judge(history: History):
    broken = _Broken()
    committed = _committed(history, broken)
    copies = collections.defaultdict(list)  # event -> its records, in the order of time
    for record in sorted(history.records, key=lambda record: record["time"]):
        copies[record["event_id"]].append(record)

    _judge_events(history, committed, copies, broken)
    _judge_order(history, committed, broken)
    duplicates = _judge_duplicates(history, copies, broken)
    _judge_rest(history, committed, broken)
    _judge_honesty(history, broken)
    _judge_silence(history, broken)
    recovery = _recoveries(history, committed, copies, broken)
    for complaint in history.complaints:
        broken.add("relay", complaint)
    strikes = [fault for fault in history.faults if "skipped" not in fault]
    return {
        "broken": dict(broken), "broken_counts": dict(broken.counts),
        "counts": {"transactions": len(history.transactions), "committed": len(committed),
                   "unknown": sum(line["outcome"] == "unknown" for line in history.transactions),
                   "dead": len(history.tables["dead"]), "records": len(history.records), "duplicates": duplicates,
                   "faults": len(strikes), "slow looks": len(history.slow_looks()), "samples": len(history.samples)},
        "faults": dict(collections.Counter(fault["fault"] for fault in strikes)),
        "recovery": recovery,
    }


def _committed(history, broken):
    """{event_id: Sent}. The database says what became of a commit that got no answer."""
    written = set(history.tables["written"])
    committed = {}
    for line in history.transactions:
        there = line["tx"] in written
        if line["outcome"] == "committed" and not there:
            broken.add("database", f"{line['tx']} was committed and is not there")
        if line["outcome"] == "rolled back" and there:
            broken.add("database", f"{line['tx']} was rolled back and is there")
        if there:
            for event_id, topic, key, number, mark, dies in line["events"]:
                committed[event_id] = Sent(line["tx"], topic, key, number, mark, dies, line["ended"])
    return committed


def _judge_events(history, committed, copies, broken):
    """Nothing lost, no ghosts, nothing altered, no transaction in part."""
    missing = collections.defaultdict(list)
    sizes = collections.Counter()
    for event_id, event in committed.items():
        if event.dies:
            if event_id in copies:
                broken.add("dead", f"{_named(event_id, event)} is in a topic that cannot take it")
            continue
        sizes[event.tx] += 1
        if event_id not in copies:
            missing[event.tx].append(event_id)
            broken.add("lost", _named(event_id, event))
    for name, events in missing.items():
        if len(events) < sizes[name]:
            broken.add("torn", f"of {name}, {len(events)} of {sizes[name]} events are missing")
    dead = set(history.tables["dead"])
    for event_id, event in committed.items():
        if event.dies != (event_id in dead):
            broken.add("dead", f"{_named(event_id, event)} {'is not' if event.dies else 'is'} among the dead")
    for event_id, records in copies.items():
        event = committed.get(event_id)
        if event is None:
            broken.add("ghost", f"{event_id} in {records[0]['topic']} at {records[0]['partition']}:{records[0]['offset']}")
            continue
        for record in records:
            if not record["intact"] or (record["mark"], record["topic"], record["key"]) != (event.mark, event.topic, event.key):
                broken.add("corrupt", f"{_named(event_id, event)} at {record['partition']}:{record['offset']}")


def _judge_order(history, committed, broken):
    """The first copies of a key's events are in one partition, with rising numbers."""
    lines = collections.defaultdict(list)  # (topic, key) -> records as they lie in the topic
    for record in sorted(history.records, key=lambda record: (record["life"], record["offset"])):
        if record["key"] is not None and record["event_id"] in committed:
            lines[record["topic"], record["key"]].append(record)
    for (topic, key), records in lines.items():
        for life in {record["life"] for record in records}:
            partitions = {record["partition"] for record in records if record["life"] == life}
            if len(partitions) > 1:
                broken.add("order", f"{key} of {topic} is in partitions {sorted(partitions)}")
        highest, seen = 0, set()
        for record in records:
            number = committed[record["event_id"]].number
            if number in seen:
                continue
            seen.add(number)
            if number < highest:
                broken.add("order", f"{key} of {topic}: {number} at {record['partition']}:{record['offset']} after {highest}")
            highest = max(highest, number)


def _judge_duplicates(history, copies, broken):
    """Each needs a fault between its copies, and no fault explains more than its windows."""
    causes = [fault for fault in history.faults if fault.get("strikes")]
    causes += [{"begin": look["asked"], "end": look["answered"], "strikes": history.relays} for look in history.slow_looks()]
    duplicates = 0
    for event_id, records in copies.items():
        for earlier, later in zip(records, records[1:]):
            duplicates += 1
            if not any(cause["begin"] <= later["time"] and earlier["time"] <= cause["end"] + GRACE for cause in causes):
                broken.add("duplicate", f"{event_id} at {earlier['time']:.3f} and {later['time']:.3f} without a fault")
    allowed = history.window * sum(cause["strikes"] for cause in causes)
    if duplicates > allowed:
        broken.add("duplicate", f"{duplicates} where the faults explain {allowed}")
    return duplicates


def _judge_rest(history, committed, broken):
    for name in ("outbox", "retry"):
        for row in history.tables[name][:SHOWN]:
            broken.add("stuck", f"row {row} is left in the {name} table")
    for event_id in set(history.tables["dead"]) - committed.keys():
        broken.add("ghost", f"{event_id} is among the dead")


def _judge_honesty(history, broken):
    """Not ready while nothing can move; no backlog of 0 while rows wait."""
    stops = [fault for fault in history.faults if fault.get("stops") and fault["mending"] - fault["begin"] > BLIND]
    asked = [sample for sample in history.samples if "relay" in sample]
    could_not_try = collections.defaultdict(float)  # relay -> when it last had nothing to find out by
    for sample in asked:
        if sample["said"].startswith(("database_down", "standby", "starting")):
            could_not_try[sample["relay"]] = sample["asked"]
        for fault in stops:
            since = max(fault["begin"], could_not_try[sample["relay"]])
            if (sample["ready"] and sample["relay"] in fault["stops"] and since + BLIND <= sample["asked"]
                    and sample["answered"] <= fault["mending"]):
                broken.add("honest", f"{sample['relay']} is ready {sample['asked'] - fault['begin']:.1f} s into "
                                     f"{fault['fault']} ({fault['to']})")
    zeros = sorted((sample["asked"], sample["relay"]) for sample in asked if sample["backlog"] == 0)
    for sample in history.samples:
        if "rows" not in sample or sample["oldest"] < OLD:
            continue
        first = bisect.bisect_left(zeros, (sample["asked"] - sample["oldest"] + OLD, ""))
        for when, relay in zeros[first:]:
            if when > sample["asked"]:
                break
            broken.add("honest", f"{relay} says that nothing waits at {when:.3f}, where a row has waited for "
                                 f"{sample['oldest'] - (sample['asked'] - when):.1f} s")


def _judge_silence(history, broken):
    """Nothing moves while rows wait, and a relay has been ready all the while."""
    asked = collections.defaultdict(list)  # relay -> its samples
    for sample in history.samples:
        if "relay" in sample:
            asked[sample["relay"]].append(sample)
    moved = [record["time"] for record in history.records]
    for samples in asked.values():
        moved += [later["asked"] for earlier, later in zip(samples, samples[1:])
                  if later.get("confirmed") != earlier.get("confirmed")]
    moved.sort()
    for look in history.samples:
        if "rows" not in look or look["oldest"] < SILENT:
            continue
        begin, end = look["asked"] - SILENT, look["asked"]
        if bisect.bisect_left(moved, begin) < bisect.bisect_right(moved, end):
            continue
        for relay, samples in asked.items():
            times = [sample["asked"] for sample in samples]
            meanwhile = samples[bisect.bisect_left(times, begin):bisect.bisect_right(times, end)]
            if len(meanwhile) >= SILENT / 2 and all(sample["ready"] for sample in meanwhile):
                broken.add("honest", f"{relay} is ready at {end:.3f}, where a row has waited for {look['oldest']:.1f} s and "
                                     f"nothing has moved for {SILENT} s")


def _recoveries(history, committed, copies, broken):
    """For each fault that was alone: how long it lasted, how long what it held up still took after its end,
    and how long the longest wait of an event was, from its commit or, if that was before, from when the fault was there."""
    arrivals = sorted((event.committed, copies[event_id][0]["time"]) for event_id, event in committed.items()
                      if event_id in copies)
    times = [when for when, _ in arrivals]
    latest = list(itertools.accumulate((arrived for _, arrived in arrivals), max))
    struck = [fault for fault in history.faults if "skipped" not in fault]
    found = []
    for fault in struck:
        before = bisect.bisect_right(times, fault["end"])
        after = max(0.0, latest[before - 1] - fault["end"]) if before else 0.0
        if any(other is not fault and other["end"] >= fault["begin"] and other["begin"] <= fault["end"] + after
               for other in struck):
            continue
        struck_at = fault.get("struck", fault["begin"])
        met = arrivals[bisect.bisect_left(times, fault["begin"] - 0.5):before]
        wait = max((arrived - max(when, struck_at) for when, arrived in met), default=0.0)
        found.append([fault["fault"], *(round(value, 2) for value in (fault["end"] - fault["begin"], after, wait))])
        if after > RECOVERY:
            broken.add("recovery", f"{after:.1f} s after {fault['fault']} ({fault['to']}) ended")
    return found


def _named(event_id, event):
    return f"{event_id} ({event.key} {event.number} of {event.topic}, {event.tx})"
