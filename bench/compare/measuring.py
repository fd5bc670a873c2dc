"""What is measured of each rival, in the same way for all."""

import time

from lib import arriving, usage

TRANSACTION = 1000  # events: a backlog comes from many transactions
STALLED = 120       # seconds without a record
PATIENCE = 900      # seconds for the rest of the confirmations
FIRST_LOOKS, LOOKS = 0.01, 0.05


def drain(rival, outbox, topic, events, size, keys):
    """A backlog, from its first record in the topic until the last one is there and confirmed. Returns numbers.

    How long a program takes to begin (a process, a connection, a replication slot) is told apart from its rate.
    """
    rival.rest()
    fill(outbox, events, size, keys)
    before, wanted = topic.records(), topic.records() + events
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
        "copies": topic.records() - wanted,
    }


def latency(rival, outbox, topic, options):
    """Events that are committed at a fixed rate, while the rival works. In milliseconds."""
    own = rival.cpu_seconds()
    events, numbers = arriving.measure(outbox, topic, 0, options.rate, options)
    return {**numbers, "cpu_seconds": round(rival.cpu_seconds() - own, 2), "events": events,
            "peak_rss_mib": round(rival.peak_mib(), 1)}


def fill(outbox, events, size, keys):
    for done in range(0, events, TRANSACTION):
        outbox.fill(min(TRANSACTION, events - done), size, keys, tidy=done + TRANSACTION >= events)


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
