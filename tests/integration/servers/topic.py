"""Reads a topic byte for byte with kcat."""

import dataclasses
import json
import subprocess
from typing import List, Optional, Tuple


@dataclasses.dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int  # milliseconds since 1970
    key: Optional[bytes]
    payload: Optional[bytes]
    headers: List[Tuple[str, Optional[bytes]]]

    def header(self, name):
        """The value of the first header with this name, or None."""
        return next((value for key, value in self.headers if key == name), None)


def read_topic(bootstrap, topic, properties=None, timeout=120):
    """Returns every record that the topic has now, with ascending offsets within a partition."""
    command = ["kcat", "-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e", "-q", "-J",
               "-X", "fetch.wait.max.ms=20", "-X", "check.crcs=true"]
    for key, value in (properties or {}).items():
        command += ["-X", f"{key}={value}"]
    result = subprocess.run(command, capture_output=True, check=False, timeout=timeout)
    if result.returncode != 0:
        raise RuntimeError(f"kcat ended with {result.returncode}: {result.stderr.decode(errors='replace')}")
    return [_record(line) for line in result.stdout.split(b"\n") if line]


def _record(line):
    # kcat writes bytes that are not UTF-8 into its JSON unchanged; surrogateescape preserves them.
    fields = json.loads(line.decode("utf-8", "surrogateescape"))
    flat = fields.get("headers", [])
    return Record(fields["topic"], fields["partition"], fields["offset"], fields["ts"],
                  _bytes(fields["key"]), _bytes(fields["payload"]),
                  [(name, _bytes(value)) for name, value in zip(flat[::2], flat[1::2])])


def _bytes(text):
    return None if text is None else text.encode("utf-8", "surrogateescape")
