"""SOQL text → query: one object, conditions, order, limit. What Salesforce refuses is refused, in its words.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from subgraphs.crm.sandbox.salesforce.refusal import malformed

ItemT = TypeVar("ItemT")
MAX_CHARACTERS = 100_000
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<date>\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:?\d\d))?)"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*(?:\.\w+)?)|(?P<sign>!=|<>|<=|>=|[=<>(),]))"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written: its kind (text, date, number, word) and its content, unquoted."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Compare:
    """`field operator value`; IN, NOT IN have several values."""

    field: str
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Combine:
    """AND or OR of conditions, or NOT of one."""

    operator: str
    parts: tuple[Condition, ...]


Condition = Compare | Combine


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key."""

    field: str
    is_descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed query."""

    fields: tuple[str, ...]
    """Empty: COUNT()."""
    object: str
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int


def parse(text: str) -> Query:
    """Return the query. Raises Refusal."""
    if len(text) > MAX_CHARACTERS:
        raise malformed("SOQL statement is too long.")
    return _Parser(_tokens(text)).query()


def _tokens(text: str) -> list[Literal]:
    tokens = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise malformed(f"unexpected token: '{text[at : at + 20].strip()}'")
        kind = str(found.lastgroup)
        content = found[kind]
        if kind == "text":
            content = re.sub(r"\\(.)", lambda m: m[0] if m[1] in "%_" else _ESCAPES.get(m[1], m[1]), content[1:-1])
        tokens.append(Literal(kind, content))
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: Sequence[Literal]) -> None:
        self._tokens = tokens
        self._at = 0

    def query(self) -> Query:
        self._take("SELECT")
        if self._is("COUNT"):
            for sign in ("COUNT", "(", ")"):
                self._take(sign)
            fields: tuple[str, ...] = ()
        else:
            fields = tuple(self._list(self._name))
        self._take("FROM")
        kind = self._name()
        where = self._condition() if self._skip("WHERE") else None
        order: tuple[Order, ...] = ()
        if self._skip("ORDER"):
            self._take("BY")
            order = tuple(self._list(self._order))
        limit = self._number() if self._skip("LIMIT") else None
        offset = self._number() if self._skip("OFFSET") else 0
        if self._at < len(self._tokens):
            self._fail()
        if offset > 2000:
            raise malformed("Maximum SOQL offset allowed is 2000")
        return Query(fields=fields, object=kind, where=where, order=order, limit=limit, offset=offset)

    def _condition(self) -> Condition:
        first = self._factor()
        for operator, other in (("AND", "OR"), ("OR", "AND")):
            parts = [first]
            while self._skip(operator):
                parts.append(self._factor())
            if len(parts) > 1:
                if self._is(other):
                    self._fail()  # SOQL wants parentheses where both occur
                return Combine(operator, tuple(parts))
        return first

    def _factor(self) -> Condition:
        if self._skip("NOT"):
            return Combine("NOT", (self._factor(),))
        if self._skip("("):
            inner = self._condition()
            self._take(")")
            return inner
        field = self._name()
        is_not = self._skip("NOT")
        if self._skip("IN"):
            self._take("(")
            values = tuple(self._list(self._value))
            self._take(")")
            return Compare(field, "NOT IN" if is_not else "IN", values)
        token = self._next()
        operator = token.text.upper()
        if is_not or (operator not in {"=", "!=", "<>", "<", "<=", ">", ">="} and operator != "LIKE"):
            self._fail(token)
        return Compare(field, "!=" if operator == "<>" else operator, (self._value(),))

    def _order(self) -> Order:
        field = self._name()
        is_descending = self._skip("DESC")
        if not is_descending:
            self._skip("ASC")
        nulls_last = False
        if self._skip("NULLS"):
            nulls_last = self._skip("LAST")
            if not nulls_last:
                self._take("FIRST")
        return Order(field, is_descending, nulls_last)

    def _list(self, item: Callable[[], ItemT]) -> list[ItemT]:
        items = [item()]
        while self._skip(","):
            items.append(item())
        return items

    def _name(self) -> str:
        token = self._next()
        if token.kind != "word":
            self._fail(token)
        return token.text

    def _value(self) -> Literal:
        token = self._next()
        if token.kind == "sign" or (token.kind == "word" and token.text.lower() not in {"null", "true", "false"}):
            self._fail(token)
        return token

    def _number(self) -> int:
        token = self._next()
        if token.kind != "number" or not token.text.isdigit():
            self._fail(token)
        return int(token.text)

    def _next(self) -> Literal:
        if self._at >= len(self._tokens):
            raise malformed("unexpected token: '<EOF>'")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, word: str) -> bool:
        if self._at >= len(self._tokens):
            return False
        token = self._tokens[self._at]
        return token.kind in {"word", "sign"} and token.text.upper() == word

    def _skip(self, word: str) -> bool:
        found = self._is(word)
        self._at += found
        return found

    def _take(self, word: str) -> None:
        if not self._skip(word):
            self._fail()

    def _fail(self, token: Literal | None = None) -> NoReturn:
        if token is None:
            token = self._tokens[self._at] if self._at < len(self._tokens) else Literal("end", "<EOF>")
        raise malformed(f"unexpected token: '{token.text[:40]}'")
