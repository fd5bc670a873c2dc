"""Make the mutants of C++ sources: find them in clang's syntax tree, and write sources that contain them all.

A mutant is a small change at one or more sites. In the written sources, each site asks whether its mutant is the
selected one (mutation.hpp), and does what the original does if not. Line numbers stay the same.
"""

from constants import of_constants
from operators import OPERATORS
from sources import Source
from statements import Finder


def find(root, names, arguments):
    """Return the numbered mutants of these files, and the executable lines of each: (sources, mutants, lines)."""
    sources = {name: Source(root, name, arguments) for name in names}
    by_path = {str(source.path): source for source in sources.values()}
    constants, mutants, lines = {}, [], {}
    for source in sources.values():
        finder = Finder(source, by_path, constants)
        finder.declarations(source.top())
        mutants += finder.mutants
        lines[source.name] = finder.lines
    mutants += of_constants(constants)
    order = {name: i for i, name in enumerate(names)}
    mutants.sort(key=lambda m: (order[m.file], m.line, m.sites[0].start, list(OPERATORS).index(m.operator), m.after))
    seen = {}
    for number, mutant in enumerate(mutants):
        mutant.number = number
        alike = (mutant.file, mutant.function, mutant.operator, mutant.source, mutant.before, mutant.after)
        mutant.ordinal = seen[alike] = seen.get(alike, 0) + 1
    return sources, mutants, lines
