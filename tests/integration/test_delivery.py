"""The assertions of delivery.py detect each kind of error in a topic."""

import dataclasses
import unittest
import uuid

from delivery import assert_delivered, assert_in_order, assert_nothing_twice
from events import java_partition, make_events
from servers import Record

PARTITIONS = 3


def as_record(event, offset):
    topic, key, payload, own, rest = event.expected()
    return Record(topic, java_partition(key, PARTITIONS) if key is not None else 0, offset, 0, key, payload, own + rest)


class DeliveryTest(unittest.TestCase):
    def setUp(self):
        self.journal = make_events(seed=1, count=300, topics=["t"], keys=5, large=1)
        for row_id, event in enumerate(self.journal):
            event.row_id, event.event_id = row_id, str(uuid.uuid4())
        self.records = [as_record(event, offset) for offset, event in enumerate(self.journal)]

    def assert_refused(self, records):
        with self.assertRaises(AssertionError):
            assert_nothing_twice(self, records)
            assert_delivered(self, self.journal, records)
            assert_in_order(self, self.journal, records, PARTITIONS)

    def replaced(self, position, **changes):
        return [dataclasses.replace(record, **changes) if i == position else record for i, record in enumerate(self.records)]

    def test_a_right_topic_passes(self):
        assert_nothing_twice(self, self.records)
        assert_delivered(self, self.journal, self.records)
        assert_in_order(self, self.journal, self.records, PARTITIONS)

    def test_lost(self):
        self.assert_refused(self.records[1:])

    def test_ghost(self):
        self.journal.pop()
        self.assert_refused(self.records)

    def test_twice(self):
        self.assert_refused(self.records + [dataclasses.replace(self.records[0], offset=1000)])

    def test_altered(self):
        text = next(i for i, record in enumerate(self.records) if record.payload)
        empty = next(i for i, record in enumerate(self.records) if record.payload == b"")
        no_key = next(i for i, record in enumerate(self.records) if record.key is None)
        headed = next(i for i, record in enumerate(self.records) if len(record.headers) > 2)
        for position, changes in ((text, {"payload": self.records[text].payload[:-1] + b"?"}), (empty, {"payload": None}),
                                  (no_key, {"key": b""}), (headed, {"headers": self.records[headed].headers[:-1]}),
                                  (text, {"topic": "other"})):
            with self.subTest(changes=str(changes)[:80]):
                self.assert_refused(self.replaced(position, **changes))

    def test_overtaken(self):
        first, second = [i for i, record in enumerate(self.records) if record.key == b""][:2]
        self.records[first], self.records[second] = (dataclasses.replace(self.records[second], offset=first),
                                                     dataclasses.replace(self.records[first], offset=second))
        self.assert_refused(self.records)

    def test_in_the_wrong_partition(self):
        keyed = next(i for i, record in enumerate(self.records) if record.key is not None)
        self.assert_refused(self.replaced(keyed, partition=(self.records[keyed].partition + 1) % PARTITIONS))
