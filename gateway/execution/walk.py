"""Follow a plan's path through the response tree and name every place it leads to. The slow, exact way, for errors only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from gateway.federation.plan import EachItem, Path, PathKey

ConcretePath: TypeAlias = tuple[str | int, ...]
"""Response names and list indices, as in an error's `path`: `("customers", 3, "name")`."""


def walk(root: dict[str, Any], path: Path) -> Iterator[tuple[ConcretePath, dict[str, Any]]]:
    """Yield every object at the end of `path` with its concrete path, in document order.

    `{"a": [{"b": {}}, None]}` with `a.@.b` yields `(("a", 0, "b"), {})`. An object that the tree shares between places
    is yielded for each of them.
    """
    yield from _walk(root, path, ())


def _walk(value: Any, path: Path, concrete: ConcretePath) -> Iterator[tuple[ConcretePath, dict[str, Any]]]:
    if not path:
        if isinstance(value, dict):
            yield concrete, value
        return
    step, rest = path[0], path[1:]
    match step:
        case PathKey(name, possible_types):
            if isinstance(value, dict) and is_of(value, possible_types):
                yield from _walk(value.get(name), rest, (*concrete, name))
        case EachItem(possible_types):
            for index, item in enumerate(value if isinstance(value, list) else ()):
                if is_of(item, possible_types):
                    yield from _walk(item, rest, (*concrete, index))


def is_of(value: Any, possible_types: frozenset[str] | None) -> bool:
    """Tell whether an object is of one of some types; None are all types, and then anything is."""
    if possible_types is None:
        return True
    typename = value.get("__typename") if isinstance(value, dict) else None
    # A subgraph may send anything for a type's name, lists included, which have no hash.
    return isinstance(typename, str) and typename in possible_types


def static_path(path: Path) -> tuple[str, ...]:
    """Return the response names of a path, without its list steps: `a.@.b` → `("a", "b")`."""
    return tuple(step.name for step in path if isinstance(step, PathKey))
