"""Runs a MySQL server. Debian has MySQL only in unstable, so it runs in a separate root, which debootstrap creates once."""

import fcntl
import os
import pathlib
import shutil

from .mysql_base import NOBODY, MysqlBase
from .process import Process, TemporaryFolder, Unavailable

SUITE = "unstable"

# Runs a command in separate namespaces, so that an interrupted debootstrap leaves no mounts and no processes behind. In a
# chroot mounts cannot be made private and unshare would fail when it tries, so the shell tries and ignores the error.
# The program that created the chroot has made them private.
APART = ("unshare", "--mount", "--propagation=unchanged", "--pid", "--fork", "--kill-child",
         "sh", "-c", "mount --make-rprivate / 2>/dev/null; exec \"$@\"", "apart")


class MysqlServer(MysqlBase):
    name = "MySQL"

    def __init__(self, settings=None):
        self._root = find_root()
        super().__init__(TemporaryFolder("mysql", NOBODY, self._root / "tmp"), settings)

    def inside(self, path):
        return pathlib.Path("/", path.relative_to(self._root))

    def _run(self, command):
        # chroot needs root. A change of the user resets the parent-death signal that the outer setpriv has set, so it is
        # set again.
        nobody = ["setpriv", "--pdeathsig", "KILL", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]
        return Process(["chroot", self._root, *nobody, *command], self.log)

    def _command(self):
        return ["/usr/sbin/mysqld", "--no-defaults", "--secure-file-priv=NULL", "--mysqlx=OFF"]

    def _initialise(self):
        process = self._run([*self._command(), "--initialize-insecure", f"--datadir={self.inside(self.data)}"])
        if process.wait(120) != 0:
            raise RuntimeError(f"mysqld --initialize-insecure failed:\n{process.log_tail()}")


def find_root():
    """Returns the folder of a Debian root that contains mysqld. The first call on a machine creates it: about 30 s, 500
    MB."""
    if os.geteuid() != 0:
        raise Unavailable("MySQL runs in a root of Debian unstable, and debootstrap and chroot need root")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "outbox-relay"
    root = cache / f"mysql-{SUITE}"
    if not root.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with open(f"{root}.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not root.is_dir():
                make_root(root)
    return root


def make_root(root):
    if not shutil.which("debootstrap"):
        raise Unavailable("debootstrap, which creates a root for MySQL, is not installed; run scripts/install test")
    part = root.with_suffix(".part")
    if part.exists():
        shutil.rmtree(part)
    process = Process([*APART, "debootstrap", "--variant=minbase", "--include=mysql-server-core", SUITE, part],
                      root.with_suffix(".log"), env={"TMPDIR": "/tmp"})
    if process.wait(900) != 0:
        raise Unavailable(f"debootstrap could not create a root for MySQL, see {process.log}: {process.log_tail(1).strip()}")
    for archive in (part / "var/cache/apt/archives").glob("*.deb"):
        archive.unlink()
    part.rename(root)
