"""One server of a kind for the whole run: started when the first test asks, stopped at the end.

Tests keep apart by topics and databases of their own. A test that stops or kills a server starts its own.
A server that cannot be had skips the tests that ask for it; under CI=true it fails them.
"""

import atexit
import os
import shutil
import unittest

from .kafka import ExternalKafka, KafkaBroker
from .mariadb import MariadbServer
from .mysql import MysqlServer
from .postgres import PostgresServer
from .process import Unavailable


class _Shared:
    def __init__(self, start):
        self._start = start
        self._server = None
        self._reason = None

    def get(self):
        if self._server is None and self._reason is None:
            try:
                self._server = self._start()
            except Unavailable as error:
                self._reason = str(error)
        if self._reason:
            unavailable(self._reason)
        return self._server


def unavailable(reason):
    """Ends the running test."""
    if os.environ.get("CI") == "true":
        raise AssertionError(f"CI=true, and {reason}")
    raise unittest.SkipTest(reason)


def _start_kafka():
    if not shutil.which("kcat"):
        raise Unavailable("no kcat to read topics with: scripts/install test")
    if os.environ.get("KAFKA_BOOTSTRAP"):
        return ExternalKafka(os.environ["KAFKA_BOOTSTRAP"])
    broker = KafkaBroker()
    atexit.register(broker.stop)
    broker.start()
    return broker


def _start(kind):
    server = kind()
    atexit.register(server.stop)
    server.start()
    return server


_kafka = _Shared(_start_kafka)
_postgres = _Shared(lambda: _start(PostgresServer))
_mariadb = _Shared(lambda: _start(MariadbServer))
_mysql = _Shared(lambda: _start(MysqlServer))


def shared_kafka():
    """The broker that KAFKA_BOOTSTRAP names, or our own."""
    return _kafka.get()


def shared_postgres():
    return _postgres.get()


def shared_mariadb():
    return _mariadb.get()


def shared_mysql():
    return _mysql.get()


def own_kafka(**options):
    """A new broker, not started, for a test that stops it."""
    return _own(KafkaBroker, options)


def own_postgres(**options):
    return _own(PostgresServer, options)


def own_mariadb(**options):
    return _own(MariadbServer, options)


def own_mysql(**options):
    return _own(MysqlServer, options)


def _own(kind, options):
    try:
        return kind(**options)
    except Unavailable as error:
        return unavailable(str(error))
