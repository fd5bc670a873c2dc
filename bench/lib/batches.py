"""Counts the record batches of a topic in the broker's log files. A producer sends one batch per partition and request, so
their number shows how many requests the broker has processed. Most of what a record costs the broker is the cost of its
batch."""

import struct

HEADER = struct.Struct(">qi")  # base offset, number of bytes that follow
RECORDS_AT = 57                # byte at which a batch header of magic 2 has the number of records


def count(data, topic, since):
    """Returns (batches, records, bytes) from the offsets `since` ({partition: offset}) on, as far as the broker still keeps
    them."""
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
        if length <= 0:  # the rest of the segment is preallocated and empty
            return
        file.seek(at + RECORDS_AT)
        held, = struct.unpack(">i", file.read(4))
        at += HEADER.size + length
        file.seek(at)
        yield offset, HEADER.size + length, held
