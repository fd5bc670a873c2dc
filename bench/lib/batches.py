"""The record batches of a topic, from the broker's files. A producer sends one for each partition and request, so they are the
requests that the broker has taken, and most of what a record costs it is the cost of its batch."""

import struct

HEADER = struct.Struct(">qi")  # base offset, length of what follows
RECORDS_AT = 57                # of the header of magic 2: how many records are in it


def count(data, topic, since):
    """Of the records from the offsets `since` ({partition: offset}) on that the broker still keeps: (batches, records, bytes)."""
    batches = records = size = 0
    for partition, first in since.items():
        for path in sorted((data / f"{topic}-{partition}").glob("*.log")):
            with open(path, "rb") as file:
                for offset, length, held in _headers(file):
                    if offset >= first:
                        batches, records, size = batches + 1, records + held, size + length
    return batches, records, size


def _headers(file):
    at = 0
    while len(header := file.read(HEADER.size)) == HEADER.size:
        offset, length = HEADER.unpack(header)
        if length <= 0:  # a segment is made longer than what is in it
            return
        file.seek(at + RECORDS_AT)
        held, = struct.unpack(">i", file.read(4))
        at += HEADER.size + length
        file.seek(at)
        yield offset, HEADER.size + length, held
