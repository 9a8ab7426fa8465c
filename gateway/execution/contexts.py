"""Arguments that an ancestor sets (`@fromContext`): objects with different values can't share a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from gateway.execution.collect import Collected
from gateway.execution.ports import SubgraphRequest, encode_whole
from gateway.execution.run import Run
from gateway.execution.walk import ConcretePath, is_of, walk
from gateway.federation.plan import EntityInput, Path, PathKey

UP = PathKey("..")


def split_by_context(
    entity_input: EntityInput, run: Run, request: SubgraphRequest, found: Collected
) -> list[tuple[SubgraphRequest, Collected]]:
    """Return one request for each set of values that the ancestors give, with the objects it is for.

    Two users with locales `de` and `fr` make two requests for their orders: `{"locale": "de", "representations": [o1, o2]}`
    and `{"locale": "fr", "representations": [o1]}`.
    """
    parts: dict[bytes, tuple[dict[str, Any], Collected, dict[int, int]]] = {}
    for path, (objects, slots) in zip(entity_input.paths, found.groups, strict=True):
        slot_of = {id(target): slot for target, slot in zip(objects, slots, strict=True)}
        for _, part, _ in parts.values():
            part.groups.append(([], []))
        for concrete, target in walk(run.data, path):
            slot = slot_of.pop(id(target), None)
            if slot is None:
                continue
            values = read_contexts(entity_input.context_arguments, run.data, concrete)
            key = encode_whole(values)
            if key not in parts:
                fresh = Collected(groups=[([], []) for _ in range(entity_input.paths.index(path) + 1)])
                parts[key] = (values, fresh, {})
            _, part, renumbered = parts[key]
            if slot not in renumbered:
                renumbered[slot] = len(part.representations)
                part.representations.append(found.representations[slot])
            part.groups[-1][0].append(target)
            part.groups[-1][1].append(renumbered[slot])
    return [(_with_values(request, entity_input.variable, values, part), part) for values, part, _ in parts.values()]


def read_contexts(
    arguments: Sequence[tuple[str, Path]], root: dict[str, Any], concrete: ConcretePath
) -> dict[str, Any]:
    """Return variable → value for one object; null where no path leads to a value."""
    values: dict[str, Any] = {}
    for variable, path in arguments:
        ups = sum(1 for step in path if step == UP)
        value = values.get(variable)
        if value is None:
            values[variable] = _read(root, concrete[: len(concrete) - ups], path[ups:])
    return values


def _read(root: dict[str, Any], concrete: ConcretePath, path: Path) -> Any:
    value: Any = root
    for name in concrete:
        value = value[name]
    for step in path:
        if not isinstance(value, dict) or not isinstance(step, PathKey):
            return None
        if not is_of(value, step.possible_types):
            return None
        value = value.get(step.name)
    return value


def _with_values(request: SubgraphRequest, variable: str, values: dict[str, Any], part: Collected) -> SubgraphRequest:
    variables = {**request.variables, **values, variable: part.representations}
    return structs.replace(request, variables=variables, entities=len(part.representations), body_=None)
