#!/usr/bin/python3
"""Test a change-over from a real Debezium to the relay and back under load, as in docs/guide/instead-of-debezium.md.

    tests/change_over/run.py    # takes some minutes; needs what bench/compare/run --fetch downloads

Writers lock a key and insert an event with its next version; half of the rows are deleted in the transaction that inserts
them, and some transactions roll back. Meanwhile Debezium delivers; `import`, `migrate` and `import --verify` run; the
connector is stopped, the events that it has sent are removed, and the relay delivers. Then everything is changed back. At
the end the topic is read: each event must be there once, with the bytes that Debezium produces for it, and the versions of
each key must ascend.
"""

import collections
import json
import pathlib
import random
import sys
import threading
import time
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "bench"), str(ROOT / "bench" / "compare")]

import debezium  # noqa: E402  pylint: disable=wrong-import-position
from servers import TemporaryFolder, own_kafka, outbox_relay, own_postgres, read_topic, wait_until  # noqa: E402
from servers.kafka import find_java  # noqa: E402
from servers.process import Process, free_port  # noqa: E402
from servers.relay import environment, find_binary  # noqa: E402

TOPIC = "outbox.event.order"
KEYS = 20
WRITERS = 4
SLOT = "way_back"
SEED = 11
CONNECTOR = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": "1",
    "plugin.name": "pgoutput",
    "publication.name": "events",
    "publication.autocreate.mode": "filtered",
    "slot.name": "debezium",
    "topic.prefix": "app",
    "table.include.list": "public.outboxevent",
    "snapshot.mode": "no_data",
    "transforms": "outbox",
    "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
    "transforms.outbox.table.fields.additional.placement": "type:header:eventType",
}


class Writers:
    """The threads of the application. `committed` lists the committed events as (id, key, version)."""

    def __init__(self, server):
        self._server = server
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.committed = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def _run(self, number):
        chance = random.Random(SEED + number)
        link = self._server.connect(autocommit=False)
        cursor = link.cursor()
        while not self._stop.is_set():
            key, event = chance.randrange(KEYS), str(uuid.UUID(int=chance.getrandbits(128), version=4))
            cursor.execute("update orders set version = version + 1 where id = %s returning version", (key,))
            version = cursor.fetchone()[0]
            cursor.execute("insert into outboxevent values (%s, 'order', %s, 'Changed', %s)",
                           (event, f"key-{key}", json.dumps({"version": version, "note": "żółć 😀"})))
            if chance.random() < 0.5:
                cursor.execute("delete from outboxevent where id = %s", (event,))
            if chance.random() < 0.1:
                link.rollback()
                continue
            link.commit()
            with self._lock:
                self.committed.append((event, f"key-{key}", version))
            time.sleep(0.005)
        link.close()

    def more(self, count):
        """Waits until `count` more events are committed."""
        target = len(self.committed) + count
        wait_until(lambda: len(self.committed) >= target, 120, f"{count} more events are committed")

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Connect:
    """A Kafka Connect worker with one connector."""

    def __init__(self, server, bootstrap, folder):
        self._server = server
        self._url = f"http://127.0.0.1:{free_port()}"
        downloads = debezium._downloads()  # pylint: disable=protected-access
        self.worker, self.connector = folder / "worker.properties", folder / "connector.json"
        self.worker.write_text(debezium._properties({  # pylint: disable=protected-access
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter", "producer.acks": "all",
            "bootstrap.servers": bootstrap, "plugin.path": downloads / "plugins",
            "offset.storage.file.filename": folder / "offsets", "offset.flush.interval.ms": "1000", "listeners": self._url}))
        self.config = {**CONNECTOR, "database.hostname": server.host, "database.port": str(server.port),
                       "database.user": "postgres", "database.password": "none", "database.dbname": "postgres"}
        self.connector.write_text(json.dumps({"name": "outbox", "config": self.config}))
        self.process = Process([find_java(), "-Xms256m", "-Xmx1g", "-cp", f"{downloads / 'worker'}/*",
                                f"-Dlog4j2.configurationFile={debezium._logging(folder)}",  # pylint: disable=protected-access
                                debezium.MAIN, self.worker, self.connector], folder / "connect.log")
        self.wait_until_streaming("debezium")

    def wait_until_streaming(self, slot):
        wait_until(lambda: self._server.psql(f"select count(*) from pg_replication_slots where slot_name = '{slot}' and active").strip() == "1",
                   180, f"Debezium reads from {slot}")

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"{self._url}/connectors/outbox{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def stop_connector(self):
        self.ask("PUT", "/stop")
        wait_until(lambda: self.ask("GET", "/status")["connector"]["state"] == "STOPPED" and not self.ask("GET", "/status")["tasks"],
                   60, "the connector has stopped")


