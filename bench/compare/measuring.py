"""What is measured of each rival, in the same way for all."""

import json
import subprocess
import time

from lib import arriving, rig, usage

TRANSACTION = 1000  # events: a backlog comes from many transactions
STALLED = 120       # seconds without a record
PATIENCE = 900      # seconds for the rest of the confirmations
FIRST_LOOKS, LOOKS = 0.01, 0.05
FILL = """insert into outbox_event (topic, event_type, aggregate_id, payload)
select ?, 'made', 'key-' || i %% ?, rpad(i || ' ', ?, 'x') from generate_series(?, ?) i"""


def drain(rival, outbox, topic, first_event, events, size, keys):
    """A backlog, from its first record in the topic until the last one is there and confirmed. Returns numbers.

    How long a program takes to begin (a process, a connection, a replication slot) is given beside its rate. Events are
    numbered from `first_event` on, which is above all numbers that the rival has had.
    """
    rival.rest()
    fill(rival, outbox, first_event, events, size, keys)
    ends = topic.ends()
    before, wanted = sum(ends.values()), sum(ends.values()) + events
    own = rival.cpu_seconds()
    begin = time.monotonic()
    rival.work()
    first, there = _wait(rival, topic, before, before + 1, FIRST_LOOKS)
    at_first = _used(rival, outbox, topic)
    delivered, records = _wait(rival, topic, there, wanted, LOOKS)
    while not rival.has_confirmed():
        _check(rival, time.monotonic() < delivered + PATIENCE, f"not all confirmed {PATIENCE} s after the last one came")
        time.sleep(LOOKS)
    confirmed = time.monotonic()
    at_end = _used(rival, outbox, topic)
    return {
        "events_per_second": round((records - there) / (confirmed - first)),
        "events_per_second_delivered": round((records - there) / (delivered - first)),
        "first_record_seconds": round(first - begin, 2),
        "seconds": round(confirmed - first, 3),
        "cpu_seconds": round(at_end["own"] - at_first["own"], 2),
        "cpu_seconds_until_first_record": round(at_first["own"] - own, 2),
        "database_cpu_seconds": round(at_end["database"] - at_first["database"], 2),
        "broker_cpu_seconds": round(at_end["broker"] - at_first["broker"], 2),
        "peak_rss_mib": round(rival.peak_mib(), 1),
        "records": _checked(rival, topic, ends, first_event, events, size, keys),
    }


def latency(rival, outbox, topic, first_event, options):
    """Events that are committed at a fixed rate, while the rival works. In milliseconds."""
    own, ends = rival.cpu_seconds(), topic.ends()
    events, numbers = arriving.measure(outbox, topic, first_event, options.rate, options)
    return {**numbers, "cpu_seconds": round(rival.cpu_seconds() - own, 2), "events": events,
            "peak_rss_mib": round(rival.peak_mib(), 1),
            "records": _checked(rival, topic, ends, first_event, events, options.size, options.keys)}


def fill(rival, outbox, first, events, size, keys):
    """In transactions of TRANSACTION events each, whose payloads begin with their numbers."""
    for number in range(first, first + events, TRANSACTION):
        outbox.ask(FILL, rig.TOPIC, keys, size, number, min(number + TRANSACTION, first + events) - 1)
    for table in rival.tables:
        outbox.ask(f"vacuum analyze {table}")
    outbox.ask("checkpoint")


def _checked(rival, topic, ends, first, events, size, keys):
    """What bench/services/records.cpp says of the records that came after these ends. A rival that loses events, makes some
    up or breaks the order that it promises is not measured."""
    program = rig.find_binary().parents[2] / "bench/bench-records"
    offsets = [ends[partition] for partition in sorted(ends)]
    done = subprocess.run([program, topic.bootstrap, rig.TOPIC, *map(str, [first, events, keys, size, *offsets])],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the records cannot be checked: {done.stderr}")
    records = json.loads(done.stdout)
    wrong = records["missing"] + records["foreign"]
    if rival.keeps_order:
        wrong += records["out_of_order"] + records["scattered"]
    if wrong:
        raise RuntimeError(f"wrong records: {records}")
    return records


def _used(rival, outbox, topic):
    return {"own": rival.cpu_seconds(), "database": usage.cpu_seconds(outbox.pid),
            "broker": usage.cpu_seconds(topic.broker_pid)}


def _wait(rival, topic, before, wanted, pause):
    """The topic held `before` records. Returns when it held `wanted`, and how many it held then."""
    seen, since = before, time.monotonic()
    while (now := topic.records()) < wanted:
        if now != seen:
            seen, since = now, time.monotonic()
        _check(rival, time.monotonic() < since + STALLED, f"no record came for {STALLED} s")
        time.sleep(pause)
    return time.monotonic(), now


def _check(rival, good, trouble):
    if rival.process.returncode is not None:
        raise RuntimeError(f"ended with {rival.process.returncode}:\n{rival.log()}")
    if not good:
        raise RuntimeError(f"{trouble}:\n{rival.log()}")
