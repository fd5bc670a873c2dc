"""A MariaDB server of our own, from Debian's mariadb-server-core."""

import os
import shutil

from .mysql_base import NOBODY, MysqlBase
from .process import TemporaryFolder, Unavailable


# By itself MariaDB shows a commit before it is on disk, and `check` warns of it.
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
    """Debian keeps servers where only root's PATH looks."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if not path:
        raise Unavailable(f"no MariaDB ({program}): scripts/install test")
    return path
