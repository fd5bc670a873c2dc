"""Makes the mutants of C++ sources: finds them in clang's syntax tree, and writes sources that have them all.

A mutant is a small change at one or more sites. In the sources that are written, each site asks whether its mutant is the
chosen one (mutation.hpp), and does what the original does if not. Lines keep their numbers.
"""

import dataclasses
import hashlib
import re
import subprocess

from clang import cindex
from clang.cindex import CursorKind, TypeKind

OPERATORS = {
    "negate": "a condition, an operand of && or ||, or a value of type bool is negated; != becomes ==, < becomes >=",
    "condition-true": "the condition of an if, a loop or ?: is always true",
    "condition-false": "the condition of an if, a loop or ?: is always false",
    "drop-operand": "one operand of && or || is left out",
    "and-or": "&& becomes || and the other way round",
    "boundary": "< becomes <=, > becomes >=, and the other way round",
    "arithmetic": "+ becomes -, * becomes /, % becomes *, << becomes >>, & becomes |, ^ becomes &, and the other way round",
    "constant": "a number up to 8 becomes one more or one less (0 only more), a larger one is doubled or halved; a named one too",
    "boolean": "true becomes false and the other way round",
    "enumerator": "an enumerator becomes the next one of its enumeration",
    "sign": "a minus sign or a ~ is left out",
    "increment": "++ becomes --, or is left out where its value is used, and the other way round",
    "sibling": "a function becomes its counterpart: min and max, any_of and all_of, front and back, lower_ and upper_bound",
    "lookup": "a search in a container finds nothing",
    "index": "the element at an index becomes the first one",
    "swap-arguments": "two neighbouring arguments or initialisers of the same type change places",
    "delete-statement": "a call, an assignment, a jump or a range-based loop is left out",
    "default-value": "a function returns {}, or a number begins with 0",
    "sql": "in the text of an SQL statement, one comparison, sign, AND, OR, DESC, NOT or name of a state is another",
}

# What stands for a constant or for nothing in the build that is tested.
IGNORED_MACROS = {"assert", "static_assert", "OUTBOX_MUTANT"}

OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "&"}
SIBLINGS = {"min": "max", "max": "min", "any_of": "all_of", "all_of": "any_of", "none_of": "any_of", "front": "back",
            "back": "front", "push_back": "push_front", "push_front": "push_back", "lower_bound": "upper_bound",
            "upper_bound": "lower_bound", "pop_front": "pop_back", "pop_back": "pop_front"}
LOOKUPS = {"find", "lower_bound", "upper_bound"}
COMMUTATIVE = {"min", "max", "swap", "contains"}

SQL_WORD = re.compile(r"\b(select|update|delete|insert)\b", re.I)
SQL_CHANGES = [(r"<=", "<"), (r"(?<![<>])>(?![=>])", ">="), (r"<>", "="), (r"(?<![<>:])=(?!=)", "<>"), (r" \+ ", " - "),
               (r" - ", " + "), (r"\band\b", "or"), (r"\bor\b", "and"), (r"\bnot exists\b", "exists"), (r" desc\b", ""),
               (r"\bis not null\b", "is null"), (r"\bis null\b", "is not null"), (r"\b1\b", "2"), (r"\b0\b", "1"),
               (r"'free'", "'owned'"), (r"'owned'", "'leaving'"), (r"'leaving'", "'owned'"), (r" \[lock\]|\[lock\]", "")]

INTEGERS = {TypeKind.UCHAR, TypeKind.USHORT, TypeKind.UINT, TypeKind.ULONG, TypeKind.ULONGLONG, TypeKind.SCHAR,
            TypeKind.CHAR_S, TypeKind.SHORT, TypeKind.INT, TypeKind.LONG, TypeKind.LONGLONG}
NUMBERS = INTEGERS | {TypeKind.FLOAT, TypeKind.DOUBLE}
LOOPS = {CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT, CursorKind.CXX_FOR_RANGE_STMT}
FUNCTIONS = {CursorKind.FUNCTION_DECL, CursorKind.CXX_METHOD, CursorKind.CONSTRUCTOR, CursorKind.DESTRUCTOR,
             CursorKind.CONVERSION_FUNCTION, CursorKind.FUNCTION_TEMPLATE}
