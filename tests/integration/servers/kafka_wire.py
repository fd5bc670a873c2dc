"""The requests of the Kafka protocol that tests need, over a plain socket, because each of the Java tools takes two
seconds.

Each request has the last version before the flexible encoding, if there is one. Kafka 3.x and 4.x support all of them.
"""

import hashlib
import itertools
import os
import socket
import struct

METADATA, LIST_OFFSETS, OFFSET_FETCH, CREATE_TOPICS, DELETE_TOPICS, CREATE_ACLS, DELETE_ACLS = 3, 2, 9, 19, 20, 30, 31
INCREMENTAL_ALTER_CONFIGS, ALTER_USER_SCRAM_CREDENTIALS = 44, 51
TOPIC_RESOURCE, SET_CONFIG, LATEST = 2, 0, -1
LITERAL, ALL, READ, WRITE, DESCRIBE, ALLOW, ANY = 3, 2, 3, 4, 8, 3, 1  # codes in access rules


class KafkaError(RuntimeError):
    """The broker refused a request; `code` is its error code."""

    def __init__(self, what, code, message=None):
        super().__init__(f"{what}: Kafka error {code}{': ' + message if message else ''}")
        self.code = code


class Reader:
    def __init__(self, data):
        self._data, self._at = data, 0

    def take(self, layout):
        values = struct.unpack_from(">" + layout, self._data, self._at)
        self._at += struct.calcsize(">" + layout)
        return values[0] if len(values) == 1 else values

    def string(self):
        size = self.take("h")
        if size < 0:
            return None
        self._at += size
        return self._data[self._at - size:self._at].decode()

    def array(self, read):
        return [read() for _ in range(self.take("i"))]


def string(text):
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def array(items):
    items = list(items)
    return struct.pack(">i", len(items)) + b"".join(items)


