"""What an operation may cost at most: estimated before it runs, from the schema, its arguments and its variables.

An object costs 1, a leaf nothing, a mutation 10 more; a list costs what its items cost, as often as it may have items. The
schema says otherwise with `@cost(weight:)` and `@listSize`, which may name fields of arguments too (`page.first`). A Relay
connection needs no directive: it counts as many edges as `first` or `last` ask for.

<https://ibm.github.io/graphql-specs/cost-spec.html>
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
    value_from_ast_untyped,
)

from gateway.errors import GatewayError
from gateway.federation.operation import Operation, OperationKind
from gateway.federation.supergraph import FieldSelection, Selection, Supergraph

PAGE = 50
"""Edges of a connection that is asked for without a number."""
LIST = 10
"""Items of a list of which nobody says how long it is."""
_MUTATION = 10
_CEILING = 10**12

Cost: TypeAlias = Callable[[Mapping[str, Any]], int]
"""Variables → the operation's estimated cost."""

_Part: TypeAlias = int | Cost
_Fielded = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True, slots=True)
class _ListSize:
    assumed: int | None
    slicing: tuple[str, ...]
    sized: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Directives:
    """What the directives of cost are called in a supergraph."""

    cost: str
    list_size: str

    @staticmethod
    def of(supergraph: Supergraph) -> _Directives:
        links = supergraph.links
        return _Directives(links.directive("cost"), links.directive("listSize", "cost"))


def estimate(operation: Operation, supergraph: Supergraph) -> Cost:
    """Return what computes an operation's cost, by what the supergraph says of its parts."""
    root = operation.schema.get_root_type(operation.definition.operation)
    assert root is not None
    part = _Estimator(supergraph.schema, _Directives.of(supergraph)).selections(operation.selections, root.name)
    base = _MUTATION if operation.kind is OperationKind.MUTATION else 0
    if isinstance(part, int):
        whole = min(base + part, _CEILING)
        return lambda _: whole
    counted = part
    return lambda variables: min(base + counted(variables), _CEILING)


def check_cost(cost: int, limit: int) -> None:
    """Raise GatewayError with COST_ESTIMATED_TOO_EXPENSIVE where a cost is above the limit."""
    if cost > limit:
        raise GatewayError(
            "COST_ESTIMATED_TOO_EXPENSIVE",
            f"The operation's cost comes to {cost}; the limit is {limit}.",
            extensions={"limit": {"name": "cost", "value": limit, "figure": cost}},
        )


def actual_cost(data: Any) -> int:
    """Return what an answer came to: the objects in it."""
    total = 0
    pending = [data]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            total += 1
            pending.extend(each for each in value.values() if isinstance(each, dict | list))
        elif isinstance(value, list):
            pending.extend(each for each in value if isinstance(each, dict | list))
    return max(0, total - 1)


