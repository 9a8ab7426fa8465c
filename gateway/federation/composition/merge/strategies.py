"""How differing arguments of one directive become one value.

`DNF_CONJUNCTION` is for access control: scopes and policies are an OR of ANDs, and all versions have to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, assert_never

from gateway.federation.composition.normalise.specification import Strategy

_Dnf = list[list[str]]


def merge_values(strategy: Strategy, values: Sequence[Any]) -> Any:
    """The merged value; None when no version gives one."""
    given = [value for value in values if value is not None]
    if not given:
        return None
    match strategy:
        case Strategy.MAX | Strategy.NULLABLE_MAX:
            return max(given)
        case Strategy.NULLABLE_UNION:
            return list(dict.fromkeys(item for value in given for item in value))
        case Strategy.NULLABLE_AND:
            return all(given)
        case Strategy.DNF_CONJUNCTION:
            return conjunction(given)
        case _:
            assert_never(strategy)


def conjunction(expressions: Sequence[_Dnf]) -> _Dnf:
    """All expressions at once, as an OR of ANDs without terms that others imply.

    `[["a"], ["b"]]` and `[["c"]]` become `[["a", "c"], ["b", "c"]]`.
    """
    distinct = list(
        {
            tuple(sorted(tuple(sorted(set(term))) for term in expression)): expression for expression in expressions
        }.values()
    )
    terms: set[tuple[str, ...]] = set()
    for choice in product(*(expression or [[]] for expression in distinct)):
        terms.add(tuple(sorted({name for term in choice for name in term})))
    kept: list[tuple[str, ...]] = []
    for candidate in sorted(terms, key=lambda term: (len(term), term)):
        if not any(set(term) <= set(candidate) for term in kept):
            kept.append(candidate)
    return [list(term) for term in kept]