class KafkaAdmin:
    """One connection to one broker. The broker must lead all partitions that requests refer to, as a single node does."""

    _correlation = itertools.count(1)

    def __init__(self, bootstrap, timeout=30):
        host, port = bootstrap.split(",")[0].rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout)
        self._timeout_ms = timeout * 1000

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _call(self, key, version, body):
        request = struct.pack(">hhi", key, version, next(self._correlation)) + string("outbox-tests") + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", self._receive(4))[0]
        answer = Reader(self._receive(size))
        answer.take("i")
        return answer

    def _receive(self, size):
        data = bytearray()
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the broker closed the connection")
            data += part
        return bytes(data)

    def topics(self):
        """Returns {topic: number of partitions} without internal topics."""
        answer = self._call(METADATA, 1, struct.pack(">i", -1))
        answer.array(lambda: (answer.take("i"), answer.string(), answer.take("i"), answer.string()))
        answer.take("i")  # controller

        def partition():
            answer.take("hii")  # error, id, leader
            answer.array(lambda: answer.take("i"))  # replicas
            answer.array(lambda: answer.take("i"))  # in-sync replicas

        def topic():
            answer.take("h")
            name, internal = answer.string(), answer.take("?")
            return name, internal, len(answer.array(partition))

        return {name: partitions for name, internal, partitions in answer.array(topic) if not internal}

    def brokers(self):
        answer = self._call(METADATA, 1, array([]))
        return answer.array(lambda: (answer.take("i"), answer.string(), answer.take("i"), answer.string()))

    def create_topic(self, name, partitions=1, configs=None, nodes=None):
        """Creates a topic. `nodes` has the broker of each partition, and is used instead of `partitions`."""
        config = array(string(key) + string(str(value)) for key, value in (configs or {}).items())
        places = array(struct.pack(">i", partition) + array([struct.pack(">i", node)])
                       for partition, node in enumerate(nodes or []))
        size = struct.pack(">ih", -1, -1) if nodes else struct.pack(">ih", partitions, 1)
        topic = string(name) + size + places + config
        answer = self._call(CREATE_TOPICS, 4, array([topic]) + struct.pack(">i?", self._timeout_ms, False))
        answer.take("i")  # throttle time
        self._raise(f"create topic {name}", answer.array(lambda: (answer.string(), answer.take("h"), answer.string())))

    def delete_topic(self, name):
        answer = self._call(DELETE_TOPICS, 3, array([string(name)]) + struct.pack(">i", self._timeout_ms))
        answer.take("i")
        self._raise(f"delete topic {name}", answer.array(lambda: (answer.string(), answer.take("h"), None)))

    def alter_topic(self, name, configs):
        config = array(string(key) + struct.pack(">b", SET_CONFIG) + string(str(value)) for key, value in configs.items())
        resource = struct.pack(">b", TOPIC_RESOURCE) + string(name) + config
        answer = self._call(INCREMENTAL_ALTER_CONFIGS, 0, array([resource]) + struct.pack(">?", False))
        answer.take("i")

        def result():
            code, message = answer.take("h"), answer.string()
            answer.take("b")
            return answer.string(), code, message

        self._raise(f"alter topic {name}", answer.array(result))

    def allow_reading_only(self, topic):
        """Allows everyone to read the topic, and nothing else. REQUIRES: a broker with GUARDED."""
        self.allow(topic, "User:*", READ)

    def allow_only(self, topic, *operations):
        """Allows everyone only these operations on the topic. REQUIRES: a broker with GUARDED."""
        self.allow(topic, "User:*", *operations)

    def allow(self, topic, principal, *operations):
        rules = [struct.pack(">b", TOPIC_RESOURCE) + string(topic) + struct.pack(">b", LITERAL) + string(principal) +
                 string("*") + struct.pack(">bb", operation, ALLOW) for operation in operations or (ALL,)]
        answer = self._call(CREATE_ACLS, 1, array(rules))
        answer.take("i")
        self._raise(f"guard {topic}", answer.array(lambda: (topic, answer.take("h"), answer.string())))

    def allow_all(self, topic):
        any_rule = (struct.pack(">b", TOPIC_RESOURCE) + string(topic) + struct.pack(">b", LITERAL) + string(None) +
                    string(None) + struct.pack(">bb", ANY, ANY))
        answer = self._call(DELETE_ACLS, 1, array([any_rule]))
        answer.take("i")

        def deleted():
            code, message = answer.take("h"), answer.string()
            answer.array(lambda: (answer.take("h"), answer.string(), answer.take("b"), answer.string(), answer.take("b"),
                                  answer.string(), answer.string(), answer.take("bb")))
            return topic, code, message

        self._raise(f"open {topic}", answer.array(deleted))

    def set_password(self, user, password):
        """Sets the password of a user for logins with SCRAM-SHA-256."""
        salt, rounds = os.urandom(16), 4096
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
        # In this request sizes are one too large, and structures end with the number of their tagged fields.
        change = (bytes([len(user) + 1]) + user.encode() + struct.pack(">bi", 1, rounds) + bytes([len(salt) + 1]) + salt +
                  bytes([len(salted) + 1]) + salted + b"\0")
        answer = self._call(ALTER_USER_SCRAM_CREDENTIALS, 0, b"\0" + bytes([1, 2]) + change + b"\0")
        _, _, results, size = answer.take("biBB")
        answer.take(f"{size - 1}s")
        self._raise(f"password of {user}", [(user, answer.take("h"), None)] * (results - 1))

    def end_offsets(self, topic, partitions):
        """Returns {partition: next offset}."""
        wanted = array(struct.pack(">iq", partition, LATEST) for partition in range(partitions))
        answer = self._call(LIST_OFFSETS, 1, struct.pack(">i", -1) + array([string(topic) + wanted]))
        (_, results), = answer.array(lambda: (answer.string(), answer.array(lambda: answer.take("ihqq"))))
        self._raise(f"offsets of {topic}", [(topic, code, None) for _, code, _, _ in results])
        return {partition: offset for partition, _, _, offset in results}

    def group_offsets(self, group, topic, partitions):
        """Returns {partition: offset that the group has committed, -1 if none}."""
        wanted = array(struct.pack(">i", partition) for partition in range(partitions))
        answer = self._call(OFFSET_FETCH, 1, string(group) + array([string(topic) + wanted]))

        def partition():
            number, offset = answer.take("iq")
            answer.string()  # metadata
            return number, offset, answer.take("h")

        (_, results), = answer.array(lambda: (answer.string(), answer.array(partition)))
        self._raise(f"offsets of {group}", [(topic, code, None) for _, _, code in results])
        return {number: offset for number, offset, _ in results}

    @staticmethod
    def _raise(what, results):
        for _, code, message in results:
            if code != 0:
                raise KafkaError(what, code, message)