@dataclass(slots=True)
class _Estimator:
    schema: GraphQLSchema
    names: _Directives
    _known: dict[tuple[int, str, int], _Part] = field(default_factory=dict)

    def selections(self, selections: tuple[Selection, ...], type_name: str, sizes: Mapping[str, _Part] = {}) -> _Part:
        """Return the cost of selections on a type; `sizes` are what a parent says of the lists among its fields."""
        key = (id(selections), type_name, id(sizes) if sizes else 0)
        if key not in self._known:
            self._known[key] = _sum([self._selection(each, type_name, sizes) for each in selections])
        return self._known[key]

    def _selection(self, selection: Selection, type_name: str, sizes: Mapping[str, _Part]) -> _Part:
        if not isinstance(selection, FieldSelection):
            return self.selections(selection.selections, selection.type_condition or type_name, sizes)
        declared = self.schema.type_map.get(type_name)
        definition = declared.fields.get(selection.name) if isinstance(declared, _Fielded) else None
        if definition is None:
            return 0
        named = get_named_type(definition.type)
        own = _weight(definition, self.names.cost)
        if own is None:
            own = _weight(named, self.names.cost)
        item: _Part = own if own is not None else int(is_composite_type(named))
        listed = _list_size(definition, self.names.list_size)
        inner: dict[str, _Part] = {}
        size = self._size(selection, definition, listed)
        if listed is not None and listed.sized:
            inner = dict.fromkeys(listed.sized, size)
        elif listed is None and _is_connection(definition, named):
            inner = {"edges": size, "nodes": size}
        if selection.selections:
            item = _sum([item, self.selections(selection.selections, named.name, inner)])
        if not _is_list(definition.type):
            return item
        return _product(sizes.get(selection.name, size), item)

    def _size(self, selection: FieldSelection, definition: Any, listed: _ListSize | None) -> _Part:
        names = listed.slicing if listed is not None and listed.slicing else ("first", "last")
        given = [name for name in names if name.partition(".")[0] in definition.args]
        asked = [each for name in given for each in _asked(selection.arguments, name.split("."))]
        assumed = listed.assumed if listed is not None else None
        fallback = assumed if assumed is not None else PAGE if given else LIST
        if not asked:
            return fallback
        if all(isinstance(each, int) for each in asked):
            return max(each for each in asked if isinstance(each, int))

        def counted(variables: Mapping[str, Any]) -> int:
            values = [each if isinstance(each, int) else _value(variables, each) for each in asked]
            numbers = [each for each in values if isinstance(each, int) and not isinstance(each, bool)]
            return max(0, *numbers) if numbers else fallback

        return counted


def _sum(parts: list[_Part]) -> _Part:
    constant = sum(each for each in parts if isinstance(each, int))
    counted = [each for each in parts if not isinstance(each, int)]
    if not counted:
        return min(constant, _CEILING)
    return lambda variables: min(constant + sum(each(variables) for each in counted), _CEILING)


def _product(size: _Part, item: _Part) -> _Part:
    if isinstance(size, int) and isinstance(item, int):
        return min(max(0, size) * item, _CEILING)

    def counted(variables: Mapping[str, Any]) -> int:
        times = size if isinstance(size, int) else size(variables)
        each = item if isinstance(item, int) else item(variables)
        return min(max(0, times) * each, _CEILING)

    return counted


def _asked(arguments: str, path: Sequence[str]) -> list[int | tuple[str, ...]]:
    """Return what an argument, or a field of one (`input.first`), may be: numbers, and variables with the way into them.

    Where the text has a name more than once, in an object of another argument too, all of them.
    """
    numbers = [int(each) for each in re.findall(rf"[(,{{]{path[-1]}:(-?\d+)", arguments)]
    ways = [
        (name, *path[step + 1 :])
        for step in range(len(path))
        for name in re.findall(rf"[(,{{]{path[step]}:\$(\w+)", arguments)
    ]
    return [*numbers, *ways]


def _value(variables: Mapping[str, Any], way: tuple[str, ...]) -> Any:
    value: Any = variables
    for step in way:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _applied(element: Any, name: str) -> Mapping[str, Any] | None:
    node = element.ast_node
    for directive in (node.directives or ()) if node is not None else ():
        if directive.name.value == name:
            return {each.name.value: value_from_ast_untyped(each.value) for each in directive.arguments or ()}
    return None


def _weight(element: Any, directive: str) -> int | None:
    applied = _applied(element, directive)
    return max(0, int(applied.get("weight", 1))) if applied is not None else None


def _list_size(definition: Any, directive: str) -> _ListSize | None:
    applied = _applied(definition, directive)
    if applied is None:
        return None
    assumed = applied.get("assumedSize")
    return _ListSize(
        assumed if isinstance(assumed, int) else None,
        tuple(applied.get("slicingArguments") or ()),
        tuple(applied.get("sizedFields") or ()),
    )


def _is_connection(definition: Any, named: Any) -> bool:
    return isinstance(named, _Fielded) and "edges" in named.fields and not {"first", "last"}.isdisjoint(definition.args)


def _is_list(kind: Any) -> bool:
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)
