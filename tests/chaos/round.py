"""One round: faults for some time, then everything recovers, the outbox drains, and the round is judged. Its history stays
in a folder."""

import json
import pathlib
import random
import time

from checker import History, judge
from journal import Journal, read
from nemesis import Nemesis, Scene, plan
from servers import read_topic
from cluster import WINDOW
from monitor import Monitor, not_ready
from writers import Topics, Writers, checksum

DRAIN = 90  # seconds in which the outbox must drain after the last fault
READY = 20  # seconds in which all relays must be ready after the last fault


class Round:
    def __init__(self, cluster, folder, seed, seconds, rate, only=(), calm=False):
        self._cluster, self._folder = cluster, pathlib.Path(folder)
        self._folder.mkdir(parents=True)
        self._seed, self._seconds, self._rate = seed, seconds, rate
        self._only, self._calm = only, calm
        self._journals = {name: Journal(self._folder / f"{name}.jsonl.gz") for name in ("writers", "faults", "monitor")}

    def run(self):
        """Returns the verdict."""
        cluster, dice = self._cluster, random.Random(self._seed)
        topics = Topics.of(f"{self._seed}-{time.time_ns()}")
        writers = Writers(cluster.database, cluster.outbox, topics, self._journals["writers"], self._seed, self._rate)
        scene = Scene(cluster, writers, topics, dice, self._seed)
        for topic in topics.partitions():
            scene.make_topic(topic)
        cluster.database.run("delete from outbox_dead")
        writers.prepare_tables(scene.HELD)
        monitor = Monitor(cluster, self._journals["monitor"])
        strikes = [] if self._calm else plan(dice, self._seconds, cluster.database.name, self._only)
        nemesis = Nemesis(scene, strikes, self._journals["faults"])

        writers.start()
        monitor.start()
        try:
            nemesis.run(self._seconds, lambda: self._raise_the_fallen(scene))
        except BaseException:
            nemesis.abandon()
            raise
        writers.stop()
        left, drained = cluster.wait_until_drained(DRAIN)
        self._raise_the_fallen(scene)
        for complaint in not_ready(cluster, READY):
            scene.complain(complaint)
        monitor.stop()
        for journal in self._journals.values():
            journal.close()
        self._collect(scene, topics)
        about = {"seed": self._seed, "database": cluster.database.name, "seconds": self._seconds,
                 "drained_after": round(drained, 2), "left": left, "window": WINDOW, "complaints": scene.complaints}
        write(self._folder / "about.json", about)
        verdict = judge_folder(self._folder)
        if verdict["broken"]:
            self._keep_state()
        return verdict

    def _raise_the_fallen(self, scene):
        for member in self._cluster.fallen():
            log = self._folder / f"{member.name}-{time.time_ns()}.log"
            log.write_text(member.relay.log(), encoding="utf-8")
            scene.complain(f"{member.name} ended by itself with {member.relay.returncode}, see {log.name}")
            member.start()

    def _keep_state(self):
        """Stores what an operator would read: the logs of the relays and the output of `status`."""
        for member in self._cluster.members:
            (self._folder / f"{member.name}.log").write_text(member.relay.log(), encoding="utf-8")
        status = self._cluster.members[0].relay.command("status")
        (self._folder / "status.txt").write_text(status.stdout + status.stderr, encoding="utf-8")

    def _collect(self, scene, topics):
        records = Journal(self._folder / "records.jsonl.gz")
        # A topic that was deleted and created again starts at offset 0, so its records get another `life`.
        for life, found in enumerate([*scene.kept, *(read_topic(self._cluster.broker.bootstrap, topic)
                                                     for topic in topics.partitions())]):
            for record in found:
                records.write(life=life, **seen(record, self._cluster.outbox))
        records.close()
        write(self._folder / "tables.json", self._tables())

    def _tables(self):
        link = self._cluster.database.connect()
        cursor = link.cursor()

        def column(sql):
            cursor.execute(sql)
            return [str(row[0]) for row in cursor.fetchall()]

        tables = {"written": column("select tx from written"), "outbox": column("select id from outbox_event"),
                  "retry": column("select row_id from outbox_retry"), "dead": column("select event_id from outbox_dead")}
        link.close()
        return tables


def seen(record, outbox):
    key = None if record.key is None else record.key.decode()
    event_type, mark = record.header("event_type"), record.header("checksum")
    mark = outbox.mark_of(mark)
    intact = mark == checksum(record.topic, key, (event_type or b"").decode(), record.payload or b"")
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset, "time": record.timestamp / 1000,
            "event_id": (record.header("event_id") or b"").decode(), "key": key, "mark": mark, "intact": intact}


def judge_folder(folder):
    """Judges a history. Returns the verdict and writes it to verdict.json."""
    about, tables = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("about.json", "tables.json"))
    lines = {name: read(folder / f"{name}.jsonl.gz") for name in ("writers", "faults", "records", "monitor")}
    verdict = {**about, **judge(History(lines["writers"], lines["faults"], lines["records"], tables, lines["monitor"],
                                        about["complaints"], about["window"]))}
    write(folder / "verdict.json", verdict)
    return verdict


def write(path, what):
    path.write_text(json.dumps(what, indent=1) + "\n", encoding="utf-8")
