"""The points at which a relay can be killed, and what has to happen so that it reaches them."""

import dataclasses

from servers.relay import find_binary

EVERY = ("sqlite", "postgres", "mysql")
SERVERS = ("postgres", "mysql")

# What has to happen in addition to normal delivery. CrashScene.live() makes it happen.
NOTHING = ""
TAKEOVER = "the lease of another relay expired without a release"
REFUSAL = "an event that is too large for its topic"
DEATH = "an event that becomes a dead letter at its first failure"
RESET = "an event for a topic that accepts only smaller requests than the producer makes"
STOP = "SIGTERM"


@dataclasses.dataclass(frozen=True)
class CrashPoint:
    name: str
    needs: str = NOTHING
    passes: int = 1  # how often a relay passes the point in its first second, at least
    databases: tuple = EVERY


def _statement(name, *more):
    """The three points of a statement. `unanswered`: it was sent and not answered; on SQLite it was executed and not
    committed."""
    return [CrashPoint(f"{name}.{step}", *more) for step in ("before", "unanswered", "after")]


POINTS = [
    # The order allows one scene to use all points: those that leave events behind that fail repeatedly, and so delay other
    # events, come last.
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
    """Path of the preloaded library, which is in the build folder of the relay."""
    for folder in find_binary().parents:
        found = folder / "tests" / "chaos" / "outbox-crash-points.so"
        if found.is_file():
            return found
    raise FileNotFoundError("no tests/chaos/outbox-crash-points.so beside the relay: build with -Dtests=true")


def environment(name, n, log):
    """Environment for Relay(env=...): the relay is killed when it passes the point for the n-th time, and a line with the
    name of the point is appended to `log` before."""
    return {"LD_PRELOAD": str(library()), "OUTBOX_CRASH_POINT": name, "OUTBOX_CRASH_AT": str(n),
            "OUTBOX_CRASH_LOG": str(log)}
