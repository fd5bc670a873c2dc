"""Makes events of every shape for the integration tests from a seed, and the record in Kafka that is expected for each."""

import base64
import dataclasses
import json
import random
from typing import Dict, List, Optional, Union

HeaderValue = Union[str, None, Dict[str, str]]
LARGE = 900 * 1024


@dataclasses.dataclass
class Event:
    topic: str
    event_type: str
    key: Optional[str]
    payload: Union[bytes, str, None]  # str is inserted as text if the column has a text type
    headers: Optional[Dict[str, HeaderValue]]
    row_id: int = 0     # set by the writer after the insert, like event_id
    event_id: str = ""

    def headers_json(self):
        return None if self.headers is None else json.dumps(self.headers, ensure_ascii=False)

    def expected(self):
        """(topic, key, payload, headers of the relay, headers of the row) of the record. The order of the row's headers is
        not fixed, so they are sorted."""
        return (self.topic, _bytes(self.key), _bytes(self.payload),
                [("event_id", self.event_id.encode()), ("event_type", self.event_type.encode())],
                sorted((name, _header_bytes(value)) for name, value in (self.headers or {}).items()))


def record_as_expected(record):
    """Returns a record of the topic in the form of Event.expected()."""
    return record.topic, record.key, record.payload, record.headers[:2], sorted(record.headers[2:])


def make_events(seed, count, topics, keys=200, large=20, longest_key=1024) -> List[Event]:
    """Makes the same events for the same seed. `large` of them have a payload of 900 KiB."""
    dice = random.Random(seed)
    large_ones = set(dice.sample(range(count), large))
    return [Event(dice.choice(topics), dice.choice(("order.created", "order.paid", "заказ.отменён", "")),
                  _key(dice, keys, longest_key), dice.randbytes(LARGE) if i in large_ones else _payload(dice, i), _headers(dice))
            for i in range(count)]


def _key(dice, keys, longest):
    number = dice.randrange(keys)
    shape = dice.choices(("plain", "null", "empty", "cyrillic", "long", "odd"), (70, 8, 2, 10, 5, 5))[0]
    return {"plain": f"order-{number}", "null": None, "empty": "", "cyrillic": f"заказ № {number % 10}",
            "long": f"{number % 5}".ljust(longest, "k"), "odd": f"tab\there, \"quoted\", новая\nстрока {number % 3}"}[shape]


def _payload(dice, number):
    shape = dice.choices(("json", "empty", "null", "nul bytes", "not utf-8", "random"), (60, 8, 8, 8, 8, 8))[0]
    if shape == "json":
        return json.dumps({"number": number, "note": "line one\nline two \\ \"quoted\" – ё", "list": [1, 2, {}]})
    if shape == "null":
        return None
    return {"empty": b"", "nul bytes": b"\0a\0\0" + str(number).encode() + b"\0", "random": dice.randbytes(dice.randrange(4096)),
            "not utf-8": b"\xff\xfe\xc0\x80\xed\xa0\x80 \\x41 " + str(number).encode()}[shape]


def _headers(dice):
    shape = dice.choices(("null", "none", "one", "twenty", "odd"), (30, 20, 30, 10, 10))[0]
    return {"null": None, "none": {},
            "one": {"traceparent": f"00-{dice.getrandbits(128):032x}-{dice.getrandbits(64):016x}-01"},
            "twenty": {f"header-{i}": f"значение {dice.randrange(1000)}" for i in range(20)},
            "odd": {"empty": "", "absent": None, "имя": "a=b,c\n", "bytes": {"base64": base64.b64encode(dice.randbytes(9)).decode()}},
            }[shape]


def _bytes(value):
    return value.encode() if isinstance(value, str) else value


def _header_bytes(value: HeaderValue) -> Optional[bytes]:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else _bytes(value)


def murmur2(data):
    """The hash of Kafka's Java partitioner."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        h = h * m & mask ^ ((k ^ k >> 24) * m & mask)
    rest = int.from_bytes(data[whole:], "little")
    if len(data) > whole:
        h = (h ^ rest) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def java_partition(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions
