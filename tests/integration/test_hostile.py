"""An outbox in hostile surroundings: each row is removed, or the relay accounts for it. See tests/hostile/README.md."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hostile"))

# pylint: disable=wrong-import-position
from rounds import play

from catalogue import faults

SEEDS = {"postgres": range(0, 8), "mariadb": range(0, 6), "sqlite": range(0, 6)}


class HostileSurroundings(unittest.TestCase):
    def play(self, database):
        for seed in SEEDS[database]:
            with self.subTest(database=database, seed=seed):
                names, outcome = play(database, seed)
                print(f"  seed {seed}: {' + '.join(names)}: {outcome[:200]}")

    @faults(104)
    def test_postgres(self):
        self.play("postgres")

    @faults(104)
    def test_mariadb(self):
        self.play("mariadb")

    @faults(104)
    def test_sqlite(self):
        self.play("sqlite")


if __name__ == "__main__":
    unittest.main()
