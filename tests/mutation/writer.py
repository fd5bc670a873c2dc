"""Write sources with all their mutants, of which one is selected at run time."""

import re


class Writer:
    """Writes a file with all mutants that are not left out."""

    def __init__(self, source, mutants):
        self.source = source
        self.choices = {}  # (start, end) -> [(number, site)]
        for mutant in mutants:
            for site in mutant.sites:
                if site.file == source.name:
                    end = site.end
                    if site.kind == "return":
                        rest = re.match(rb"return[^;]*;", source.text[site.start:])
                        end = self.end_of_return(site.start) if rest is None else self.end_of_return(site.start)
                    self.choices.setdefault((site.start, end), []).append((mutant.number, site))
        self.order = sorted(self.choices, key=lambda span: (span[0], -span[1]))
        self.at = 0

    def end_of_return(self, start):
        """Return the end of a statement: after the semicolon at the level of nesting at which it began."""
        depth, text, i = 0, self.source.text, start
        while True:
            char = text[i:i + 1]
            if char in b"([{":
                depth += 1
            elif char in b")]}":
                depth -= 1
            elif char == b'"':
                i = text.index(b'"', i + 1)
            elif char == b";" and depth == 0:
                return i + 1
            i += 1

    def write(self):
        """Return the text, with marks around the parts that belong to mutants: chr(1) numbers chr(2) ... chr(3)."""
        self.at = 0
        return self.between(0, len(self.source.text))

    def between(self, start, end):
        parts, position = [], start
        while self.at < len(self.order) and self.order[self.at][0] < end:
            first, last = self.order[self.at]
            if first < position or last > end:
                raise ValueError(f"{self.source.name}: the changes at {first}-{last} overlap others")
            parts.append(self.source.text[position:first].decode())
            self.at += 1
            parts.append(self.choice(first, last))
            position = last
        parts.append(self.source.text[position:end].decode())
        return "".join(parts)

    def choice(self, first, last):
        alternatives = self.choices[(first, last)]
        original = self.between(first, last)
        numbers = ",".join(str(number) for number, _ in alternatives)
        if alternatives[0][1].kind == "expression":
            cast = next((site.cast for _, site in alternatives if site.cast), "")
            text = "".join(f"outbox_mutation::Is({number}) ? \1{number}\2({site.changed})\3 : "
                           for number, site in alternatives)
            if cast == "bool":
                text = f"({text}static_cast<bool>({original}))"
            elif cast == "outbox_mutation::Number":
                text = f"{cast}{{static_cast<long long>({text}({original}))}}"
            else:
                text = f"static_cast<{cast}>({text}({original}))" if cast else f"({text}({original}))"
        else:
            before = "".join(f"if (outbox_mutation::Is({number})) \1{number}\2{site.changed}\3"
                             for number, site in alternatives if site.kind == "return")
            left_out = " || ".join(f"outbox_mutation::Is({number})" for number, site in alternatives
                                   if site.kind == "statement")
            text = f"{{ {before}if (!({left_out})) {{ {original} }} }}" if left_out else f"{{ {before}{original} }}"
        return f"\1{numbers}\2{text}\3"


def unmark(text):
    """Return the text without the marks and, for each line, the ranges of columns with their mutants."""
    out, stack, stretches, position = [], [], [], 0
    for part in re.split("(\1[0-9,]+\2|\3)", text):
        if part.startswith("\1"):
            stack.append((position, part[1:-1]))
        elif part == "\3":
            begin, numbers = stack.pop()
            stretches.append((begin, position, [int(n) for n in numbers.split(",")]))
        else:
            out.append(part)
            position += len(part.encode())
    return "".join(out), stretches


def write(sources, mutants, folder):
    """Write the files that have mutants. Return {name: ranges}."""
    written = {}
    for source in sources.values():
        marked = Writer(source, mutants).write()
        text, stretches = unmark(marked)
        path = folder / source.name
        if not stretches:
            path.unlink(missing_ok=True)
            continue
        head = '#include "tests/mutation/mutation.hpp"\n'
        shift = len(head.encode()) + len(f'#line 1 "{source.name}"\n'.encode())
        text = f'{head}#line 1 "{source.name}"\n{text}'
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        written[source.name] = [(begin + shift, end + shift, numbers) for begin, end, numbers in stretches]
    return written
