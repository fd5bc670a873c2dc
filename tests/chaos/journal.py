"""The log of a round for the checker, which reads nothing else. It has one JSON object per line."""

import gzip
import json
import threading


class Journal:
    """Writes a log. Thread: any."""

    def __init__(self, path):
        self._file = gzip.open(path, "wt", compresslevel=1, encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, **fields):
        line = json.dumps(fields, separators=(",", ":")) + "\n"
        with self._lock:
            self._file.write(line)

    def close(self):
        with self._lock:
            self._file.close()


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
