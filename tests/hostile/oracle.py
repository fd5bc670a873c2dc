"""The one question: has each row gone, or does the relay say why not?"""

import time

LIMIT = 120  # seconds
STEADY = 2  # seconds for which an explanation has to hold


class Violation(Exception):
    pass


def judge(scene, expected):
    """Starts the relay and returns what became of the rows, in words; raises Violation."""
    scene.relay.start()
    deadline = time.monotonic() + LIMIT
    since, last = None, "nothing was seen"
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
        raise Violation(f"{len(left)} of {len(expected)} rows are left after {LIMIT} s, and {last}")
    _stop(scene)
    _compare(scene, expected)
    return "all rows have gone" if not left else f"{len(left)} of {len(expected)} rows are left, and {last}"


def _explanation(scene, left):
    """Begins with "not" where the relay does not account for the rows that are left."""
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
        return f"not explained: the relay is ready, and nothing is recorded of {len(silent)} rows, as {silent[0]}"
    if not counted:
        return "not explained: failures are recorded, and no metric counts them"
    if not complaints:
        return "not explained: failures are recorded, and the log has no warning"
    return f"{int(counted)} are counted as failed: {complaints[-1]}"


def _ended(scene, expected):
    code = scene.relay.returncode
    complaints = scene.complaints()
    if code != 78 or not complaints:
        raise Violation(f"the relay ended with {code}, its complaints: {complaints[-2:]}")
    _compare(scene, expected)
    return "the relay has refused to start: " + "; ".join(complaints[-2:])


def _stop(scene):
    began = time.monotonic()
    code = scene.relay.stop()
    if code != 0:
        raise Violation(f"a stop by SIGTERM ended with {code} after {time.monotonic() - began:.1f} s")


def _compare(scene, expected):
    """What has left the table is in the topic or dead; what is in the topic was committed; copies are few."""
    delivered = scene.delivered()
    gone = expected.keys() - scene.event_ids().keys() - scene.dead()
    if lost := gone - set(delivered):
        raise Violation(f"{len(lost)} events have left the table and are neither in the topic nor dead, as {min(lost)}")
    if ghosts := set(delivered) - expected.keys():
        raise Violation(f"{len(ghosts)} records are of no committed row, as {min(ghosts)}")
    copies = max((delivered.count(event) for event in set(delivered) - scene.repeated), default=1)
    if copies > 2:
        raise Violation(f"an event has arrived {copies} times")
