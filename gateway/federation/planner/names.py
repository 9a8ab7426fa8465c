"""Response names at each position of the response tree, so that what the planner adds never collides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.federation.planner.path import Position, Selections
from gateway.federation.supergraph import FieldSelection


class ResponseNames:
    """Which response name means which field, position by position.

    The client's names are taken first. A field that a representation needs keeps its own name where that is free, is
    shared where the client asked for the very same field, and gets another name where the client used it otherwise.
    """

    def __init__(self, client: Selections) -> None:
        self._names: dict[Position, dict[str, str | None]] = {}
        self._given: dict[tuple[Position, str], str] = {}
        self._read(client)

    def name(self, position: Position, field: FieldSelection) -> str:
        """Return the response name under which a hidden field is fetched at a position."""
        signature = field.signature
        known = self._given.get((position, signature))
        if known is not None:
            return known
        names = self._names.setdefault(position, {})
        candidate, attempt = field.name, 0
        while names.get(candidate, signature) != signature:
            candidate = f"_{attempt}_{field.name}"
            attempt += 1
        names[candidate] = signature
        self._given[position, signature] = candidate
        return candidate

    def _read(self, client: Selections) -> None:
        level: Mapping[Position, list[Selections]] = {(): [client]}
        while level:
            deeper: dict[Position, list[Selections]] = {}
            for position, sets in level.items():
                names = self._names.setdefault(position, {})
                for field in _fields(sets):
                    name = field.response_name
                    if names.setdefault(name, field.signature) != field.signature:
                        names[name] = None
                    if field.selections:
                        below = deeper.setdefault((*position, name), [])
                        if not any(field.selections is known for known in below):
                            below.append(field.selections)
            level = deeper


def _fields(sets: Iterable[Selections]) -> Iterable[FieldSelection]:
    """Yield the fields directly on an object; selections that several fragments share are read once."""
    seen: set[int] = set()
    pending = list(sets)
    while pending:
        selections = pending.pop()
        if id(selections) in seen:
            continue
        seen.add(id(selections))
        for selection in selections:
            if isinstance(selection, FieldSelection):
                yield selection
            else:
                pending.append(selection.selections)
