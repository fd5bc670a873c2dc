"""Commits events at a fixed rate and measures when each of them reaches the broker and a consumer."""

import contextlib
import multiprocessing
import subprocess

from . import rig, writer

SPAWN = multiprocessing.get_context("spawn")
TRANSACTIONS = 500  # per second, at most
WARM_UP = 5         # seconds
PARTITIONS = 12


def quantiles(values):
    ascending = sorted(values)
    last = len(ascending) - 1
    return {name: round(ascending[round(share * last)], 2)
            for name, share in {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1}.items()}


@contextlib.contextmanager
def arrivals(topic, first, count):
    """A context in which a consumer waits for `count` events, those numbered from `first` on. Yields a function that waits
    for them and returns a tuple (number, appended, received) for each, with times in microseconds since 1970."""
    program = rig.find_binary().parents[2] / "bench/bench-arrivals"
    command = [program, topic.bootstrap, rig.TOPIC, PARTITIONS, first, count]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("no consumer")
        try:
            yield lambda: [tuple(map(int, line.split())) for line in process.communicate(timeout=60)[0].splitlines()]
        finally:
            process.kill()


def measure(outbox, topic, first, rate, arguments, hints=0):
    """Commits events that are numbered from `first` on. `hints` is the port that gets a hint after each commit, or 0.
    Returns the number of events, and the measured values, with times in milliseconds."""
    each = max(1, round(rate / TRANSACTIONS))
    transactions = int((arguments.seconds + WARM_UP) * rate / each)
    cold = int(WARM_UP * rate / each) * each
    with arrivals(topic, first + cold, transactions * each - cold) as seen:
        results = SPAWN.Queue()
        plan = writer.Plan(first, transactions, each, rate / each, arguments.size, arguments.keys, hints)
        process = SPAWN.Process(target=writer.run_plan, args=(outbox.application, plan, results))
        process.start()
        times = results.get(timeout=10 * arguments.seconds + 120)  # (due, begun, committed) of each transaction
        process.join()
        events = [(times[(number - first) // each], appended / 1000, received / 1000)
                  for number, appended, received in seen()]
    return transactions * each, {
        "events_per_second": rate, "events_per_transaction": each,
        "commit_to_broker": quantiles([appended + 1 - committed for (_, _, committed), appended, _ in events]),
        "commit_to_consumer": quantiles([received - committed for (_, _, committed), _, received in events]),
        "due_to_consumer": quantiles([received - due for (due, _, _), _, received in events]),
        "transaction": quantiles([committed - begun for _, begun, committed in times]),
        "begun_late": quantiles([begun - due for due, begun, _ in times]),
    }
