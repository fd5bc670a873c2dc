#!/usr/bin/python3
"""The checker finds each kind of broken promise, and finds nothing in a correct history."""

import copy
import unittest

from checker import BLIND, SILENT, History, judge

TOPIC, KEYS, WINDOW = "orders-1", ("a", "b"), 300


def sound():
    """A correct history: two keys with ten events each, two events per transaction, and a fault from second 100 to 104.
    Every event arrives immediately."""
    transactions, records = [], []
    for number in range(1, 11):
        events = []
        for place, key in enumerate(KEYS):
            event_id = f"{key}-{number}"
            events.append([event_id, TOPIC, key, number, hash_of(event_id), False])
            records.append({"topic": TOPIC, "life": 1, "partition": place, "offset": number - 1, "time": 90.1 + number * 2,
                            "event_id": event_id, "key": key, "mark": hash_of(event_id), "intact": True})
        transactions.append({"tx": f"t{number}", "began": 90 + number * 2 - 0.1, "ended": 90 + number * 2,
                             "outcome": "committed", "events": events})
    transactions.append({"tx": "undone", "began": 95, "ended": 96, "outcome": "rolled back",
                         "events": [["c-1", TOPIC, "c", 1, 7, False]]})
    fault = {"number": 0, "fault": "broker-frozen", "to": "broker", "strikes": 1, "stops": ["relay-1"], "begin": 100,
             "repair": 104, "end": 104}
    samples = [{"relay": "relay-1", "asked": 90 + i, "answered": 90 + i, "ready": True, "said": "ready", "backlog": 0.0}
               for i in range(25)]
    tables = {"written": [f"t{number}" for number in range(1, 11)], "outbox": [], "retry": [], "dead": []}
    return History(transactions, [fault], records, tables, samples, [], WINDOW)


def hash_of(event_id):
    return sum(event_id.encode())


class CheckerTest(unittest.TestCase):
    def setUp(self):
        self.history = sound()

    def find(self, *promises):
        self.assertEqual(sorted(judge(self.history)["broken"]), sorted(promises))

    def record(self, event_id):
        return next(record for record in self.history.records if record["event_id"] == event_id)

    def again(self, event_id, time, offset=99):
        self.history.records.append({**copy.deepcopy(self.record(event_id)), "time": time, "offset": offset})

    def test_nothing_where_all_is_well(self):
        self.find()
        self.assertEqual(judge(self.history)["counts"]["committed"], 20)

    def test_lost(self):
        self.history.records.remove(self.record("a-5"))
        self.find("lost", "torn")

    def test_a_commit_without_answer_is_what_the_database_says(self):
        self.history.transactions[4]["outcome"] = "unknown"
        self.find()
        self.history.tables["written"].remove("t5")
        self.find("ghost")
        self.history.records = [record for record in self.history.records if record["event_id"] not in ("a-5", "b-5")]
        self.find()

    def test_ghost(self):
        self.history.records.append({**self.record("a-10"), "event_id": "c-1", "key": "c", "offset": 10})
        self.find("ghost")

    def test_corrupt(self):
        for change in ({"intact": False}, {"mark": 1}, {"key": "z"}):
            self.history = sound()
            self.record("b-3").update(change)
            self.find("corrupt")

    def test_order(self):
        first, second = self.record("a-4"), self.record("a-5")
        first["offset"], second["offset"] = second["offset"], first["offset"]
        self.find("order")

    def test_a_key_stays_in_its_partition(self):
        self.record("a-10")["partition"] = 1
        self.find("order")

    def test_a_stretch_may_be_repeated_after_a_fault(self):
        self.again("a-4", 101, 10)
        self.again("a-5", 101, 11)
        self.find()

    def test_duplicates_need_a_fault_between_their_copies(self):
        self.again("a-1", 93)
        self.find("duplicate")

    def test_a_lease_cannot_be_renewed_where_the_database_has_no_time(self):
        self.again("a-1", 94.2)
        self.history.samples.append({"asked": 92.5, "answered": 94.0, "rows": 0, "oldest": 0.0})
        self.find()

    def test_duplicates_fit_into_the_windows_of_the_faults(self):
        self.history.window = 1
        self.again("a-4", 101, 10)
        self.find()
        self.again("a-5", 101, 11)
        self.find("duplicate")

    def test_stuck(self):
        self.history.tables["outbox"].append("17")
        self.find("stuck")

    def test_dead(self):
        self.history.tables["dead"].append("a-5")
        self.find("dead")
        event = self.history.transactions[4]["events"][0]
        event[-1] = True
        self.find("dead")  # it is also in the topic
        self.history.records.remove(self.record("a-5"))
        self.find()

    def test_ready_while_nothing_can_move(self):
        fault = self.history.faults[0]
        fault["repair"] = fault["end"] = fault["begin"] + BLIND + 3
        self.find("honest")
        for sample in self.history.samples:
            sample["ready"] = sample["asked"] < fault["begin"] + BLIND
        self.find()

    def test_who_has_just_come_to_try_may_be_ready(self):
        fault = self.history.faults[0]
        fault["repair"] = fault["end"] = fault["begin"] + BLIND + 3
        for sample in self.history.samples:
            if sample["asked"] < fault["begin"] + 5:
                sample.update(ready=False, said="database_down: no answer")
        self.find()

    def test_no_backlog_while_rows_wait(self):
        self.history.samples.append({"asked": 110.0, "answered": 110.0, "rows": 1, "oldest": 5.0})
        self.find("honest")
        for sample in self.history.samples:
            sample["backlog"] = None
        self.find()

    def test_ready_while_rows_wait_and_nothing_moves(self):
        late = 125.0 + SILENT
        self.history.samples += [{"relay": "relay-1", "asked": 125.0 + i, "answered": 125.0 + i, "ready": True, "said": "ready",
                                  "backlog": 1.0} for i in range(int(SILENT) + 1)]
        self.history.samples.append({"asked": late, "answered": late, "rows": 1, "oldest": SILENT + 1})
        self.find("honest")
        self.history.samples[-3]["ready"] = False
        self.find()
        self.history.samples[-3]["ready"] = True
        self.again("a-10", 126.0)  # one duplicate counts as movement
        self.history.faults[0]["end"] = 126.0
        self.find()

    def test_recovery(self):
        self.record("a-6")["time"] = self.record("b-6")["time"] = 140
        self.find("recovery")

    def test_a_relay_that_ended(self):
        self.history.complaints.append("relay-1 ended by itself with -11")
        self.find("relay")


if __name__ == "__main__":
    unittest.main()
