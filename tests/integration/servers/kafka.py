"""Runs an Apache Kafka broker in KRaft mode from the pinned jars of scripts/kafka.lock. It is a single node, unless a
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

# Settings for tests with access rules. Everything is allowed on a topic without rules; on a topic with rules only what they
# allow.
GUARDED = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
           "allow.everyone.if.no.acl.found": "true"}

CLUSTER_ID = "b3V0Ym94LXJlbGF5LXRlcw"

UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER = 3, 5, 6

# Only Java's fast compiler and a small heap: a broker for tests runs for seconds, and starts twice as fast with these
# options.
QUICK_START = ("-Xms256m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
MEASURED = ("-Xms1g", "-Xmx1g")


class Bootstrap:
    """A running cluster, given by the address of one broker."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def admin(self):
        return KafkaAdmin(self.bootstrap)

    def create_topic(self, name, partitions=1, configs=None):
        create_topic(self.bootstrap, name, partitions, configs)

    def end_offsets(self, topic):
        return end_offsets(self.bootstrap, topic)


class ExternalKafka(Bootstrap):
    """The broker whose address is in KAFKA_BOOTSTRAP. Tests must not stop it."""


class KafkaBroker(Server, Bootstrap):
    """A broker process. `properties` are added to PROPERTIES, or replace them.

    `behind` is {own port: port of a proxy}: to clients that connect to the port, the broker advertises the port of the
    proxy. `doors` is {listener name: (own port, advertised host and port)}: both nodes of a cluster advertise the address
    of the listener by which the client connected. `joins` is the broker whose cluster this one joins; it must be running
    when this one is started.
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
        more = [(f"BEHIND{own}", own, f"127.0.0.1:{advertised}") for own, advertised in (behind or {}).items()]
        more += [(name, *addresses) for name, addresses in (doors or {}).items()]
        listeners = [f",{name}://127.0.0.1:{own}" for name, own, _ in more]
        if not joins:
            listeners.append(f",CONTROLLER://127.0.0.1:{self._controller_port}")
        text = PROPERTIES.format(port=self.port, controller_port=self._controller_port, data=self._data,
                                 node=self.node, roles="broker" if joins else "broker,controller",
                                 listeners="".join(listeners),
                                 advertised="".join(f",{name}://{address}" for name, _, address in more),
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
        """Starts the broker; after halt() or kill() it starts on the same port with the same data. Returns when it
        answers."""
        self._process = Process([*self._java, "kafka.Kafka", self._configuration], self.log)
        self.wait_until_ready(interval=0.1)

    def _answers(self):
        try:
            with KafkaAdmin(self.bootstrap) as admin:
                return any(broker[0] == self.node for broker in admin.brokers())
        except OSError:
            return False

    def halt(self):
        """Stops the broker by a controlled shutdown."""
        self._process.stop(signal.SIGTERM, timeout=60)

    def kill(self):
        self._process.kill()

    def pause(self):
        """Suspends the broker, which stops answering without closing a connection."""
        self._process.send(signal.SIGSTOP)

    def resume(self):
        self._process.send(signal.SIGCONT)

    def stop(self):
        """Ends the broker for good. Its records are removed, unless `data` is a folder outside of its temporary one."""
        if self._process and self._process.returncode is None:
            if self._folder.path in self._data.parents:
                self._process.kill()
            else:
                self.halt()
        self._folder.remove()


def create_topic(bootstrap, name, partitions=1, configs=None):
    """Creates a topic. Returns when every partition has a leader, so that a producer can write to all of them."""
    with KafkaAdmin(bootstrap) as admin:
        admin.create_topic(name, partitions, configs)
        _led_offsets(admin, name, partitions)


def end_offsets(bootstrap, topic):
    """Returns {partition: next offset}. Their sum is the number of records if nothing was deleted or compacted."""
    with KafkaAdmin(bootstrap) as admin:
        topics = wait_until(admin.topics, 30, "the broker lists topics")
        return _led_offsets(admin, topic, topics[topic])


def _led_offsets(admin, topic, partitions):
    """Returns {partition: next offset} when all partitions have a leader. Retries, because a new or restarted broker has a
    topic in its metadata before it leads the partitions."""
    def offsets():
        try:
            return admin.end_offsets(topic, partitions)
        except KafkaError as error:
            if error.code not in (UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER):
                raise
            return None

    return wait_until(offsets, 30, f"all partitions of topic {topic} have a leader")


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
