#!/usr/bin/env python3
"""Check that comments, texts and documents use plain words: rules.py, words.txt and the dictionary of codespell. README.md
says how to add a rule.

usage: check.py            check all files of the tree, and the examples of the rules
       check.py FILE...    check these files, which may be of any kind, for example collected messages
"""

import bisect
import collections
import itertools
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

import tree  # noqa: E402  pylint: disable=wrong-import-position
from rules import RULES  # noqa: E402  pylint: disable=wrong-import-position

WORDS, KNOWN, WAIVERS = HERE / "words.txt", HERE / "known_words.txt", HERE / "waivers.txt"
SKIPPED = 77

# Not checked: data, copies of other files, licences, and the lists of this folder, which quote what they forbid.
LEFT_OUT = re.compile(r"tests/language/(words|known_words|waivers)\.txt|tests/language/rules\.py|LICENSE|.*\.(lock|sum|svg)"
                      r"|tests/golden/.*\.(json|txt)|tests/abi/frozen_v\d+/.*|bench/results/.*|tests/names/names\.txt")

# The names of test functions are sentences of their own kind; other lists name them.
TEST_NAME = re.compile(r"\btest_\w+")

# A name is divided at its underscores and capitals, so that each of its words is checked.
WORD = r"[A-Z]?[a-z]+(?:'[a-z]+)?|[A-Z]+(?![a-z])"

Hit = collections.namedtuple("Hit", "line found instead")


class Flat:
    """A text in lower case and without line breaks: the lines of a comment, of a paragraph or of a string literal follow one
    another with one space between them."""

    def __init__(self, text):
        lines = [self._bare(line) for line in text.lower().split("\n")]
        self.text = " ".join(lines)
        self._starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))

    @staticmethod
    def _bare(line):
        return line.strip(' \t"\\/#*>').removesuffix('\\n').rstrip()

    def line(self, at):
        return bisect.bisect_right(self._starts, at)


def without_examples(text):
    """Blanks the column "not" of tables in Markdown with the columns "not" and "but"."""
    lines, column = text.split("\n"), None
    for number, line in enumerate(lines):
        cells = line.split("|")
        names = [cell.strip() for cell in cells]
        if not line.startswith("|"):
            column = None
        elif "not" in names and "but" in names:
            column = names.index("not")
        elif column is not None and column < len(cells):
            cells[column] = " "
            lines[number] = "|".join(cells)
    return "\n".join(lines)


def against_rules(text, rules=RULES):
    flat = Flat(text)
    for rule in rules:
        for match in rule.matches(text if rule.raw else flat.text):
            line = text.count("\n", 0, match.end()) + 1 if rule.raw else flat.line(match.start())
            yield Hit(line, match.group(0).strip().split("\n")[-1], rule.instead)


def against_words(texts):
    """Runs codespell once for all texts. Returns the hits of each text."""
    starts = list(itertools.accumulate((text.count("\n") + 1 for text in texts), initial=0))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as joined:
        joined.write("\n".join(texts))
        joined.flush()
        done = subprocess.run(["codespell", "-D", WORDS, "-D", "-", "-I", KNOWN, "--regex", WORD, joined.name],
                              capture_output=True, text=True, check=False)
    hits = [[] for _ in texts]
    for number, word, instead in re.findall(r":(\d+): (\S+) ==> (.*)", done.stdout):
        text = bisect.bisect_right(starts, int(number) - 1) - 1
        hits[text].append(Hit(int(number) - starts[text], word, instead))
    if done.stderr or (done.returncode and not done.stdout):
        sys.exit(f"codespell failed: {done.stderr or done.returncode}")
    return hits