SCOPES = {CursorKind.NAMESPACE, CursorKind.CLASS_DECL, CursorKind.STRUCT_DECL, CursorKind.CLASS_TEMPLATE,
          CursorKind.UNION_DECL, CursorKind.LINKAGE_SPEC, CursorKind.UNEXPOSED_DECL, CursorKind.FRIEND_DECL}


@dataclasses.dataclass
class Site:
    """Where a mutant changes a file: `changed` stands for the text from start to end."""
    file: str
    start: int
    end: int
    changed: str
    kind: str = "expression"  # or "statement", which may be left out, or "return" before a statement
    cast: str = ""  # the type that an expression has, where a constant expression could be another one


@dataclasses.dataclass
class Mutant:
    operator: str
    file: str
    function: str
    line: int
    source: str  # the text of that line
    sites: list
    before: str
    after: str
    covers: set  # the lines of which it is a mutant
    ordinal: int = 1  # among those that are alike otherwise
    number: int = 0
    named: bool = False  # a named constant, wherever it is used

    @property
    def key(self):
        """The identity, which changes elsewhere in the file leave as it is."""
        return " | ".join((self.file, self.function, self.operator, self.source, f"{self.before} -> {self.after}",
                           str(self.ordinal)))

    @property
    def id(self):
        return hashlib.sha256(self.key.encode()).hexdigest()[:8]

    def diff(self, sources):
        """The lines that change; of a named constant its declaration."""
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


BINARY = set(OPPOSITE) | set(ARITHMETIC) | {"&&", "||"}


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
    """On one line, without comments."""
    if 'R"' in text:
        return text
    lines = [re.sub(r"//.*", "", line) if '"' not in line else line for line in text.split("\n")]
    return " ".join(" ".join(lines).split()) if len(lines) > 1 else text


def arithmetic_type(cursor_type):
    """The name of a number's type, or nothing."""
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


