"""Make the mutants of named constants, which change at every place where a mutated file uses them."""

import re

from clang.cindex import TypeKind

from operators import SQL_CHANGES, SQL_WORD
from sources import INTEGERS, Mutant, Site


def changes_of_sql(text):
    for pattern, other in SQL_CHANGES:
        for found in re.finditer(pattern, text, re.I):
            yield found, other


def of_constants(constants):
    """Return the mutants of the named constants, at every place where a mutated file uses them."""
    for (file, _), constant in sorted(constants.items()):
        name, declaration = constant["name"], " ".join(constant["declaration"].split())
        value = re.split(r"[={]", constant["declaration"], maxsplit=1)[1].strip().removesuffix("}").strip()
        kind = constant["type"].get_canonical().kind

        def mutant(operator, changed, before, after, constant=constant, file=file):
            sites = [Site(*use, changed) for use in dict.fromkeys(constant["uses"])]
            return Mutant(operator, file, constant["scope"] or constant["name"], constant["line"], declaration, sites,
                          before, after, {constant["line"]}, named=True)

        if kind == TypeKind.POINTER:
            text = value.removeprefix('R"(').removesuffix(')"').strip('"')
            if SQL_WORD.search(text):
                for found, other in changes_of_sql(text):
                    changed = text[:found.start()] + other + text[found.end():]
                    literal = changed.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
                    begin, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
                    end = len(text) if end < 0 else end
                    before = " ".join(text[begin:end].split())
                    after = " ".join((text[begin:found.start()] + other + text[found.end():end]).split())
                    yield mutant("sql", f'"{literal}"', f"{name}: {before}", f"{name}: {after}")
            continue
        cast = f"std::remove_cv_t<decltype({name})>"
        small = re.fullmatch(r"[0-8]", value)
        for other in ((f"{name} + 1", f"{name} - 1") if small else (f"{name} * 2", f"{name} / 2")):
            if kind in INTEGERS or "duration" in constant["type"].get_canonical().spelling:
                yield mutant("constant", f"static_cast<{cast}>({other})", name, other)
