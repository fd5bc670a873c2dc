"""The common part of MariaDB and MySQL servers for tests: new data, a free loopback port, a Unix socket and durable
settings."""

import os
import signal
import socket
import subprocess

from .process import Process, make_data
from .server import DatabaseServer

# All other settings are the server's defaults. For example, tables of MariaDB are latin1 by default, and MySQL has a binary
# log.
SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "innodb-flush-log-at-trx-commit": "1",
}

USER, PASSWORD = "outbox", "no secret"

# The server executes this before it accepts connections, one statement per line. Anonymous users are dropped, because they
# would take precedence over a user of any host.
INIT = """\
drop user if exists ''@'localhost';
create user if not exists '{user}'@'%' identified by '{password}';
grant all on *.* to '{user}'@'%' with grant option;
"""

NOBODY = 65534  # nobody and nogroup in Debian; the servers refuse to run as root, and neither package creates a user


class MysqlBase(DatabaseServer):
    """`settings` are added to SETTINGS, or replace them. A value of None means an option without a value.

    A derived class defines `name`, _initialise(), _command(), and inside() if the server runs in a separate root.
    """

    def __init__(self, folder, settings=None):
        super().__init__(folder)
        self.owner = NOBODY if os.geteuid() == 0 else None
        self.user, self.password = USER, PASSWORD
        self.socket = folder.path / "mysqld.sock"
        self.log = folder.path / "mysqld.log"
        self._settings = {**SETTINGS, "port": self.port, "socket": self.inside(self.socket),
                          "pid-file": self.inside(folder.path / "mysqld.pid"), "datadir": self.inside(self.data),
                          "tmpdir": self.inside(folder.path),
                          "init-file": self.inside(folder.path / "init.sql"), **(settings or {})}
        try:
            (folder.path / "init.sql").write_text(INIT.format(user=USER, password=PASSWORD), encoding="ascii")
            make_data(self.name, self.data, self._initialise)
        except BaseException:
            folder.remove()
            raise

    def inside(self, path):
        """Returns the path by which the server accesses a file of the machine."""
        return path

    def configure(self, settings):
        """Changes settings; they are used from the next start on."""
        self._settings.update(settings)

    def start(self):
        settings = [f"--{key}" if value is None else f"--{key}={value}" for key, value in self._settings.items()]
        self._process = self._run([*self._command(), *settings])
        self.wait_until_ready()

    def _run(self, command):
        return Process(command, self.log, user=self.owner, cwd=self.folder.path)

    def _answers(self):
        try:  # the server sends a greeting when it accepts a connection, and only after it has executed the init file
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1)
                probe.connect(str(self.socket))
                return probe.recv(5)[4:] == b"\x0a"
        except OSError:
            return False

    def halt(self, mode="fast"):
        """Stops the server. fast: it rolls back open transactions and disconnects its clients. kill: SIGKILL, as in a
        crash."""
        if self._process:
            self._process.stop({"fast": signal.SIGTERM, "kill": signal.SIGKILL}[mode], timeout=60)
            self._process = None

    def options(self, database):
        """Returns options for the mysql plugin, which connects over TCP."""
        return {"host": self.host, "port": self.port, "user": self.user, "password": self.password, "database": database}

    def create_database(self, name):
        """Creates an empty database and returns the plugin's options for it."""
        self.sql(f"create database `{name}`")
        return self.options(name)

    def connect(self, database=None, autocommit=True):
        """Connects over the Unix socket, where the password can be sent as plain text. Over TCP, MySQL's authentication
        would need a cryptography package for the driver."""
        import pymysql  # imported here, so that a server can be started without it
        return pymysql.connect(unix_socket=str(self.socket), user=self.user, password=self.password, database=database,
                               charset="utf8mb4", autocommit=autocommit)

    def sql(self, sql, database="", *options):
        """Executes SQL with the command-line client. Returns rows as lines, with fields separated by tabs."""
        return subprocess.run(
            ["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "--socket", self.socket, "--user", self.user,
             f"--password={self.password}", "--batch", "--raw", "--skip-column-names", *options, database],
            input=sql, capture_output=True, text=True, check="--force" not in options).stdout
