"""Take out of an operation what the caller may not see, before it is planned: what is taken out is never fetched.

    { customer { name margin } }                    margin demands a scope that is not granted
    { customer { name } }                           is planned; the answer has `margin: null` and an error there

Each object type is judged for itself. Where the types of an interface or union differ, its selections are written out
for those that may be seen, with `__typename`, by which objects of the others are told apart and left null.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gateway.access.demand import Classified, Demands
from gateway.access.rules import AccessRules
from gateway.federation.operation import Operation
from gateway.federation.supergraph import FieldSelection, FragmentSelection, Selection

Selections = tuple[Selection, ...]

_TYPENAME = FieldSelection("__typename", "__typename")
_NEVER_DENIED = frozenset({"__typename", "__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a set of unmet demands means for a graph's types and fields."""

    rules: AccessRules
    unmet: Demands

    def denies_type(self, name: str) -> bool:
        """Whether objects of a type must not be seen at all."""
        return not self.unmet.isdisjoint(self.rules.of_type(name))

    def denies_field(self, type_name: str, field: str) -> bool:
        """Whether a field of an object type must not be fetched."""
        missing = self.unmet & self.rules.of_field(type_name, field)
        if not missing:
            return False
        only_classified = all(isinstance(each, Classified) for each in missing)
        return not (only_classified and self.rules.is_maskable(type_name, field))

    def masks_field(self, type_name: str, field: str) -> bool:
        """Whether a field's text is shown masked."""
        missing = self.unmet & self.rules.of_field(type_name, field)
        return bool(missing) and not self.denies_field(type_name, field)


def restrict(operation: Operation, root_type: str, verdict: Verdict) -> Operation:
    """Return the operation without what is denied; the same one where nothing is."""
    kept = _Restriction(verdict).object_selections(operation.selections, root_type)
    if kept is operation.selections:
        return operation
    return replace(operation, selections=kept or (_TYPENAME,))


@dataclass(slots=True)
class _Restriction:
    verdict: Verdict
    _known: dict[tuple[int, str], Selections] = field(default_factory=dict)
    """By identity of selections, which fragments share, and type: each is worked out once."""

    def object_selections(self, selections: Selections, type_name: str) -> Selections:
        """Return what is left of selections on an object type; the same tuple where that is all."""
        key = (id(selections), type_name)
        known = self._known.get(key)
        if known is None:
            left = [(each, self._selection(each, type_name)) for each in selections]
            changed = any(before is not after for before, after in left)
            known = tuple(after for _, after in left if after is not None) if changed else selections
            self._known[key] = known
        return known

    def _selection(self, selection: Selection, type_name: str) -> Selection | None:
        rules = self.verdict.rules
        if isinstance(selection, FragmentSelection):
            condition = selection.type_condition
            if condition is not None and type_name not in (condition, *rules.possible_types(condition)):
                return selection  # of another type: nothing of it is fetched for this one
            inner = self.object_selections(selection.selections, type_name)
            if inner is selection.selections:
                return selection
            return replace(selection, selections=inner) if inner else None
        if selection.name in _NEVER_DENIED:
            return selection
        if self.verdict.denies_field(type_name, selection.name):
            return None
        if not selection.selections:
            return selection
        target = rules.type_of_field(type_name, selection.name)
        assert target is not None
        inner = self._selections(selection.selections, target)
        return selection if inner is selection.selections else replace(selection, selections=inner or (_TYPENAME,))

    def _selections(self, selections: Selections, type_name: str) -> Selections:
        rules = self.verdict.rules
        if not rules.is_abstract(type_name):
            return self.object_selections(selections, type_name)
        possible = rules.possible_types(type_name)
        seen = [each for each in possible if not self.verdict.denies_type(each)]
        left = {each: self._own(selections, each) for each in seen}
        if len(seen) == len(possible) and all(each is selections for each in left.values()):
            return selections
        written: list[Selection] = [_TYPENAME]
        written.extend(FragmentSelection(name, frozenset(), each) for name, each in left.items() if each)
        return tuple(written)

    def _own(self, selections: Selections, type_name: str) -> Selections:
        """Return what is left for one type of several, without what is of other types where anything changed."""
        left = self.object_selections(selections, type_name)
        if left is selections:
            return selections
        return tuple(
            each
            for each in left
            if not isinstance(each, FragmentSelection)
            or each.type_condition is None
            or type_name in (each.type_condition, *self.verdict.rules.possible_types(each.type_condition))
        )


def demands_of(operation: Operation, root_type: str, rules: AccessRules) -> Demands:
    """Return every demand that an operation meets on its way; whoever meets all of them gets all of it."""
    found: set[object] = set()
    seen: set[tuple[int, str]] = set()
    pending: list[tuple[Selections, str]] = [(operation.selections, root_type)]
    while pending:
        selections, type_name = pending.pop()
        if (id(selections), type_name) in seen:
            continue
        seen.add((id(selections), type_name))
        for possible in rules.possible_types(type_name):
            found |= rules.of_type(possible)
            for each in selections:
                if isinstance(each, FragmentSelection):
                    pending.append((each.selections, each.type_condition or type_name))
                    continue
                found |= rules.of_field(possible, each.name)
                target = rules.type_of_field(possible, each.name)
                if each.selections and target is not None:
                    pending.append((each.selections, target))
    return frozenset(each for each in rules.all if each in found)


def is_introspection(operation: Operation) -> bool:
    """Whether an operation asks for any of the schema."""
    return any(name in ("__schema", "__type") for name in _root_names(operation))


def asks_root_field(operation: Operation) -> bool:
    """Whether anything is left that a subgraph would have to answer."""
    return any(not name.startswith("__") for name in _root_names(operation))


def root_field(operation: Operation) -> str:
    """Return the response name of a subscription's one field."""
    return next(_root_fields(operation.selections)).response_name


def _root_names(operation: Operation) -> Iterator[str]:
    return (each.name for each in _root_fields(operation.selections))


def _root_fields(selections: Selections) -> Iterator[FieldSelection]:
    seen: set[int] = set()
    pending: list[Selections] = [selections]
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for each in current:
            if isinstance(each, FieldSelection):
                yield each
            else:
                pending.append(each.selections)
