"""The points where a relay can be made to die, and what it takes to bring it there."""

import dataclasses

from servers.relay import find_binary

EVERY = ("sqlite", "postgres", "mysql")
SERVERS = ("postgres", "mysql")

# What has to happen beside ordinary work; CrashScene.live() sees to it.
NOTHING = ""
TAKEOVER = "the lease of another relay ended and was not given back"
REFUSAL = "an event that is too large for its topic"
DEATH = "an event that dies at its first failure"
RESET = "an event for a topic that takes smaller requests than the producer makes"
STOP = "SIGTERM"


@dataclasses.dataclass(frozen=True)
class CrashPoint:
    name: str
    needs: str = NOTHING
    passes: int = 1  # by a life of a second, at least
    databases: tuple = EVERY


def _statement(name, *more):
    """`unanswered` is sent and not answered; on SQLite, run and not committed."""
    return [CrashPoint(f"{name}.{step}", *more) for step in ("before", "unanswered", "after")]


POINTS = [
    # In an order in which one scene can go through all of them: events that fail again and again are in the way of others.
    *_statement("lease-taken", TAKEOVER),
    *_statement("mark", TAKEOVER),
    *_statement("unmark", TAKEOVER),
    *_statement("renew"),
    *_statement("return", STOP),
    *_statement("read", NOTHING, 8),
    *_statement("gap-look", NOTHING, 1, ("mysql",)),
    *_statement("confirm", NOTHING, 4),
    *_statement("dead", DEATH),
    CrashPoint("produce.before", NOTHING, 60),
    CrashPoint("produce.queued", NOTHING, 60),
    CrashPoint("produce-request.before", NOTHING, 6),
    CrashPoint("produce-request.half", NOTHING, 6),
    CrashPoint("produce-request.sent", NOTHING, 6),
    CrashPoint("produce-answer.arrived", NOTHING, 6),
    CrashPoint("report.before", NOTHING, 4),
    CrashPoint("report.after", NOTHING, 4),
    CrashPoint("reset.begun", RESET),
    CrashPoint("reset.made", RESET),
    CrashPoint("reset.destroyed", RESET),
    CrashPoint("stop.signalled", STOP),
    CrashPoint("stop.purged", STOP),
    CrashPoint("stop.destroyed", STOP),
    *_statement("failure", REFUSAL),
    *_statement("late-read", REFUSAL, 1, SERVERS),
]


def points_of(plugin):
    return [point for point in POINTS if plugin in point.databases]


def library():
    """Built beside the relay that the tests run."""
    for folder in find_binary().parents:
        found = folder / "tests" / "chaos" / "outbox-crash-points.so"
        if found.is_file():
            return found
    raise FileNotFoundError("no tests/chaos/outbox-crash-points.so beside the relay: build with -Dtests=true")


def environment(name, n, log):
    """For Relay(env=...): it dies when it passes the point for the n-th time, and `log` gets a line with the name."""
    return {"LD_PRELOAD": str(library()), "OUTBOX_CRASH_POINT": name, "OUTBOX_CRASH_AT": str(n),
            "OUTBOX_CRASH_LOG": str(log)}
