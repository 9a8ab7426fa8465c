"""Apply a plan's field rewrites to an answer before it is merged, or to a representation before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.execution.walk import is_of
from gateway.federation.plan import EachItem, FieldRewrite, Path, PathKey


def rewrite(value: Any, rewrites: Sequence[FieldRewrite]) -> None:
    """Change `value` in place.

    Renames are read before any is written, so that two fields can swap their names:
    `{"a": 1, "b": 2}` with a→b and b→a is `{"b": 1, "a": 2}`.
    """
    renamed: list[tuple[dict[str, Any], str, Any]] = []
    for change in rewrites:
        for target in _targets(value, change.path[:-1]):
            last = change.path[-1]
            assert isinstance(last, PathKey)
            if not is_of(target, last.possible_types):
                continue
            if change.set_value is not None:
                if last.name in target:
                    target[last.name] = change.set_value
            elif change.rename_to is not None and last.name in target:
                renamed.append((target, change.rename_to, target.pop(last.name)))
    for target, name, moved in renamed:
        target[name] = moved


def rename_path(path: Sequence[str | int], rewrites: Sequence[FieldRewrite]) -> tuple[str | int, ...]:
    """Return an error's path as it reads after the rewrites, so that it names what the client asked for."""
    renamed = list(path)
    for change in rewrites:
        if change.rename_to is not None and _leads_along(change.path, path):
            renamed[len(change.path) - 1] = change.rename_to
    return tuple(renamed)


def rename_composites(composites: dict[str, Any], rewrites: Sequence[FieldRewrite]) -> None:
    """Rename, in place, the composite response names of an answer as `rewrite` renames its keys."""
    for change in rewrites:
        names = [step.name for step in change.path if isinstance(step, PathKey)]
        holder: Any = composites
        for name in names[:-1]:
            holder = holder.get(name) if holder is not None else None
        if change.rename_to is not None and holder and names[-1] in holder:
            moved = holder.pop(names[-1])
            holder[change.rename_to] = {**holder.get(change.rename_to, {}), **moved}


def _leads_along(path: Path, concrete: Sequence[str | int]) -> bool:
    return len(concrete) >= len(path) and all(
        isinstance(at, int) if isinstance(step, EachItem) else at == step.name
        for step, at in zip(path, concrete, strict=False)
    )


def _targets(value: Any, path: Path) -> list[dict[str, Any]]:
    reached = [value]
    for step in path:
        following: list[Any] = []
        for item in reached:
            match step:
                case PathKey(name, possible_types):
                    if isinstance(item, dict) and is_of(item, possible_types):
                        following.append(item.get(name))
                case EachItem(possible_types):
                    following.extend(
                        each for each in (item if isinstance(item, list) else ()) if is_of(each, possible_types)
                    )
        reached = following
    return [item for item in reached if isinstance(item, dict)]
