"""Judges a round from the writers' log, the records in the topics, and the tables at the end. It asks no relay.

`judge(history)` returns {"broken": {promise: [finding]}, "counts": {...}, "recovery": [...]}. For a correct relay "broken"
is empty.
"""

import bisect
import collections
import dataclasses
import itertools
from typing import Dict, List

# All times are in seconds.
SHOWN = 5        # number of findings of each kind that are reported in full
GRACE = 12.0     # time after the end of a fault in which it explains a duplicate: lease, delivery timeout and reconnect
BLIND = 8.5      # time in which a relay must notice that it can move no events: a call's timeout and the wait for answers
# A query of the monitor that takes longer counts as a fault: it is a third of a lease, in which no lease could be renewed.
SLOW = 1.0
OLD = 3.0        # time after which every relay's backlog must include a waiting row
SILENT = 10.0    # if rows wait and nothing moves for this time, no relay may report that it is ready
RECOVERY = 30.0  # time after the end of a fault that was alone in which all delayed events must arrive


@dataclasses.dataclass
class History:
    transactions: List[dict]   # from the writers: tx, began, ended, outcome, events
    faults: List[dict]         # number, fault, to, strikes, stops, begin, repair, end
    records: List[dict]        # topic, life, partition, offset, time, event_id, key, mark, intact
    tables: Dict[str, list]    # written, outbox, retry, dead
    samples: List[dict]        # from the monitor
    complaints: List[str]      # reported by the nemesis: relays that ended by themselves, stops that failed
    window: int = 300          # events that one relay may have in flight
    relays: int = 3

    def slow_queries(self):
        """The monitor's queries of the database that took longer than SLOW, because of a fault or because the machine was
        busy."""
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
    """Promise -> findings. Only the first SHOWN findings of a promise are kept; `counts` has the number of all."""

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
    copies = collections.defaultdict(list)  # event -> its records, ordered by time
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
                   "faults": len(strikes), "slow queries": len(history.slow_queries()), "samples": len(history.samples)},
        "faults": dict(collections.Counter(fault["fault"] for fault in strikes)),
        "recovery": recovery,
    }


def _committed(history, broken):
    """Returns {event_id: Sent}. For a commit without an answer, the table `written` shows whether it was committed."""
    written = set(history.tables["written"])
    committed = {}
    for line in history.transactions:
        there = line["tx"] in written
        if line["outcome"] == "committed" and not there:
            broken.add("database", f"{line['tx']} was committed, but the database does not have it")
        if line["outcome"] == "rolled back" and there:
            broken.add("database", f"{line['tx']} was rolled back, but the database has it")
        if there:
            for event_id, topic, key, number, mark, dies in line["events"]:
                committed[event_id] = Sent(line["tx"], topic, key, number, mark, dies, line["ended"])
    return committed


def _judge_events(history, committed, copies, broken):
    """No committed event is lost, no record belongs to an uncommitted event, no event is altered, and no transaction
    arrives in part."""
    missing = collections.defaultdict(list)
    sizes = collections.Counter()
    for event_id, event in committed.items():
        if event.dies:
            if event_id in copies:
                broken.add("dead", f"{_named(event_id, event)} is in a topic, although it cannot be delivered")
            continue
        sizes[event.tx] += 1
        if event_id not in copies:
            missing[event.tx].append(event_id)
            broken.add("lost", _named(event_id, event))
    for name, events in missing.items():
        if len(events) < sizes[name]:
            broken.add("torn", f"{len(events)} of the {sizes[name]} events of {name} are missing")
    dead = set(history.tables["dead"])
    for event_id, event in committed.items():
        if event.dies != (event_id in dead):
            broken.add("dead", f"{_named(event_id, event)} {'is not' if event.dies else 'is'} a dead letter")
    for event_id, records in copies.items():
        event = committed.get(event_id)
        if event is None:
            broken.add("ghost", f"{event_id} in {records[0]['topic']} at {records[0]['partition']}:{records[0]['offset']}")
            continue
        for record in records:
            if not record["intact"] or (record["mark"], record["topic"], record["key"]) != (event.mark, event.topic, event.key):
                broken.add("corrupt", f"{_named(event_id, event)} at {record['partition']}:{record['offset']}")


def _judge_order(history, committed, broken):
    """The first copies of the events of a key are in one partition, in the order of their numbers."""
    lines = collections.defaultdict(list)  # (topic, key) -> records in the order of the topic
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
    """Two copies of an event need a fault between them, and all faults together explain at most the events of their
    windows."""
    causes = [fault for fault in history.faults if fault.get("strikes")]
    causes += [{"begin": look["asked"], "end": look["answered"], "strikes": history.relays} for look in history.slow_queries()]
    duplicates = 0
    for event_id, records in copies.items():
        for earlier, later in zip(records, records[1:]):
            duplicates += 1
            if not any(cause["begin"] <= later["time"] and earlier["time"] <= cause["end"] + GRACE for cause in causes):
                broken.add("duplicate", f"{event_id} at {earlier['time']:.3f} and {later['time']:.3f} without a fault")
    allowed = history.window * sum(cause["strikes"] for cause in causes)
    if duplicates > allowed:
        broken.add("duplicate", f"{duplicates} duplicates, but the faults explain at most {allowed}")
    return duplicates


def _judge_rest(history, committed, broken):
    for name in ("outbox", "retry"):
        for row in history.tables[name][:SHOWN]:
            broken.add("stuck", f"row {row} is still in the {name} table")
    for event_id in set(history.tables["dead"]) - committed.keys():
        broken.add("ghost", f"{event_id} is a dead letter, but was never committed")


def _judge_honesty(history, broken):
    """A relay that can move no events must not report that it is ready, and must not report a backlog of 0 while rows
    wait."""
    stops = [fault for fault in history.faults if fault.get("stops") and fault["repair"] - fault["begin"] > BLIND]
    asked = [sample for sample in history.samples if "relay" in sample]
    could_not_try = collections.defaultdict(float)  # relay -> when it last sent nothing and so could not notice a fault
    for sample in asked:
        if sample["said"].startswith(("database_down", "standby", "starting")):
            could_not_try[sample["relay"]] = sample["asked"]
        for fault in stops:
            since = max(fault["begin"], could_not_try[sample["relay"]])
            if (sample["ready"] and sample["relay"] in fault["stops"] and since + BLIND <= sample["asked"]
                    and sample["answered"] <= fault["repair"]):
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
            broken.add("honest", f"{relay} reports a backlog of 0 at {when:.3f}, when a row has waited for "
                                 f"{sample['oldest'] - (sample['asked'] - when):.1f} s")


def _judge_silence(history, broken):
    """A relay must not be ready all the time while rows wait and nothing moves."""
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
                broken.add("honest", f"{relay} is ready at {end:.3f}, when a row has waited for {look['oldest']:.1f} s and "
                                     f"nothing has moved for {SILENT} s")


def _recoveries(history, committed, copies, broken):
    """Returns for each fault that did not overlap with another one its name and three times in seconds: how long it lasted,
    how long after its end the last delayed event arrived, and the longest wait of an event. The wait counts from the commit
    of the event, or from the start of the fault if the commit was before it."""
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
