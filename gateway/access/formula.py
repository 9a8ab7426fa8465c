"""Sums, products and maxima of numbers that variables decide: written down once for a document, worked out for each request.

    formula = Formula()
    first = formula.reading("first", lambda variables: variables["first"])
    cost = formula.of(formula.sum((1, formula.product(first, 2))))
    cost({"first": 5})                       # 11

Equal terms are one term wherever they stand, and each is worked out once: that takes as long as there are terms, however
often fragments and types repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

CEILING = 10**12
"""Numbers stop growing here."""

Variables: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Term:
    """A number that variables decide, by its place in the formula."""

    index: int


Part: TypeAlias = int | Term

_Step: TypeAlias = Callable[[Variables, list[int]], int]
"""Works out one term from the variables and the terms before it."""


class Formula:
    """The terms of one document."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._known: dict[Hashable, Term] = {}

    def reading(self, key: Hashable, read: Callable[[Variables], int]) -> Term:
        """Return the term of a number that is read from variables; `key` is equal where the numbers always are."""
        return self._term(("reading", key), lambda variables, _: read(variables))

    def sum(self, parts: Iterable[Part]) -> Part:
        """Return what parts come to together."""
        constant, indices = _split(parts, sum)
        if not indices:
            return min(constant, CEILING)
        if not constant and len(indices) == 1:
            return Term(indices[0])
        return self._term(
            ("sum", constant, indices),
            lambda _, values: min(constant + sum(values[index] for index in indices), CEILING),
        )

    def maximum(self, parts: Iterable[Part]) -> Part:
        """Return the largest of parts, none of which is negative; 0 without any."""
        constant, indices = _split(parts, lambda numbers: max(numbers, default=0))
        indices = tuple(dict.fromkeys(indices))
        if not indices:
            return min(constant, CEILING)
        if not constant and len(indices) == 1:
            return Term(indices[0])
        return self._term(
            ("maximum", constant, indices), lambda _, values: max(constant, *(values[index] for index in indices))
        )

    def product(self, times: Part, each: Part) -> Part:
        """Return a part as often as another one says; a negative number of times is none."""
        if isinstance(times, int) and isinstance(each, int):
            return min(max(0, times) * each, CEILING)
        if each == 0 or (isinstance(times, int) and times <= 0):
            return 0
        return self._term(
            ("product", times, each),
            lambda _, values: min(max(0, _value(times, values)) * _value(each, values), CEILING),
        )

    def of(self, part: Part) -> Callable[[Variables], int]:
        """Return what works out a part from variables."""
        if isinstance(part, int):
            return lambda _: part
        steps = tuple(self._steps[: part.index + 1])

        def worked_out(variables: Variables) -> int:
            values: list[int] = []
            for step in steps:
                values.append(step(variables, values))
            return values[-1]

        return worked_out

    def _term(self, key: Hashable, step: _Step) -> Term:
        term = self._known.get(key)
        if term is None:
            term = self._known[key] = Term(len(self._steps))
            self._steps.append(step)
        return term


def _split(parts: Iterable[Part], join: Callable[[list[int]], int]) -> tuple[int, tuple[int, ...]]:
    """Return what numbers come to, and the indices of terms, ordered."""
    numbers: list[int] = []
    indices: list[int] = []
    for each in parts:
        if isinstance(each, int):
            numbers.append(each)
        else:
            indices.append(each.index)
    return join(numbers), tuple(sorted(indices))


def _value(part: Part, values: list[int]) -> int:
    return part if isinstance(part, int) else values[part.index]
