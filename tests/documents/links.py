#!/usr/bin/env python3
"""Check that every relative link of every Markdown file leads to a file, and to a heading if it names one, and that
every mention of a document (docs/…) in the sources, in printed texts and in the scripts leads to an existing one."""

import pathlib
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import tree  # noqa: E402  pylint: disable=wrong-import-position

LINK = re.compile(r"\]\(([^)\s]+)\)")
# A decision may be named by its number: docs/design/decisions/0007.
MENTION = re.compile(r"(?<![\w./-])(docs/[\w./-]*\w)(#[\w-]+)?")


def headings(file):
    """Anchors, as GitHub names them: the second heading of the same words ends in -1."""
    seen = {}
    for heading in re.findall(r"^#+ (.*)$", without_code(file.read_text(encoding="utf-8")), re.M):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        seen[name] = seen.get(name, -1) + 1
        yield f"{name}-{seen[name]}" if seen[name] else name


def without_code(text):
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.M | re.S)


def missing(target, anchor):
    """Why a reference leads nowhere, or None."""
    if not target.exists() and not list(target.parent.glob(target.name + "-*.md")):
        return "no such file"
    if anchor and anchor not in headings(target):
        return "no such heading"
    return None


def references(file):
    """Pairs of a reference as it is written and the file and heading that it means."""
    text = file.read_text(encoding="utf-8")
    for match in MENTION.finditer(text):
        yield match.group(0), tree.ROOT / match.group(1), (match.group(2) or "")[1:]
    if file.suffix == ".md":
        for link in LINK.findall(re.sub(r"`[^`\n]+`", "`code`", without_code(text))):
            path, _, anchor = link.partition("#")
            if "://" not in link and not link.startswith("mailto:"):
                yield link, (file.parent / path if path else file), anchor


def main():
    found, broken = 0, []
    for file in sorted(tree.files()):
        try:
            for written, target, anchor in references(file):
                found += 1
                if why := missing(target, anchor):
                    broken.append(f"{file.relative_to(tree.ROOT)}: {written}: {why}")
        except UnicodeDecodeError:
            continue
    if found < 100:
        broken.append(f"only {found} references found, so the search itself is wrong")
    sys.exit("\n".join(broken) or None)


main()