class Waivers:
    """The lines of waivers.txt: FILE | PART OF THE LINE | REASON. Each waives all hits of the lines with that part."""

    def __init__(self):
        entries = [line.split(" | ") for line in WAIVERS.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")]
        if wrong := [entry for entry in entries if len(entry) != 3]:
            sys.exit(f"{WAIVERS.name}: {' | '.join(wrong[0])}: expected FILE | PART OF THE LINE | REASON")
        self._unused = {(file, part) for file, part, _ in entries}
        self._parts = collections.defaultdict(list)
        for file, part, _ in entries:
            self._parts[file].append(part)

    def waive(self, file, line):
        used = {(file, part) for part in self._parts[file] if part in line}
        self._unused -= used
        return bool(used)

    def unused(self):
        return [f"{WAIVERS.name}: {file}: no hit in a line with \"{part}\" any more; remove the waiver"
                for file, part in sorted(self._unused)]


def wrapped(example):
    """The example as a comment of several lines, and as a string literal of several lines."""
    return "\n".join(f"// {word}" for word in example.split(" ")), " \"\n  \"".join(f"\"{example}\"".split(" "))


def failed_examples():
    """Yields what is wrong with the examples of the rules: each rule catches its bad example, however that is wrapped, and no
    rule catches a good one."""
    for rule in RULES:
        for example in [rule.catches, *([] if rule.raw else wrapped(rule.catches))]:
            if not list(against_rules(example, [rule])):
                yield f"rules.py: \"{rule.pattern}\" does not catch \"{example}\""
        for hit in against_rules(rule.passes):
            yield f"rules.py: \"{rule.passes}\" is a good example, and \"{hit.found}\" in it was caught"


def word_examples():
    """Texts with each word of words.txt, alone and in names, and the text with all their replacements."""
    entries = [entry.split("->") for entry in WORDS.read_text(encoding="utf-8").split("\n") if entry]
    bad = [text for word, _ in entries for text in (word, f"was_{word}_", f"Was{word.capitalize()}", f"WAS_{word.upper()}")]
    return bad, "\n".join(instead for _, instead in entries)


def failed_word_examples(bad, hits, hits_of_replacements):
    for example, found in zip(bad, hits):
        if not found:
            yield f"{WORDS.name}: \"{example}\" was not caught"
    for hit in hits_of_replacements:
        yield f"{WORDS.name}: the replacement \"{hit.found}\" was caught"


def read(files):
    """Yields the name and the text of each file that is to be checked."""
    for file in sorted(files):
        name = str(file.relative_to(tree.ROOT)) if file.is_relative_to(tree.ROOT) else str(file)
        if not LEFT_OUT.fullmatch(name):
            try:
                text = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            text = TEST_NAME.sub(lambda match: " " * len(match.group(0)), text)
            yield name, without_examples(text) if file.suffix == ".md" else text


def main():
    named = [pathlib.Path(argument).absolute() for argument in sys.argv[1:]]
    files = dict(read(named or tree.files()))
    has_codespell = shutil.which("codespell")
    bad, replacements = word_examples()
    of_words = against_words([*bad, replacements, *files.values()]) if has_codespell else [[]] * (len(bad) + 1 + len(files))
    problems = list(failed_examples())
    if has_codespell:
        problems += failed_word_examples(bad, of_words, of_words[len(bad)])
    waivers = Waivers()
    for (name, text), words in zip(files.items(), of_words[len(bad) + 1:]):
        lines = text.split("\n")
        for hit in sorted([*against_rules(text), *words]):
            if not waivers.waive(name, lines[hit.line - 1]):
                problems.append(f"{name}:{hit.line}: \"{hit.found}\": write {hit.instead.rstrip(',')}")
    if not named:
        if len(files) < 500:
            problems.append(f"only {len(files)} files were found, so the search itself is wrong")
        if has_codespell:
            problems += waivers.unused()
    if problems:
        problems.append(f"{len(problems)} hits; tests/language/README.md explains the rules and how to waive one")
        sys.exit("\n".join(problems))
    if not has_codespell:
        print("no codespell: scripts/install test")
        sys.exit(SKIPPED)


main()
