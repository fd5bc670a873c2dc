"""Driver of SQLite and the faults of its file."""

import contextlib
import os
import sqlite3
import subprocess

from servers import TemporaryFolder, unavailable


class SqliteDatabase:
    plugin = "sqlite"
    error = sqlite3.Error
    place = "?"

    def __init__(self, own):  # pylint: disable=unused-argument  # the file always belongs to the test
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
    EMPTY, RESTART_IDS = "delete from outbox_event", "delete from sqlite_sequence where name = 'outbox_event'"
    LOCK_TABLE = "begin immediate"  # SQLite has no lock for a single table

    def hold(self, sql):
        link = self.connect()
        link.execute(sql)
        return link

    # Faults of the disk.

    def small_disk(self, megabytes):
        """Puts the file on a disk of that size. It must be called before the tables are created."""
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "outbox-test", self.path.parent],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            unavailable(f"a small disk cannot be mounted on this machine: {mounted.stderr.strip()}")
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

    # Faults of the file.

    def hide(self):
        """Renames the file. REQUIRES: nobody has it open."""
        os.rename(self.path, self.path.with_suffix(".hidden"))

    def show(self):
        os.rename(self.path.with_suffix(".hidden"), self.path)

    def restore(self):
        """Replaces the file by a copy, as when a backup is restored, while others have it open."""
        copy = self.path.with_suffix(".copy")
        self.run(f"vacuum into '{copy}'")
        with contextlib.closing(sqlite3.connect(copy)) as link:
            link.execute("pragma journal_mode = wal")
        for end in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + end).unlink()
        os.rename(copy, self.path)
