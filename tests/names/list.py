#!/usr/bin/env python3
"""The list of all public names, names.txt, and the words of which they may consist.

usage: list.py            write the list from the sources
       list.py --check    fail if the list is older than the sources, or if a name has a word that is neither a term of
                          docs/glossary.md nor in words.txt
"""

import pathlib
import re
import sys

from sources import ROOT, find

HERE = pathlib.Path(__file__).resolve().parent
LIST, ALLOWED, GLOSSARY = HERE / "names.txt", HERE / "words.txt", ROOT / "docs" / "glossary.md"


def words(name):
    """outbox_relay_events_read_total and kTempFail, without digits."""
    return re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)


def is_known(word, known):
    return bool({word, word.removesuffix("s"), word.removesuffix("es")} & known)


def problems(names):
    written = LIST.read_text(encoding="utf-8") if LIST.exists() else ""
    if written != as_text(names):
        before, after = set(written.splitlines()), set(as_text(names).splitlines())
        for name in sorted(before ^ after):
            yield f"{LIST.name} is behind the sources: {'new' if name in after else 'gone'}: {name}"
        yield f"run tests/{HERE.name}/list.py, and look at what it changes: each of these names is a public promise"
    terms = re.findall(r"^\*\*(.+?)\*\*", GLOSSARY.read_text(encoding="utf-8"), re.M)
    glossary = {word.lower() for term in terms for word in words(term)}
    allowed = set(re.sub("#.*", "", ALLOWED.read_text(encoding="utf-8")).split())
    used = {word.lower() for group in names.values() for name in group for word in words(name)}
    for kind, group in names.items():
        for name in group:
            if strange := [word for word in words(name) if not is_known(word.lower(), glossary | allowed)]:
                yield (f"{kind}: {name}: \"{' '.join(strange)}\" is no term of {GLOSSARY.name}; use its word, or "
                       f"add a term there or an everyday word to {ALLOWED.name}")
    for word in sorted(allowed):
        if not any(is_known(one, {word}) for one in used):
            yield f"{ALLOWED.name}: no name has \"{word}\" any more; remove it"


def as_text(names):
    return "\n".join(f"# {kind}\n" + "".join(f"{name}\n" for name in group) for kind, group in names.items())


def main():
    names = find()
    if empty := [kind for kind, group in names.items() if not group]:
        sys.exit(f"nothing found for {', '.join(empty)}; correct sources.py")
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(problems(names)) or None)
    LIST.write_text(as_text(names), encoding="utf-8")


main()
