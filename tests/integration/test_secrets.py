"""Secrets with special characters: they have no special meaning anywhere in the configuration, and no part of a secret is
printed."""

import http.client
import json
import re
import unittest
import uuid
from urllib.parse import quote

from catalogue import faults
from servers import (Relay, TemporaryFolder, free_port, outbox_relay, own_postgres, relay_config, shared_mariadb)

ODD = "p/a@s s\\w%41'\"o:r#d?&={}é€"
WRONG = "hunter2/tail77@zebra %31'giraf\"yakk:walrus#9z?key=zap&{fishy}"
PARTS = re.split(r"[^a-z0-9]+", WRONG)


def in_list(value):
    """Returns the value in the syntax of libpq's key=value form."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class SecretsTest(unittest.TestCase):
    def setUp(self):
        folder = TemporaryFolder("secrets")
        self.addCleanup(folder.remove)
        self.folder = folder.path

    def check(self, plugin, options, secret, kafka=None):
        """Runs `check`. In the options, `${file:secret}` and `${env:SECRET}` stand for `secret`; the file ends with a line
        feed."""
        publisher = {"kafka": {"bootstrap.servers": f"127.0.0.1:{free_port()}", **kafka}} if kafka else {"type": "stdout"}
        file = self.folder / "relay.json"
        file.write_text(json.dumps({"storage": {"plugin": plugin, "options": options}, "publisher": publisher}))
        (self.folder / "secret").write_text(secret + "\n", encoding="utf-8")
        ended = outbox_relay("check", "-c", file, env={"SECRET": secret})
        return ended.stdout + ended.stderr

    def assert_silent(self, said, form):
        """Asserts that the output contains no part of the wrong secret and no encoding of one. No part is a word of the
        programs."""
        for part in PARTS:
            if len(part) >= 4:
                self.assertNotIn(part, said.replace(form, ""))

    def takes(self, plugin, options):
        with self.subTest(options):
            self.assertRegex(self.check(plugin, options, ODD), "(?m)^ok +connection to the database")

    def refuses(self, plugin, options, secret=WRONG):
        with self.subTest(options):
            said = self.check(plugin, options, secret)
            self.assertNotRegex(said, "(?m)^ok +connection to the database")
            self.assertRegex(said, "(?m)^error")
            self.assert_silent(said, json.dumps(options))


class PostgresTest(SecretsTest):
    @classmethod
    def setUpClass(cls):
        cls.server = own_postgres()
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()
        name = ODD.replace('"', '""')
        link = cls.server.connect()
        for role in (name.replace("%", "%%"), "plain"):
            link.cursor().execute(f'create role "{role}" login password %s', (ODD,))
        link.cursor().execute(f'create database "{name}"')
        link.close()
        cls.server.allow("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256")

    def forms(self, secret):
        """Yields connection strings with the password in all possible places, and whole strings with a correctly quoted
        password."""
        place = f"127.0.0.1:{self.server.port}"
        pairs = f"host=127.0.0.1 port={self.server.port} dbname=postgres"
        for reference in ("${file:secret}", "${env:SECRET}"):
            yield f"{pairs} user=plain password={reference}"
            yield f"{pairs} user=plain password='{reference}'"
            yield f"postgresql://plain:{reference}@{place}/postgres"
            yield f"postgresql://plain@{place}/postgres?password={reference}"
        (self.folder / "pairs").write_text(f"{pairs} user=plain password={in_list(secret)}\n", encoding="utf-8")
        (self.folder / "address").write_text(f"postgresql://plain:{quote(secret, safe='')}@{place}/postgres\n",
                                             encoding="utf-8")
        yield "${file:pairs}"
        yield "${file:address}"

    @faults(113)
    def test_odd_characters(self):
        place = f"127.0.0.1:{self.server.port}"
        for connection in self.forms(ODD):
            self.takes("postgres", {"connection": connection})
        for connection in (f"postgresql://${{env:SECRET}}:${{file:secret}}@{place}/${{env:SECRET}}?application_name=${{env:SECRET}}",
                           f"host=127.0.0.1 port={self.server.port} user=${{env:SECRET}} password=${{file:secret}}"
                           " dbname=${env:SECRET} application_name='x ${env:SECRET}'"):
            self.takes("postgres", {"connection": connection})

    @faults(113)
    def test_nothing_of_a_wrong_secret_is_shown(self):
        place = f"127.0.0.1:{self.server.port}"
        for connection in self.forms(WRONG):
            self.refuses("postgres", {"connection": connection})
        for part in ("user", "host", "port", "dbname", "options", "sslmode", "connect_timeout", "sslrootcert"):
            pairs = {"host": "127.0.0.1", "port": self.server.port, "user": "plain", "dbname": "postgres", "password": "x",
                     part: "${env:SECRET}"}
            self.refuses("postgres", {"connection": " ".join(f"{key}={value}" for key, value in pairs.items())})
        for address in (f"postgresql://${{env:SECRET}}:x@{place}/postgres", f"postgresql://plain:x@${{env:SECRET}}:1/postgres",
                        f"postgresql://plain:x@127.0.0.1:${{env:SECRET}}/postgres",
                        f"postgresql://plain:x@{place}/${{env:SECRET}}", f"postgresql://plain@{place}/x?options=${{env:SECRET}}",
                        f"postgresql://plain@{place}/postgres?${{env:SECRET}}", "${env:SECRET}", "${env:SECRET} host=x"):
            self.refuses("postgres", {"connection": address})

    @faults(113)
    def test_what_cannot_be_parsed_is_hidden_whole(self):
        """The password in a connection string is not encoded. libpq takes parts of it for host, port or database, and these
        must not be printed."""
        place = f"127.0.0.1:{self.server.port}"
        for password in ("hunter2/tail77", "hunter2@tail77", "1234/tail77", "hunter2 tail77", "hunter2%tail77", "hunter2?tail77=1",
                         "hunter2#tail77", "hunter2:tail77/fishy"):
            for whole in (f"postgresql://plain:{password}@{place}/postgres",
                          f"host=127.0.0.1 port={self.server.port} dbname=postgres user=plain password={password} tail77",
                          f"host=127.0.0.1 port={password} user=plain", f"host=127.0.0.1 user=plain connect_timeout={password}"):
                self.refuses("postgres", {"connection": "${file:secret}"}, whole)

    @faults(113)
    def test_a_secret_sets_no_option(self):
        secret = "x host=203.0.113.1 port=1"
        said = self.check("postgres", {"connection": f"user=plain host=127.0.0.1 port={self.server.port} dbname=postgres"
                                                     " password=${env:SECRET}"}, secret)
        self.assertIn("password authentication failed", said)
        self.assertNotIn("203.0.113", said)


class MariadbTest(SecretsTest):
    @faults(113)
    def test_odd_characters(self):
        server = shared_mariadb()
        user = f"odd{uuid.uuid4().hex[:8]}"
        with server.connect() as link, link.cursor() as cursor:
            cursor.execute(f"create user {user}@'%%' identified by %s", (ODD,))
            cursor.execute("create database if not exists odd")
            cursor.execute(f"grant all on odd.* to {user}@'%%'".replace("%%", "%"))
        options = {"host": server.host, "port": server.port, "user": user, "database": "odd"}
        for password in ("${file:secret}", "${env:SECRET}"):
            self.takes("mysql", {**options, "password": password})
        for part in ("host", "port", "user", "password", "database", "tls"):
            self.refuses("mysql", {**options, "password": "x", part: "${env:SECRET}"})
            self.refuses("mysql", {**options, "password": "x", part: "x${env:SECRET}"})
        self.refuses("mysql", {**options, "tls": "verify", "tls_ca": "/x${env:SECRET}"})


class OtherPluginsTest(SecretsTest):
    @faults(113)
    def test_paths(self):
        path = f"{self.folder}/{ODD.replace('/', '').replace('=', '')}"
        (self.folder / "path").write_text(f"{path}.db\n", encoding="utf-8")
        (self.folder / "name").write_text(path.rpartition("/")[2] + "\n", encoding="utf-8")
        file = self.folder / "relay.json"
        for text in ("${file:path}", f"{self.folder}/${{file:name}}.db"):
            file.write_text(json.dumps({"storage": {"plugin": "sqlite", "options": {"path": text}},
                                        "publisher": {"type": "stdout"}}))
            made = outbox_relay("migrate", "-c", file)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertNotIn("error", self.check("sqlite", {"path": text}, "x"))
        self.refuses("sqlite", {"path": "/nowhere/${env:SECRET}"})
        self.refuses("memory", {"connection": "${env:SECRET}"})
        self.refuses("memory", {"connection": "x ${env:SECRET}"})

    @faults(113)
    def test_kafka_properties(self):
        """With TLS or SASL to a port where nobody answers, and with values that the client library refuses."""
        sasl = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "relay"}
        path = str(self.folder / "outbox.db")
        for property_, value in (("sasl.password", "${file:secret}"), ("sasl.password", "x${env:SECRET}y"),
                                 ("sasl.username", "${env:SECRET}"), ("ssl.key.pem", "${env:SECRET}"),
                                 ("ssl.key.pem", "-----BEGIN PRIVATE KEY-----\n${env:SECRET}\n-----END PRIVATE KEY-----\n"),
                                 ("ssl.certificate.pem", "${env:SECRET}"), ("ssl.ca.pem", "${env:SECRET}"),
                                 ("ssl.key.password", "${env:SECRET}"), ("sasl.oauthbearer.config", "principal=${env:SECRET}"),
                                 ("sasl.oauthbearer.extensions", "a=${env:SECRET}"), ("bootstrap.servers", "x:9,${env:SECRET}"),
                                 ("linger.ms", "${env:SECRET}"), ("ssl.ca.location", "/x${env:SECRET}")):
            with self.subTest(property_, value=value):
                protocol = {"security.protocol": "ssl"} if property_.startswith("ssl") else {}
                said = self.check("sqlite", {"path": path}, WRONG, kafka={**sasl, **protocol, property_: value})
                self.assert_silent(said, value)

    @faults(113)
    def test_while_it_runs(self):
        """The log at level trace, /readyz and /status of a relay with wrong secrets contain no part of them."""
        place = f"127.0.0.1:{free_port()}"
        config = relay_config("postgres", {"connection": f"postgresql://u:${{env:SECRET}}@{place}/d"}, place, kafka={
            "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "${env:SECRET}"})
        config["http"] = {"listen": "127.0.0.1:0"}
        config["log"]["level"] = "trace"
        with Relay(config, env={"SECRET": WRONG}) as relay:
            relay.start().wait_for_log("database unavailable: ")
            port = relay.wait_for_log(r"http: [^\"]* at 127\.0\.0\.1:(\d+)").group(1)
            for path in ("readyz", "status", "metrics"):
                link = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
                link.request("GET", f"/{path}")
                self.assert_silent(link.getresponse().read().decode(), "")
                link.close()
            self.assertEqual(relay.stop(), 0)
            self.assert_silent(relay.log(), "")


if __name__ == "__main__":
    unittest.main()
