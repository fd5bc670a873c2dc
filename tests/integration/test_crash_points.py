"""Every point of tests/chaos/crash_points is reached, and a relay dies there."""

import pathlib
import subprocess
import sys
import unittest

from fault_drivers import MariadbDatabase, PostgresDatabase, SqliteDatabase
from servers import shared_kafka

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
import crash_points
from crash_scene import CrashScene


class LibraryTest(unittest.TestCase):
    def load(self, **env):
        return subprocess.run(["/bin/true"], env={"LD_PRELOAD": str(crash_points.library()), **env}, capture_output=True,
                              text=True, check=False, timeout=60)

    def test_the_table_names_what_the_library_has(self):
        listed = self.load(OUTBOX_CRASH_POINT="list").stdout.split()
        self.assertEqual(sorted(listed), sorted(point.name for point in crash_points.POINTS))

    def test_an_unknown_name_ends_the_process(self):
        loaded = self.load(OUTBOX_CRASH_POINT="nowhere", OUTBOX_CRASH_LOG="/dev/null")
        self.assertEqual(loaded.returncode, 2)
        self.assertIn("there is no 'nowhere'", loaded.stderr)

    def test_without_a_name_nothing_happens(self):
        self.assertEqual(self.load().returncode, 0)


class EveryPoint:
    def test_a_relay_dies_at_every_point(self):
        database = self.database(own=False)
        self.addCleanup(database.close)
        with CrashScene(database, shared_kafka()) as scene:
            for point in crash_points.points_of(database.plugin):
                with self.subTest(point.name):
                    self.assertTrue(scene.live(point), "it did not die there")
            self.assertEqual(scene.finish(), [])
            print(f"  {scene.deaths} deaths, {scene.delivered} events, {scene.duplicates} duplicates")


class SqliteCrashPointsTest(EveryPoint, unittest.TestCase):
    database = SqliteDatabase


class PostgresCrashPointsTest(EveryPoint, unittest.TestCase):
    database = PostgresDatabase


class MariadbCrashPointsTest(EveryPoint, unittest.TestCase):
    database = MariadbDatabase


if __name__ == "__main__":
    unittest.main()
