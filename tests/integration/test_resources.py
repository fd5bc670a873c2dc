"""A relay that is short of resources: memory, file descriptors, processor time or space for its log, or that is paused."""

import os
import pathlib
import resource
import signal
import threading
import time
import unittest
import uuid

from catalogue import faults
from servers import memory, shared_kafka, shared_postgres, wait_until
from test_faults import FaultTest, lines


class ResourceTest(FaultTest):
    def setUp(self):
        self.kafka = shared_kafka()
        self.topic = f"resources-{uuid.uuid4()}"
        self.kafka.create_topic(self.topic)


class MemoryTest(ResourceTest):
    """Without memory a relay either ends, or logs that it is out of memory and continues when memory is available. It never
    continues with only some of its parts working."""

    WINDOW = 100

    @faults(4)
    def test_no_memory(self):
        relay = self.sqlite(self.kafka.bootstrap, {"batch_size": 50, "max_in_flight_events": self.WINDOW})
        sent = ended = logged = 0
        for spare in (0, 1 << 20, 4 << 20, 16 << 20):
            relay.start()
            relay.wait_for_log("delivering shard 0")
            resource.prlimit(relay.pid, resource.RLIMIT_DATA, (memory(relay.pid, "VmData") + spare, resource.RLIM_INFINITY))
            self.insert(self.topic, self.WINDOW, sent, size=200_000)
            sent += self.WINDOW
            wait_until(lambda: relay.returncode is not None or "out of memory" in relay.log()
                       or self.status(relay)["backlog"] == 0, 60, "the relay ends, logs that it is out of memory, or has enough")
            if relay.returncode is None:
                logged += "out of memory" in relay.log()
                resource.prlimit(relay.pid, resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            else:
                ended += 1
                self.assertNotEqual(relay.returncode, 0, relay.log())
                relay.start()
            self.wait_for_backlog(relay, 0)
            self.assertEqual(relay.stop(), 0)
        print(f"  of four relays {ended} ended, {logged} logged that they were out of memory")
        self.assertGreater(ended + logged, 0, "the limits have had no effect")
        self.assert_numbered(self.kafka.bootstrap, self.topic, sent, twice_at_most=ended * self.WINDOW)


class LogTest(ResourceTest):
    @faults(7)
    def test_no_room_for_the_log(self):
        """Events move even if the device of the log is full, its pipe has no reader, or its file has reached the size
        limit."""
        server = shared_postgres()
        options = {"connection": server.create_database(f"log_{uuid.uuid4().hex}")}
        relay = self.relay("postgres", options, self.kafka.bootstrap)
        self.migrate(relay)
        for i, redirect in enumerate(("2>/dev/full", "2> >(true)", "")):
            limit = ["prlimit", "--fsize=1000", "--"] if not redirect else []
            relay.start(under=["bash", "-c", f'exec "$@" {redirect}', "bash", *limit])
            self.emit(relay, lines(self.topic, 100, first=100 * i))
            self.wait_for_backlog(relay, 0)
            self.assertEqual(relay.stop(), 0)
            self.assertLessEqual(len(relay.log()), 1000)
        self.assert_numbered(self.kafka.bootstrap, self.topic, 300)


class DescriptorTest(ResourceTest):
    @faults(8)
    def test_no_file_descriptors(self):
        """There are no descriptors left for new connections to the database or to Kafka."""
        server = shared_postgres()
        name = f"descriptors_{uuid.uuid4().hex}"
        relay = self.relay("postgres", {"connection": server.create_database(name)}, self.kafka.bootstrap)
        self.migrate(relay)
        relay.start()
        relay.wait_for_log("delivering shard 0")
        self.emit(relay, lines(self.topic, 100))
        self.wait_for_backlog(relay, 0)
        limit = resource.prlimit(relay.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
        server.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'outbox-relay'"
                    " and datname = current_database()", name)
        self.emit(relay, lines(self.topic, 100, first=100))
        relay.wait_for_log("database unavailable: .*(?i:too many open files)")
        spent = processor_seconds(relay.pid)
        wait_until(lambda: relay.log().count("many open files") > 5, 30, "the relay has tried again")
        self.assertLess(processor_seconds(relay.pid) - spent, 1, "the relay does not pause between two tries")
        resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, limit)
        self.wait_for_backlog(relay, 0)
        self.assertEqual(relay.stop(), 0)
        self.assert_numbered(self.kafka.bootstrap, self.topic, 200)


