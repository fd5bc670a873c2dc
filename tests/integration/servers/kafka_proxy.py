"""A proxy between a producer and a broker that parses whole requests. It can answer a Produce request with an error in
place of the broker, or lose the broker's answer.

The broker must advertise the proxy's address, because clients would connect to the broker directly otherwise:

    with proxied_kafka() as (broker, proxy): ...
"""

import collections
import contextlib
import dataclasses
import struct
import threading
import time
from typing import Callable, Optional

from .kafka_wire import Reader, array, string
from .process import free_port
from .shared import own_kafka
from .tcp_proxy import TcpProxy

PRODUCE = 0
INIT_PRODUCER_ID = 22
SASL_AUTHENTICATE = 36
NOT_ENOUGH_REPLICAS = 19
OUT_OF_ORDER_SEQUENCE = 45


@dataclasses.dataclass
class ProduceRequest:
    """The first batch of a Produce request, and its result. A relay sends one batch per partition and request."""
    version: int
    topic: str
    partition: int
    producer_id: int
    base_sequence: int
    records: int
    frame: bytes = dataclasses.field(repr=False)
    error: Optional[int] = None   # None before the answer
    offset: Optional[int] = None  # offset that the broker gave the first record
    refused_here: bool = False


class KafkaProxy(TcpProxy):
    """Functions that are given to reset() decide what the proxy does with Produce requests.

    refuse(number, request) is called for each request; `number` counts from 0 over all connections. If it returns an error
    code, the proxy answers with it, and the broker never gets the request. release(requests) is called for such an answer,
    and again at each new request, until it returns True. The answer is held back until then, which keeps several requests
    in flight. lose(request) is called when the broker has answered. If it returns True, the connection is reset instead.
    belie(request) is called then too. If it returns an error code, that is sent to the client instead of the broker's
    answer."""

    def __init__(self, port, upstream_port):
        self.bootstrap = f"127.0.0.1:{port}"
        self.reset()
        self._changed = threading.Condition()
        self._closed = False
        super().__init__(upstream_port, port)

    def reset(self, refuse: Callable = lambda number, request: None, release: Callable = lambda requests: True,
              lose: Callable = lambda request: False, belie: Callable = lambda request: None):
        """Forgets the requests so far and sets the functions."""
        self.requests = []
        self.asked = collections.defaultdict(list)  # ApiKey -> times of all requests of that kind, by time.monotonic()
        self._refuse = refuse
        self._release = release
        self._lose = lose
        self._belie = belie

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()

    def _serve(self, link):
        due = collections.deque()  # requests without an answer, oldest first: (request, answer of the proxy or None)
        self._start(self._until_closed, self._requests, link, due)
        self._start(self._until_closed, self._answers, link, due)

    def _until_closed(self, run, link, due):
        with contextlib.suppress(OSError, EOFError):
            run(link, due)
        self._ended(link)
        with self._changed:
            self._changed.notify_all()

    def _requests(self, link, due):
        while True:
            frame = _receive(link.client)
            key, version, correlation = struct.unpack_from(">hhi", frame)
            self.asked[key].append(time.monotonic())
            request = _parse_produce(frame, version) if key == PRODUCE else None
            error = None
            if request:
                with self._changed:
                    error = self._refuse(len(self.requests), request)
                    self.requests.append(request)
            ours = None
            if error is not None:
                request.error, request.refused_here = error, True
                ours = _produce_answer(correlation, request)
            with self._changed:
                due.append((request, ours))
                self._changed.notify_all()
            if ours is None:
                _send(link.server, frame)

    def _answers(self, link, due):
        """Sends the answers to the client in the order of the requests, as a broker does."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or link.ended or (
                    due and (due[0][1] is None or self._release(self.requests))))
                if self._closed or link.ended:
                    return
                request, answer = due.popleft()
            if answer is None:
                answer = _receive(link.server)
                if request:
                    request.error, offset = _parse_produce_answer(answer, request.version)
                    request.offset = offset if offset >= 0 else None
                    if self._lose(request):
                        link.reset()
                        return
                    lie = self._belie(request)
                    if lie is not None:
                        answer = _produce_answer(struct.unpack_from(">i", answer)[0], dataclasses.replace(request, error=lie))
            _send(link.client, answer)


@contextlib.contextmanager
def proxied_kafka():
    """A context with a broker and a proxy. Clients reach the broker only through the proxy, because the broker advertises
    it."""
    port = free_port()
    with own_kafka(properties={"advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}"}) as broker:
        proxy = KafkaProxy(port, broker.port)
        try:
            yield broker, proxy
        finally:
            proxy.close()


def _receive(one):
    def exactly(size):
        data = bytearray()
        while len(data) < size:
            part = one.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    return exactly(struct.unpack(">i", exactly(4))[0])


def _send(one, frame):
    one.sendall(struct.pack(">i", len(frame)) + frame)


class _Flexible(Reader):
    """Reads the flexible encoding, which is used from version 9 on: sizes are varints that are one too large, and
    structures end with tagged fields."""

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def compact_string(self):
        size = self.varint() - 1
        return None if size < 0 else self.take(f"{size}s").decode()

    def tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.take(f"{self.varint()}s")


def _is_flexible(version):
    return version >= 9


def _parse_produce(frame, version):
    reader = _Flexible(frame)
    reader.take("hhi")
    reader.string()  # client id
    if _is_flexible(version):
        reader.tags()
        reader.compact_string()  # transactional id
        reader.take("hi")
        assert reader.varint() - 1 == 1, "one topic in a request"
        topic = reader.compact_string()
        assert reader.varint() - 1 == 1, "one partition in a request"
        partition = reader.take("i")
        reader.varint()
    else:
        reader.string()
        reader.take("hi")
        assert reader.take("i") == 1, "one topic in a request"
        topic = reader.string()
        assert reader.take("i") == 1, "one partition in a request"
        partition, _ = reader.take("ii")
    # Base offset, length, leader epoch, magic, crc, attributes, last delta and times are skipped.
    *_, producer_id, _, base_sequence, records = reader.take("qiibIhiqqqhii")
    return ProduceRequest(version, topic, partition, producer_id, base_sequence, records, frame)


def _produce_answer(correlation, request):
    result = struct.pack(">ihqqq", request.partition, request.error, -1, -1, -1)
    if _is_flexible(request.version):
        name = request.topic.encode()
        # The bytes after the result: no record errors, no message, no tags; no tags of the topic; throttle time; no tags.
        return (struct.pack(">ib", correlation, 0) + bytes([2, len(name) + 1]) + name + bytes([2]) + result +
                bytes([1, 0, 0]) + bytes([0]) + struct.pack(">i", 0) + bytes([0]))
    if request.version == 8:
        result += struct.pack(">ih", 0, -1)
    return (struct.pack(">i", correlation) + array([string(request.topic) + array([result])]) + struct.pack(">i", 0))


def _parse_produce_answer(frame, version):
    reader = _Flexible(frame)
    reader.take("i")
    if _is_flexible(version):
        reader.tags()
        reader.varint()
        reader.compact_string()
        reader.varint()
    else:
        reader.take("i")
        reader.string()
        reader.take("i")
    _, error, offset = reader.take("ihq")
    return error, offset
