"""Find the mutants of declarations and statements in clang's syntax tree."""

import re

from clang.cindex import CursorKind, TypeKind

from expressions import Expressions
from sources import Site, arithmetic_type, is_bool

LOOPS = {CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT, CursorKind.CXX_FOR_RANGE_STMT}
FUNCTIONS = {CursorKind.FUNCTION_DECL, CursorKind.CXX_METHOD, CursorKind.CONSTRUCTOR, CursorKind.DESTRUCTOR,
             CursorKind.CONVERSION_FUNCTION, CursorKind.FUNCTION_TEMPLATE}
SCOPES = {CursorKind.NAMESPACE, CursorKind.CLASS_DECL, CursorKind.STRUCT_DECL, CursorKind.CLASS_TEMPLATE,
          CursorKind.UNION_DECL, CursorKind.LINKAGE_SPEC, CursorKind.UNEXPOSED_DECL, CursorKind.FRIEND_DECL}


class Finder(Expressions):
    """Finds the mutants of one file."""

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
        """Mutate the initial value of a variable, member or parameter."""
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
        self.begin_with_default(cursor, value)

    def begin_with_default(self, cursor, value):
        text, kind = self.text(value), cursor.type.get_canonical().kind
        inner, _ = self.strip(value)
        plain = inner.kind == CursorKind.INIT_LIST_EXPR or re.fullmatch(r"[\d'.]+\w*|nullptr|true|false", text)
        if plain or self.is_zero(value):
            return
        if number := arithmetic_type(cursor.type):
            self.change("default-value", value, "0", number)
        elif cursor.kind == CursorKind.VAR_DECL and kind == TypeKind.POINTER:
            self.change("default-value", value, "nullptr")
        elif cursor.kind == CursorKind.VAR_DECL and kind == TypeKind.ENUM and inner.kind != CursorKind.DECL_REF_EXPR:
            self.change("default-value", value, f"std::remove_cvref_t<decltype({text})>{{}}")

    def is_zero(self, value):
        inner, _ = self.strip(value)
        referred = inner.referenced
        return referred is not None and referred.kind == CursorKind.ENUM_CONSTANT_DECL and referred.enum_value == 0

    # ---- statements ----

    def statement_end(self, cursor):
        """Return the end of a statement, after its semicolon if it has one."""
        end = self.span(cursor)[1]
        rest = re.match(rb"(\s|//[^\n]*\n)*;", self.source.text[end:])
        return end + rest.end() if rest else end

    def leave_out(self, cursor):
        start, end = self.span(cursor)[0], self.statement_end(cursor)
        text = self.text(start, end)
        short = text[:text.find(")") + 1] + " ..." if cursor.kind in LOOPS | {CursorKind.IF_STMT} else text
        self.add("delete-statement", [Site(self.source.name, start, end, "", "statement")], short, "")

    def begin(self, cursor):
        self.statement_line = self.source.line_of(self.span(cursor)[0])
        self.lines.add(self.statement_line)

    def statement(self, cursor, alone=False):
        """Mutate a statement. `alone`: true for the whole body of an if without else; condition-false leaves it out."""
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
        """Return true if a condition is never true in the tested build."""
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
            self.declaring_condition(cursor, children)
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

    def declaring_condition(self, cursor, children):
        """Mutate an if that declares a variable, as in if (auto x = ...). It can only be left out as a whole."""
        declared = [child for child in children if child.kind in (CursorKind.VAR_DECL, CursorKind.DECL_STMT)]
        if not declared:
            return
        end = max(self.span(child)[1] for child in declared)
        rest = [child for child in children if self.span(child)[0] >= end]
        if len(rest) == 1:
            self.leave_out(cursor)
        for child in rest:
            self.statement(child, alone=len(rest) == 1 and child.kind != CursorKind.COMPOUND_STMT)

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
        elif self.in_lambda:  # The result type of a lambda cannot be deduced from {}.
            if arithmetic_type(value.type) and not is_bool(value.type) and not re.fullmatch(r"[\d'.]+\w*", text):
                self.change("default-value", value, "0", arithmetic_type(value.type))
        elif kind not in (TypeKind.BOOL, TypeKind.LVALUEREFERENCE, TypeKind.INVALID) and not (
                plain and text.removesuffix("()").removesuffix("{}") != text or text in ("0", "nullptr", "std::nullopt")):
            self.add("default-value", [Site(self.source.name, start, start, "return {}; ", "return")], f"return {text};",
                     "return {};")
        self.value(value, arithmetic_type(self.result) if self.result is not None else "")
