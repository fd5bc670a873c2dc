"""Asserts that a topic contains what docs/guide/guarantees.md promises, given what was committed."""

import collections

from events import java_partition, record_as_expected


def deliveries(records):
    """Returns {event id: number of its records}."""
    return collections.Counter(record.header("event_id").decode() for record in records)


def assert_nothing_twice(test, records):
    twice = {event: times for event, times in deliveries(records).items() if times > 1}
    test.assertEqual(twice, {}, f"{len(twice)} events are in the topics more than once")


def assert_delivered(test, journal, records):
    """Asserts that every committed event is in the topic, that each of its copies is unaltered, and that there are no other
    records."""
    committed = {event.event_id: event.expected() for event in journal}
    test.assertEqual(len(committed), len(journal), "two rows have the same event id")
    found = deliveries(records)
    lost, ghosts = committed.keys() - found.keys(), found.keys() - committed.keys()
    test.assertEqual((len(lost), len(ghosts)), (0, 0), f"lost {sorted(lost)[:5]}, ghosts {sorted(ghosts)[:5]}")
    for record in records:
        expected = committed[record.header("event_id").decode()]
        if record_as_expected(record) != expected:  # assertEqual would print up to 900 KiB
            test.fail(f"altered:\n  {str(record_as_expected(record))[:2000]}\nis not\n  {str(expected)[:2000]}")


def assert_in_order(test, journal, records, partitions):
    """Asserts for each topic and key that the first copies of its events are in the order of insertion, and in the
    partition that Java clients choose."""
    inserted = collections.defaultdict(list)
    for event in sorted(journal, key=lambda event: event.row_id):
        if event.key is not None:
            inserted[event.topic, event.key.encode()].append(event.event_id)
    arrived = collections.defaultdict(dict)  # a dict keeps the order of first occurrence
    for record in sorted(records, key=lambda record: record.offset):
        if record.key is not None:
            arrived[record.topic, record.key].setdefault(record.header("event_id").decode())
            test.assertEqual(record.partition, java_partition(record.key, partitions), record.key)
    for line, events in inserted.items():
        came = list(arrived[line])
        wrong = next((i for i, event in enumerate(events) if came[i] != event), None)
        if wrong is not None:
            test.fail(f"order of {line}: {came[wrong]} arrived at index {wrong}, where {events[wrong]} was expected")
