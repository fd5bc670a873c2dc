"""Lets one program or several drain a backlog, and measures what that uses."""

import sys
import time

from . import usage

WINDOW = 20_000  # events that relay and baseline may have outstanding: no remaining row is further below the last one
CHECK_EVERY = 0.01  # seconds


def drain(programs, outbox, topic, last, events):
    """Starts the programs and waits until they have drained the outbox. REQUIRES: the outbox holds `events` events, the
    last with the row id `last`. Returns the measured values."""
    records, ends = topic.records(), topic.ends()
    before = _used([], outbox, topic)
    begin = time.monotonic()
    for program in programs:
        program.start()
    first = _wait(programs, lambda: topic.records() > records, 0.002)
    end = _wait_for_end(programs, outbox, last)
    after, peak = _used(programs, outbox, topic), max(usage.peak_mib(p.pid) for p in programs)
    stop(programs)
    check(programs, outbox, topic, records + events)
    return {
        **_numbers(events, end - begin, before, after),
        "events_per_second_after_first_record": round(events / (end - first)),
        "first_record_ms": round((first - begin) * 1000),
        "peak_rss_mib": round(peak, 1),
        **topic.requests(ends),
    }


def drain_running(programs, outbox, topic, events, size, keys):
    """Inserts `events` events in one transaction and waits until the programs have drained them. REQUIRES: the programs are
    running and the outbox is empty. Returns the values measured from the commit on."""
    records = topic.records()
    last = outbox.fill(events, size, keys, tidy=False)
    before = _used(programs, outbox, topic)
    begin = time.monotonic()
    end = _wait_for_end(programs, outbox, last)
    after = _used(programs, outbox, topic)
    check(programs, outbox, topic, records + events)
    return _numbers(events, end - begin, before, after)


def stop(programs):
    for program in programs:
        if program.stop() != 0:
            raise RuntimeError(program.log())


def check(programs, outbox, topic, records):
    if topic.records() != records or not outbox.is_empty():
        print(*(program.log() for program in programs), file=sys.stderr)
        raise RuntimeError(f"{topic.records()} records, not {records}; empty: {outbox.is_empty()}")


def _used(programs, outbox, topic):
    return {"own_cpu": sum(usage.cpu_seconds(p.pid) for p in programs), "database_cpu": usage.cpu_seconds(outbox.pid),
            "broker_cpu": usage.cpu_seconds(topic.broker_pid), "statements": outbox.statements(), "log_bytes": outbox.log_bytes()}


def _numbers(events, seconds, before, after):
    used = {name: value and value - before[name] for name, value in after.items()}
    processors = used["own_cpu"] + (used["database_cpu"] or 0) + used["broker_cpu"]
    return {
        "events_per_second": round(events / seconds),
        "seconds": round(seconds, 3),
        "cpu_seconds": round(used["own_cpu"], 2),
        "database_cpu_seconds": used["database_cpu"] and round(used["database_cpu"], 2),
        "broker_cpu_seconds": round(used["broker_cpu"], 2),
        "cpu_microseconds_per_event": round(processors * 1e6 / events, 2),
        "statements_per_1000_events": used["statements"] and round(used["statements"] * 1000 / events, 2),
        "log_bytes_per_event": used["log_bytes"] and round(used["log_bytes"] / events, 1),
    }


def _wait_for_end(programs, outbox, last):
    _wait(programs, lambda: not outbox.has(last), CHECK_EVERY)
    return _wait(programs, lambda: not outbox.has_above(last - 2 * WINDOW), CHECK_EVERY)


def _wait(programs, condition, pause):
    """Waits for the condition. Returns the monotonic time at which it was first true."""
    while not condition():
        for program in programs:
            if program.returncode is not None:
                raise RuntimeError(f"ended with {program.returncode}:\n{program.log()}")
        time.sleep(pause)
    return time.monotonic()
