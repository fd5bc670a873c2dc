"""Samples which process holds the write lock of an SQLite database in WAL mode, and for how long, by asking the kernel.

It must run in a process that does not use the database: closing a file releases all POSIX locks that the process has on it,
including SQLite's.
"""

import fcntl
import struct
import time

FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, process
WRITE_LOCK = 120   # byte of the -shm file that is locked, see SQLite's "WAL-mode File Format"
PAUSE = 0.0002     # seconds between two samples


def watch(path, stop, results):
    """Runs as a process of multiprocessing until `stop` is set, then puts [(process id, seconds)] into `results`.
    Consecutive samples with the same holder count as one span, so a release that falls between two samples is not
    noticed."""
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
