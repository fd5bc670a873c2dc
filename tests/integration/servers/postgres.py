"""Runs a PostgreSQL server with a new cluster, a free loopback port, a Unix socket and durable settings."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess

from .process import Process, TemporaryFolder, Unavailable, make_data, wait_until
from .server import DatabaseServer

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm may be inaccessible in a minimal chroot; kill -9 leaves no segment
    "max_prepared_transactions": "16",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
}


def find_bin():
    """Returns the folder of initdb and postgres. Debian has one folder per major version, and none of them is in PATH."""
    versions = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(re.sub(r"\D", "", path.parts[4]) or 0), default=None)
    initdb = newest or shutil.which("initdb")
    if not initdb:
        raise Unavailable("PostgreSQL (initdb) is neither in /usr/lib/postgresql/*/bin nor in PATH; run scripts/install test")
    return pathlib.Path(initdb).parent


class PostgresServer(DatabaseServer):
    """`settings` are added to SETTINGS, or replace them."""

    name = "PostgreSQL"
    start_timeout = 60
    stop_mode = "immediate"

    def __init__(self, settings=None):
        self._bin = find_bin()
        # The server refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        super().__init__(TemporaryFolder("postgres", self.user))
        self.log = self.folder.path / "postgres.log"
        try:
            self._make()
            self.set({**SETTINGS, "port": self.port, "unix_socket_directories": self.folder.path, **(settings or {})})
        except BaseException:
            self.folder.remove()
            raise

    def _make(self):
        make_data("postgres", self.data, self._initialise)

    def _initialise(self):
        self._run("initdb", [self._bin / "initdb", "--pgdata", self.data, "--username", "postgres", "--auth", "trust",
                             "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"])

    def _run(self, what, command):
        process = Process(command, self.log, user=self.user, cwd=self.folder.path)
        if process.wait(120) != 0:
            raise RuntimeError(f"{what} failed:\n{process.log_tail()}")

    def set(self, settings):
        """Changes settings; they are used from the next start or reload on."""
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())

    def start(self, wait=True):
        self._process = Process([self._bin / "postgres", "-D", self.data], self.log, user=self.user,
                                cwd=self.folder.path)
        if wait:
            self.wait_until_ready()

    def _answers(self):
        try:  # the eighth line of the pid file is the state of the server, which pg_ctl uses too
            lines = (self.data / "postmaster.pid").read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def halt(self, mode="fast"):
        """Stops the server. fast: it rolls back open transactions and disconnects its clients. immediate: it stops without
        a checkpoint, as in a crash. smart: it waits for its clients. kill: SIGKILL for every process, as in a power
        failure."""
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}
        if self._process:
            orphans = self._process.children() if mode == "kill" else []
            self._process.stop(number[mode])
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            # A new server refuses to start while one of them exists. A process that has ended and was not reaped has no
            # exe.
            wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in orphans), 30, "all processes have ended")
            self._process = None

    def promote(self):
        """Ends the recovery of a standby, which then accepts writes."""
        command = [self._bin / "pg_ctl", "promote", "--pgdata", self.data]
        wait_until(lambda: Process(command, self.log, user=self.user, cwd=self.folder.path).wait(120) == 0, 60,
                   "the server is a standby and can be promoted")
        self.wait_until_ready()

    def dsn(self, database="postgres", user="postgres"):
        return f"host={self.host} port={self.port} user={user} dbname={database}"

    def connect(self, database="postgres", user="postgres", autocommit=True):
        import psycopg2  # imported here, so that a server can be started without it
        connection = psycopg2.connect(self.dsn(database, user))
        connection.autocommit = autocommit
        return connection

    def create_database(self, name):
        """Creates an empty database and returns its dsn."""
        self.psql(f'create database "{name}"')
        return self.dsn(name)

    def reload(self):
        """Reloads the settings. Returns when new and idle sessions use them."""
        before = self.psql("select pg_conf_load_time()")
        self.psql("select pg_reload_conf()")
        wait_until(lambda: self.psql("select pg_conf_load_time()") != before, 10, "PostgreSQL has reloaded its settings")

    def allow(self, line):
        """Inserts a line before all others of pg_hba.conf and reloads it."""
        file = self.data / "pg_hba.conf"
        file.write_text(f"{line}\n{file.read_text()}")
        self.reload()

    def psql(self, sql, database="postgres"):
        """Executes SQL with psql. Returns the unaligned output."""
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(database)],
                              input=sql, capture_output=True, text=True, check=True).stdout


class PostgresStandby(PostgresServer):
    """Replicates another server until it is promoted. It accepts reads meanwhile."""

    def __init__(self, primary):
        self._primary = primary
        super().__init__()

    def _make(self):
        self._run("pg_basebackup", [self._bin / "pg_basebackup", "--pgdata", self.data, "--write-recovery-conf",
                                    "--checkpoint=fast", "--dbname", self._primary.dsn()])
