"""The helpers themselves: what the other tests rest on."""

import os
import subprocess
import unittest
import uuid

import psycopg2

from servers import KafkaError, PostgresServer, own_kafka, read_topic, shared_kafka, shared_postgres


def produce(bootstrap, topic, data, *options):
    subprocess.run(["kcat", "-P", "-b", bootstrap, "-t", topic, "-p", "0", "-D", "<end>", "-K", "<key>", *options],
                   input=data, check=True, timeout=60)


class TopicTest(unittest.TestCase):
    def setUp(self):
        self.kafka = shared_kafka()
        self.topic = f"bytes-{uuid.uuid4()}"

    def test_reads_back_every_byte(self):
        every_byte = bytes(range(256))
        large = every_byte * 3600  # 900 KiB
        self.kafka.create_topic(self.topic)
        produce(self.kafka.bootstrap, self.topic, "ключ".encode() + b"<key>" + every_byte)
        produce(self.kafka.bootstrap, self.topic, every_byte + b"<key>" + large)
        produce(self.kafka.bootstrap, self.topic, b"\xed\xa0\x80<key>\xf0\x9f\xff\xc0\x80\r\n\\u0000")

        records = read_topic(self.kafka.bootstrap, self.topic)

        self.assertEqual([(record.key, record.payload) for record in records],
                         [("ключ".encode(), every_byte), (every_byte, large),
                          (b"\xed\xa0\x80", b"\xf0\x9f\xff\xc0\x80\r\n\\u0000")])
        self.assertEqual([record.offset for record in records], [0, 1, 2])

    def test_tells_null_from_empty(self):
        self.kafka.create_topic(self.topic)
        produce(self.kafka.bootstrap, self.topic, b"<key>")
        produce(self.kafka.bootstrap, self.topic, b"<key>", "-Z")  # -Z: empty means NULL
        produce(self.kafka.bootstrap, self.topic, b"a<key>b", "-H", "empty=", "-H", "null", "-H", b"bytes=\xff,x=1")

        empty, null, headed = read_topic(self.kafka.bootstrap, self.topic)

        self.assertEqual((empty.key, empty.payload, empty.headers), (b"", b"", []))
        self.assertEqual((null.key, null.payload), (None, None))
        self.assertEqual(headed.headers, [("empty", b""), ("null", None), ("bytes", b"\xff,x=1")])

    def test_topics_are_made_and_configured(self):
        self.kafka.create_topic(self.topic, partitions=3, configs={"max.message.bytes": 1000})
        self.assertEqual(self.kafka.end_offsets(self.topic), {0: 0, 1: 0, 2: 0})
        with self.assertRaises(KafkaError):
            self.kafka.create_topic(self.topic)
        with self.assertRaises(subprocess.CalledProcessError):
            produce(self.kafka.bootstrap, self.topic, b"k<key>" + os.urandom(2000))
        with self.kafka.admin() as admin:
            admin.alter_topic(self.topic, {"max.message.bytes": 100000})
        produce(self.kafka.bootstrap, self.topic, b"k<key>" + os.urandom(2000))
        self.assertEqual(self.kafka.end_offsets(self.topic)[0], 1)


class KafkaLifeTest(unittest.TestCase):
    def test_a_killed_broker_comes_back_with_its_records(self):
        with own_kafka() as kafka:
            kafka.create_topic("kept")
            produce(kafka.bootstrap, "kept", b"k<key>v")
            kafka.kill()
            kafka.start()
            self.assertEqual([record.payload for record in read_topic(kafka.bootstrap, "kept")], [b"v"])
            kafka.halt()
            kafka.start()
            self.assertEqual([record.key for record in read_topic(kafka.bootstrap, "kept")], [b"k"])


class PostgresTest(unittest.TestCase):
    def test_databases_are_apart_and_durable_settings_are_on(self):
        server = shared_postgres()
        first, second = (server.create_database(f"db-{uuid.uuid4()}") for _ in range(2))
        with psycopg2.connect(first) as connection:
            connection.cursor().execute("create table t as select 1")
        with psycopg2.connect(second) as connection:
            cursor = connection.cursor()
            cursor.execute("select to_regclass('t'), current_setting('fsync'), current_setting('server_encoding')")
            self.assertEqual(cursor.fetchone(), (None, "on", "UTF8"))

    def test_every_restart_keeps_what_was_committed(self):
        with PostgresServer() as server:
            server.psql("create table t(mode text)")
            for mode in ("fast", "immediate", "kill"):
                server.psql(f"insert into t values ('{mode}')")
                server.restart(mode)
            self.assertEqual(server.psql("select string_agg(mode, ' ') from t").strip(), "fast immediate kill")
