"""The HTTP interface of the relay: it is ready only if events move, its metrics agree with what was published, and no
client can delay it."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import time
import unittest
import uuid

from catalogue import faults
from metrics import parse_metrics
from servers import (Relay, TemporaryFolder, find_binary, free_port, outbox_relay, own_kafka, own_postgres, relay_config,
                     shared_kafka, shared_postgres, wait_until)

BLOCK = {"max_attempts": 1}


def lines(topic, count, key="k"):
    return "".join(json.dumps({"topic": topic, "type": "made", "key": key, "payload": str(i)}) + "\n" for i in range(count))


class HttpTest(unittest.TestCase):
    def relay(self, plugin, options, bootstrap="", relay=None, env=None, storage=None, **publisher):
        config = relay_config(plugin, options, bootstrap, relay, **publisher)
        config["http"] = {"listen": "127.0.0.1:0", "refresh_interval": "200ms"}
        config["storage"].update(storage or {})
        made = Relay(config, env)
        self.addCleanup(made.close)
        return made

    def memory(self, **parts):
        return self.relay("memory", {}, type="stdout", **parts)

    def sqlite(self, bootstrap, relay=None):
        folder = TemporaryFolder("http")
        self.addCleanup(folder.remove)
        made = self.relay("sqlite", {"path": str(folder.path / "outbox.db")}, bootstrap, relay)
        self.command(made, "migrate")
        return made

    def command(self, relay, *arguments, text=None):
        ended = relay.command(*arguments, text=text)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def port(self, relay):
        return int(relay.wait_for_log(r"http: [^\"]* at 127\.0\.0\.1:(\d+)").group(1))

    def ask(self, relay, path, method="GET", **parts):
        """Returns (status, body, headers)."""
        link = http.client.HTTPConnection("127.0.0.1", self.port(relay), timeout=10)
        with contextlib.closing(link):
            link.request(method, path, **parts)
            answer = link.getresponse()
            return answer.status, answer.read().decode(), answer.headers

    def metrics(self, relay):
        status, body, headers = self.ask(relay, "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers)
        return parse_metrics(body)

    def wait_for(self, relay, path, status, pattern="", timeout=30):
        """Waits until the answer has this status and matches the pattern. Returns the body."""
        seen = []

        def look():
            seen[:] = self.ask(relay, path)[:2]
            return seen[0] == status and re.search(pattern, seen[1])

        try:
            relay.wait_while_running(look, timeout, f"{path} answers {status} {pattern!r}")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it is {seen}") from error
        return seen[1]

    def wait_for_metric(self, relay, value, name, **labels):
        relay.wait_while_running(lambda: self.metrics(relay).get(name, **labels) == value, 30, f"{name} is {value}")


class MovingTest(HttpTest):
    def test_numbers_agree_with_what_was_published(self):
        kafka = shared_kafka()
        topic = f"http-{uuid.uuid4()}"
        kafka.create_topic(topic)
        relay = self.sqlite(kafka.bootstrap, BLOCK).start()
        self.wait_for(relay, "/readyz", 200, "^ready\n$")
        self.assertEqual(self.ask(relay, "/healthz")[:2], (200, "healthy\n"))
        self.assertEqual(relay.insert(lines(topic, 500) + lines("no such topic!", 3, "bad")).returncode, 0)
        self.wait_for_metric(relay, 500, "outbox_relay_events_confirmed_total")
        self.wait_for_metric(relay, 3, "outbox_relay_backlog_events")
        self.wait_for_metric(relay, 1, "outbox_relay_blocked_events")

        metrics = self.metrics(relay)
        self.assertEqual(sum(kafka.end_offsets(topic).values()), 500)
        for name, value in {"events_acknowledged_total": 500, "event_latency_seconds_count": 500, "ready": 1, "healthy": 1,
                            "retrying_events": 0, "dead_events": 0, "active_shards": 1, "shards_owned": 1, "live_relays": 1,
                            "duplicates_possible_total": 0, "producer_resets_total": 0, "leases_lost_total": 0,
                            "stuck_calls": 0}.items():
            self.assertEqual(metrics.get(f"outbox_relay_{name}"), value, name)
        self.assertEqual(metrics.get("outbox_relay_events_failed_total", reason="bad_topic", next="block"), 1)
        self.assertEqual(metrics.get("outbox_relay_state", state="active"), 1)
        self.assertEqual(metrics.sum("outbox_relay_state"), 1)
        self.assertEqual(metrics.sum("outbox_relay_peer_up"), 2)
        self.assertIsNone(metrics.get("outbox_relay_oldest_event_age_seconds"), "what is left is blocked, or queued behind that")
        self.assertLess(metrics.get("outbox_relay_event_latency_seconds_sum") / 500, 30)
        version = outbox_relay("version").stdout.split()
        self.assertEqual(metrics.get("outbox_relay_build_info", version=version[1], commit=version[3].rstrip(")")), 1)

        live = json.loads(self.ask(relay, "/status")[1])
        printed = json.loads(self.command(relay, "status", "--json"))
        mine = live.pop("relay")
        self.assertEqual((mine["state"], mine["acknowledged"], mine["failed"]), ("active", 500, 1))
        for status in (live, printed):
            self.assertIsNone(status.pop("oldest_age_ms"), "what is left is blocked, or queued behind that")
            self.assertGreater(status["shards"][0].pop("expires_in_ms"), 0)
        self.assertEqual(live, printed)

        # A relay that is stopping either answers completely or does not answer.
        self.assertEqual(relay.stop(), 0)

    def test_a_standby_is_healthy_and_not_ready(self):
        first = self.sqlite(shared_kafka().bootstrap).start()
        self.wait_for(first, "/readyz", 200)
        second = Relay(json.loads(first.config.read_text()))
        self.addCleanup(second.close)
        second.start()
        self.wait_for(second, "/readyz", 503, "^standby: no shard is held")
        self.assertEqual(self.ask(second, "/healthz")[0], 200)
        self.wait_for_metric(second, 1, "outbox_relay_live_relays")
        metrics = self.metrics(second)
        self.assertEqual(metrics.get("outbox_relay_state", state="standby"), 1)
        self.assertEqual((metrics.get("outbox_relay_active_shards"), metrics.get("outbox_relay_shards_owned")), (0, 1))
        self.assertEqual(first.stop(), 0)
        self.wait_for(second, "/readyz", 200)


class OutageTest(HttpTest):
    @faults(5, 77)
    def test_broker(self):
        broker = own_kafka()
        self.addCleanup(broker.stop)
        relay = self.sqlite(broker.bootstrap, {"delivery_timeout": "1s"}).start()
        self.wait_for(relay, "/readyz", 503, r"^broker_down: broker unavailable for \d+\.\d s: .*127\.0\.0\.1")
        self.assertEqual(self.ask(relay, "/healthz")[0], 200)
        broker.start()
        broker.create_topic("orders")
        self.wait_for(relay, "/readyz", 200)

        # A paused broker accepts connections and answers nothing, neither the first requests nor those after a reset of the
        # producer.
        self.command(relay, "emit", text=lines("orders", 5))
        self.wait_for_metric(relay, 5, "outbox_relay_events_confirmed_total")
        broker.pause()
        self.addCleanup(broker.resume)
        self.command(relay, "emit", text=lines("orders", 10))
        self.wait_for(relay, "/readyz", 503, "^stalled: shard 0: the broker has not answered for")
        goal = self.metrics(relay).get("outbox_relay_producer_resets_total") + 2

        def has_reset():
            self.assertEqual(self.ask(relay, "/readyz")[0], 503, "until it answers")
            return self.metrics(relay).get("outbox_relay_producer_resets_total") >= goal

        relay.wait_while_running(has_reset, 60, "the producer is reset twice")
        metrics = self.metrics(relay)
        self.assertEqual((metrics.get("outbox_relay_backlog_events"), metrics.get("outbox_relay_healthy")), (10, 1))
        self.assertGreater(metrics.get("outbox_relay_oldest_event_age_seconds"), 4)
        broker.resume()
        self.wait_for_metric(relay, 15, "outbox_relay_events_confirmed_total")
        self.wait_for(relay, "/readyz", 200)

        broker.kill()
        self.wait_for(relay, "/readyz", 503, "^broker_down")
        self.assertEqual(self.metrics(relay).get("outbox_relay_peer_up", peer="broker"), 0)

    def test_database(self):
        server = own_postgres()
        self.addCleanup(server.stop)
        relay = self.relay("postgres", {"connection": server.dsn()}, type="stdout")
        relay.start()
        self.wait_for(relay, "/readyz", 503, "^database_down: database unavailable for")
        self.assertEqual(self.ask(relay, "/healthz")[0], 200)
        self.assertIsNone(self.metrics(relay).get("outbox_relay_backlog_events"))
        relay.kill()
        server.start()
        self.command(relay, "migrate")
        relay.start()
        self.wait_for(relay, "/readyz", 200)
        self.wait_for_metric(relay, 0, "outbox_relay_backlog_events")
        self.assertEqual(self.metrics(relay).get("outbox_relay_oldest_event_age_seconds"), 0)

        server.halt("immediate")
        self.wait_for(relay, "/readyz", 503, "^database_down")
        # Values that were zero are unknown now.
        self.wait_for_metric(relay, None, "outbox_relay_backlog_events")
        self.wait_for_metric(relay, None, "outbox_relay_oldest_event_age_seconds")
        self.wait_for_metric(relay, None, "outbox_relay_dead_events")  # unknown as soon as the last reading is too old
        self.assertGreater(self.metrics(relay).get("outbox_relay_backlog_read_age_seconds"), 0.5)
        self.assertEqual(json.loads(self.ask(relay, "/status")[1])["state"], "unknown")
        server.start()
        self.wait_for(relay, "/readyz", 200)
        self.wait_for_metric(relay, 0, "outbox_relay_backlog_events")


class LockedTest(HttpTest):
    def test_what_waits_is_looked_for_again_soon_after_a_look_that_failed(self):
        server = shared_postgres()
        name = f"locked_{uuid.uuid4().hex[:12]}"
        server.psql(f"create database {name}", "postgres")
        relay = self.relay("postgres", {"connection": server.dsn(name)}, relay={"storage_timeout": "3s"}, type="stdout")
        self.command(relay, "migrate")
        relay.start()
        self.wait_for_metric(relay, 0, "outbox_relay_backlog_events")
        with contextlib.closing(server.connect(name, autocommit=False)) as link, link.cursor() as at_work:
            at_work.execute("lock table outbox_event")
            relay.wait_for_log("cannot read the backlog: .* is locked by pid", 30)
            self.wait_for(relay, "/readyz", 503, "database_down: .*outbox_event.* is locked by pid")
        begun = time.monotonic()
        relay.wait_for_log("backlog reading recovered", 30)
        self.assertLess(time.monotonic() - begun, 10, "a failed reading takes 3 s; twenty times that would be a minute")
        self.assertEqual(relay.stop(), 0)


class ClientTest(HttpTest):
    def raw(self, relay, data=b""):
        link = socket.create_connection(("127.0.0.1", self.port(relay)), timeout=10)
        self.addCleanup(link.close)
        link.sendall(data)
        return link

    def answer(self, link):
        """Returns the status of an answer, or None if the connection was closed without an answer."""
        text = b""
        with contextlib.suppress(ConnectionResetError):
            while part := link.recv(65536):
                text += part
        return int(text.split()[1]) if text else None

    def test_what_is_not_asked_for_is_refused(self):
        relay = self.memory().start()
        for path in ("/", "/metrics/", "/healthz/x", "/../../etc/passwd", "/%2e%2e/etc/passwd", "/index.html"):
            self.assertEqual(self.ask(relay, path)[0], 404, path)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            status, _, headers = self.ask(relay, "/metrics", method, body="x" * 100)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)
            self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8", method)
        status, body, headers = self.ask(relay, "/metrics", "HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)
        self.assertEqual(self.ask(relay, "/healthz?verbose=1")[0], 200)
        for request in (b"GET /" + b"x" * 100_000, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"nonsense\r\n\r\n",
                        b"GET /metrics HTTP/9.9\r\n\r\n", b"\0" * 64 + b"\r\n\r\n",
                        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 50_000):
            with contextlib.suppress(ConnectionError):
                status = self.answer(self.raw(relay, request))
                self.assertTrue(status is None or 400 <= status <= 505, (request[:30], status))
        # The relay does not wait for the body that the request announces.
        begun = time.monotonic()
        self.assertEqual(self.answer(self.raw(relay, b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx")), 405)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(self.ask(relay, "/healthz")[0], 200)
        self.assertEqual(relay.stop(), 0)

    def test_slow_clients_hold_nobody_up(self):
        relay = self.memory().start()
        begun = time.monotonic()
        slow = [self.raw(relay, b"GET /healthz HTTP/1.1\r\n") for _ in range(12)]
        self.assertEqual(self.ask(relay, "/healthz")[0], 200)
        self.assertLess(time.monotonic() - begun, 0.9, "requests are answered while slow clients are served")
        slow += [self.raw(relay, b"GET /healthz HTTP/1.1\r\n") for _ in range(36)]
        ended = set()

        def drip():
            """Sends one byte on each connection, so that no single wait is long. True if all connections are closed."""
            for link in slow:
                try:
                    link.sendall(b"a")
                    link.setblocking(False)
                    if link.recv(1000) == b"":
                        ended.add(link)
                except BlockingIOError:
                    pass
                except ConnectionError:
                    ended.add(link)
                else:
                    ended.add(link)  # it got an answer that ends the connection
                finally:
                    link.setblocking(True)
            return len(ended) == len(slow)

        wait_until(drip, 20, "every slow client is disconnected")
        self.assertEqual(self.ask(relay, "/healthz")[0], 200)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(relay.stop(), 0)

    @faults(120)
    def test_half_open_requests_delay_nobody(self):
        relay = self.memory().start()
        self.assertEqual(self.ask(relay, "/healthz")[0], 200)
        opened = len(os.listdir(f"/proc/{relay.pid}/fd"))
        slow = []
        for i in range(1000):
            slow.append(self.raw(relay, b"GET /healthz HTTP/1.1\r\n" if i % 2 else b""))
            if i % 250 == 249:
                begun = time.monotonic()
                self.assertEqual(self.ask(relay, "/healthz")[0], 200)
                self.assertLess(time.monotonic() - begun, 1)
                self.assertLess(len(os.listdir(f"/proc/{relay.pid}/fd")), opened + 260)
        wait_until(lambda: len(os.listdir(f"/proc/{relay.pid}/fd")) <= opened, 10, "all clients are disconnected")
        self.assertEqual(relay.stop(), 0)

    @faults(120)
    def test_every_other_method_is_told_which_ones_there_are(self):
        relay = self.memory().start()
        for method in ("POST", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "PATCH", "get", "X-Y"):
            for target in ("/metrics", "/nowhere", "*"):
                link = self.raw(relay, f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                text = b""
                while part := link.recv(65536):
                    text += part
                self.assertRegex(text, rb"^HTTP/1.1 405 Method Not Allowed\r\n(.*\r\n)*Allow: GET, HEAD\r\n", method)
        for request, status in ((b"GET http://relay:1/healthz?x HTTP/1.0\n\n", 200), (b"\r\nGET /healthz HTTP/1.1\r\n\r\n", 200),
                                (b"GET /healthz HTTP/2.0\r\n\r\n", 505), (b"GET /healthz\r\n\r\n", 400),
                                (b"GET /a HTTP/1.1\r\nX: " + b"y" * 4090 + b"\r\n\r\n", 431)):
            self.assertEqual(self.answer(self.raw(relay, request)), status, request[:40])
        self.assertEqual(relay.stop(), 0)

    def test_nothing_secret_is_told(self):
        relay = self.relay("postgres", {"connection": f"host=127.0.0.1 port={free_port()} password=sesame dbname=x"},
                           type="stdout").start()
        self.wait_for(relay, "/readyz", 503, "database_down")
        for path in ("/readyz", "/healthz", "/metrics", "/status", "/nowhere"):
            self.assertNotIn("sesame", self.ask(relay, path)[1])


class ListenTest(HttpTest):
    def refused(self, listen, code):
        relay = self.memory()
        config = json.loads(relay.config.read_text())
        config["http"]["listen"] = listen
        relay.config.write_text(json.dumps(config))
        ended = relay.command("run")
        self.assertEqual(ended.returncode, code, ended.stderr)
        said = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
        return next((line["msg"] for line in said if line["level"] == "error"), ended.stderr)

    def test_an_address_that_cannot_be_had_ends_the_start(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = self.refused(f"127.0.0.1:{port}", 75)
        self.assertIn(f"/http/listen: cannot listen on 127.0.0.1:{port}", said)
        self.assertIn("in use", said)
        said = self.refused("192.0.2.1:9464", 75)
        self.assertIn("cannot listen on 192.0.2.1:9464", said)
        self.assertIn("Cannot assign requested address", said)
        self.assertIn("/http/listen", self.refused("localhost", 78))

    @faults(120)
    def test_ipv6_and_an_address_for_everybody(self):
        relay = self.memory()
        config = json.loads(relay.config.read_text())
        for listen, family, address in (("[::1]:0", socket.AF_INET6, "::1"), ("0.0.0.0:0", socket.AF_INET, "127.0.0.1")):
            config["http"]["listen"] = listen
            relay.config.write_text(json.dumps(config))
            relay.start()
            port = int(relay.wait_for_log(r"http: [^\"]* at [^\"]*:(\d+)").group(1))
            with socket.socket(family) as link:
                link.settimeout(10)
                link.connect((address, port))
                link.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
                self.assertTrue(link.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertEqual("anybody who reaches this machine can read /metrics" in relay.log(), listen == "0.0.0.0:0")
            self.assertEqual(relay.stop(), 0)

    def test_by_default_there_is_none(self):
        relay = self.memory()
        config = json.loads(relay.config.read_text())
        del config["http"]
        relay.config.write_text(json.dumps(config))
        relay.start()
        relay.wait_for_log("delivering shard 0")
        listening = pathlib.Path(f"/proc/{relay.pid}/net/tcp").read_text().splitlines()[1:]
        inodes = {line.split()[9] for line in listening if line.split()[3] == "0A"}
        mine = {os.readlink(link) for link in pathlib.Path(f"/proc/{relay.pid}/fd").iterdir()}
        self.assertFalse({f"socket:[{inode}]" for inode in inodes} & mine)


class HangTest(HttpTest):
    """Uses a plugin whose calls do not return while a file with the name of the call exists in a folder."""

    def setUp(self):
        build = next((up for up in find_binary().parents if (up / "build.ninja").is_file()), None)
        self.plugin = build and build / "tests" / "bad_plugins" / "outbox-hangs-at.so"
        if not self.plugin or not self.plugin.is_file():
            self.skipTest("the plugins of the tests (tests/bad_plugins) are not built")
        self.folder = TemporaryFolder("hang")
        self.addCleanup(self.folder.remove)

    def judge(self, call, who, early=False):
        """Asserts that the relay reports the call that hangs. `early`: the call is one of the first after the start."""
        marker = self.folder.path / call
        if early:
            marker.touch()
        relay = self.relay("hangs-at", {}, type="stdout", storage={"plugin_path": str(self.plugin)},
                           relay={"storage_timeout": "200ms"}, env={"OUTBOX_HANG": str(self.folder.path)}).start()
        if not early:
            self.wait_for(relay, "/readyz", 200)
            self.assertEqual(self.ask(relay, "/healthz")[0], 200)
            marker.touch()
        reason = rf"{who} has been in {call} for \d+\.\d s \(allowed: 0\.2 s\)"
        self.wait_for(relay, "/healthz", 503, f"^stuck: {reason}")
        self.wait_for(relay, "/readyz", 503, f"^stuck: {reason}")
        self.assertEqual(self.metrics(relay).get("outbox_relay_stuck_calls"), 1)
        self.assertEqual(self.metrics(relay).get("outbox_relay_healthy"), 0)
        relay.wait_for_log(f"{reason}: call appears to hang")
        marker.unlink()
        relay.wait_for_log(rf"{who} has returned from {call} after \d")
        self.wait_for(relay, "/healthz", 200)
        self.wait_for(relay, "/readyz", 200)
        self.assertEqual(relay.log().count("call appears to hang"), 1, "it is logged once")
        self.assertEqual(relay.stop(), 0)

    @faults(5, 90)
    def test_reader(self):
        self.judge("reserve", "reader of shard 0")

    @faults(5, 90)
    def test_writer(self):
        (self.folder.path / "emit").touch()
        self.judge("confirm", "writer of shard 0")

    @faults(5, 90)
    def test_lease_thread(self):
        self.judge("heartbeat", "lease thread")

    @faults(5, 90)
    def test_first_steps(self):
        self.judge("was_lost", "lease thread", early=True)
        for name in ("lost", "emit"):
            (self.folder.path / name).touch()
        self.judge("mark", "writer of shard 0", early=True)

    def test_the_look_at_the_backlog_is_not_vital(self):
        (self.folder.path / "stats").touch()
        relay = self.relay("hangs-at", {}, type="stdout", storage={"plugin_path": str(self.plugin)},
                           relay={"storage_timeout": "200ms"}, env={"OUTBOX_HANG": str(self.folder.path)}).start()
        relay.wait_for_log("reader of the backlog has been in stats for .*: call appears to hang")
        self.assertEqual(self.ask(relay, "/healthz")[0], 200)
        self.assertEqual(self.ask(relay, "/readyz")[0], 200)
        begun = time.monotonic()
        self.assertEqual(relay.stop(), 0)
        self.assertLess(time.monotonic() - begun, 8)


if __name__ == "__main__":
    unittest.main()