class ProcessorTest(ResourceTest):
    @faults(9)
    def test_next_to_no_processor_time(self):
        """With a twentieth of a processor, events move slowly, and the lease is renewed in time."""
        relay = self.sqlite(self.kafka.bootstrap)
        self.emit(relay, lines(self.topic, 2000))
        relay.start()
        relay.wait_for_log("delivering shard 0")
        done = threading.Event()

        def starve():
            while not done.is_set():
                relay.send(signal.SIGSTOP)
                done.wait(0.095)
                relay.send(signal.SIGCONT)
                time.sleep(0.005)

        thread = threading.Thread(target=starve, daemon=True)
        thread.start()
        try:
            for turn in range(1, 4):
                self.emit(relay, lines(self.topic, 1000, first=1000 + 1000 * turn))
                self.wait_for_backlog(relay, 0)
        finally:
            done.set()
            thread.join()
        self.assertEqual(relay.stop(), 0)
        self.assertNotIn("lease of shard 0 lost", relay.log())
        self.assert_numbered(self.kafka.bootstrap, self.topic, 5000)


class PauseTest(ResourceTest):
    WINDOW, EVENTS = 1000, 10_000

    @faults(2)
    def test_stopped_for_longer_than_its_lease(self):
        """When the relay is resumed, another one has taken over. It may still send events that have arrived before, at most
        one window."""
        server = shared_postgres()
        name = f"pause_{uuid.uuid4().hex}"
        options = {"connection": server.create_database(name)}
        settings = {"reserve_duration": "2s", "max_in_flight_events": self.WINDOW, "batch_size": 100}
        first, second = (self.relay("postgres", options, self.kafka.bootstrap, settings) for _ in range(2))
        self.migrate(first)
        first.start().wait_for_log("delivering shard 0")
        second.start().wait_for_log("standby")
        sent = arrived = 0
        for sleeper, other in ((first, second), (second, first)):
            server.psql("insert into outbox_event (topic, event_type, aggregate_id, payload) select"
                        f" '{self.topic}', 'made', 'k', i from generate_series({sent}, {sent + self.EVENTS - 1}) i", name)
            sent += self.EVENTS
            sleeper.wait_while_running(lambda before=arrived: self.records() > before, 30, "the relay is sending")
            sleeper.send(signal.SIGSTOP)
            self.assertLess(self.records(), sent, "the relay had sent everything before it was paused")
            self.wait_for_backlog(other, 0)
            arrived = self.records()
            sleeper.send(signal.SIGCONT)
            sleeper.wait_for_log("lease of shard 0 lost")
        self.assertEqual((first.stop(), second.stop()), (0, 0))
        self.assert_numbered(self.kafka.bootstrap, self.topic, sent, twice_at_most=2 * self.WINDOW)

    def records(self):
        return sum(self.kafka.end_offsets(self.topic).values())


class BurstTest(ResourceTest):
    @faults(93)
    def test_nothing_for_long_then_very_much(self):
        relay = self.sqlite(self.kafka.bootstrap, {"max_in_flight_bytes": "4MiB"})
        relay.start()
        relay.wait_for_log("delivering shard 0")
        self.insert(self.topic, 1)
        self.wait_for_backlog(relay, 0)
        idle = memory(relay.pid, "VmRSS")
        self.insert(self.topic, 6_000, 1, size=5_000)
        self.wait_for_backlog(relay, 0)
        most = memory(relay.pid, "VmHWM")
        print(f"  {idle >> 10} KiB when idle, {most >> 10} KiB at most, for 30 MB of events")
        self.assertLess(most - idle, 16 << 20)
        self.assertEqual(relay.stop(), 0)
        self.assert_numbered(self.kafka.bootstrap, self.topic, 6_001)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
