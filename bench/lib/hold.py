"""Who holds the write lock of an SQLite database in WAL mode, and for how long, as the kernel knows it.

In a process of its own: closing a file takes away all locks that the process has on it, SQLite's as well.
"""

import fcntl
import struct
import time

FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, process
WRITE_LOCK = 120   # of the file beside the database, see SQLite's "WAL-mode File Format"
PAUSE = 0.0002


def watch(path, stop, results):
    """For multiprocessing. Puts [(process, seconds)]; two spans between which nobody was seen to let go are one."""
    question = struct.pack(FLOCK, fcntl.F_WRLCK, 0, WRITE_LOCK, 1, 0)
    spans, holder, since = [], None, 0.0
    with open(path + "-shm", "r+b") as file:
        while not stop.is_set():
            kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, question))
            now = time.monotonic()
            seen = pid if kind != fcntl.F_UNLCK else None
            if seen != holder:
                if holder is not None:
                    spans.append((holder, now - since))
                holder, since = seen, now
            time.sleep(PAUSE)
    results.put(spans)