class Finder:
    """Finds the mutants of one file."""

    def __init__(self, source, files, constants):
        self.source, self.files, self.constants = source, files, constants
        self.mutants, self.lines, self.known = [], set(), set()
        self.function, self.result, self.statement_line, self.in_lambda = "", None, 0, False

    # ---- text ----

    def span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def text(self, start, end=None):
        if end is None:
            start, end = self.span(start)
        return flat(self.source.text[start:end].decode())

    def ignored(self, text):
        return re.match(r"!?\s*(\w+)\s*\(", text) and re.match(r"!?\s*(\w+)", text).group(1) in IGNORED_MACROS \
            and text.count("(") == text.count(")") and text.endswith(")")

    def in_macro(self, cursor):
        start, end = self.span(cursor)
        return any(first <= start and end <= last for first, last in self.source.macros)

    def gap(self, left, right):
        return self.text(self.span(left)[1], self.span(right)[0]).strip()

    # ---- results ----

    def add(self, operator, sites, before, after, covers=()):
        first = sites[0]
        marks = tuple((site.start, site.end, site.changed) for site in sites)
        if marks in self.known or " ".join(before.split()) == " ".join(after.split()):
            return
        self.known.add(marks)
        line = self.source.line_of(first.start)
        self.mutants.append(Mutant(operator, self.source.name, self.function, line, self.source.line(line), sites,
                                   " ".join(before.split()), " ".join(after.split()),
                                   {line, self.statement_line, *covers}))

    def change(self, operator, cursor, after, cast="", covers=()):
        """An expression becomes another one."""
        start, end = self.span(cursor)
        self.add(operator, [Site(self.source.name, start, end, after, cast=cast)], self.text(cursor), after, covers)

    # ---- declarations ----

    def declarations(self, cursors):
        for cursor in cursors:
            if cursor.kind in FUNCTIONS:
                self.function_body(cursor)
            elif cursor.kind in (CursorKind.FIELD_DECL, CursorKind.VAR_DECL):
                self.function = self.scope(cursor.semantic_parent)
                self.variable(cursor)
            elif cursor.kind in SCOPES:
                self.declarations(cursor.get_children())

    def scope(self, cursor):
        names = []
        while cursor is not None and cursor.kind not in (CursorKind.TRANSLATION_UNIT, CursorKind.NAMESPACE):
            if cursor.spelling:
                names.insert(0, cursor.spelling)
            cursor = cursor.semantic_parent
        return "::".join(names)

    def function_body(self, cursor):
        self.function, self.result = self.scope(cursor), cursor.result_type
        self.statement_line = self.source.line_of(self.span(cursor)[0])
        for child in cursor.get_children():
            if child.kind == CursorKind.COMPOUND_STMT:
                self.statement(child)
            elif child.kind == CursorKind.PARM_DECL:
                self.initialiser(child)
            elif cursor.kind == CursorKind.CONSTRUCTOR and child.kind.is_expression():
                self.value(child)

    def initialiser(self, cursor):
        """Of a variable, member or parameter."""
        value = None
        for child in cursor.get_children():
            start = self.span(child)[0]
            before = self.source.text[self.span(cursor)[0]:start].rstrip()
            if child.kind.is_expression() and (before[-1:] in (b"=", b"{", b"(")
                                               or child.kind == CursorKind.INIT_LIST_EXPR):
                value = child
        if value is not None:
            self.value(value, arithmetic_type(cursor.type))
        return value

    def variable(self, cursor):
        start, end = self.span(cursor)
        self.statement_line = self.source.line_of(start)
        head = self.source.text[start:end].decode().split("=")[0].split("{")[0]
        if "constexpr" in head.split():
            return
        value = self.initialiser(cursor)
        if value is None:
            return
        self.lines.add(self.statement_line)
        number = arithmetic_type(cursor.type)
        if number and not re.fullmatch(r"[\d'.]+\w*", self.text(value)) \
                and value.kind != CursorKind.INIT_LIST_EXPR:
            self.change("default-value", value, "0", number)

    # ---- statements ----

    def statement_end(self, cursor):
        """Behind its semicolon, where it has one."""
        end = self.span(cursor)[1]
        rest = re.match(rb"(\s|//[^\n]*\n)*;", self.source.text[end:])
        return end + rest.end() if rest else end

    def leave_out(self, cursor):
        start, end = self.span(cursor)[0], self.statement_end(cursor)
        text = self.text(start, end)
        short = text if cursor.kind not in LOOPS else text[:text.find(")") + 1] + " ..."
        self.add("delete-statement", [Site(self.source.name, start, end, "", "statement")], short, "")

    def begin(self, cursor):
        self.statement_line = self.source.line_of(self.span(cursor)[0])
        self.lines.add(self.statement_line)

    def statement(self, cursor, alone=False):
        """`alone`: all that an if without else does, so that leaving it out is the same as condition-false."""
        kind = cursor.kind
        children = list(cursor.get_children())
        if kind == CursorKind.COMPOUND_STMT:
            for child in children:
                self.statement(child)
        elif kind in (CursorKind.CASE_STMT, CursorKind.DEFAULT_STMT):
            self.statement(children[-1])
        elif kind == CursorKind.NULL_STMT or self.in_macro(cursor):
            return
        elif kind == CursorKind.IF_STMT:
            self.begin(cursor)
            self.branches(cursor, children)
        elif kind in LOOPS:
            self.begin(cursor)
            self.loop(cursor, children)
        elif kind == CursorKind.DECL_STMT:
            for child in children:
                if child.kind == CursorKind.VAR_DECL:
                    self.variable(child)
        elif kind == CursorKind.RETURN_STMT:
            self.begin(cursor)
            self.returned(cursor, children, alone)
        elif kind in (CursorKind.BREAK_STMT, CursorKind.CONTINUE_STMT):
            self.begin(cursor)
            if not alone:
                self.leave_out(cursor)
        elif kind.is_expression():
            self.begin(cursor)
            if not alone and kind != CursorKind.CXX_THROW_EXPR:
                self.leave_out(cursor)
            self.expression(cursor, as_statement=True)
        else:
            self.begin(cursor)
            for child in children:
                if child.kind.is_expression():
                    self.value(child)
                elif child.kind.is_statement():
                    self.statement(child)

    def dead(self, condition):
        """Never true in the build that is tested."""
        parts = [condition]
        if (chain := self.chain(condition)) and chain[0] == "&&":
            parts = chain[1]
        texts = [self.text(part) for part in parts]
        return any(self.ignored(text) and not text.startswith("!") for text in texts)

    def branches(self, cursor, children):
        conditions = [child for child in children if child.kind.is_expression()]
        at = next((i for i, child in enumerate(children) if child.kind.is_expression()
                   and re.match(rb"\s*\)", self.source.text[self.span(child)[1]:])), None)
        if at is None or not conditions:
            return
        condition, rest = children[at], children[at + 1:]
        for child in children[:at]:
            if child.kind == CursorKind.DECL_STMT:
                for variable in child.get_children():
                    if variable.kind == CursorKind.VAR_DECL:
                        self.variable(variable)
        constant = re.match(rb"if\s+constexpr\b", self.source.text[self.span(cursor)[0]:])
        declares = any(child.kind == CursorKind.VAR_DECL for child in children[:at])
        single = len(rest) == 1 and rest[0].kind != CursorKind.COMPOUND_STMT
        if not constant and not declares:
            covers = {self.source.line_of(self.span(rest[0])[0])} if single else ()
            self.condition(condition, whole=True, covers=covers)
        if rest and not self.dead(condition):
            self.statement(rest[0], alone=single)
        for child in rest[1:]:
            self.statement(child)

    def loop(self, cursor, children):
        body = children[0] if cursor.kind == CursorKind.DO_STMT else children[-1]
        if cursor.kind == CursorKind.CXX_FOR_RANGE_STMT:
            self.leave_out(cursor)
            for child in children[:-1]:
                if child.kind.is_expression():
                    self.expression(child)
        elif cursor.kind == CursorKind.FOR_STMT:
            self.for_parts(cursor, children[:-1])
        else:
            for child in children:
                if child is not body and child.kind.is_expression():
                    self.condition(child, whole=True)
        self.statement(body)

    def for_parts(self, cursor, parts):
        for part in parts:
            begin, (start, end) = self.span(cursor)[0], self.span(part)
            before = self.source.text[begin:start].count(b";") + (1 if part.kind == CursorKind.DECL_STMT else 0)
            if part.kind == CursorKind.DECL_STMT:
                for variable in part.get_children():
                    if variable.kind == CursorKind.VAR_DECL:
                        self.variable(variable)
            elif before == 1 and re.match(rb"\s*;", self.source.text[end:]):
                self.condition(part, whole=True)
            else:
                self.expression(part)

    def returned(self, cursor, children, alone):
        if not children:
            if not alone:
                self.leave_out(cursor)
            return
        value = children[0]
        kind = self.result.get_canonical().kind if self.result is not None else TypeKind.INVALID
        start, text = self.span(cursor)[0], self.text(value)
        plain = re.fullmatch(r"\{\}|0\w*|nullptr|std::nullopt|\*this|\w+\(\)|\w+\{\}", text)
        if kind == TypeKind.VOID:
            self.add("delete-statement", [Site(self.source.name, start, start, "return; ", "return")], f"return {text};",
                     "return;")
        elif self.in_lambda:  # whose result's type a {} does not have
            if arithmetic_type(value.type) and not is_bool(value.type) and not re.fullmatch(r"[\d'.]+\w*", text):
                self.change("default-value", value, "0", arithmetic_type(value.type))
        elif kind not in (TypeKind.BOOL, TypeKind.LVALUEREFERENCE, TypeKind.INVALID) and not (
                plain and text.removesuffix("()").removesuffix("{}") != text or text in ("0", "nullptr", "std::nullopt")):
            self.add("default-value", [Site(self.source.name, start, start, "return {}; ", "return")], f"return {text};",
                     "return {};")
        self.value(value, arithmetic_type(self.result) if self.result is not None else "")

    # ---- expressions ----

    def strip(self, cursor, target=""):
        """Without what the compiler has put around it, and the type of number that it becomes."""
        while cursor.kind in (CursorKind.UNEXPOSED_EXPR, CursorKind.CALL_EXPR):
            children = [child for child in cursor.get_children() if child.kind.is_expression()]
            same = len(children) == 1 and self.span(children[0]) == self.span(cursor)
            if not same and not (len(children) == 1 and children[0].kind == CursorKind.UNARY_OPERATOR
                                 and self.rewritten(children[0])):
                break
            target = target or arithmetic_type(cursor.type)
            cursor = children[0]
        return cursor, target

    def rewritten(self, cursor):
        """a != b that is !(a == b) to the compiler, which says that it begins at the operator."""
        inner = list(cursor.get_children())
        return cursor.kind == CursorKind.UNARY_OPERATOR and len(inner) == 1 \
            and self.span(inner[0])[0] < self.span(cursor)[0]

    def chain(self, cursor):
        """The operands of a chain of && or ||."""
        cursor, _ = self.strip(cursor)
        if cursor.kind != CursorKind.BINARY_OPERATOR:
            return None
        left, right = cursor.get_children()
        operator = self.gap(left, right)
        if operator not in ("&&", "||"):
            return None
        before = self.chain(left)
        return operator, [*(before[1] if before and before[0] == operator else [left]), right]

    def condition(self, cursor, whole=False, covers=()):
        """A value of which only the truth counts."""
        inner, _ = self.strip(cursor)
        text = self.text(cursor)
        if self.ignored(text) or self.in_macro(cursor):
            return
        if whole and text not in ("true", "false"):
            self.change("condition-true", cursor, "true", "bool", covers)
            self.change("condition-false", cursor, "false", "bool", covers)
        if inner.kind == CursorKind.PAREN_EXPR:
            self.condition(next(inner.get_children()))
            return
        negated = inner.kind == CursorKind.UNARY_OPERATOR and (text.startswith("!") or self.rewritten(inner))
        compares = self.comparison(inner)
        if not negated and not compares and inner.kind != CursorKind.CXX_BOOL_LITERAL_EXPR and not self.chain(inner):
            self.change("negate", cursor, f"!({text})", "bool", covers)
        self.expression(cursor)

    def comparison(self, cursor):
        if cursor.kind == CursorKind.BINARY_OPERATOR:
            left, right = cursor.get_children()
            return self.gap(left, right) in OPPOSITE
        return cursor.kind == CursorKind.CALL_EXPR and bool(self.overloaded(cursor)) and self.overloaded(cursor)[1] in OPPOSITE

    def overloaded(self, cursor):
        """Of a call of an operator with two operands: them and the operator as it is written."""
        if not cursor.spelling.startswith("operator"):
            return None
        for child in cursor.get_children():
            inner, _ = self.strip(child)
            if inner.kind == CursorKind.DECL_REF_EXPR and inner.spelling.startswith("operator") \
                    and self.text(inner) in BINARY:
                start, end = self.span(inner)
                operands = [a for a in cursor.get_arguments() if a is not None and self.span(a) != (start, end)]
                if len(operands) == 2 and self.span(operands[0])[1] <= start and end <= self.span(operands[1])[0] \
                        and self.span(cursor)[0] <= self.span(operands[0])[0] \
                        and self.span(operands[1])[1] <= self.span(cursor)[1]:
                    return operands, self.text(inner)
        return None

    def value(self, cursor, target=""):
        """An initialiser, argument or result."""
        if is_bool(cursor.type) and self.strip(cursor)[0].kind not in (CursorKind.INIT_LIST_EXPR, CursorKind.LAMBDA_EXPR):
            self.condition(cursor)
        else:
            self.expression(cursor, target)

    def expression(self, cursor, target="", as_statement=False, listed=False):
        if self.in_macro(cursor):
            return
        cursor, target = self.strip(cursor, target)
        kind = cursor.kind
        children = list(cursor.get_children())
        handler = {
            CursorKind.BINARY_OPERATOR: self.binary, CursorKind.COMPOUND_ASSIGNMENT_OPERATOR: self.compound,
            CursorKind.UNARY_OPERATOR: self.unary, CursorKind.CALL_EXPR: self.call,
            CursorKind.CONDITIONAL_OPERATOR: self.ternary, CursorKind.INIT_LIST_EXPR: self.init_list,
            CursorKind.ARRAY_SUBSCRIPT_EXPR: self.subscript, CursorKind.INTEGER_LITERAL: self.number,
            CursorKind.FLOATING_LITERAL: self.number, CursorKind.CXX_BOOL_LITERAL_EXPR: self.boolean,
            CursorKind.DECL_REF_EXPR: self.name, CursorKind.MEMBER_REF_EXPR: self.name,
        }.get(kind)
        if handler is not None:
            handler(cursor, children, target, as_statement, listed)
            return
        if kind == CursorKind.PAREN_EXPR:
            self.value(children[0], target)
            return
        if kind == CursorKind.LAMBDA_EXPR:
            outer = self.result, self.statement_line, self.in_lambda
            self.in_lambda = True
            for child in children:
                if child.kind == CursorKind.COMPOUND_STMT:
                    self.result = self.lambda_result(child)
                    self.statement(child)
            self.result, self.statement_line, self.in_lambda = outer
            return
        for child in children:
            if child.kind == CursorKind.COMPOUND_STMT:
                self.statement(child)
            elif child.kind.is_expression():
                self.expression(child)

    @staticmethod
    def lambda_result(body):
        """The type that its first return has; clang's Python interface does not have the lambda's own."""
        for child in body.walk_preorder():
            if child.kind == CursorKind.RETURN_STMT:
                values = list(child.get_children())
                return values[0].type if values else None
        return None

    def binary(self, cursor, children, target, as_statement, listed):
        left, right = children
        operator = self.gap(left, right)
        if operator in ("&&", "||"):
            self.logical(cursor)
            return
        if operator in OPPOSITE:
            self.compare(cursor, left, operator, right)
        elif operator in ARITHMETIC and cursor.type.get_canonical().kind in NUMBERS:
            self.replace_operator("arithmetic", cursor, left, ARITHMETIC[operator], right,
                                  target or arithmetic_type(cursor.type))
        self.expression(left)
        if operator == "=":
            self.value(right, arithmetic_type(left.type))
        else:
            self.expression(right)

    def logical(self, cursor):
        operator, operands = self.chain(cursor)
        texts = [self.text(operand) for operand in operands]
        for i, text in enumerate(texts):
            if not self.ignored(text):
                rest = texts[:i] + texts[i + 1:]
                after = f" {operator} ".join(rest)
                self.change("drop-operand", cursor, after, "bool", {self.source.line_of(self.span(operands[i])[0])})
        if len(texts) == 2 and not any(map(self.ignored, texts)):
            other = "||" if operator == "&&" else "&&"
            inner = [f"({text})" if re.search(r"&&|\|\||\?", text) else text for text in texts]
            self.change("and-or", cursor, f" {other} ".join(inner), "bool")
        for operand in operands:
            self.condition(operand)

    def compare(self, cursor, left, operator, right):
        self.replace_operator("negate", cursor, left, OPPOSITE[operator], right, "bool")
        unsigned_zero = self.text(right) == "0" and "unsigned" in arithmetic_type(left.type)
        if operator in BOUNDARY and not unsigned_zero:  # which would be a constant
            self.replace_operator("boundary", cursor, left, BOUNDARY[operator], right, "bool")

    def replace_operator(self, name, cursor, left, operator, right, cast):
        self.change(name, cursor, f"{self.text(left)} {operator} {self.text(right)}", cast)

    def compound(self, cursor, children, target, as_statement, listed):
        left, right = children
        operator = self.gap(left, right)
        if operator[:-1] in ARITHMETIC and cursor.type.get_canonical().kind in NUMBERS:
            other = ARITHMETIC[operator[:-1]]
            self.change("arithmetic", cursor, f"{self.text(left)} {other}= {self.text(right)}")
        self.expression(left)
        self.expression(right)

    def unary(self, cursor, children, target, as_statement, listed):
        text, operand = self.text(cursor), children[0]
        if self.rewritten(cursor):
            self.expression(operand)
            return
        inner = self.text(operand)
        if text.startswith("!"):
            if not self.ignored(text):
                self.change("negate", cursor, inner, "bool")
                self.expression(operand)
            return
        if text.startswith(("++", "--")):
            self.change("increment", cursor, {"+": "--", "-": "++"}[text[0]] + inner)
        elif text.endswith(("++", "--")):
            self.change("increment", cursor, inner + {"+": "--", "-": "++"}[text[-1]])
        elif text.startswith(("-", "~")) and operand.kind not in (CursorKind.INTEGER_LITERAL,):
            self.change("sign", cursor, inner, target or arithmetic_type(cursor.type))
        elif text.startswith("-"):
            self.change("sign", cursor, inner, target or arithmetic_type(cursor.type))
        if text.startswith(("++", "--")) and not as_statement:
            self.change("increment", cursor, inner)
        elif text.endswith(("++", "--")) and not as_statement:
            self.change("increment", cursor, inner, arithmetic_type(cursor.type))
        self.expression(operand)

    def ternary(self, cursor, children, target, as_statement, listed):
        condition, then, other = children
        self.condition(condition, whole=True)
        for branch in (then, other):
            self.value(branch, target)

    def boolean(self, cursor, children, target, as_statement, listed):
        self.change("boolean", cursor, "false" if self.text(cursor) == "true" else "true")

    def number(self, cursor, children, target, as_statement, listed):
        parts = re.fullmatch(r"(0x[\da-f']+|[\d']+)([uUlLzZ]*)", self.text(cursor), re.I)
        if not parts:
            return
        value, suffix = int(parts.group(1).replace("'", ""), 0), parts.group(2)
        cast = target or arithmetic_type(cursor.type)
        for other in ((value + 1, value - 1) if value <= 8 else (2 * value % 2 ** 64, value // 2)):
            if other >= 0:
                text = f"{other}{suffix}" if value <= 8 or other < 2 ** 63 else f"{other}u"
                self.change("constant", cursor, text, "outbox_mutation::Number" if listed and not target else cast)

    def name(self, cursor, children, target, as_statement, listed):
        """An enumerator, a named constant, or something else."""
        referred = cursor.referenced
        for child in children:
            if child.kind.is_expression() and not (child.kind == CursorKind.INTEGER_LITERAL):
                self.expression(child)
        if referred is None:
            return
        if referred.kind == CursorKind.ENUM_CONSTANT_DECL:
            self.enumerator(cursor, referred, target, listed)
        elif referred.kind == CursorKind.VAR_DECL and referred.location.file is not None:
            self.named_constant(cursor, referred)

    def enumerator(self, cursor, referred, target, listed):
        siblings = [c.spelling for c in referred.semantic_parent.get_children() if c.kind == CursorKind.ENUM_CONSTANT_DECL]
        if len(siblings) < 2:
            return
        other = siblings[(siblings.index(referred.spelling) + 1) % len(siblings)]
        text = self.text(cursor)
        after = text[:len(text) - len(referred.spelling)] + other
        unscoped = not referred.semantic_parent.is_scoped_enum()
        cast = target or ("outbox_mutation::Number" if unscoped and listed else "")
        self.change("enumerator", cursor, after, cast)

    def named_constant(self, cursor, referred):
        file = self.files.get(referred.location.file.name)
        if file is None:
            return
        declared = referred.get_definition() or referred
        start, end = declared.extent.start.offset, declared.extent.end.offset
        declaration = file.text[start:end].decode()
        if "constexpr" not in re.split(r"[={]", declaration)[0].split():
            return
        entry = self.constants.setdefault((file.name, start), {
            "name": referred.spelling, "type": declared.type, "declaration": declaration, "line": file.line_of(start),
            "scope": self.scope(declared.semantic_parent), "uses": []})
        entry["uses"].append((self.source.name, *self.span(cursor)))

    def call(self, cursor, children, target, as_statement, listed):
        start, end = self.span(cursor)
        arguments = [a for a in cursor.get_arguments() if a is not None and start <= self.span(a)[0] < self.span(a)[1] <= end]
        if operation := self.overloaded(cursor):
            (left, right), operator = operation
            if operator in OPPOSITE:
                self.compare(cursor, left, operator, right)
            elif operator in ARITHMETIC and "duration" in left.type.get_canonical().spelling:
                self.replace_operator("arithmetic", cursor, left, ARITHMETIC[operator], right, "")
            for operand in (left, right):
                self.expression(operand)
            return
        if cursor.spelling == "operator[]" and len(arguments) >= 1:
            self.index(arguments[-1])
        elif not cursor.spelling.startswith("operator") or cursor.spelling == "operator()":
            self.called(cursor, children, arguments)
        inside = {self.span(argument) for argument in arguments}
        for child in children:
            if not child.kind.is_expression():
                continue
            if self.span(child) in inside and not cursor.spelling.startswith("operator"):
                self.value(child)
            else:
                self.expression(child)

    def called(self, cursor, children, arguments):
        name, text = cursor.spelling, self.text(cursor)
        start = self.span(cursor)[0]
        callee = next((c for c in children if c.kind.is_expression() and self.text(c).endswith(name)), None)
        double_ended = "deque" in self.owner_of(callee) or "list" in self.owner_of(callee)
        if callee is not None and name in SIBLINGS and (double_ended or not name.startswith(("push", "pop"))):
            at = self.span(callee)[1] - start
            raw = self.source.text[start:self.span(cursor)[1]]
            if raw[at - len(name):at].decode() == name:
                after = raw[:at - len(name)] + SIBLINGS[name].encode() + raw[at:]
                self.change("sibling", cursor, flat(after.decode()))
        if callee is not None and name in LOOKUPS and callee.kind == CursorKind.MEMBER_REF_EXPR:
            self.change("lookup", cursor, self.text(callee)[:-len(name)] + "end()")
        if name in COMMUTATIVE or not arguments:
            return
        for left, right in zip(arguments, arguments[1:]):
            texts = self.text(left), self.text(right)
            if same_type(left.type, right.type) and texts[0] != texts[1] and "iterator" not in left.type.spelling \
                    and "lambda" not in left.type.spelling and self.span(left)[1] <= self.span(right)[0]:
                end = self.span(cursor)[1]
                after = (self.text(start, self.span(left)[0]) + texts[1] + self.text(self.span(left)[1], self.span(right)[0])
                         + texts[0] + self.text(self.span(right)[1], end))
                self.change("swap-arguments", cursor, after)

    @staticmethod
    def owner_of(callee):
        """The type of the object whose method is called."""
        objects = list(callee.get_children()) if callee is not None else []
        return objects[0].type.get_canonical().spelling if objects else ""

    def index(self, index):
        text = self.text(index)
        number = arithmetic_type(index.type)
        if number and text != "0":
            self.change("index", index, "0", number)

    def subscript(self, cursor, children, target, as_statement, listed):
        self.index(children[1])
        for child in children:
            self.expression(child)

    def init_list(self, cursor, children, target, as_statement, listed):
        declaration = cursor.type.get_canonical().get_declaration()
        fields = {f.spelling: f for f in cursor.type.get_canonical().get_fields()} if declaration.kind in (
            CursorKind.STRUCT_DECL, CursorKind.CLASS_DECL) else {}
        places = list(fields.values())
        values = []
        for i, child in enumerate(children):
            if not child.kind.is_expression():
                continue
            before = self.source.text[self.span(cursor)[0]:self.span(child)[0]].decode()
            designator = re.search(r"\.(\w+)\s*=\s*$", before)
            inner = child
            if designator is None and (written := re.match(r"\.(\w+)\s*=\s*", self.text(child))):
                designator = written
                inner = [c for c in child.get_children() if c.kind.is_expression()][-1]
            field = fields.get(designator.group(1)) if designator else places[i] if i < len(places) else None
            wanted = arithmetic_type(field.type) if field is not None else ""
            if field is not None and is_bool(field.type):
                self.value(inner)
            else:
                self.expression(inner, wanted, listed=True)
            values.append((inner, field, wanted))
        if "initializer_list" in cursor.type.get_canonical().spelling or not fields:
            return  # a list of things that are alike
        for (left, field, wanted), (right, other, _) in zip(values, values[1:]):
            texts = self.text(left), self.text(right)
            alike = field is not None and other is not None and same_type(field.type, other.type)
            if alike and texts[0] != texts[1] and "{" not in "".join(texts):
                sites = [Site(self.source.name, *self.span(left), texts[1], cast=wanted),
                         Site(self.source.name, *self.span(right), texts[0], cast=wanted)]
                self.add("swap-arguments", sites, f"{texts[0]}, {texts[1]}", f"{texts[1]}, {texts[0]}")


def changes_of_sql(text):
    for pattern, other in SQL_CHANGES:
        for found in re.finditer(pattern, text, re.I):
            yield found, other


def of_constants(constants):
    """Mutants of the named constants, at every place where a mutated file uses them."""
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


def find(root, names, arguments):
    """The mutants of these files, numbered, and the lines that can be executed of each: (sources, mutants, lines)."""
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
        """Behind the semicolon at the level where it began."""
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
        """The text, with marks around what belongs to mutants: chr(1) numbers chr(2) ... chr(3)."""
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
    """Without the marks, and for each line the stretches of columns with the mutants that they belong to."""
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
    """Writes those files that have mutants: {name: stretches}."""
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


def resource_folder():
    """Of clang, whose headers belong to its syntax tree."""
    return subprocess.run(["clang", "-print-resource-dir"], check=True, capture_output=True, text=True).stdout.strip()
