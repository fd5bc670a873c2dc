"""Runs a MariaDB server from Debian's package mariadb-server-core."""

import os
import shutil

from .mysql_base import NOBODY, MysqlBase
from .process import TemporaryFolder, Unavailable


# By default MariaDB makes a commit visible before it is on disk, and `outbox-relay check` warns about that.
DURABLE_BEFORE_SEEN = {"log-bin": "binary", "sync-binlog": "1"}


class MariadbServer(MysqlBase):
    name = "MariaDB"

    def __init__(self, settings=None):
        settings = {**DURABLE_BEFORE_SEEN, **(settings or {})}
        self._binary = find("mariadbd")
        self._installer = find("mariadb-install-db")
        super().__init__(TemporaryFolder("mariadb", NOBODY if os.geteuid() == 0 else None), settings)

    def _command(self):
        return [self._binary, "--no-defaults"]

    def _initialise(self):
        process = self._run([self._installer, "--no-defaults", f"--datadir={self.data}", "--force", "--skip-test-db",
                             "--auth-root-authentication-method=normal", "--debug-no-sync"])
        if process.wait(120) != 0:
            raise RuntimeError(f"mariadb-install-db failed:\n{process.log_tail()}")


def find(program):
    """Returns the path of a program. Debian installs servers in folders that are only in root's PATH, so those are searched
    too."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if not path:
        raise Unavailable(f"MariaDB ({program}) is not installed; run scripts/install test")
    return path
