"""What every test of a fault begins with, and what it must find at the end."""

import json
import re
import uuid

from application import Application
from servers import Relay, read_topic, relay_config, shared_kafka

BAD = "database cannot be used: "
STILL_BAD = "database still cannot be used: "  # in a long outage, a reason that is new
BACK = "database is back"
CAME_BACK = "removed from the outbox after its delivery, and is there again|came back to the outbox in the last second"
STORAGE_TIMEOUT = 2  # seconds


class Scene:
    """One outbox, its application, its relay and a topic.

    A `lease` longer than the fault and what a busy machine adds: where it ends, events may come twice.
    """

    def __init__(self, test, database, options=None, lease="3s"):
        self._test = test
        self._lease = lease
        self.database = database
        self.kafka = shared_kafka()
        self.topic = f"faults-{uuid.uuid4()}"
        self.kafka.create_topic(self.topic, 3)
        self.relay = self.relay_with(options or database.options())
        self.application = Application(database, self.topic)
        self._seen = 0
        test.addCleanup(self.application.stop)
        made = self.relay_with(database.options()).command("migrate")
        test.assertEqual(made.returncode, 0, made.stderr)
        database.run(Application.TABLE)

    def relay_with(self, options):
        relay = Relay(relay_config(self.database.plugin, options, self.kafka.bootstrap,
                                   {"storage_timeout": f"{STORAGE_TIMEOUT}s", "retry_backoff": "1m",
                                    "reserve_duration": self._lease}))
        self._test.addCleanup(relay.close)
        return relay

    def start(self):
        self.relay.start()
        self.application.start()
        self.application.flow()
        self.wait_for_arrivals()
        return self

    def arrived(self):
        return sum(self.kafka.end_offsets(self.topic).values())

    def wait_for_arrivals(self):
        before = self.arrived()
        self.relay.wait_while_running(lambda: self.arrived() > before, 30, "events arrive")

    def wait_for_bad(self, why=".", tries=3):
        """Until the relay has said so, for the n-th time where this is called n times, and has tried some times more."""
        self._seen += 1
        self.relay.wait_while_running(lambda: len(self.told(BAD)) >= self._seen, 30, "the relay tells of the fault")
        # A session that was closed may be the first reason, and what keeps the next one away the second.
        self.relay.wait_while_running(lambda: any(re.search(why, reason) for reason in self.reasons(self._seen)), 30,
                                      f"the reason has {why}")
        self.relay.wait_while_running(lambda: self.tries() >= tries, 30, f"the relay tries {tries} times")

    def reasons(self, outage):
        """Of the outage with this number, the first is 1, and of later ones."""
        reasons = self.told((BAD, STILL_BAD))
        begins = [i for i, reason in enumerate(reasons) if reason.startswith(BAD)]
        return reasons[begins[outage - 1]:]

    def tries(self):
        """Since it was last told that the database cannot be used."""
        messages = [line["msg"] for line in self.lines()]
        last = max((i for i, message in enumerate(messages) if message.startswith(BAD)), default=len(messages))
        return sum(message.startswith("database: ") for message in messages[last:])

    def told(self, what):
        return [line["msg"] for line in self.lines() if line["msg"].startswith(what)]

    def lines(self):
        whole = self.relay.log().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def wait_until_empty(self):
        self.relay.wait_while_running(lambda: self.database.numbers("select count(*) from outbox_event") == [0], 60,
                                      "the outbox is empty")

    def finish(self, outages, at_most=None, failures=0, comes_back=False):
        """The fault has ended. `outages`: how often the relay had to say that the database cannot be used. `failures`: how
        many lines there are about events. `comes_back`: the last confirms may have been lost."""
        self.application.flow()
        self.application.stop()
        self.wait_until_empty()
        self._test.assertEqual(self.relay.stop(), 0)
        self.application.judge(self._test, read_topic(self.kafka.bootstrap, self.topic), twice=comes_back)
        self._test.assertEqual(self.database.numbers("select count(*) from outbox_retry"), [0], "attempts were counted")
        states = self.told((BAD, BACK))
        self._test.assertEqual([state.startswith(BAD) for state in states], [True, False] * (len(states) // 2), states)
        self._test.assertIn(len(states) // 2, range(outages, (at_most or outages) + 1), states)
        reasons = self.told(STILL_BAD)
        self._test.assertEqual(len(reasons), len(set(reasons)), reasons)
        others = [line["msg"] for line in self.lines()
                  if line["level"] in ("warn", "error") and not line["msg"].startswith((BAD, STILL_BAD, "librdkafka"))
                  and "; going on with the secret" not in line["msg"]
                  and not (comes_back and re.search(CAME_BACK, line["msg"]))]
        self._test.assertEqual([other for other in others if not other.startswith("event ")], [])
        self._test.assertEqual(len(others), failures, others)
