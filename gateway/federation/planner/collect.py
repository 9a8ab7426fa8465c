"""Gathers what is selected on one object: fragments flattened, equal fields merged, grouped by type condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.federation.planner.path import Around, Item, Selections
from gateway.federation.supergraph import Conditions, FieldSelection, FragmentSelection, Supergraph
from gateway.federation.supergraph.selection import is_contradictory

Groups: TypeAlias = Mapping[str, tuple[Item, ...]]
"""Type condition → fields selected under it. The static type's own name stands for no condition."""


@dataclass(slots=True, eq=False)
class _Found:
    selection: FieldSelection
    conditions: Conditions
    around: Around
    children: list[Selections] = field(default_factory=list)


_Key: TypeAlias = tuple[str, str, Around, Conditions]
"""Response name, directives, directives of the fragments around, and conditions: what fields must share to be one."""
_ByType: TypeAlias = dict[str, dict[_Key, _Found]]
_Seen: TypeAlias = set[tuple[str, int, Conditions, Around]]


class Collector:
    """Collects selections, and remembers: exploding an interface asks for the same ones once for each type."""

    def __init__(self, supergraph: Supergraph) -> None:
        self._possible = supergraph.possible_types
        self._memory: dict[tuple[str, int], tuple[tuple[Selections, ...], Groups]] = {}

    def collect(self, static: str, children: tuple[Selections, ...], *, is_hidden: bool) -> Groups:
        """Return the fields selected on objects of a static type, by type condition.

        Conditions that always hold disappear; those that only overlap become one group for each common object type;
        those that never hold are dropped. `@skip`/`@include` of fragments move to their fields.
        """
        known = self._memory.get((static, id(children)))
        if known is not None:
            return known[1]
        found: _ByType = {static: {}}
        seen: _Seen = set()
        for selections in children:
            self._gather(static, selections, frozenset(), (), found, seen)
        own = found[static]
        groups = {
            condition: tuple(
                Item(entry.selection, entry.conditions, tuple(entry.children), entry.around, is_hidden)
                for key, entry in fields.items()
                if condition == static or not self._is_redundant(key, entry, own)
            )
            for condition, fields in found.items()
        }
        # The children are kept, so that their identity is not given to another object.
        self._memory[static, id(children)] = (children, groups)
        return groups

    def _gather(
        self,
        static: str,
        selections: Selections,
        conditions: Conditions,
        around: Around,
        found: _ByType,
        seen: _Seen,
    ) -> None:
        visit = (static, id(selections), conditions, around)
        if visit in seen:
            # A fragment spread twice says nothing new; nested, such spreads would double with each level.
            return
        seen.add(visit)
        for selection in selections:
            every = conditions | selection.conditions if selection.conditions else conditions
            if selection.conditions and is_contradictory(every):
                continue
            if isinstance(selection, FieldSelection):
                fields = found.setdefault(static, {})
                key = (selection.response_name, selection.directives, around, every)
                entry = fields.setdefault(key, _Found(selection, every, around))
                if selection.selections and not any(known is selection.selections for known in entry.children):
                    entry.children.append(selection.selections)
            else:
                inner = (*around, selection.directives) if selection.directives else around
                for narrowed in self._narrowed(static, selection):
                    self._gather(narrowed, selection.selections, every, inner, found, seen)

    def _narrowed(self, static: str, fragment: FragmentSelection) -> Iterable[str]:
        condition = fragment.type_condition
        if condition is None or condition == static:
            return (static,)
        here = self._possible.get(static, frozenset())
        there = self._possible.get(condition, frozenset())
        if here <= there:
            return (static,)
        if there <= here:
            return (condition,)
        return sorted(here & there)

    @staticmethod
    def _is_redundant(key: _Key, entry: _Found, own: Mapping[_Key, _Found]) -> bool:
        """Whether a leaf under a type condition is selected on every object anyway."""
        if entry.children:
            return False
        same = own.get(key) or own.get((*key[:3], frozenset()))
        return same is not None and same.selection.signature == entry.selection.signature
