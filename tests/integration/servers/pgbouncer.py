"""Runs PgBouncer in front of a PostgreSQL server. Debian's package would start a service when it is installed, so it is not
installed: its files are unpacked into the cache and run from a temporary folder."""

import os
import pathlib
import shutil
import socket
import subprocess

from .process import Process, TemporaryFolder, Unavailable, free_port, wait_until

PACKAGES = ("pgbouncer", "libc-ares2", "libevent-2.1-7")


def find_files():
    """Returns the folder with usr/sbin/pgbouncer and the libraries that it needs. The first call on a machine fetches 400
    kB."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "outbox-relay"
    files = cache / "pgbouncer"
    if files.is_dir():
        return files
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Unavailable("fetching PgBouncer needs apt-get and dpkg, which this machine does not have")
    part = cache / f"pgbouncer-{os.getpid()}.part"
    lists = part / "lists"
    (lists / "partial").mkdir(parents=True)
    try:
        # The machine may have no package lists, although everything is installed. The second attempt uses lists of its own.
        ours = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={part}", "-o", "APT::Sandbox::User=root"]
        for options in ([], ours):
            if options:
                subprocess.run(["apt-get", *options, "update"], capture_output=True, check=False, timeout=300)
            for package in PACKAGES:
                subprocess.run(["apt-get", *options, "download", package], cwd=part, capture_output=True, check=False,
                               timeout=300)
            if list(part.glob("pgbouncer_*.deb")):
                break
        else:
            raise Unavailable("apt-get download pgbouncer failed; run it to see why")
        for package in part.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, part / "files"], check=True, timeout=60)
        (part / "files").rename(files)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return files


class PgBouncer:
    """A pooler for `server`. Use it as a context manager. `mode` is session, transaction or statement."""

    def __init__(self, server, mode, settings=None):
        other = os.environ.get("OUTBOX_TEST_PGBOUNCER")
        files = None if other else find_files()
        # It refuses to run as root, and other users cannot read root's cache, so the files are copied.
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = TemporaryFolder("pgbouncer", self._user)
        self._port = free_port()
        self._log = self.folder.path / "pgbouncer.log"
        if files:
            shutil.copytree(files, self.folder.path / "files")
        users = self.folder.path / "users.txt"
        users.write_text('"postgres" ""\n', encoding="ascii")
        config = self.folder.path / "pgbouncer.ini"
        lines = {"listen_addr": "127.0.0.1", "listen_port": self._port, "unix_socket_dir": "", "auth_type": "any",
                 "auth_file": users, "pool_mode": mode, "default_pool_size": 10, "ignore_startup_parameters": "",
                 **(settings or {})}
        config.write_text("[databases]\n"
                          f"* = host={server.host} port={server.port} user=postgres\n"
                          "[pgbouncer]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items()), encoding="ascii")
        for path in (users, config):
            path.chmod(0o644)
        libraries = self.folder.path / "files/usr/lib" / f"{os.uname().machine}-linux-gnu"
        self._process = Process([other or self.folder.path / "files/usr/sbin/pgbouncer", config], self._log, user=self._user,
                                env=None if other else {"LD_LIBRARY_PATH": str(libraries)}, cwd=self.folder.path)

    def __enter__(self):
        try:
            wait_until(self._listens, 30, "PgBouncer accepts connections")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._process.returncode is None:
            self._process.kill()
        self.folder.remove()

    def _listens(self):
        if self._process.returncode is not None:
            raise RuntimeError(f"PgBouncer ended with {self._process.returncode}:\n{self._process.log_tail()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def dsn(self, database):
        return f"host=127.0.0.1 port={self._port} user=postgres dbname={database}"
