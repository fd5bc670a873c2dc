"""A database with an outbox, a relay with the privileges that the documents require, and an administrator who changes the
surroundings."""

import http.client
import json
import pathlib
import re
import sys
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

# pylint: disable=wrong-import-position
from metrics import parse_metrics
from servers import Relay, read_topic, relay_config, shared_kafka

KEYS = 7


class Scene:
    """The scene of one round. A derived class for a database defines how the database is created, and how the administrator
    writes to it and queries it."""

    plugin = ""

    def __init__(self):
        self.repeated = set()  # event ids that several rows have
        self.on_close = []  # functions that reset the settings of shared servers
        self.kafka = shared_kafka()
        self.topic = f"hostile-{uuid.uuid4()}"
        self.kafka.create_topic(self.topic, 3)
        self.make_database()
        config = relay_config(self.plugin, self.relay_options(), self.kafka.bootstrap,
                              {"max_attempts": 3, "retry_backoff": "50ms", "max_retry_backoff": "1s", "batch_size": 100,
                               "max_in_flight_events": 500, "shutdown_timeout": "5s"})
        config["http"] = {"listen": "127.0.0.1:0", "refresh_interval": "200ms"}
        self.relay = Relay(config)
        # The user who migrates is not the user of the relay.
        migrating = Relay(relay_config(self.plugin, self.administrator_options(), self.kafka.bootstrap))
        try:
            migrated = migrating.command("migrate")
            if migrated.returncode != 0:
                raise RuntimeError(f"migrate ended with {migrated.returncode}: {migrated.stderr}")
        finally:
            migrating.close()
        self.grant()

    def close(self):
        self.relay.close()
        for undo in self.on_close:
            undo()

    def insert(self, count, **columns):
        """Inserts rows as the application. Rows that the surroundings refuse are skipped."""
        for n in range(count):
            row = {"topic": self.topic, "aggregate_id": f"key-{n % KEYS}", "event_type": "made", "payload": f"p{n}", **columns}
            try:
                self.insert_row(row)
            except self.refusals():
                continue

    # What the relay reports.

    def get(self, path):
        """Returns (status, body), or None if the relay does not listen."""
        port = re.search(r"http: [^\"]* at 127\.0\.0\.1:(\d+)", self.relay.log())
        if not port:
            return None
        try:
            link = http.client.HTTPConnection("127.0.0.1", int(port.group(1)), timeout=5)
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None

    def ready(self):
        answer = self.get("/readyz")
        return answer is not None and answer[0] == 200

    def metrics(self):
        answer = self.get("/metrics")
        return parse_metrics(answer[1]) if answer else None

    def complaints(self):
        """The warnings and errors that the relay has logged."""
        lines = (json.loads(line) for line in self.relay.log().splitlines() if line.startswith("{"))
        return [line["msg"] for line in lines if line["level"] in ("warning", "warn", "error", "critical")]

    def delivered(self):
        """The event ids of all records, copies included."""
        return [record.header("event_id").decode() for record in read_topic(self.kafka.bootstrap, self.topic)]


def repeat_event_id(scene):
    event_id = "00000000-0000-4000-8000-000000000001"
    scene.repeated.add(event_id)
    scene.insert(5, event_id=event_id)
