#!/usr/bin/env python3
"""usage: as_doxygen.py HEADER

Print a header with its plain comments converted to Doxygen comments. A comment above a declaration, or behind it on
the same line, describes that declaration.
"""

import pathlib
import re
import sys

# Characters that begin a command or markup in a Doxygen comment.
SPECIAL = re.compile(r'([\\@<>"&#%])')


def escaped(text):
    return SPECIAL.sub(r"\\\1", text)


def of_lines(line):
    """Convert a // comment above a declaration, or behind it."""
    above = re.match(r"(\s*)//(.*)$", line)
    if above:
        return f"{above[1]}///{escaped(above[2])}"
    behind = re.match(r"(.*\S)\s+// (.*)$", line)
    if behind and not behind[1].lstrip().startswith("#"):
        return f"{behind[1]}  ///< {escaped(behind[2])}"
    return line


def main():
    path = pathlib.Path(sys.argv[1])
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".h":
        text = re.sub(r"/\*(.*?)\*/", lambda comment: f"/*{escaped(comment[1])}*/", text, flags=re.S)
        text = re.sub(r"^(\s*)/\*(?!\*)", r"\1/**", text, flags=re.M)
        text = re.sub(r"^(.*\S.*?)/\*(?!\*)", r"\1/**<", text, flags=re.M)
        print(text.replace("/**", "/** \\file\n", 1) if text.startswith("/**") else text)
        return
    lines = [of_lines(line) for line in text.splitlines()]
    if lines and lines[0].startswith("///"):
        lines.insert(0, "/// \\file")
    print("\n".join(lines))


main()
