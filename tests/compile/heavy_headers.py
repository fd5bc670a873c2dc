#!/usr/bin/env python3
"""Fail if a file includes a heavy header without being listed in heavy_headers.txt, or if a listed file does not
include the header under which it is listed.

usage: heavy_headers.py            checks the files below core/, plugins/ and sdk/
       heavy_headers.py --list     prints the list as it has to be
"""

import fnmatch
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = pathlib.Path(__file__).resolve().parent / "heavy_headers.txt"
FOLDERS = ("core", "plugins", "sdk")


def read_list():
    """Return {pattern of a header: files that may include it}; "!" begins a pattern of headers that are light."""
    allowed, light = {}, []
    pattern = None
    for line in LIST.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].rstrip()
        if not text:
            continue
        if text.startswith("!"):
            light.append(text[1:])
        elif not text.startswith(" "):
            pattern = text
            allowed[pattern] = set()
        else:
            allowed[pattern].add(text.strip())
    return allowed, light


def included(patterns, light):
    found = {pattern: set() for pattern in patterns}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix not in (".cpp", ".hpp", ".h", ".c", ".in"):
                continue
            text = file.read_text(encoding="utf-8")
            for header in re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', text, re.M):
                if any(fnmatch.fnmatchcase(header, one) for one in light):
                    continue
                for pattern in patterns:
                    if fnmatch.fnmatchcase(header, pattern):
                        found[pattern].add(file.relative_to(ROOT).as_posix())
    return found


def main():
    allowed, light = read_list()
    found = included(allowed, light)
    if sys.argv[1:] == ["--list"]:
        for pattern, files in found.items():
            print(pattern, *(f"    {file}" for file in sorted(files)), "", sep="\n")
        return None
    problems = []
    for pattern, files in allowed.items():
        problems += [f"{file} includes <{pattern}>, which costs a compiler about a second and more for each template "
                     f"that is used: use what hides it (see {LIST.name}), or add the file to that list"
                     for file in sorted(found[pattern] - files)]
        problems += [f"{file} does not include <{pattern}> any more: remove it from {LIST.name}"
                     for file in sorted(files - found[pattern])]
    return "\n".join(problems) or None


if __name__ == "__main__":
    sys.exit(main())
