"""The measurements, which are the same for every rival."""

import json
import subprocess
import time

from lib import arriving, rig, usage

TRANSACTION = 1000  # events per transaction, so that a backlog consists of many transactions
STALLED = 120       # seconds without a new record after which a rival has failed
PATIENCE = 900      # seconds that a rival has to confirm the remaining events after the last record
FIRST_PAUSE, PAUSE = 0.01, 0.05  # seconds between two checks, until the first record and later
FILL = """insert into outbox_event (topic, event_type, aggregate_id, payload)
select ?, 'made', 'key-' || i %% ?, rpad(i || ' ', ?, 'x') from generate_series(?, ?) i"""


def drain(rival, outbox, topic, first_event, events, size, keys):
    """Measures the drain of a backlog, from its first record in the topic until the last event is delivered and confirmed.

    The time that a program needs to start (its process, connection, replication slot) is reported separately from its rate.
    Events are numbered from `first_event` on. REQUIRES: the rival has had no event with that number or a higher one.
    """
    rival.rest()
    fill(rival, outbox, first_event, events, size, keys)
    ends = topic.ends()
    before, wanted = sum(ends.values()), sum(ends.values()) + events
    own = rival.cpu_seconds()
    begin = time.monotonic()
    rival.work()
    first, there = _wait(rival, topic, before, before + 1, FIRST_PAUSE)
    at_first = _used(rival, outbox, topic)
    delivered, records = _wait(rival, topic, there, wanted, PAUSE)
    while not rival.has_confirmed():
        _check(rival, time.monotonic() < delivered + PATIENCE, f"unconfirmed events {PATIENCE} s after the last record")
        time.sleep(PAUSE)
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
    """Measures latencies, in milliseconds, while events are committed at a fixed rate. REQUIRES: the rival is running."""
    own, ends = rival.cpu_seconds(), topic.ends()
    events, numbers = arriving.measure(outbox, topic, first_event, options.rate, options)
    return {**numbers, "cpu_seconds": round(rival.cpu_seconds() - own, 2), "events": events,
            "peak_rss_mib": round(rival.peak_mib(), 1),
            "records": _checked(rival, topic, ends, first_event, events, options.size, options.keys)}


def fill(rival, outbox, first, events, size, keys):
    """Inserts events, TRANSACTION per transaction. The payload of an event begins with its number."""
    for number in range(first, first + events, TRANSACTION):
        outbox.ask(FILL, rig.TOPIC, keys, size, number, min(number + TRANSACTION, first + events) - 1)
    for table in rival.tables:
        outbox.ask(f"vacuum analyze {table}")
    outbox.ask("checkpoint")


def _checked(rival, topic, ends, first, events, size, keys):
    """Returns what bench/services/records.cpp reports about the records from the offsets `ends` on. Raises RuntimeError if
    the rival lost events, wrote records that belong to no event, or broke an order that it promises."""
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
    """Waits until the topic has `wanted` records; it had `before` records at the start. Returns the monotonic time and the
    number of records that it has then."""
    seen, since = before, time.monotonic()
    while (now := topic.records()) < wanted:
        if now != seen:
            seen, since = now, time.monotonic()
        _check(rival, time.monotonic() < since + STALLED, f"no new record for {STALLED} s")
        time.sleep(pause)
    return time.monotonic(), now


def _check(rival, good, trouble):
    if rival.process.returncode is not None:
        raise RuntimeError(f"ended with {rival.process.returncode}:\n{rival.log()}")
    if not good:
        raise RuntimeError(f"{trouble}:\n{rival.log()}")
