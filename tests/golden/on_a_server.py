#!/usr/bin/python3
"""Repeat recorded runs of Debezium with the relay on a real server: on_a_server.py postgres|mysql [-v] [NAME...]

For each run it imports the connector with `outbox-relay import`, creates the tables, runs `migrate`, and executes the
recorded statements. Then it compares the records that `check --show` prints with Debezium's: topic, partition, key, value,
headers in their order, and the timestamp if it comes from a column. Rows that were inserted before the trigger existed are
skipped. outcomes.txt has the expected outcome of each run; -v prints the differences.
"""

import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from servers.mysql import MysqlServer  # noqa: E402  pylint: disable=wrong-import-position
from servers.postgres import PostgresServer  # noqa: E402  pylint: disable=wrong-import-position
from servers.process import Unavailable  # noqa: E402  pylint: disable=wrong-import-position
from servers.relay import outbox_relay  # noqa: E402  pylint: disable=wrong-import-position

CONTEXT = "__debezium.context."
REFUSED = 78
SKIPPED = 77  # the exit code by which meson recognises a skipped test
# Runs whose transactions commit in another order than they insert. Debezium's records are in the order of commits.
OTHER_ORDER = {"j7-commit-order", "j10-prepared"}


def murmur2(data):
    """The hash of keys in Kafka's Java client."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def golden_bytes(value):
    return None if value is None else bytes.fromhex(value["hex"])


def shown_bytes(value):
    """The bytes of a value of `check --show --json`, which is text or {"base64": …}."""
    if value is None or isinstance(value, bytes):
        return value
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()


def id_of(headers):
    return next((value for name, value in headers if name == "id"), b"no id")


class Postgres:
    """The sessions of a run, which has a database of its own."""

    def __init__(self, server, number):
        self._server, self._name = server, f"run{number}"
        self.environment = {"OUTBOX_DATABASE": server.create_database(self._name)}
        self._sessions = {}

    def execute(self, session, sql):
        if session not in self._sessions:
            self._sessions[session] = self._server.connect(self._name)
        with self._sessions[session].cursor() as cursor:
            cursor.execute(sql)

    def close(self):
        for session in self._sessions.values():
            session.close()
        self._server.psql(f'drop database "{self._name}" with (force)')


class Mysql:
    """The sessions of a run. The database has the name that the recorded connectors use."""

    def __init__(self, server, _number):
        self._server = server
        self._sessions = {}
        self.execute("admin", "drop database if exists shop")
        self.execute("admin", "create database shop charset utf8mb4")
        self._sessions.pop("admin").close()
        self.environment = {"OUTBOX_DATABASE_PASSWORD": server.password}

    def execute(self, session, sql):
        if session not in self._sessions:
            self._sessions[session] = self._server.connect("mysql" if session == "admin" else "shop")
        with self._sessions[session].cursor() as cursor:
            cursor.execute(sql)

    def close(self):
        for session in self._sessions.values():
            session.close()


class Run:
    """One recorded run, which is one file."""

    def __init__(self, golden, database, server):
        self._golden, self._database, self._server = golden, database, server
        self.about = ""

    def outcome(self):
        with tempfile.TemporaryDirectory() as folder:
            return self._outcome(pathlib.Path(folder))

    def _connector(self):
        connector = dict(self._golden["connector"])
        if "MySql" in connector["connector.class"]:
            connector |= {"database.hostname": self._server.host, "database.port": str(self._server.port),
                          "database.user": self._server.user, "database.password": "x"}
        return connector

    def _run(self, *arguments):
        return outbox_relay(*arguments, env={**self._database.environment, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})

    def _statements(self, statements):
        for statement in statements:
            session, sql = statement if isinstance(statement, (list, tuple)) else (0, statement)
            self._database.execute(session, sql)

    def _outcome(self, folder):
        connector, config = folder / "connector.json", folder / "relay.json"
        connector.write_text(json.dumps(self._connector()), encoding="utf-8")
        done = self._run("import", connector)
        if done.returncode == REFUSED and "error: " in done.stderr and not done.stdout:
            self.about = done.stderr
            return "refused by import"
        if done.returncode != 0:
            self.about = done.stderr
            return f"import: exit code {done.returncode}"
        config.write_text(done.stdout, encoding="utf-8")
        self._statements([("ddl", sql) for sql in self._golden["ddl"]])
        self._statements(self._golden.get("before") or [])
        done = self._run("migrate", "-c", config)
        if done.returncode != 0:
            self.about = done.stderr + done.stdout
            return "refused by check" if done.returncode == REFUSED else f"migrate: exit code {done.returncode}"
        self._statements(self._golden["script"])
        done = self._run("check", "-c", config, "--show", "all", "--limit", "100000", "--json")
        if done.returncode != 0:
            self.about = done.stderr + done.stdout
            return "refused by check" if done.returncode == REFUSED else f"check: exit code {done.returncode}"
        return self._compare([json.loads(line) for line in done.stdout.splitlines()])

    def _compare(self, shown):
        failed = self._golden["outcome"]["state"] != "RUNNING"
        refused = [line for line in shown if "refused" in line]
        if refused:
            self.about = str(refused[0])
        made = [self._made(line) for line in shown if "refused" not in line]
        before = {str(row["id"]).encode() for row in self._golden["rows_before"] or []}
        same = different = 0
        unused, order = list(made), []
        for record in self._golden["records"]:
            headers = [(name, golden_bytes(value)) for name, value in record["headers"] if not name.startswith(CONTEXT)]
            if not headers or id_of(headers) in before:
                continue  # not a record of the EventRouter, or a row that is older than the trigger
            found = next((one for one in unused if id_of(one["headers"]) == id_of(headers)), None)
            if found is None:
                different += 1
                self.about = f"no record with the id {id_of(headers)}"
                continue
            unused.remove(found)
            order.append((record["topic"], record["partition"], made.index(found)))
            difference = self._difference(record, headers, found)
            if difference and different == 0:
                self.about = difference
            different += bool(difference)
            same += not difference
        if different:
            return f"different {different} of {different + same}"
        if order != sorted(order) and self._golden["case"] not in OTHER_ORDER:
            return "in another order"
        if refused:
            return "refused" if failed else "an event refused"
        return "sent" if failed else "same"

    @staticmethod
    def _made(line):
        return {**line, "key": shown_bytes(line["key"]), "value": shown_bytes(line["value"]),
                "headers": [(header["name"], shown_bytes(header["value"])) for header in line["headers"]]}

    def _difference(self, golden, headers, made):
        key = golden_bytes(golden["key"])
        pairs = [("topic", golden["topic"], made["topic"]), ("key", key, made["key"]),
                 ("value", golden_bytes(golden["value"]), made["value"]), ("headers", headers, made["headers"])]
        partitions = (self._golden.get("partitions") or {}).get(golden["topic"], 3)
        partition = made["partition"]
        if partition is None and made["key"] is not None:
            partition = murmur2(made["key"]) % partitions
        if partition is not None:
            pairs.append(("partition", golden["partition"], partition))
        if made["timestamp"] is not None:
            pairs.append(("time", golden["timestamp"], made["timestamp"]))
        for part, expected, found in pairs:
            if expected != found:
                return f"{part}: Debezium {expected!r}, here {found!r}"
        return ""


def expected_outcomes():
    lines = (HERE / "outcomes.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["postgres", "mysql"])
    parser.add_argument("-v", action="store_true", dest="verbose")
    parser.add_argument("--records", type=pathlib.Path, default=HERE / "records", help="folder of the recorded runs")
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    try:
        server = PostgresServer() if asked.kind == "postgres" else MysqlServer()
    except Unavailable as reason:
        print(reason)
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    expected, failures, counts = expected_outcomes(), 0, {}
    with server:
        for number, file in enumerate(sorted(asked.records.glob("*.json"))):
            golden = json.loads(file.read_text(encoding="utf-8"))
            is_mysql = "MySql" in golden["connector"]["connector.class"]
            if is_mysql != (asked.kind == "mysql") or (asked.names and not any(name in file.stem for name in asked.names)):
                continue
            database = (Mysql if is_mysql else Postgres)(server, number)
            run = Run(golden, database, server)
            try:
                outcome = run.outcome()
            except subprocess.TimeoutExpired as error:
                outcome = f"no answer: {error}"
            finally:
                database.close()
            counts[outcome.split(" ")[0]] = counts.get(outcome.split(" ")[0], 0) + 1
            good = outcome == expected.get(golden["case"], "same")
            failures += not good
            if not good or asked.verbose:
                print(f"{'ok    ' if good else 'FAILED'} {golden['case']}: {outcome}  {run.about[:600]}", flush=True)
    print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())) + f"; {failures} unexpected")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
