"""Tests of the helpers that the other tests use."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import uuid
from unittest import mock

import psycopg2
import pymysql

from servers import (KafkaError, PostgresServer, TemporaryFolder, Unavailable, mysql, own_kafka, own_mariadb, own_mysql,
                     read_topic, shared_kafka, shared_mariadb, shared_mysql, shared_postgres, unavailable, wait_until)

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(1, str(SCRIPTS))

import maven_lock  # noqa: E402

# A program that starts a server with its files in a given folder, prints the server's process id and folder, and waits to
# be killed.
ABANDON = """
import sys, tempfile, time
from servers import {kind}
tempfile.tempdir = sys.argv[1]
server = {kind}()
server.start()
print(server._process.pid, server.folder.path, flush=True)
time.sleep(600)
"""


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


class KafkaJarsTest(unittest.TestCase):
    """scripts/kafka-jars with the test's own lock file, Maven repository and cache."""

    jars = {"broker": b"the broker", "library": b"its library"}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.cache = self.folder / "cache" / "outbox-relay"
        scripts = self.folder / "scripts"
        scripts.mkdir()
        self.script = shutil.copy(SCRIPTS / "kafka-jars", scripts)
        shutil.copy(SCRIPTS / "maven_lock.py", scripts)
        (scripts / "kafka.lock").write_text("".join(
            f"{hashlib.sha256(data).hexdigest()} outbox.test:{name}:1\n" for name, data in self.jars.items()), encoding="ascii")

    def start(self, *options, **environment):
        return subprocess.Popen([sys.executable, self.script, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**os.environ, "XDG_CACHE_HOME": str(self.cache.parent), **environment})

    def check(self, process, printed, returncode=0):
        """Asserts the exit code, and that the last line of stdout, or of stderr if the script fails, matches the pattern
        `printed`."""
        outputs = process.communicate(timeout=300)
        self.assertEqual(process.returncode, returncode, outputs)
        self.assertRegex(outputs[returncode].strip().rpartition("\n")[2], f"^{printed}$")

    def cached(self):
        return {str(path.relative_to(self.cache)): path.read_bytes() for path in self.cache.rglob("*") if path.is_file()}

    def publish(self, name, data):
        path = self.folder / "repository" / "outbox" / "test" / name / "1" / f"{name}-1.jar"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def test_a_jar_enters_the_cache_only_with_the_digest_of_the_lock(self):
        copy_maven_plugin(self.folder / "repository")
        repository = {"MAVEN_REPO": f"file://{self.folder}/repository"}
        self.publish("broker", self.jars["broker"])
        tampered = self.publish("library", b"something else")
        digests = [hashlib.sha256(data).hexdigest() for data in (b"something else", self.jars["library"])]

        self.check(self.start(**repository), rf"kafka-jars: outbox\.test:library:1 from file:.*{tampered} has SHA-256 "
                                             f"{digests[0]}; kafka.lock expects {digests[1]}", returncode=1)
        self.assertEqual(self.cached(), {"kafka-1/broker-1.jar": self.jars["broker"]})

        self.publish("library", self.jars["library"])
        for process in [self.start(**repository) for _ in range(2)]:
            self.check(process, self.cache / "kafka-1")
        self.assertEqual(self.cached(), {f"kafka-1/{name}-1.jar": data for name, data in self.jars.items()})

    def test_maven_is_needed_only_where_a_jar_is_missing_or_wrong(self):
        programs = self.folder / "programs"  # a PATH without programs
        no_maven = "kafka-jars: Maven .* is not installed; install the Debian package maven .*"
        self.check(self.start(PATH=str(programs)), no_maven, returncode=1)
        self.check(self.start("--offline"), "kafka-jars: 2 of 2 jars are not in .*", returncode=1)
        for name, data in {**self.jars, "of-an-older-lock": b"other"}.items():
            (self.cache / "kafka-1" / f"{name}-1.jar").write_bytes(data)
        for options in [], ["--offline"]:
            self.check(self.start(*options, PATH=str(programs)), self.cache / "kafka-1")
        self.assertEqual(len(self.cached()), 2)
        (self.cache / "kafka-1" / "library-1.jar").write_bytes(b"something else")
        self.check(self.start(PATH=str(programs)), no_maven, returncode=1)
        self.check(self.start("--offline"), "kafka-jars: 1 of 2 jars are not in .*", returncode=1)


