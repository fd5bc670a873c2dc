"""A relay reaches every point of tests/chaos/crash_points and is killed there."""

import os
import pathlib
import subprocess
import sys
import unittest

from servers import shared_kafka

CHAOS = pathlib.Path(__file__).resolve().parents[1] / "chaos"
sys.path.append(str(CHAOS))
import crash_points


class LibraryTest(unittest.TestCase):
    def load(self, **env):
        return subprocess.run(["true"], env={"LD_PRELOAD": str(crash_points.library()), **env}, capture_output=True,
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


class EveryPointTest(unittest.TestCase):
    """The campaign runs in a process of its own, because modules of the chaos tests have the same names as modules of these
    tests."""

    def die_at_every_point(self, database):
        command = [CHAOS / "crash_campaign.py", "--db", database, "--kills", "1", "--rate", "100", "--together"]
        campaign = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, timeout=300,
                                  env={**os.environ, "KAFKA_BOOTSTRAP": shared_kafka().bootstrap})
        print(campaign.stdout, end="")
        self.assertEqual(campaign.returncode, 0, campaign.stdout + campaign.stderr)

    def test_sqlite(self):
        self.die_at_every_point("sqlite")

    def test_postgres(self):
        self.die_at_every_point("postgres")

    def test_mariadb(self):
        self.die_at_every_point("mariadb")


if __name__ == "__main__":
    unittest.main()
