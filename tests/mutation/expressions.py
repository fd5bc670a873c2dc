"""Find the mutants of expressions in clang's syntax tree."""

import re

from clang.cindex import CursorKind

from operators import ARITHMETIC, BINARY, BOUNDARY, COMMUTATIVE, IGNORED_MACROS, LOOKUPS, OPPOSITE, SIBLINGS
from sources import NUMBERS, Mutant, Site, arithmetic_type, flat, is_bool, same_type


class Expressions:
    """Finds the mutants of expressions in one file. The derived class finds those of statements."""

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

    @staticmethod
    def ignored(text):
        """Return true if the text is only a macro that is never mutated, or its negation."""
        found = re.match(r"!?\s*(\w+)\s*\(", text)
        if found is None or found.group(1) not in IGNORED_MACROS:
            return False
        depth = 0
        for at, char in enumerate(text):
            depth += {"(": 1, ")": -1}.get(char, 0)
            if char == ")" and depth == 0:
                return at == len(text) - 1
        return False

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
        """Replace an expression by another one."""
        start, end = self.span(cursor)
        self.add(operator, [Site(self.source.name, start, end, after, cast=cast)], self.text(cursor), after, covers)

    def strip(self, cursor, target=""):
        """Return an expression without the nodes that the compiler has added, and the number type that it becomes."""
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
        """Return true for a != b, which the compiler represents as !(a == b) that begins at the operator."""
        inner = list(cursor.get_children())
        return cursor.kind == CursorKind.UNARY_OPERATOR and len(inner) == 1 \
            and self.span(inner[0])[0] < self.span(cursor)[0]

    def chain(self, cursor):
        """Return the operands of a chain of && or ||."""
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
        """Mutate a value that is only used as true or false."""
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
        """Return the operands of a call of an operator with two operands, and the operator as it is written."""
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
        """Mutate an initialiser, an argument or a result."""
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
        """Return the type of a lambda's first return statement; clang's Python interface has no other."""
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
        if operator in BOUNDARY and not unsigned_zero:  # The result would not depend on the value.
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
        """Mutate a name: an enumerator, a named constant, or something else."""
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
        """Return the type of the object whose method is called."""
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
            return  # The elements of a list are not swapped.
        for (left, field, wanted), (right, other, _) in zip(values, values[1:]):
            texts = self.text(left), self.text(right)
            alike = field is not None and other is not None and same_type(field.type, other.type)
            if alike and texts[0] != texts[1] and "{" not in "".join(texts):
                sites = [Site(self.source.name, *self.span(left), texts[1], cast=wanted),
                         Site(self.source.name, *self.span(right), texts[0], cast=wanted)]
                self.add("swap-arguments", sites, f"{texts[0]}, {texts[1]}", f"{texts[1]}, {texts[0]}")