def copy_maven_plugin(folder):
    """Creates a Maven repository with the plugin that fetches artifacts. The first call on a machine downloads it: 25
    MB."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "outbox-relay"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, open(cache / "maven-plugin.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            maven_lock.resolve([], pathlib.Path(scratch), cache / "maven-plugin", ["-Dmdep.skip"])
        except maven_lock.FetchError as error:
            unavailable(str(error))
        shutil.copytree(cache / "maven-plugin", folder)


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


class MysqlLike:
    """The tests for both servers that the mysql plugin supports."""

    def test_databases_are_apart_and_durable_settings_are_on(self):
        server = self.shared()
        first, second = (server.create_database(f"db-{uuid.uuid4()}") for _ in range(2))
        server.sql("create table t(name varchar(9) character set utf8mb4); insert into t values ('ёлка')", first["database"])
        # The connection is over TCP, as for a program. The server has checked the password before, so no cryptography
        # package is needed.
        with pymysql.connect(**{**second, "charset": "utf8mb4"}) as connection, connection.cursor() as cursor:
            cursor.execute("select count(*) from information_schema.tables where table_schema = database()")
            self.assertEqual(cursor.fetchone(), (0,))
            cursor.execute("select @@innodb_flush_log_at_trx_commit, @@bind_address")
            self.assertEqual(cursor.fetchone(), (1, "127.0.0.1"))
        with server.connect(first["database"]) as connection, connection.cursor() as cursor:
            cursor.execute("select name from t")
            self.assertEqual(cursor.fetchone(), ("ёлка",))

    def test_every_restart_keeps_what_was_committed(self):
        with self.own(settings={"innodb-buffer-pool-size": "32M"}) as server:
            server.create_database("kept")
            server.sql("create table t(id int primary key auto_increment, mode text)", "kept")
            for mode in ("fast", "kill"):
                server.sql(f"insert into t(mode) values ('{mode}')", "kept")
                server.restart(mode)
            self.assertEqual(server.sql("select mode from t order by id", "kept").split(), ["fast", "kill"])
            self.assertEqual(server.sql("select @@innodb_buffer_pool_size").strip(), str(32 << 20))

    def test_ends_with_the_test_run(self):
        self.shared()  # skips the test if the server cannot run on this machine
        abandoned = TemporaryFolder("abandoned")
        self.addCleanup(abandoned.remove)
        abandoned.path.chmod(0o755)  # the server runs as another user
        run = subprocess.Popen([sys.executable, "-c", ABANDON.format(kind=self.kind), abandoned.path], stdout=subprocess.PIPE,
                               text=True, cwd=pathlib.Path(__file__).parent)
        pid, folder = run.stdout.readline().split()
        try:
            run.kill()
            run.wait()
            wait_until(lambda: not pathlib.Path("/proc", pid).exists(), 30, f"{self.kind} has ended")
        finally:
            run.kill()
            run.stdout.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
            shutil.rmtree(folder)


class MariadbTest(MysqlLike, unittest.TestCase):
    kind = "MariadbServer"
    shared = staticmethod(shared_mariadb)
    own = staticmethod(own_mariadb)


class MysqlTest(MysqlLike, unittest.TestCase):
    kind = "MysqlServer"
    shared = staticmethod(shared_mysql)
    own = staticmethod(own_mysql)


class MysqlRootTest(unittest.TestCase):
    """The creation of the Debian root for MySQL, with a fake debootstrap."""

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can create a Debian root")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        patch = mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(self.folder), "PATH": f"{self.folder}:{os.environ['PATH']}"})
        patch.start()
        self.addCleanup(patch.stop)

    def debootstrap(self, script):
        """Replaces debootstrap by the shell script. In the script $root is the folder to create."""
        program = self.folder / "debootstrap"
        program.write_text(f"#!/bin/sh -e\nfor root; do :; done\nmkdir -p $root\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    def test_a_root_that_was_not_finished_is_made_anew_and_a_whole_one_is_kept(self):
        self.debootstrap("touch $root/half; echo 'E: no such mirror'; exit 1")
        with self.assertRaisesRegex(Unavailable, "E: no such mirror"):
            mysql.find_root()
        self.debootstrap("touch $root/whole")
        root = mysql.find_root()
        self.assertEqual(os.listdir(root), ["whole"])
        self.debootstrap("exit 1")
        self.assertEqual(mysql.find_root(), root)
