"""The operators: which changes of a source are mutants."""

import re

OPERATORS = {
    "negate": "a condition, an operand of && or ||, or a value of type bool is negated; != becomes ==, < becomes >=",
    "condition-true": "the condition of an if, a loop or ?: is always true",
    "condition-false": "the condition of an if, a loop or ?: is always false",
    "drop-operand": "one operand of && or || is left out",
    "and-or": "&& becomes || and the other way round",
    "boundary": "< becomes <=, > becomes >=, and the other way round",
    "arithmetic": "+ becomes -, * becomes /, % becomes *, << becomes >>, & becomes |, ^ becomes &, and the other way round",
    "constant": "a number up to 8 becomes one more or less (0 only more), a larger one is doubled or halved; a named one too",
    "boolean": "true becomes false and the other way round",
    "enumerator": "an enumerator becomes the next one of its enumeration",
    "sign": "a minus sign or a ~ is left out",
    "increment": "++ becomes --, or is left out where its value is used, and the other way round",
    "sibling": "a function becomes its counterpart: min and max, any_of and all_of, front and back, prev and next",
    "lookup": "a search in a container finds nothing",
    "index": "the element at an index becomes the first one",
    "swap-arguments": "two neighbouring arguments or initialisers of the same type change places",
    "delete-statement": "a call, an assignment, a jump or a range-based loop is left out",
    "default-value": "a function returns {}, or a number, enumeration or pointer begins with 0",
    "sql": "in the text of an SQL statement, one comparison, sign, AND, OR, DESC, NOT or name of a state is another",
}

# Macros that are constant or empty in the tested build.
IGNORED_MACROS = {"assert", "static_assert", "OUTBOX_MUTANT"}

OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "&"}
SIBLINGS = {"min": "max", "max": "min", "any_of": "all_of", "all_of": "any_of", "none_of": "any_of", "front": "back",
            "back": "front", "push_back": "push_front", "push_front": "push_back", "lower_bound": "upper_bound",
            "upper_bound": "lower_bound", "pop_front": "pop_back", "pop_back": "pop_front",
            "prev": "next", "next": "prev"}
LOOKUPS = {"find", "lower_bound", "upper_bound"}
COMMUTATIVE = {"min", "max", "swap", "contains"}

SQL_WORD = re.compile(r"\b(select|update|delete|insert)\b", re.I)
SQL_CHANGES = [(r"<=", "<"), (r"(?<![<>])>(?![=>])", ">="), (r"<>", "="), (r"(?<![<>:])=(?!=)", "<>"), (r" \+ ", " - "),
               (r" - ", " + "), (r"\band\b", "or"), (r"\bor\b", "and"), (r"\bnot exists\b", "exists"), (r" desc\b", ""),
               (r"\bis not null\b", "is null"), (r"\bis null\b", "is not null"), (r"(?<!select )\b1\b", "2"), (r"\b0\b", "1"),
               (r"'free'", "'owned'"), (r"'owned'", "'leaving'"), (r"'leaving'", "'owned'"), (r" \[lock\]|\[lock\]", "")]
BINARY = set(OPPOSITE) | set(ARITHMETIC) | {"&&", "||"}
