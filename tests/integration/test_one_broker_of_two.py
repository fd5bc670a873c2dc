"""One of two brokers cannot be reached at the address that it advertises. The relay reports which broker, which address and
why, and continues with the other broker."""

import concurrent.futures
import contextlib
import http.client
import json
import re
import socket
import sqlite3
import unittest
import uuid

from catalogue import faults
from servers import free_port, own_kafka, wait_until
from servers.tcp_proxy import TcpProxy
from test_faults import FaultTest

# Short timeouts, so that an attempt to an address that does not answer ends soon.
IMPATIENT = {"api.version.request.timeout.ms": 2000, "socket.connection.setup.timeout.ms": 2000}


class OneBrokerOfTwoTest(FaultTest):
    @classmethod
    def setUpClass(cls):
        """Starts two brokers with the same listeners. The second broker advertises a different wrong address at each
        listener; the first one advertises correct addresses."""
        silent, full = cls.listen(), cls.listen()
        cls.fill(full)
        cls.refusing = free_port()
        cls.wrong = {"REFUSING": f"127.0.0.1:{cls.refusing}", "UNKNOWN": "nowhere.invalid:9092",
                     "SILENT": "127.0.0.1:%d" % silent.getsockname()[1], "DROPPING": "127.0.0.1:%d" % full.getsockname()[1]}
        cls.ports = {door: free_port() for door in cls.wrong}
        cls.first = cls.start(doors={door: (port, f"127.0.0.1:{port}") for door, port in cls.ports.items()})
        cls.second_ports = {door: free_port() for door in cls.wrong}
        cls.start(doors={door: (cls.second_ports[door], address) for door, address in cls.wrong.items()}, joins=cls.first)

    @classmethod
    def start(cls, **options):
        broker = own_kafka(**options)
        cls.addClassCleanup(broker.stop)
        broker.start()
        return broker

    @classmethod
    def listen(cls):
        """Returns a listening socket that never accepts connections."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        cls.addClassCleanup(listener.close)
        return listener

    @classmethod
    def fill(cls, listener):
        """Fills the backlog of the socket, so that further connection attempts get no answer."""
        for _ in range(10):
            client = socket.socket()
            cls.addClassCleanup(client.close)
            client.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                client.connect(listener.getsockname())
                continue
            return

    def relay_at(self, door):
        made = self.sqlite(f"127.0.0.1:{self.ports[door]}", kafka=IMPATIENT)
        made.database = self.path
        config = json.loads(made.config.read_text(encoding="utf-8"))
        config["http"] = {"listen": "127.0.0.1:0"}
        made.config.write_text(json.dumps(config), encoding="utf-8")
        return made

    def commit(self, relay, *topics):
        with sqlite3.connect(relay.database, timeout=60) as link:
            link.executemany(self.INSERT, [(topic, "0") for topic in topics])

    def readiness(self, relay):
        port = int(relay.wait_for_log(r"http: [^\"]* at 127\.0\.0\.1:(\d+)").group(1))
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(link):
            link.request("GET", "/readyz")
            answer = link.getresponse()
            return answer.status, answer.read().decode()

    @faults(114)
    def test_each_kind_of_wrong_address(self):
        reachable, unreachable = (f"{name}-{uuid.uuid4()}" for name in ("reachable", "unreachable"))
        with self.first.admin() as admin:
            admin.create_topic(reachable, nodes=[1])
            admin.create_topic(unreachable, nodes=[2])
        whys = {"REFUSING": "the address refuses connections", "UNKNOWN": "the name does not resolve",
                "SILENT": "the address does not answer", "DROPPING": "the address does not answer"}
        relays = {door: self.relay_at(door) for door in whys}
        reports = {door: f"broker 2 advertises {self.wrong[door]}, and cannot be reached there: {why}"
                   for door, why in whys.items()}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for door, ended in zip(whys, pool.map(lambda relay: relay.command("check"), relays.values())):
                self.assertEqual(ended.returncode, 1, ended.stdout)
                self.assertRegex(ended.stdout, f"(?m)^error +{reports[door]}.*set advertised.listeners")

        # Events that go only to the first broker are not delayed.
        for relay in relays.values():
            self.commit(relay, *[reachable] * 5)
            relay.start()
        for relay in relays.values():
            self.wait_for_backlog(relay, 0)
        for relay in relays.values():
            self.commit(relay, unreachable, unreachable, reachable)
        for door, relay in relays.items():
            relay.wait_for_log(f"{reports[door]}[^\"]*; set advertised.listeners [^\"]*; events for its partitions wait")
            status, text = relay.wait_while_running(lambda relay=relay: self.not_ready(relay), 30, "the relay is not ready")
            self.assertEqual(status, 503)
            self.assertRegex(text, f"stalled: shard 0: the broker has not answered for .*; {re.escape(reports[door])}")
            logged = [line["msg"] for line in map(json.loads, relay.log().rpartition("\n")[0].splitlines())
                    if line["level"] in ("info", "warn", "error") and "broker" in line["msg"]
                    and not line["msg"].startswith("configuration")]
            self.assertEqual(len(logged), 1, logged)

        # When the address becomes reachable, the events are delivered.
        with TcpProxy(self.second_ports["REFUSING"], self.refusing):
            relays["REFUSING"].wait_for_log("broker 2 at [^\"]* is available again")
            self.wait_for_backlog(relays["REFUSING"], 0)
            wait_until(lambda: self.readiness(relays["REFUSING"])[0] == 200, 10, "the relay is ready")
            self.assertEqual(relays["REFUSING"].stop(), 0)
        for relay in relays.values():
            relay.kill()

    def not_ready(self, relay):
        status, text = self.readiness(relay)
        return (status, text) if "cannot be reached there" in text else None


if __name__ == "__main__":
    unittest.main()
