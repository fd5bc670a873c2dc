"""A source with its syntax tree, and the description of a mutant."""

import dataclasses
import hashlib
import re
import subprocess

from clang import cindex
from clang.cindex import CursorKind, TypeKind

INTEGERS = {TypeKind.UCHAR, TypeKind.USHORT, TypeKind.UINT, TypeKind.ULONG, TypeKind.ULONGLONG, TypeKind.SCHAR,
            TypeKind.CHAR_S, TypeKind.SHORT, TypeKind.INT, TypeKind.LONG, TypeKind.LONGLONG}
NUMBERS = INTEGERS | {TypeKind.FLOAT, TypeKind.DOUBLE}


@dataclasses.dataclass
class Site:
    """The place where a mutant changes a file: `changed` replaces the text from start to end."""
    file: str
    start: int
    end: int
    changed: str
    kind: str = "expression"  # "statement": it may be left out; "return": inserted before it.
    cast: str = ""  # The type to which original and changed text are cast; empty if there is no cast.


@dataclasses.dataclass
class Mutant:
    operator: str
    file: str
    function: str
    line: int
    source: str  # The text of the line.
    sites: list
    before: str
    after: str
    covers: set  # The lines that count as mutated by this mutant.
    ordinal: int = 1  # The number among mutants whose keys are otherwise equal.
    number: int = 0
    named: bool = False  # True if a named constant is changed, at every use.

    @property
    def key(self):
        """Return the identity of the mutant, which does not change when other parts of the file change."""
        return " | ".join((self.file, self.function, self.operator, self.source, f"{self.before} -> {self.after}",
                           str(self.ordinal)))

    @property
    def id(self):
        return hashlib.sha256(self.key.encode()).hexdigest()[:8]

    def diff(self, sources):
        """Return the changed lines as a diff or, for a named constant, its declaration."""
        head = f"{self.file}:{self.line} {self.function} ({self.operator})"
        if self.named:
            return f"{head}\n- {self.before}\n+ {self.after}"
        text = sources[self.file].text
        sites = sorted(self.sites, key=lambda site: site.start)
        begin = text.rfind(b"\n", 0, sites[0].start) + 1
        end = text.find(b"\n", sites[-1].end)
        new, at = b"", begin
        for site in sites:
            new += text[at:site.start] + site.changed.encode()
            at = site.start if site.kind == "return" else site.end
        new += text[at:end]
        lines = [f"- {line.strip()}" for line in text[begin:end].decode().splitlines()]
        return "\n".join([head, *lines, *(f"+ {line.strip()}" for line in new.decode().splitlines() if line.strip())])


class Source:
    """A file to be mutated."""

    def __init__(self, root, name, arguments):
        self.name = name
        self.path = root / name
        self.text = self.path.read_bytes()
        self.unit = cindex.Index.create().parse(
            str(self.path), args=["-x", "c++", *arguments],
            options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
        errors = [d for d in self.unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
        if errors:
            raise ValueError(f"{name}: clang does not understand it: {errors[0]}")
        self.macros = [(c.extent.start.offset, c.extent.end.offset) for c in self.top()
                       if c.kind == CursorKind.MACRO_INSTANTIATION]

    def top(self):
        return (c for c in self.unit.cursor.get_children() if c.location.file and c.location.file.name == str(self.path))

    def line_of(self, offset):
        return self.text.count(b"\n", 0, offset) + 1

    def line(self, number):
        return " ".join(self.text.split(b"\n")[number - 1].decode().split())


def flat(text):
    """Return the text on one line and without comments."""
    if 'R"' in text:
        return text
    lines = [re.sub(r"//.*", "", line) if '"' not in line else line for line in text.split("\n")]
    return " ".join(" ".join(lines).split()) if len(lines) > 1 else text


def arithmetic_type(cursor_type):
    """Return the name of a number type, or an empty text for other types."""
    canonical = cursor_type.get_canonical()
    if canonical.kind == TypeKind.LVALUEREFERENCE:
        return ""
    return re.sub(r"\bconst\b ?", "", canonical.spelling) if canonical.kind in NUMBERS else ""


def is_bool(cursor_type):
    return cursor_type.get_canonical().kind == TypeKind.BOOL


def same_type(left, right):
    def name(cursor_type):
        canonical = cursor_type.get_canonical()
        return re.sub(r"\bconst\b ?", "", canonical.spelling).removesuffix("&").strip()
    return name(left) == name(right)


def resource_folder():
    """Return the folder of clang's own headers, which the syntax tree needs."""
    return subprocess.run(["clang", "-print-resource-dir"], check=True, capture_output=True, text=True).stdout.strip()
