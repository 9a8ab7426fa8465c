"""Fourth call: turn the query tree into steps, each one request, and what each must wait for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from gateway.federation.plan import EachItem, Path, PathKey, RepresentationField
from gateway.federation.planner.names import ResponseNames
from gateway.federation.planner.path import ContextSource, Jump, Position
from gateway.federation.planner.paths import TYPENAME
from gateway.federation.planner.query_tree import Branch, Taken
from gateway.federation.planner.step import ContextValue, Entry, Representation, Selected, Step
from gateway.federation.query_graph import Node, QueryGraph
from gateway.federation.supergraph import Conditions, FieldSelection, FieldSet, Selection, SubgraphField

_ALWAYS: Conditions = frozenset()


class _Place:
    """Where the builder stands in the response: position, path for the executor, and the types it is narrowed to."""

    __slots__ = ("conditions", "path", "position", "trail", "types")

    def __init__(
        self,
        position: Position,
        path: Path,
        types: frozenset[str] | None,
        conditions: Conditions,
        trail: tuple[_Above, ...] = (),
    ) -> None:
        self.position = position
        self.path = path
        self.types = types
        self.conditions = conditions
        self.trail = trail

    def below(self, name: str, list_depth: int, conditions: Conditions, step: Step, selected: Selected) -> _Place:
        path = (*self.path, PathKey(name, self.types), *(EachItem() for _ in range(list_depth)))
        trail = (*self.trail, _Above(self, step, selected))
        return _Place((*self.position, name), path, None, self.conditions | conditions, trail)

    def narrowed(self, types: frozenset[str]) -> _Place:
        both = types if self.types is None else self.types & types
        return _Place(self.position, self.path, both, self.conditions, self.trail)


@dataclass(frozen=True, slots=True, eq=False)
class _Above:
    """An object above the place: where a context may be set."""

    place: _Place
    step: Step
    selected: Selected


class FetchGraphBuilder:
    """Grows steps along a query tree."""

    def __init__(self, graph: QueryGraph, names: ResponseNames, variables: Collection[str] = ()) -> None:
        """`variables` are those of the operation, whose names nothing else may have."""
        self._graph = graph
        self._names = names
        self._variables = variables
        self._contexts: dict[tuple[str, tuple[Path, ...]], ContextValue] = {}
        self.steps: list[Step] = []

    def add_root(self, tree: Branch) -> Step:
        """Add the step of a root operation in one subgraph, and all steps that follow from it."""
        step = self._new_step(tree.node.subgraph, Selected(tree.node))
        self._grow(tree, step, step.selected, _Place((), (), None, _ALWAYS), set(), _ALWAYS)
        return step

    def _new_step(self, subgraph: str, selected: Selected, entry: Entry | None = None) -> Step:
        step = Step(len(self.steps), subgraph, selected, entry)
        self.steps.append(step)
        return step

    def _grow(
        self, branch: Branch, step: Step, selected: Selected, place: _Place, touched: set[Step], inherited: Conditions
    ) -> None:
        """Add what a branch says to a step. `touched` collects the steps whose answers the branch's fields are in."""
        for taken in branch.takes.values():
            self._take(taken, step, selected, place, touched, inherited)
        for name, below in branch.narrows.items():
            self._select_typename(selected)
            types = below.node.type.possible_types
            self._grow(below, step, selected.fragment(name, below.node), place.narrowed(types), touched, inherited)
        for jump, below in branch.jumps.values():
            entered = self._enter(jump, step, selected, place, inherited | _common_conditions(below))
            self._grow(below, entered, entered.selected, place, touched, inherited)

    def _take(
        self, taken: Taken, step: Step, selected: Selected, place: _Place, touched: set[Step], inherited: Conditions
    ) -> None:
        item = taken.item
        is_plain = item.selection is TYPENAME
        name = item.selection.response_name
        if item.is_hidden and not is_plain:
            name = self._names.name(place.position, item.selection)
        conditions = _ALWAYS if is_plain else item.conditions | inherited
        selection = item.selection
        if selection.name == "__typename":
            # Under its own name, where the executor looks for an object's type; the answer has it under the client's.
            name, selection = selection.name, TYPENAME
        if taken.edge is not None and taken.edge.field.context_arguments and step.entry is not None:
            selection = _with_contexts(selection, taken.edge.field, step.entry)
        entry = selected.add(name, selection, conditions, taken.edge, item.around, is_wanted=not is_plain)
        if taken.branch is None or taken.edge is None or entry.below is None:
            touched.add(step)
            return
        place_below = place.below(name, taken.edge.field.type.list_depth, conditions, step, selected)
        self._grow(taken.branch, step, entry.below, place_below, touched, _ALWAYS)

    def _enter(self, jump: Jump, step: Step, selected: Selected, place: _Place, inherited: Conditions) -> Step:
        touched = {step}
        self._grow(jump.requirement.tree, step, selected, place, touched, inherited)
        representation = Representation()
        selected.add("__typename", TYPENAME, _ALWAYS, None, is_wanted=False)
        representation.add_typename()
        self._represent(representation, jump.fields, jump.target, place.position)
        entry = Entry(
            place.position,
            place.path,
            place.types,
            jump.target.type.name,
            jump.source,
            jump.target,
            representation,
            self._values_above(jump, place, touched, inherited),
            frozenset({inherited | place.conditions}),
            is_root=self._graph.is_query_root(jump.target),
        )
        entered = self._new_step(jump.target.subgraph, Selected(jump.target), entry)
        entered.parents = touched
        entered.conditions = place.conditions
        return entered

    def _values_above(
        self, jump: Jump, place: _Place, touched: set[Step], inherited: Conditions
    ) -> dict[tuple[str, str], ContextValue]:
        """Fetch what ancestors set, where they are, and return how to read it from the entered object."""
        found: dict[tuple[str, str], ContextValue] = {}
        for source in jump.contexts:
            above = place.trail[source.depth]
            touched.add(above.step)
            self._grow(source.requirement.tree, above.step, above.selected, above.place, touched, inherited)
            ups = tuple(PathKey("..") for _ in range(len(place.path) - len(above.place.path)))
            downs = self._value_paths(source.selection.selections, above.place.position, None)
            paths = tuple(ups + down for down in downs)
            found[source.field, source.argument.name] = self._context(source, paths)
        return found

    def _context(self, source: ContextSource, paths: tuple[Path, ...]) -> ContextValue:
        """Return the value with a variable of its own: fields that are entered together may read different ones."""
        key = (source.argument.type, paths)
        known = self._contexts.get(key)
        if known is None:
            variable = f"_context_{source.depth}_{source.argument.name}_{len(self._contexts)}"
            while variable in self._variables:
                variable = f"_{variable}"
            known = self._contexts[key] = ContextValue(variable, source.argument.type, paths)
        return known

    def _value_paths(
        self, selections: tuple[Selection, ...], position: Position, types: frozenset[str] | None
    ) -> list[Path]:
        """Return the path to the one leaf of a context's selection, one for each type condition."""
        paths: list[Path] = []
        for selection in selections:
            if not isinstance(selection, FieldSelection):
                narrowed = self._graph.types_of(selection.type_condition or "") or None
                paths.extend(self._value_paths(selection.selections, position, narrowed))
                continue
            name = self._names.name(position, selection)
            step = (PathKey(name, types),)
            if selection.selections:
                below = self._value_paths(selection.selections, (*position, name), None)
                paths.extend(step + path for path in below)
            else:
                paths.append(step)
        return paths

    def _select_typename(self, selected: Selected) -> None:
        if not selected.node.is_interface_object:
            selected.add("__typename", TYPENAME, _ALWAYS, None, is_wanted=False)

    def _represent(self, into: Representation, fields: FieldSet, node: Node, position: Position) -> None:
        self._represent_selections(into, fields.selections, node.subgraph, node.type.name, position)

    def _represent_selections(
        self,
        into: Representation,
        selections: tuple[Selection, ...],
        subgraph: str,
        type_name: str,
        position: Position,
    ) -> None:
        for selection in selections:
            if isinstance(selection, FieldSelection):
                self._represent_field(into, selection, subgraph, type_name, position)
                continue
            condition = selection.type_condition
            if condition is None or condition == type_name:
                self._represent_selections(into, selection.selections, subgraph, type_name, position)
                continue
            types = self._graph.types_of(condition)
            _, below = into.fragments.setdefault(condition, (types, Representation()))
            self._represent_selections(below, selection.selections, subgraph, condition, position)

    def _represent_field(
        self, into: Representation, selection: FieldSelection, subgraph: str, type_name: str, position: Position
    ) -> None:
        if selection.name == "__typename":
            into.add_typename()
            return
        name = self._names.name(position, selection)
        declared = self._graph.supergraph.subgraphs[subgraph].types[type_name].fields.get(selection.name)
        nullable = declared is None or declared.type.is_nullable
        _, below = into.fields.setdefault(
            selection.name, (RepresentationField(selection.name, name, (), nullable), Representation())
        )
        if not selection.selections or declared is None:
            return
        if declared.type.name in self._graph.abstract_types:
            below.add_typename()
        self._represent_selections(below, selection.selections, subgraph, declared.type.name, (*position, name))


def _with_contexts(selection: FieldSelection, field: SubgraphField, entry: Entry) -> FieldSelection:
    """Add the arguments that ancestors set to a field's own: `label(locale:$_context_0_locale_0)`."""
    values = {argument.name: entry.contexts[field.name, argument.name].variable for argument in field.context_arguments}
    added = ",".join(f"{name}:${variable}" for name, variable in values.items())
    own = selection.arguments[1:-1]
    return replace(
        selection,
        arguments=f"({own},{added})" if own else f"({added})",
        variables=selection.variables | frozenset(values.values()),
    )


def _common_conditions(branch: Branch) -> Conditions:
    """Return the conditions under which anything of a branch is wanted at all."""
    common: Conditions | None = None
    branches = [branch]
    while branches:
        current = branches.pop()
        for taken in current.takes.values():
            if taken.item.selection is TYPENAME:
                continue
            common = taken.item.conditions if common is None else common & taken.item.conditions
        branches.extend(current.narrows.values())
        branches.extend(below for _, below in current.jumps.values())
    return common or _ALWAYS
