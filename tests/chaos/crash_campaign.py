#!/usr/bin/python3
"""Kills relays at every crash point, many times each, while an application commits, and judges what arrived.

One database server, one broker, one relay at a time. Each point has an outbox of its own: its relays die one after the
other, the last one lives and drains it.
"""

import argparse
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
from fault_drivers import MariadbDatabase, MysqlDatabase, PostgresDatabase, SqliteDatabase
from servers import shared_kafka

DATABASES = {"sqlite": SqliteDatabase, "postgres": PostgresDatabase, "mariadb": MariadbDatabase, "mysql": MysqlDatabase}
TAKEN, CONFIRMED = (next(point for point in crash_points.POINTS if point.name == name)
                    for name in ("lease-taken.after", "confirm.after"))
SUCCESSIONS = 0.2  # of the relays that go on where a relay of another name died


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--db", choices=DATABASES, default="postgres")
    parser.add_argument("--kills", type=int, default=100, help="at each point (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--point", action="append", default=[], metavar="NAME",
                        help="only those with this in their name; may be given again")
    return parser.parse_args()


def kill_at(point, scene, dice, kills):
    """Returns how often a relay did not die at the point."""
    scene.live(TAKEN)  # somebody whose lease is not given back
    missed = 0
    for _ in range(kills):
        if dice.random() < SUCCESSIONS:
            scene.succeed()
        missed += not scene.live(point, dice.randint(1, point.passes))
        if point.name.startswith("mark."):
            # Else the same event stands alone in the next life, and the third that ends there would have it given up.
            missed += not scene.live(CONFIRMED)
    return missed


def main():
    asked = arguments()
    kind = DATABASES[asked.db]
    points = [point for point in crash_points.points_of(kind.plugin)
              if not asked.point or any(part in point.name for part in asked.point)]
    if not points:
        sys.exit(f"no point has {' or '.join(asked.point)} in its name")
    began, deaths, broken = time.monotonic(), 0, 0
    for point in points:
        start = time.monotonic()
        database = kind(own=False)
        try:
            with CrashScene(database, shared_kafka(), asked.seed) as scene:
                missed = kill_at(point, scene, random.Random(f"{asked.seed}/{point.name}"), asked.kills)
                lived = time.monotonic() - start
                wrong = scene.finish()
        finally:
            database.close()
        deaths += scene.deaths
        broken += bool(wrong or missed)
        print(f"{point.name:24}{'BROKEN' if wrong else 'ok':7}{scene.deaths:5} deaths{missed:4} missed  "
              f"{lived / asked.kills:5.2f} s a life  {scene.delivered:7} events {scene.duplicates:6} twice  "
              f"{time.monotonic() - start:6.1f} s", flush=True)
        for what in wrong:
            print(f"  {what}", flush=True)
    print(f"{len(points)} points, {deaths} deaths, {broken} broken, {time.monotonic() - began:.0f} s")
    return int(broken > 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