def run(*arguments, **options):
    done = outbox_relay(*arguments, **options)
    print(f"$ outbox-relay {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}", flush=True)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}")
    return done


def judge(committed, records):
    expected = {event: (key, version) for event, key, version in committed}
    found = collections.Counter()
    versions = collections.defaultdict(list)
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        headers = [(name, value) for name, value in record.headers if not name.startswith("__debezium.context.")]
        event = record.header("id").decode()
        key, version = expected[event]
        found[event] += 1
        assert headers == [("id", event.encode()), ("eventType", b"Changed")], headers
        assert record.key == key.encode(), record
        assert record.payload == f'{{"note": "żółć 😀", "version": {version}}}'.encode(), record.payload
        versions[key].append(version)
    lost = [event for event in expected if not found[event]]
    twice = [event for event, times in found.items() if times > 1]
    back = [key for key, seen in versions.items() if seen != sorted(seen)]
    print(f"{len(expected)} events, {len(records)} records: {len(lost)} lost, {len(twice)} duplicated, {len(back)} keys out of order")
    return not lost and not twice and not back


def main():
    missing = debezium.Debezium.missing()
    if missing:
        sys.exit(f"Debezium: {missing}")
    folder = TemporaryFolder("change-over")
    kafka, server = own_kafka(), own_postgres(settings={"wal_level": "logical"})
    connect = writers = relay = None
    try:
        kafka.start()
        server.start()
        kafka.create_topic(TOPIC, 3)
        server.psql("create table orders (id int primary key, version int not null default 0);"
                    f"insert into orders select generate_series(0, {KEYS - 1});"
                    "create table outboxevent (id uuid not null primary key, aggregatetype varchar(255) not null,"
                    " aggregateid varchar(255) not null, type varchar(255) not null, payload jsonb)")
        connect = Connect(server, kafka.bootstrap, folder.path)
        writers = Writers(server)
        writers.more(300)

        print("--- the change-over")
        imported = run("import", connect.connector, "--worker", connect.worker)
        config = folder.path / "relay.json"
        config.write_text(imported.stdout)
        config.chmod(0o600)
        env = {"OUTBOX_DATABASE_PASSWORD": "none"}
        run("migrate", "-c", config, env=env)
        writers.more(300)
        time.sleep(2)
        run("import", "--verify", "-c", config, env=env)
        connect.stop_connector()
        run("import", "--verify", "-c", config, "--remove-delivered", env=env)
        binary = find_binary()
        relay = Process([binary, "run", "-c", config], folder.path / "relay.log", {**environment(binary), **env})
        writers.more(600)

        print("--- the change back")
        server.psql(f"select pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")
        writers.more(200)
        removed = run("migrate", "-c", config, "--remove-capture", env=env)
        position = removed.stdout.partition("at position ")[2].split()[0]
        wait_until(lambda: server.psql("select count(*) from outboxevent_capture").strip() == "0", 60, "all events are delivered")
        if relay.stop() != 0:
            raise RuntimeError(relay.log_text())
        server.psql(f"select pg_replication_slot_advance('{SLOT}', '{position}')")
        connect.ask("DELETE", "/offsets")
        connect.ask("PUT", "/config", {**connect.config, "slot.name": SLOT})
        connect.ask("PUT", "/resume")
        connect.wait_until_streaming(SLOT)
        writers.more(300)
        writers.stop()
        wait_until(lambda: sum(kafka.end_offsets(TOPIC).values()) >= len(writers.committed), 60, "Debezium has sent the rest")
        time.sleep(2)
        good = judge(writers.committed, read_topic(kafka.bootstrap, TOPIC))
    finally:
        if writers:
            writers.stop()
        for process in (relay, connect.process if connect else None):
            if process and process.returncode is None:
                process.kill()
        kafka.stop()
        server.stop()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
