"""Response names at each position of the response tree, so that what the planner adds never collides."""

from __future__ import annotations

from collections.abc import Iterable

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
        self._selected: dict[Position, tuple[Selections, ...]] = {(): (client,)}

    def name(self, position: Position, field: FieldSelection) -> str:
        """Return the response name under which a hidden field is fetched at a position."""
        signature = field.signature
        known = self._given.get((position, signature))
        if known is not None:
            return known
        names = self._names.get(position)
        if names is None:
            names = self._names[position] = self._read(position)
        candidate, attempt = field.name, 0
        while names.get(candidate, signature) != signature:
            candidate = f"_{attempt}_{field.name}"
            attempt += 1
        names[candidate] = signature
        self._given[position, signature] = candidate
        return candidate

    def _read(self, position: Position) -> dict[str, str | None]:
        """Return what the client's names mean at a position; None for one that means several things, by type."""
        names: dict[str, str | None] = {}
        for field in _fields(self._sets(position)):
            name = field.response_name
            if names.setdefault(name, field.signature) != field.signature:
                names[name] = None
        return names

    def _sets(self, position: Position) -> tuple[Selections, ...]:
        """Return the client's selection sets at a position. Only positions that matter are read: there may be many."""
        known = self._selected.get(position)
        if known is None:
            above = self._sets(position[:-1])
            found = {
                id(each.selections): each.selections for each in _fields(above) if each.response_name == position[-1]
            }
            known = self._selected[position] = tuple(each for each in found.values() if each)
        return known


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
