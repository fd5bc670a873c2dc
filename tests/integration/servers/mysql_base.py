"""What a MariaDB and a MySQL server of our own have in common: new data, free loopback port, unix socket, durable settings."""

import os
import signal
import socket
import subprocess

from .process import Process, make_data
from .server import DatabaseServer

# Everything else is as the server comes: MariaDB's tables are latin1 unless they say otherwise, MySQL has a binary log.
SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",
    "innodb-flush-log-at-trx-commit": "1",
}

USER, PASSWORD = "outbox", "no secret"

# Runs before the server takes connections, one statement a line. Anonymous users would go before those of any host.
INIT = """\
drop user if exists ''@'localhost';
create user if not exists '{user}'@'%' identified by '{password}';
grant all on *.* to '{user}'@'%' with grant option;
"""

NOBODY = 65534  # nobody and nogroup of Debian; a server refuses to run as root, and neither package brings a user


class MysqlBase(DatabaseServer):
    """`settings` go on top of SETTINGS; a value of None gives the option alone.

    A class says `name` and how its server is called: _initialise(), _command(), and inside() where it runs in a root.
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
        """A path as the server sees it."""
        return path

    def configure(self, settings):
        """From the next start on."""
        self._settings.update(settings)

    def start(self):
        settings = [f"--{key}" if value is None else f"--{key}={value}" for key, value in self._settings.items()]
        self._process = self._run([*self._command(), *settings])
        self.wait_until_ready()

    def _run(self, command):
        return Process(command, self.log, user=self.owner, cwd=self.folder.path)

    def _answers(self):
        try:  # the server greets those whom it takes, and only after the init file
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1)
                probe.connect(str(self.socket))
                return probe.recv(5)[4:] == b"\x0a"
        except OSError:
            return False

    def halt(self, mode="fast"):
        """fast: rolls back and disconnects. kill: SIGKILL, as after a crash."""
        if self._process:
            self._process.stop({"fast": signal.SIGTERM, "kill": signal.SIGKILL}[mode], timeout=60)
            self._process = None

    def options(self, database):
        """The options of the mysql plugin, over TCP."""
        return {"host": self.host, "port": self.port, "user": self.user, "password": self.password, "database": database}

    def create_database(self, name):
        """Returns the plugin's options for a new, empty database."""
        self.sql(f"create database `{name}`")
        return self.options(name)

    def connect(self, database=None, autocommit=True):
        """Over the socket, where a password may be sent as it is: over TCP, MySQL's would need a cipher of the driver."""
        import pymysql  # here, so that a server can be started without it
        return pymysql.connect(unix_socket=str(self.socket), user=self.user, password=self.password, database=database,
                               charset="utf8mb4", autocommit=autocommit)

    def sql(self, sql, database="", *options):
        """Runs SQL as a user would type it; returns rows as lines, their fields parted by tabs."""
        return subprocess.run(
            ["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "--socket", self.socket, "--user", self.user,
             f"--password={self.password}", "--batch", "--raw", "--skip-column-names", *options, database],
            input=sql, capture_output=True, text=True, check="--force" not in options).stdout
