"""Checks that each row has been removed, or that the relay reports why not."""

import time

LIMIT = 120  # seconds in which the rows must be removed or accounted for
STEADY = 2  # seconds for which an explanation has to hold


class Violation(Exception):
    pass


def judge(scene, expected):
    """Starts the relay. Returns in words what became of the rows, or raises Violation."""
    scene.relay.start()
    deadline = time.monotonic() + LIMIT
    since, last = None, "no state was read"
    while time.monotonic() < deadline:
        if scene.relay.returncode is not None:
            return _ended(scene, expected)
        left = scene.event_ids()
        if not left:
            break
        last = _explanation(scene, left)
        if last.startswith("not "):
            since = None
        else:
            since = since or time.monotonic()
            if time.monotonic() - since > STEADY:
                break
        time.sleep(0.1)
    else:
        raise Violation(f"{len(left)} of {len(expected)} rows are left after {LIMIT} s; {last}")
    _stop(scene)
    _compare(scene, expected)
    return "no row is left" if not left else f"{len(left)} of {len(expected)} rows are left; {last}"


def _explanation(scene, left):
    """Describes the state of the relay. The text begins with "not" if the relay does not account for the rows that are
    left."""
    complaints = scene.complaints()
    if not scene.ready():
        if complaints:
            return "the relay is not ready: " + complaints[-1]
        return "not explained: the relay is not ready, and its log has no warning"
    failed_ids, failed_keys = scene.failures()
    silent = [event for event, key in left.items() if event not in failed_ids and key not in failed_keys]
    metrics = scene.metrics()
    counted = sum(metrics.get(f"outbox_relay_{name}_events") or 0 for name in scene.COUNTED) if metrics else 0
    if silent:
        return f"not explained: the relay is ready, and no failure is recorded for {len(silent)} rows, such as {silent[0]}"
    if not counted:
        return "not explained: failures are recorded, but no metric counts them"
    if not complaints:
        return "not explained: failures are recorded, but the log has no warning"
    return f"{int(counted)} are counted as failed; last warning: {complaints[-1]}"


def _ended(scene, expected):
    code = scene.relay.returncode
    complaints = scene.complaints()
    if code != 78 or not complaints:
        raise Violation(f"the relay ended with {code}; last warnings: {complaints[-2:]}")
    _compare(scene, expected)
    return "the relay refused to start: " + "; ".join(complaints[-2:])


def _stop(scene):
    began = time.monotonic()
    code = scene.relay.stop()
    if code != 0:
        raise Violation(f"after SIGTERM the relay ended with {code}, after {time.monotonic() - began:.1f} s")


def _compare(scene, expected):
    """Checks that each removed row is in the topic or is a dead letter, that each record belongs to a committed row, and
    that no event has more than two copies."""
    delivered = scene.delivered()
    gone = expected.keys() - scene.event_ids().keys() - scene.dead()
    if lost := gone - set(delivered):
        raise Violation(f"{len(lost)} removed events are neither in the topic nor dead letters, such as {min(lost)}")
    if ghosts := set(delivered) - expected.keys():
        raise Violation(f"{len(ghosts)} records belong to no committed row, such as {min(ghosts)}")
    copies = max((delivered.count(event) for event in set(delivered) - scene.repeated), default=1)
    if copies > 2:
        raise Violation(f"an event arrived {copies} times")
