"""A Kafka broker of our own: Apache Kafka in KRaft mode, from the pinned jars of scripts/kafka.lock. One node, unless a
second one joins it."""

import os
import pathlib
import shutil
import signal
import subprocess

from .kafka_wire import KafkaAdmin, KafkaError
from .process import Process, TemporaryFolder, Unavailable, free_port, make_data, wait_until
from .server import Server

JARS = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "kafka-jars"

PROPERTIES = """\
process.roles={roles}
node.id={node}
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

LOGGING = """\
log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
log4j.logger.kafka.server.KafkaConfig=WARN
log4j.logger.org.apache.kafka.common.config=WARN
"""

# Anybody may do anything, until a topic gets a rule: then only what a rule allows.
GUARDED = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
           "allow.everyone.if.no.acl.found": "true"}

CLUSTER_ID = "b3V0Ym94LXJlbGF5LXRlcw"

UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER = 3, 5, 6

# A test's broker lives for seconds: the quick compiler and a small heap start it twice as fast.
QUICK_START = ("-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
MEASURED = ("-Xms1g", "-Xmx1g")


class Bootstrap:
    """A running cluster, by the address of a broker."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def admin(self):
        return KafkaAdmin(self.bootstrap)

    def create_topic(self, name, partitions=1, configs=None):
        create_topic(self.bootstrap, name, partitions, configs)

    def end_offsets(self, topic):
        return end_offsets(self.bootstrap, topic)


class ExternalKafka(Bootstrap):
    """The broker that KAFKA_BOOTSTRAP names. Tests must not stop it."""


class KafkaBroker(Server, Bootstrap):
    """`properties` go on top of PROPERTIES.

    Clients are told to come back to the port that `behind` gives for the one by which they came: {port: proxy's port}.
    Both nodes of a cluster tell clients of a door by its name: `doors` is {name: (port, advertised host and port)}.
    `joins` is the broker, running when this one is started, whose cluster it becomes a part of.
    """

    name = "Kafka"

    def __init__(self, properties=None, jvm_options=QUICK_START, port=None, data=None, behind=None, doors=None, joins=None):
        self._java = [find_java(), *jvm_options, "-XX:-UsePerfData", "-cp", f"{find_jars()}/*"]
        self._folder = TemporaryFolder("kafka")
        self.port = port or free_port()
        super().__init__(f"127.0.0.1:{self.port}")
        self.log = self._folder.path / "kafka.log"
        self._configuration = self._folder.path / "server.properties"
        self._data = pathlib.Path(data) if data else self._folder.path / "data"
        self.node = joins.node + 1 if joins else 1
        self._controller_port = joins._controller_port if joins else free_port()
        more = [(f"BEHIND{own}", own, f"127.0.0.1:{told}") for own, told in (behind or {}).items()]
        more += [(name, *addresses) for name, addresses in (doors or {}).items()]
        listeners = [f",{name}://127.0.0.1:{own}" for name, own, _ in more]
        if not joins:
            listeners.append(f",CONTROLLER://127.0.0.1:{self._controller_port}")
        text = PROPERTIES.format(port=self.port, controller_port=self._controller_port, data=self._data,
                                 node=self.node, roles="broker" if joins else "broker,controller",
                                 listeners="".join(listeners),
                                 advertised="".join(f",{name}://{told}" for name, _, told in more),
                                 protocols="".join(f",{name}:PLAINTEXT" for name, _, _ in more))
        self._configuration.write_text(text + "".join(f"{key}={value}\n" for key, value in (properties or {}).items()))
        logging = self._folder.path / "log4j.properties"
        logging.write_text(LOGGING)
        self._java.insert(1, f"-Dlog4j.configuration=file:{logging}")
        try:
            if data:
                self._format()
            else:
                make_data(f"kafka-{self.node}", self._data, self._format)
        except BaseException:
            self._folder.remove()
            raise

    def _format(self):
        tool = Process([*self._java, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID,
                        "-c", self._configuration], self.log)
        if tool.wait(120) != 0:
            raise RuntimeError(f"formatting Kafka's storage failed:\n{tool.log_tail()}")

    @property
    def data(self):
        return self._data

    def start(self):
        """Also starts it again, after halt() or kill(), on the same port with the same data."""
        self._process = Process([*self._java, "kafka.Kafka", self._configuration], self.log)
        self.wait_until_ready(interval=0.1)

    def _answers(self):
        try:
            with KafkaAdmin(self.bootstrap) as admin:
                return any(broker[0] == self.node for broker in admin.brokers())
        except OSError:
            return False

    def halt(self):
        """A controlled shutdown."""
        self._process.stop(signal.SIGTERM, timeout=60)

    def kill(self):
        self._process.kill()

    def pause(self):
        """The broker falls silent without closing a connection."""
        self._process.send(signal.SIGSTOP)

    def resume(self):
        self._process.send(signal.SIGCONT)

    def stop(self):
        """The end of the broker and, unless `data` named a folder to keep, of its records."""
        if self._process and self._process.returncode is None:
            if self._folder.path in self._data.parents:
                self._process.kill()
            else:
                self.halt()
        self._folder.remove()


def create_topic(bootstrap, name, partitions=1, configs=None):
    """Returns when every partition takes records, so that a producer meets no half-made topic."""
    with KafkaAdmin(bootstrap) as admin:
        admin.create_topic(name, partitions, configs)
        _led_offsets(admin, name, partitions)


def end_offsets(bootstrap, topic):
    """{partition: next offset}; their sum is the number of records if nothing was deleted or compacted."""
    with KafkaAdmin(bootstrap) as admin:
        topics = wait_until(admin.topics, 30, "the broker knows its topics")
        return _led_offsets(admin, topic, topics[topic])


def _led_offsets(admin, topic, partitions):
    """A new or restarted broker shows a topic in its metadata before it leads the partitions."""
    def offsets():
        try:
            return admin.end_offsets(topic, partitions)
        except KafkaError as error:
            if error.code not in (UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER):
                raise
            return None

    return wait_until(offsets, 30, f"topic {topic} has its leaders")


def find_java():
    java = shutil.which("java")
    if not java:
        raise Unavailable("no Java runtime (java): scripts/install test")
    return java


def find_jars():
    result = subprocess.run([JARS], capture_output=True, text=True, check=False,
                            timeout=float(os.environ.get("KAFKA_FETCH_TIMEOUT", "300")))
    if result.returncode != 0:
        raise Unavailable(result.stderr.strip().rpartition("\n")[2])
    return result.stdout.strip()
