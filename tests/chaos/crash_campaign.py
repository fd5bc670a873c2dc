#!/usr/bin/python3
"""Kill relays many times at each crash point while applications commit events, and judge what arrived.

There is one database server, one broker, and one relay at a time. Each point has an outbox of its own: its relays are
killed one after the other, and the last one is not killed and drains the outbox.
"""

import argparse
import contextlib
import pathlib
import random
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

# pylint: disable=wrong-import-position
import crash_points
from crash_scene import CrashScene
from databases import DATABASES
from servers import shared_kafka

TAKEN, CONFIRMED = (next(point for point in crash_points.POINTS if point.name == name)
                    for name in ("lease-taken.after", "confirm.after"))
SUCCESSIONS = 0.2  # share of relays whose name differs from that of the relay that was killed before


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--db", choices=DATABASES, default="postgres")
    parser.add_argument("--kills", type=int, default=100, help="number of kills at each point (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=400, help="events per second that are committed (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--point", action="append", default=[], metavar="NAME",
                        help="only the points whose name contains NAME; may be repeated")
    parser.add_argument("--together", action="store_true", help="use one outbox for all points instead of one for each")
    return parser.parse_args()


def kill_at(point, scene, dice, kills):
    """Runs relays that are to be killed at the point. Returns how many of them did not reach it."""
    if point.needs == crash_points.TAKEOVER:
        scene.live(TAKEN)
    missed = 0
    for _ in range(kills):
        if dice.random() < SUCCESSIONS:
            scene.succeed()
        missed += not scene.live(point, dice.randint(1, point.passes))
        if point.name.startswith("mark."):
            # One relay confirms the marked event. Otherwise the next relays would send the same event alone, and the event
            # would be given up as a poison event after the third kill.
            missed += not scene.live(CONFIRMED)
    return missed


def run(kind, points, asked):
    """Kills relays at these points in one outbox. Returns whether anything is wrong, and how many relays were killed."""
    began = time.monotonic()
    with contextlib.closing(kind(own=False)) as database:
        with CrashScene(database, shared_kafka(), asked.seed, asked.rate) as scene:
            dice = random.Random(f"{asked.seed}/{points[0].name}")
            missed = [f"{point.name} {times} times" for point in points
                      for times in [kill_at(point, scene, dice, asked.kills)] if times]
            lives = (time.monotonic() - began) / asked.kills / len(points)
            broken = scene.finish()
    counts = scene.verdict["counts"]
    name = points[0].name if len(points) == 1 else f"{len(points)} points"
    print(f"{name:24}{'BROKEN' if broken else 'ok':7}{scene.deaths:5} killed  {lives:5.2f} s per relay  "
          f"{counts['committed']:6} events {counts['duplicates']:6} twice {counts['dead']:4} dead  "
          f"{time.monotonic() - began:6.1f} s", flush=True)
    for what in missed:
        print(f"  did not reach {what}", flush=True)
    for promise, findings in broken.items():
        print(f"  {promise}: {scene.verdict['broken_counts'][promise]} times, for example {findings[0]}", flush=True)
    return bool(missed or broken), scene.deaths


def main():
    asked = arguments()
    kind = DATABASES[asked.db]
    points = [point for point in crash_points.points_of(kind.plugin)
              if not asked.point or any(part in point.name for part in asked.point)]
    if not points:
        sys.exit(f"--point: no point has {' or '.join(asked.point)} in its name")
    began = time.monotonic()
    runs = [run(kind, some, asked) for some in ([points] if asked.together else [[point] for point in points])]
    wrong = sum(is_wrong for is_wrong, _ in runs)
    deaths = sum(deaths for _, deaths in runs)
    print(f"{len(points)} points, {deaths} relays killed, {wrong} outboxes wrong, {time.monotonic() - began:.0f} s")
    return int(wrong > 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
