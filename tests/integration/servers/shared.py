"""One server of each kind for the whole run. It is started when the first test needs it and stopped at the end of the run.

Tests use topics and databases of their own. A test that stops or kills a server starts its own server. If a server cannot
run on this machine, the tests that need it are skipped; with CI=true they fail.
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
    """Skips the running test, or with CI=true fails it."""
    if os.environ.get("CI") == "true":
        raise AssertionError(f"no test may be skipped with CI=true: {reason}")
    raise unittest.SkipTest(reason)


def _start_kafka():
    if not shutil.which("kcat"):
        raise Unavailable("kcat, which reads topics, is not installed; run scripts/install test")
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
    """The broker whose address is in KAFKA_BOOTSTRAP, or else one that is started here."""
    return _kafka.get()


def shared_postgres():
    return _postgres.get()


def shared_mariadb():
    return _mariadb.get()


def shared_mysql():
    return _mysql.get()


def own_kafka(**options):
    """A new broker that is not started, for a test that stops it."""
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
