"""SQLite, and what can go wrong with a file."""

import contextlib
import os
import sqlite3
import subprocess

from servers import TemporaryFolder, unavailable


class SqliteDatabase:
    plugin = "sqlite"
    error = sqlite3.Error
    place = "?"

    def __init__(self, own):  # pylint: disable=unused-argument  # a file is always its test's own
        self._folder = TemporaryFolder("sqlite")
        self._mounted = False
        self.path = self._folder.path / "disk" / "outbox.db"
        self.path.parent.mkdir()

    def close(self):
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.path.parent], check=True)
        self._folder.remove()

    def options(self):
        return {"path": str(self.path)}

    def connect(self):
        return sqlite3.connect(self.path, timeout=60, check_same_thread=False)

    def run(self, sql):
        with contextlib.closing(self.connect()) as link:
            link.executescript(sql)

    def numbers(self, sql):
        with contextlib.closing(self.connect()) as link:
            return [row[0] for row in link.execute(sql)]

    HEADERS = "text"
    EMPTY, BEGIN_ANEW = "delete from outbox_event", "delete from sqlite_sequence where name = 'outbox_event'"
    LOCK_TABLE = "begin immediate"  # there is no other lock

    def hold(self, sql):
        link = self.connect()
        link.execute(sql)
        return link

    # The disk.

    def small_disk(self, megabytes):
        """Before the tables are made."""
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "outbox-test", self.path.parent],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            unavailable(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
        self._mounted = True

    def fill_disk(self):
        with open(self._filler, "wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))

    def empty_disk(self):
        self._filler.unlink()

    @property
    def _filler(self):
        return self.path.with_name("filler")

    # The file itself.

    def hide(self):
        """Nobody may have it open."""
        os.rename(self.path, self.path.with_suffix(".hidden"))

    def show(self):
        os.rename(self.path.with_suffix(".hidden"), self.path)

    def restore(self):
        """Puts a copy in the file's place, as from a backup, while it is open elsewhere."""
        copy = self.path.with_suffix(".copy")
        self.run(f"vacuum into '{copy}'")
        with contextlib.closing(sqlite3.connect(copy)) as link:
            link.execute("pragma journal_mode = wal")
        for end in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + end).unlink()
        os.rename(copy, self.path)
