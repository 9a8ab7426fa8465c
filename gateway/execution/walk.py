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
            if isinstance(value, dict) and (possible_types is None or value.get("__typename") in possible_types):
                yield from _walk(value.get(name), rest, (*concrete, name))
        case EachItem(possible_types):
            for index, item in enumerate(value if isinstance(value, list) else ()):
                if possible_types is None or (isinstance(item, dict) and item.get("__typename") in possible_types):
                    yield from _walk(item, rest, (*concrete, index))


def static_path(path: Path) -> tuple[str, ...]:
    """Return the response names of a path, without its list steps: `a.@.b` → `("a", "b")`."""
    return tuple(step.name for step in path if isinstance(step, PathKey))
