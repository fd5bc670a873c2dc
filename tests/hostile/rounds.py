"""Runs one round: chooses and makes the surroundings by a seed, runs the relay, and checks the result with the oracle."""

import random

import mysql
import oracle
import postgres
import sqlite

DATABASES = {
    "postgres": (postgres.PostgresScene, postgres.SURROUNDINGS),
    "mariadb": (mysql.MariadbScene, mysql.SURROUNDINGS),
    "mysql": (mysql.MysqlScene, mysql.SURROUNDINGS),
    "sqlite": (sqlite.SqliteScene, sqlite.SURROUNDINGS),
}
ROWS = 60


def choose(database, seed):
    """Returns the names of one to three surroundings. The first name is a different one for each of as many consecutive
    seeds as there are names."""
    names = sorted(DATABASES[database][1])
    rng = random.Random(f"{database} {seed}")
    return [names[seed % len(names)], *rng.sample(names, rng.choice([0, 0, 1, 2]))]


def play(database, seed, names=None):
    """Plays one round. Returns (names, what became of the rows). Raises oracle.Violation."""
    names = list(dict.fromkeys(names or choose(database, seed)))
    make, surroundings = DATABASES[database]
    rng = random.Random(f"{database} {seed} {names}")
    scene = make()
    try:
        scene.insert(ROWS)
        for name in list(names):
            try:
                surroundings[name](scene, rng)
            except scene.refusals():  # other surroundings of this round prevent it
                names.remove(name)
        scene.insert(ROWS)
        return names, oracle.judge(scene, scene.event_ids())
    except oracle.Violation as violation:
        raise oracle.Violation(f"{' + '.join(names)}: {violation}\n{scene.relay.log()[-3000:]}") from None
    finally:
        scene.close()
