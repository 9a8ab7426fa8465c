"""The fetch graph's own data: steps, what each selects, and what each must wait for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.federation.plan import Path, RepresentationField, RepresentationFragment
from gateway.federation.planner.path import Around, Position
from gateway.federation.query_graph import FieldEdge, Node
from gateway.federation.supergraph import Conditions, FieldSelection


@dataclass(slots=True, eq=False)
class SelectedField:
    """A field of a request's selection set."""

    response_name: str
    selection: FieldSelection
    conditions: Conditions
    edge: FieldEdge | None
    """None for `__typename`."""
    around: Around = ()
    """Directives of the fragments around it, outermost first."""
    below: Selected | None = None
    is_wanted: bool = True
    """False for a `__typename` that is there for the planner's own sake."""


@dataclass(slots=True, eq=False)
class Selected:
    """A selection set as it grows: each field once, fragments by type."""

    node: Node
    fields: dict[tuple[str, str, Conditions, Around], SelectedField] = field(default_factory=dict)
    """By response name, signature, conditions and the directives around."""
    fragments: dict[str, Selected] = field(default_factory=dict)

    def add(
        self,
        response_name: str,
        selection: FieldSelection,
        conditions: Conditions,
        edge: FieldEdge | None,
        around: Around = (),
        *,
        is_wanted: bool = True,
    ) -> SelectedField:
        """Select a field, or return it if it is selected already."""
        key = (response_name, selection.signature, conditions, around)
        found = self.fields.get(key)
        if found is None:
            below = None if edge is None or edge.target is None else Selected(edge.target)
            found = self.fields[key] = SelectedField(
                response_name, selection, conditions, edge, around, below, is_wanted
            )
        found.is_wanted |= is_wanted
        return found

    def fragment(self, type_name: str, node: Node) -> Selected:
        """Return the selections made on objects of one type."""
        if type_name not in self.fragments:
            self.fragments[type_name] = Selected(node)
        return self.fragments[type_name]

    def absorb(self, other: Selected) -> None:
        """Add all that another selection set selects."""
        for entry in other.fields.values():
            own = self.add(
                entry.response_name,
                entry.selection,
                entry.conditions,
                entry.edge,
                entry.around,
                is_wanted=entry.is_wanted,
            )
            if own.below is not None and entry.below is not None:
                own.below.absorb(entry.below)
        for name, below in other.fragments.items():
            self.fragment(name, below.node).absorb(below)

    def restrict(self, conditions: Conditions) -> None:
        """Let everything selected depend on more conditions."""
        if not conditions:
            return
        entries, self.fields = self.fields, {}
        for entry in entries.values():
            entry.conditions |= conditions
            key = (entry.response_name, entry.selection.signature, entry.conditions, entry.around)
            known = self.fields.setdefault(key, entry)
            known.is_wanted |= entry.is_wanted
            if known is not entry and known.below is not None and entry.below is not None:
                known.below.absorb(entry.below)
        for below in self.fragments.values():
            below.restrict(conditions)

    def response_names(self) -> dict[str, None]:
        """Return the names selected on the object itself, in order, whatever its type; `__typename` aside."""
        names = {entry.response_name: None for entry in self.fields.values() if entry.edge is not None}
        for below in self.fragments.values():
            names.update(below.response_names())
        return names


@dataclass(slots=True, eq=False)
class Representation:
    """What a step sends of each object: fields by name, nested and by type."""

    fields: dict[str, tuple[RepresentationField, Representation]] = field(default_factory=dict)
    fragments: dict[str, tuple[frozenset[str], Representation]] = field(default_factory=dict)

    def add_typename(self) -> None:
        """Send the object's `__typename`."""
        self.fields["__typename"] = (RepresentationField("__typename", "__typename", (), False), Representation())

    def absorb(self, other: Representation) -> None:
        """Add all that another representation sends."""
        for name, (entry, below) in other.fields.items():
            if name in self.fields:
                self.fields[name][1].absorb(below)
            else:
                self.fields[name] = (entry, below)
        for name, (types, below) in other.fragments.items():
            if name in self.fragments:
                self.fragments[name][1].absorb(below)
            else:
                self.fragments[name] = (types, below)

    def freeze(self) -> tuple[RepresentationField | RepresentationFragment, ...]:
        """Return it as the plan holds it."""
        fields = tuple(
            RepresentationField(entry.name, entry.source, below.freeze(), entry.is_nullable)
            for entry, below in self.fields.values()
        )
        fragments = tuple(
            RepresentationFragment(name, types, below.freeze()) for name, (types, below) in self.fragments.items()
        )
        return fields + fragments

    def is_like(self, other: Representation) -> bool:
        """Whether both send the same of an object."""
        return self.freeze() == other.freeze()

    def contradicts(self, other: Representation) -> bool:
        """Whether an object would have to send two values under one name, here or further down."""
        theirs: dict[str, list[_Sent]] = {}
        for sent in other._sent(None):
            theirs.setdefault(sent[1].name, []).append(sent)
        return any(
            _overlap(types, their_types) and (entry.source != their.source or below.contradicts(their_below))
            for types, entry, below in self._sent(None)
            for their_types, their, their_below in theirs.get(entry.name, ())
        )

    def _sent(self, types: frozenset[str] | None) -> Iterator[_Sent]:
        """Yield the fields sent of objects of some types, or of all for None; those under type conditions with theirs."""
        for entry, below in self.fields.values():
            yield types, entry, below
        for own, inner in self.fragments.values():
            yield from inner._sent(own if types is None else own & types)  # noqa: SLF001


_Sent: TypeAlias = tuple[frozenset[str] | None, RepresentationField, Representation]


def _overlap(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return one is None or other is None or not one.isdisjoint(other)


@dataclass(frozen=True, slots=True)
class ContextValue:
    """The value of an argument that an ancestor sets."""

    variable: str
    type: str
    paths: tuple[Path, ...]
    """From the entered object up, by `..`, and down to the value; the first that leads somewhere counts."""


@dataclass(slots=True, eq=False)
class Entry:
    """How an entity step enters: at which objects, as what, and with which representation."""

    position: Position
    path: Path
    possible_types: frozenset[str] | None
    type_condition: str
    source: Node
    target: Node
    representation: Representation
    contexts: dict[tuple[str, str], ContextValue]
    """(Field, argument) → where its value comes from, for arguments that ancestors set."""
    wanted: frozenset[Conditions]
    """When all that the representation needs is fetched: whenever one of these holds."""
    is_root: bool = False
    """Whether the objects are of the query's root type: they are entered by an ordinary query."""


@dataclass(slots=True, eq=False)
class Step:
    """One request to be: a root operation, or the entities at one position."""

    id: int
    subgraph: str
    selected: Selected
    entry: Entry | None = None
    parents: set[Step] = field(default_factory=set)
    conditions: Conditions = frozenset()
    """What must hold for the objects to be there at all: conditions of the fields on the way to them."""
    stage: int = 0
    """When it runs: after all steps of lower stages that it waits for, together with its subgraph's others."""
