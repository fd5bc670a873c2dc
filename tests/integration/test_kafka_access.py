"""Access to a broker: permissions, passwords and certificates, also those that change while the relay runs, and advertised
addresses that do not answer."""

import http.client
import json
import re
import sqlite3
import unittest
import uuid

from catalogue import faults
from servers import TemporaryFolder, free_port, own_kafka
from servers.certificates import Authority
from servers.kafka import GUARDED
from servers.kafka_proxy import INIT_PRODUCER_ID, OUT_OF_ORDER_SEQUENCE, SASL_AUTHENTICATE, KafkaProxy
from servers.tcp_proxy import TcpProxy
from test_faults import FaultTest, lines

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


class AccessTest(FaultTest):
    @classmethod
    def setUpClass(cls):
        """Starts one broker with a listener for each kind of error."""
        folder = TemporaryFolder("access")
        cls.addClassCleanup(folder.remove)
        cls.folder = folder.path
        cls.authority = Authority(folder.path)
        cls.doors = {name: free_port() for name in ("password", "scram", "tls", "expired", "other", "dead")}
        cls.dead = free_port()
        # Proxies in front of some listeners count connections and requests.
        cls.proxies = {"password": KafkaProxy(free_port(), cls.doors["password"]),
                       "scram": KafkaProxy(free_port(), cls.doors["scram"]), "expired": TcpProxy(cls.doors["expired"])}
        for proxy in cls.proxies.values():
            cls.addClassCleanup(proxy.close)
        cls.advertised = {name: cls.proxies[name].port if name in cls.proxies else port for name, port in cls.doors.items()}
        cls.broker = own_kafka(
            behind={port: cls.dead if name == "dead" else cls.advertised[name] for name, port in cls.doors.items()},
            properties=cls.properties())
        cls.addClassCleanup(cls.broker.stop)
        cls.broker.start()

    @classmethod
    def properties(cls):
        kinds = {"password": "SASL_PLAINTEXT", "scram": "SASL_PLAINTEXT", "tls": "SSL", "expired": "SSL", "other": "SSL", "dead": "PLAINTEXT"}
        door = {name: f"BEHIND{port}" for name, port in cls.doors.items()}
        protocols = "".join(f",{door[name]}:{kind}" for name, kind in kinds.items())
        properties = {**GUARDED, "allow.everyone.if.no.acl.found": "false", "super.users": "User:ANONYMOUS",
                      "connections.max.reauth.ms": "3000",
                      "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}",
                      f"listener.name.{door['password'].lower()}.sasl.enabled.mechanisms": "PLAIN",
                      f"listener.name.{door['scram'].lower()}.sasl.enabled.mechanisms": "SCRAM-SHA-256",
                      f"listener.name.{door['password'].lower()}.plain.sasl.jaas.config":
                          f'{LOGIN} required user_relay="right" user_nobody="nothing";',
                      f"listener.name.{door['scram'].lower()}.scram-sha-256.sasl.jaas.config": f"{SCRAM_LOGIN} required;"}
        for name, host, days in (("tls", "127.0.0.1", 2), ("expired", "127.0.0.1", -1), ("other", "other.example", 2)):
            certificate, key = cls.authority.certify(host, days)
            store = cls.folder / f"{name}.pem"
            store.write_bytes(key.read_bytes() + certificate.read_bytes() + cls.authority.ca.read_bytes())
            prefix = f"listener.name.{door[name].lower()}.ssl.keystore."
            properties |= {f"{prefix}type": "PEM", f"{prefix}location": store}
        return properties

    def at(self, door):
        return f"127.0.0.1:{self.advertised[door]}"

    def relay_at(self, door, kafka, http_too=True):
        made = self.sqlite(self.at(door), kafka=kafka)
        if http_too:
            config = json.loads(made.config.read_text(encoding="utf-8"))
            config["http"] = {"listen": "127.0.0.1:0"}
            made.config.write_text(json.dumps(config), encoding="utf-8")
        self.topic = f"access-{uuid.uuid4()}"
        self.broker.create_topic(self.topic)
        return made

    def ask(self, relay, path):
        port = int(relay.wait_for_log(r"http: [^\"]* at 127\.0\.0\.1:(\d+)").group(1))
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def said(self, relay, *levels):
        whole = relay.log().rpartition("\n")[0]
        return [line["msg"] for line in map(json.loads, whole.splitlines()) if line["level"] in levels]

    def login(self, user, password, mechanism="PLAIN"):
        return {"security.protocol": "sasl_plaintext", "sasl.mechanism": mechanism, "sasl.username": user,
                "sasl.password": password}

    @faults(109)
    def test_without_permissions(self):
        """Only occasional producers ask again, one line is logged, and the relay is not ready until the same request
        succeeds."""
        relay = self.relay_at("password", self.login("nobody", "nothing"))
        checked = relay.command("check", "--topic", self.topic)
        self.assertEqual(checked.returncode, 1, checked.stdout)
        self.assertRegex(checked.stdout, "(?m)^error +the relay's user lacks permission to produce: .*\n"
                                         " +fix: grant it IdempotentWrite on the cluster")
        self.assertRegex(checked.stdout, f"error +topic {self.topic} does not exist, .*\n +fix: .*--create-topics\n"
                                         " +or, if it exists: grant the relay's user Describe and Write on the topic")
        self.emit(relay, lines(self.topic, 10))
        proxy = self.proxies["password"]
        proxy.reset()
        proxy.accepted.clear()
        relay.start()
        relay.wait_for_log("broker unavailable: the relay's user lacks permission to produce; grant it IdempotentWrite")
        relay.wait_for_log("(?s)(checking again whether this user may produce.*){3}")
        logged = [line for line in self.said(relay, "info", "warn", "error") if "broker" in line]
        self.assertEqual(len(logged), 1, logged)
        self.assertLess(relay.log().count("restarting the producer"), 12)
        relay.wait_while_running(lambda: len(proxy.asked[INIT_PRODUCER_ID]) >= 4, 30, "three more producers have asked")
        self.assert_doubling(proxy.asked[INIT_PRODUCER_ID])
        self.assertLessEqual(len(proxy.accepted), 6, "connections; the broker closes some after three seconds")
        status, text = self.ask(relay, "/readyz")
        self.assertEqual(status, 503)
        self.assertGreater(float(re.search(r"broker unavailable for ([\d.]+) s", text).group(1)), 4)
        with self.broker.admin() as admin:
            admin.allow(self.topic, "User:nobody")
        checked = relay.command("check", "--topic", self.topic)
        self.assertRegex(checked.stdout, "(?m)^ok +permission to produce")
        self.assertEqual(checked.returncode, 0, checked.stdout)
        relay.wait_for_log("broker available again")
        self.wait_for_backlog(relay, 0)
        self.assertEqual(self.status(relay)["retrying"] + self.status(relay)["blocked"], 0)
        self.assertEqual(relay.stop(), 0)
        self.assertEqual(self.payloads(self.broker.bootstrap, self.topic), [str(i) for i in range(10)])

    def insert_until(self, relay, condition, what):
        def look():
            self.insert(self.topic, 1, self.inserted)
            self.inserted += 1
            return condition()

        relay.wait_while_running(look, 60, what)

    @faults(110)
    def test_password_that_is_replaced(self):
        """A broker closes connections whose login is too old; the relay logs nothing about that. Then the password in the
        file is wrong for a while."""
        self.inserted = 0
        file = self.folder / "password"
        file.write_text("right\n", encoding="utf-8")
        relay = self.relay_at("password", self.login("relay", "${file:" + str(file) + "}"))
        with self.broker.admin() as admin:
            admin.allow(self.topic, "User:relay")
        relay.start()
        self.insert_until(relay, lambda: relay.log().count("Disconnected") >= 2, "the broker has closed two connections")
        self.wait_for_backlog(relay, 0)
        self.assertEqual(self.said(relay, "warn", "error"), [])
        self.assertEqual(relay.stop(), 0)

        # The file still has an old password and is corrected later.
        file.write_text("hunter2\n", encoding="utf-8")
        relay.start()
        relay.wait_for_log("broker unavailable: [^\"]*Authentication failed[^\"]*; correct sasl.username and sasl.password")
        self.insert_until(relay, lambda: True, "")
        file.write_text("right\n", encoding="utf-8")
        relay.wait_for_log("broker available again")
        self.wait_for_backlog(relay, 0)

        # Failed events are retried by another producer with the same secrets. It too reports a wrong password and recovers.
        forbidden = f"access-{uuid.uuid4()}"
        self.broker.create_topic(forbidden)
        file.write_text("hunter3\n", encoding="utf-8")
        self.insert(forbidden, 1)
        relay.wait_while_running(lambda: self.status(relay)["retrying"] == 1, 60, "the event has failed")
        with self.broker.admin() as admin:
            admin.allow(forbidden, "User:relay")
        relay.wait_for_log("cannot send events that Kafka may refuse: [^\"]*Authentication failed")
        file.write_text("right\n", encoding="utf-8")
        relay.wait_for_log("sending of events that Kafka may refuse recovered")
        self.wait_for_backlog(relay, 0)
        self.assertEqual(relay.stop(), 0)
        self.assertNotIn("hunter", relay.log())
        self.assert_numbered(self.broker.bootstrap, self.topic, self.inserted, twice_at_most=self.inserted)
        self.assert_numbered(self.broker.bootstrap, forbidden, 1)

    @faults(110, 121)
    def test_certificates(self):
        """Each kind of certificate error has its own message. The relay notices that the authority is corrected in its
        file."""
        strangers = self.folder / "strangers"
        strangers.mkdir()
        stranger = Authority(strangers)
        good = self.authority.ca.read_bytes()
        trusted = self.folder / "trusted.crt"
        trusted.write_bytes(good)
        tls = {"security.protocol": "ssl", "ssl.ca.location": str(trusted)}
        for door, ca, why in (("tls", stranger.ca.read_bytes(), "signed by an authority that is not trusted here"),
                              ("expired", good, "has expired"), ("other", good, "is for another host name")):
            with self.subTest(door):
                trusted.write_bytes(ca)
                relay = self.relay_at(door, tls)
                self.assertRegex(relay.command("check").stdout, f"(?m)^error +Kafka at .*{why}")
                relay.start().wait_for_log(f"broker unavailable: [^\"]*{why}")
                logged = [line for line in self.said(relay, "info", "warn", "error") if "broker" in line.lower() or line.startswith("librdkafka ")]
                self.assertEqual(len(logged), 1, logged)
                if door == "tls":
                    self.emit(relay, lines(self.topic, 10))
                    trusted.write_bytes(good)
                    relay.wait_for_log("broker available again")
                    self.wait_for_backlog(relay, 0)
                self.assertEqual(relay.stop(), 0)

    @faults(121)
    def test_wrong_password_is_named(self):
        relay = self.relay_at("password", self.login("relay", "wrong"))
        said = relay.command("check").stdout
        self.assertRegex(said, "(?m)^error +Kafka at .*Authentication failed.*; correct sasl.username and sasl.password")
        self.assertNotIn("demo", said)
        relay = self.relay_at("dead", self.login("relay", "wrong"))
        self.assertRegex(relay.command("check").stdout, "(?m)^error +Kafka at .*; this listener does not use SASL: .*security.protocol")

    @faults(114)
    def test_advertised_address_is_dead(self):
        relay = self.relay_at("dead", {})
        dead = f"broker 1 advertises 127.0.0.1:{self.dead}, and cannot be reached there: the address refuses connections"
        ended = relay.command("check")
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertRegex(ended.stdout, f"(?m)^error +{dead}.*set advertised.listeners")
        self.emit(relay, lines(self.topic, 10))
        relay.start()
        relay.wait_for_log(f"{dead}[^\"]*; events for its partitions wait")
        relay.wait_for_log(f"broker unavailable: {dead}")
        self.assertIn("broker_down", self.ask(relay, "/readyz")[1])
        logged = [line for line in self.said(relay, "info", "warn", "error") if "broker" in line.lower() or line.startswith("librdkafka ")]
        self.assertEqual(len(logged), 2, logged)
        self.assertEqual(relay.stop(), 0)

    @faults(110)
    def test_password_rotated(self):
        """The password is changed at the broker and in the file, in either order. If a new password is refused, the relay
        returns to the one that worked, and the log has one line for each change."""
        self.inserted = 0
        proxy, user = self.proxies["scram"], "rotated"
        file = self.folder / "rotated"
        file.write_text("alpha7\n", encoding="utf-8")
        relay = self.relay_at("scram", self.login(user, "${file:" + str(file) + "}", "SCRAM-SHA-256"))
        with self.broker.admin() as admin:
            admin.set_password(user, "alpha7")
            admin.allow(self.topic, f"User:{user}")
        relay.start()
        self.go_on(relay)

        # A new producer reads the file. First the file does not exist, and then it has a password that the broker does not
        # know yet.
        file.unlink()
        self.end_producer(relay, proxy)
        self.go_on(relay)
        self.assert_said(relay, "cannot read the file .*rotated: .*; continuing with the secret that was read before$")
        file.write_text("beta7\n", encoding="utf-8")
        for _ in range(2):
            self.end_producer(relay, proxy)
            self.go_on(relay)
        refused = ["broker unavailable: .*Authentication failed",
                   "Kafka refused a secret .*; continuing with the secret that worked before$", "broker available again"]
        self.assert_said(relay, "cannot read", *refused)

        # The broker gets the new password.
        self.change_password(proxy, user, "beta7")
        self.go_on(relay)
        followed = ["broker unavailable: .*(Authentication failed|Disconnected)", "broker available again",
                    "logged in with a secret that has changed"]
        self.assert_said(relay, "cannot read", *refused, *followed)

        # The broker gets its new password first, and the file is empty for a while.
        file.write_text("", encoding="utf-8")
        self.change_password(proxy, user, "gamma7")
        self.insert(self.topic, 1, self.inserted)
        self.inserted += 1
        relay.wait_for_log("the file [^\"]*rotated is empty; continuing with the secret that was read before")
        file.write_text("gamma7\n", encoding="utf-8")
        self.go_on(relay)
        # The order of two lines is not fixed, because different threads log the failed login and the reading of the file.
        self.assert_said(relay, "cannot read", *refused, *followed, *followed, besides="is empty")
        self.assertEqual(relay.stop(), 0)
        for secret in ("alpha7", "beta7", "gamma7"):
            self.assertNotIn(secret, relay.log())
        self.assert_numbered(self.broker.bootstrap, self.topic, self.inserted, twice_at_most=self.inserted)

    def go_on(self, relay):
        self.insert(self.topic, 5, self.inserted)
        self.inserted += 5
        relay.wait_while_running(self.empty, 60, "everything is delivered")

    def empty(self):
        """True if the outbox is empty. It uses no command of the relay, which would fail if the file of the secret does not
        exist."""
        with sqlite3.connect(self.path, timeout=60) as link:
            return link.execute("select count(*) from outbox_event").fetchone()[0] == 0

    def end_producer(self, relay, proxy):
        """Makes the broker answer that it has missed a record, which ends the producer."""
        answers = [OUT_OF_ORDER_SEQUENCE]
        proxy.reset(refuse=lambda *_: answers.pop() if answers else None)
        self.insert_until(relay, lambda: not answers, "the producer has ended")

    def change_password(self, proxy, user, password):
        """Changes the password at the broker and resets all connections, so that it is needed at once."""
        with self.broker.admin() as admin:
            admin.set_password(user, password)
        proxy.cut()

    def assert_said(self, relay, *patterns, besides=None):
        """Asserts that the log has exactly these lines about brokers and secrets, and one more anywhere that matches
        `besides`."""
        said = [line for line in self.said(relay, "info", "warn", "error") if re.search("broker|secret", line)]
        said = [line for line in said if not line.startswith("configuration: ")]
        if besides:
            self.assertEqual(len([line for line in said if re.search(besides, line)]), 1, said)
            said = [line for line in said if not re.search(besides, line)]
        self.assertEqual(len(said), len(patterns), said)
        for pattern, line in zip(patterns, said):
            self.assertRegex(line, pattern)

    @faults(109)
    def test_refused_logins_and_handshakes_are_few(self):
        """Attempts are counted at the broker, which has to answer each of them."""
        closing = TcpProxy(free_port())
        self.addCleanup(closing.close)
        closing.shut()
        password, expired = self.proxies["password"], self.proxies["expired"]
        authority = self.folder / "authority.crt"
        authority.write_bytes(self.authority.ca.read_bytes())
        tls = {"security.protocol": "ssl", "ssl.ca.location": str(authority)}
        self.advertised["closing"] = closing.port
        relays = [self.relay_at(door, kafka) for door, kafka in
                  (("password", self.login("relay", "wrong")), ("expired", tls), ("closing", tls))]
        for relay in relays:
            self.assertEqual(relay.insert(lines("wanted", 100)).returncode, 0)
        password.reset()
        expired.accepted.clear()
        for relay in relays:
            relay.start()
        logins = password.asked[SASL_AUTHENTICATE]
        for relay, attempts in zip(relays, (logins, expired.accepted)):
            relay.wait_while_running(lambda attempts=attempts: attempts and attempts[-1] - attempts[0] > 6.5, 60,
                                     "attempts")
            # Attempts come at once (perhaps two before the first refusal arrives), then after 1, 3 and 7 s.
            self.assertLessEqual(sum(at - attempts[0] < 6.5 for at in attempts), 5, attempts)
        # This address refuses no login, so the relay treats it as a network fault that may end soon.
        relays[2].wait_while_running(lambda: len(closing.accepted) >= 9, 60, "nine attempts")
        self.assertGreater(closing.accepted[8] - closing.accepted[5], 2.5)
        for relay in relays:
            logged = [line for line in self.said(relay, "info", "warn", "error") if "broker" in line]
            self.assertEqual(len(logged), 1, logged)
            self.assertEqual(relay.stop(), 0)
        self.assertIn("the address closes connections before they can be used", logged[0])

    def assert_doubling(self, times):
        """Asserts that the gaps double, starting with one second."""
        gaps = [later - sooner for sooner, later in zip(times, times[1:])]
        for number, gap in enumerate(gaps):
            self.assertGreater(gap, 0.85 * 2 ** number, gaps)


if __name__ == "__main__":
    unittest.main()
