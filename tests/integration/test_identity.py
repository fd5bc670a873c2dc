"""Two relays are given the same id by mistake: the second one is a standby, and both log it."""

import json
import unittest
import uuid

from catalogue import faults
from fault_drivers import PostgresDatabase
from servers import Relay, relay_config, shared_kafka, wait_until

EVENTS = 4_000
BOTH = r"another running relay has the same id \(twin\)"


class IdentityTest(unittest.TestCase):
    def setUp(self):
        self.database = PostgresDatabase(False)
        self.addCleanup(self.database.close)
        self.kafka = shared_kafka()
        self.topic = f"identity-{uuid.uuid4()}"
        self.kafka.create_topic(self.topic, 2)

    def twin(self):
        relay = Relay(relay_config(self.database.plugin, self.database.options(), self.kafka.bootstrap,
                                   {"id": "twin", "reserve_duration": "3s", "batch_size": 50,
                                    "max_in_flight_events": 200}))
        self.addCleanup(relay.close)
        return relay

    def insert(self, count):
        self.database.run("insert into outbox_event (topic, aggregate_id, event_type, payload) select "
                          f"'{self.topic}', 'k' || i % 50, 'Placed', '{{}}' from generate_series(1, {count}) i")

    def arrived(self):
        return sum(self.kafka.end_offsets(self.topic).values())

    def holder(self, relay):
        [shard] = json.loads(relay.command("status", "--json").stdout)["shards"]
        self.assertEqual(shard["relay"], "twin")
        return shard["incarnation"], shard["token"]

    @faults(102)
    def test_two_relays_with_one_id(self):
        first, second = self.twin(), self.twin()
        made = first.command("migrate")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.insert(EVENTS)
        first.start()
        first.wait_while_running(lambda: self.arrived() > 0, 60, "events arrive")
        second.start()
        second.wait_for_log("standby: a relay with the same id")
        self.insert(EVENTS)
        for relay in (first, second):
            relay.wait_for_log(BOTH)
        first.wait_while_running(lambda: not self.database.numbers("select count(*) from outbox_event")[0], 60,
                                 "the outbox is empty")
        for relay in (first, second):
            self.assertEqual(relay.log().count("another running relay has the same id"), 1)
        self.assertEqual(self.arrived(), 2 * EVENTS, "a record arrived twice")
        incarnation, token = self.holder(first)
        self.assertIn(incarnation, first.command("status").stdout)
        self.assertNotIn("delivering shard", second.log())

        # A relay that is restarted with the same id waits until the lease of the killed one expires, as any relay does.
        second.kill()
        first.kill()
        first.start()
        first.wait_for_log("standby: a relay with the same id")
        self.insert(1)
        wait_until(lambda: self.arrived() == 2 * EVENTS + 1, 30, "the event arrives")
        self.assertNotIn("another running relay", first.log())
        after, next_token = self.holder(first)
        self.assertNotEqual(after, incarnation)
        self.assertGreater(next_token, token)
        self.assertEqual(first.stop(), 0)


if __name__ == "__main__":
    unittest.main()
