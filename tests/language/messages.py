#!/usr/bin/env python3
"""List the texts that users saw during a run of the integration tests: each once, sorted, with placeholders for what varies.

    OUTBOX_MESSAGES=/tmp/messages tests/integration/run.py     # the tests append the outputs of all relays and commands
    tests/language/messages.py /tmp/messages                   # prints them
    tests/language/messages.py /tmp/messages | tests/language/check.py /dev/stdin

A line begins with the level of the log line, or with the command that printed it. Of JSON output the texts are listed, not the
keys.
"""

import json
import re
import sys

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (debug|info|warn|error) +(.*)")
# In this order: what stands for a text, and how the text is recognised.
PLACEHOLDERS = [
    ("UUID", re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I)),
    ("TIME", re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?")),
    ("ADDRESS", re.compile(r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\[[0-9a-f:]*::[0-9a-f:]*\](:\d+)?|\blocalhost:\d+")),
    ("PATH", re.compile(r"(?<![\w./:}])/[\w.+-]+(/[\w.+#-]+)+/?")),
    ("ID", re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b|\b0x[0-9a-f]+\b", re.I)),
    ("N", re.compile(r"(?<![A-Za-z])\d+(?:[.,]\d+)*")),
]


def normalised(text):
    for placeholder, pattern in PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    return " ".join(text.split())


def texts_in(value):
    """Yields the texts with several words among the values of a JSON document."""
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, str):
        if " " in value.strip():
            yield value
    elif not isinstance(value, (int, float, type(None))):
        for one in value:
            yield from texts_in(one)


def parsed(text):
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, (dict, list)) else None


def lines_of(command, output):
    """Yields pairs of a source and a text: log lines by their level, and other lines by the command."""
    if (document := parsed(output)) is not None and "msg" not in document:
        yield from ((command, text) for text in texts_in(document))
        return
    for line in output.splitlines():
        if (log_line := LOG_LINE.fullmatch(line.strip())) is not None:
            yield log_line.groups()
        elif (document := parsed(line)) is None:
            yield command, line
        elif "msg" in document:
            yield document.get("level", command), document["msg"]
        else:
            yield from ((command, text) for text in texts_in(document))


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    found = set()
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            output = json.loads(line)
            for source, text in lines_of(output["command"], output["text"]):
                if text := normalised(text):
                    found.add(f"{source}: {text}")
    print(*sorted(found), sep="\n")


if __name__ == "__main__":
    main()
