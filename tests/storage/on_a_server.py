"""on_a_server.py postgres|mariadb|mysql|kafka PROGRAM...: run a test program against a server of its own.

The program gets a new database in OUTBOX_TEST_POSTGRES, a connection string, or in OUTBOX_TEST_MYSQL, the options of
the mysql plugin as JSON, or a broker in OUTBOX_TEST_KAFKA, which creates topics with 4 partitions when they are first
named.
"""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from servers.kafka import KafkaBroker  # noqa: E402
from servers.mariadb import MariadbServer  # noqa: E402
from servers.mysql import MysqlServer  # noqa: E402
from servers.postgres import PostgresServer  # noqa: E402
from servers.process import Unavailable  # noqa: E402

# The default of MySQL. With MariaDB's default, other writers wait for a bulk INSERT; the integration tests use that
# default.
MARIADB = {"innodb-autoinc-lock-mode": "2"}
TOPICS = {"auto.create.topics.enable": "true", "num.partitions": "4"}
STATEMENTS = {"shared_preload_libraries": "pg_stat_statements"}
SERVERS = {"postgres": lambda: PostgresServer(STATEMENTS), "mariadb": lambda: MariadbServer(MARIADB), "mysql": MysqlServer,
           "kafka": lambda: KafkaBroker(TOPICS)}
SKIPPED = 77  # The exit status that Meson takes for a skipped test.


def main():
    kind, *program = sys.argv[1:]
    try:
        server = SERVERS[kind]()
    except Unavailable as reason:
        print(reason)
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    with server:
        if kind == "kafka":
            found = {"OUTBOX_TEST_KAFKA": server.bootstrap}
        else:
            database = server.create_database("test")
            found = {"OUTBOX_TEST_POSTGRES": database} if kind == "postgres" else {"OUTBOX_TEST_MYSQL": json.dumps(database)}
        return subprocess.run(program, env={**os.environ, **found}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
