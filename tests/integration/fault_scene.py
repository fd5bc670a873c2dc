"""The common set-up of the tests of faults, and the checks at their end."""

import json
import re
import uuid

from application import Application
from servers import Relay, read_topic, relay_config, shared_kafka

BAD = "database unavailable: "
STILL_BAD = "database still unavailable: "  # a new reason during a long outage
BACK = "database available again"
CAME_BACK = "removed from the outbox after its delivery and has come back|came back to the outbox in the last second"
STORAGE_TIMEOUT = 2  # seconds


class Scene:
    """One outbox with its application, its relay and a topic.

    The `lease` must be longer than the fault, with a margin for a busy machine, because events may arrive twice after a
    lease expires.
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
        """Waits until the relay has logged that the database is unavailable with a reason that matches `why`, and has tried
        again `tries` times after that. The n-th call waits for the n-th outage."""
        self._seen += 1
        self.relay.wait_while_running(lambda: len(self.logged(BAD)) >= self._seen, 30, "the relay logs the fault")
        # The first reason may be that a session was closed, and the second one why no new session can be opened.
        self.relay.wait_while_running(lambda: any(re.search(why, reason) for reason in self.reasons(self._seen)), 30,
                                      f"a reason matches {why}")
        self.relay.wait_while_running(lambda: self.tries() >= tries, 30, f"the relay tries {tries} times")

    def reasons(self, outage):
        """The reasons that were logged for the outage with this number, counted from 1, and for later ones."""
        reasons = self.logged((BAD, STILL_BAD))
        begins = [i for i, reason in enumerate(reasons) if reason.startswith(BAD)]
        return reasons[begins[outage - 1]:]

    def tries(self):
        """Number of failed tries since the last outage was logged."""
        messages = [line["msg"] for line in self.lines()]
        last = max((i for i, message in enumerate(messages) if message.startswith(BAD)), default=len(messages))
        return sum(message.startswith("database: ") for message in messages[last:])

    def logged(self, what):
        return [line["msg"] for line in self.lines() if line["msg"].startswith(what)]

    def lines(self):
        whole = self.relay.log().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def wait_until_empty(self):
        self.relay.wait_while_running(lambda: self.database.numbers("select count(*) from outbox_event") == [0], 60,
                                      "the outbox is empty")

    def finish(self, outages, at_most=None, failures=0, comes_back=False):
        """Ends a test after its fault has ended, and checks what arrived and what was logged. `outages`: least number of
        outages that the relay must have logged, and `at_most` the largest one. `failures`: number of warnings about events.
        `comes_back`: the database may have lost the last confirmations, so events may arrive twice."""
        self.application.flow()
        self.application.stop()
        self.wait_until_empty()
        self._test.assertEqual(self.relay.stop(), 0)
        self.application.judge(self._test, read_topic(self.kafka.bootstrap, self.topic), twice=comes_back)
        self._test.assertEqual(self.database.numbers("select count(*) from outbox_retry"), [0], "attempts were counted")
        states = self.logged((BAD, BACK))
        self._test.assertEqual([state.startswith(BAD) for state in states], [True, False] * (len(states) // 2), states)
        self._test.assertIn(len(states) // 2, range(outages, (at_most or outages) + 1), states)
        reasons = self.logged(STILL_BAD)
        self._test.assertEqual(len(reasons), len(set(reasons)), reasons)
        others = [line["msg"] for line in self.lines()
                  if line["level"] in ("warn", "error") and not line["msg"].startswith((BAD, STILL_BAD, "librdkafka"))
                  and "; continuing with the secret" not in line["msg"]
                  and not (comes_back and re.search(CAME_BACK, line["msg"]))]
        self._test.assertEqual([other for other in others if not other.startswith("event ")], [])
        self._test.assertEqual(len(others), failures, others)
