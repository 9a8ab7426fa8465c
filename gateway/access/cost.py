"""What an operation may cost at most: estimated before it runs, from the schema, its arguments and its variables.

An object costs 1, a leaf nothing, a mutation 10 more; a list costs what its items cost, as often as it may have items. The
schema says otherwise with `@cost(weight:)`, on arguments and input fields too, and `@listSize`, which may name fields of
arguments (`page.first`). A Relay connection needs no directive: it counts as many edges as `first` or `last` ask for. A
value of an interface or union costs what the dearest of its types does.

<https://ibm.github.io/graphql-specs/cost-spec.html>
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    print_ast,
)

from gateway.access.arguments import GivenArguments, value_at, whole_number
from gateway.access.formula import CEILING, Formula, Part, Variables
from gateway.access.slicing import Slicing, read_slicing
from gateway.access.weights import ListSize, Weights
from gateway.errors import GatewayError
from gateway.federation.operation import Operation, OperationKind
from gateway.federation.supergraph import FieldSelection, Selection

PAGE = 50
"""Edges of a connection that is asked for without a number."""
LIST = 10
"""Items of a list of which nobody says how long it is."""
_MUTATION = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation may cost, by its variables."""

    _of: Callable[[Variables], int]
    _slicing: tuple[Slicing, ...]

    def __call__(self, variables: Variables) -> int:
        """Return the estimated cost."""
        return self._of(variables)

    def check(self, variables: Variables, limit: int, *, explains: bool) -> None:
        """Refuse an operation that may cost more than the limit, or does not say how long its lists are.

        `explains` lets a refusal name arguments that the client left out. Raises GatewayError with COST_ESTIMATED_TOO_EXPENSIVE, or SLICING_ARGUMENT_REQUIRED.
        """
        for each in self._slicing:
            each.check(variables, explains=explains)
        cost = self._of(variables)
        if cost > limit:
            raise GatewayError(
                "COST_ESTIMATED_TOO_EXPENSIVE",
                f"The operation's cost comes to {cost}; the limit is {limit}.",
                extensions={"limit": {"name": "cost", "value": limit, "figure": cost}},
            )


def estimate(operation: Operation, weights: Weights) -> Cost:
    """Return an operation's cost. `weights` are the supergraph's."""
    root = operation.schema.get_root_type(operation.definition.operation)
    assert root is not None
    formula = Formula()
    estimator = _Estimator(operation.schema, weights, formula)
    part = estimator.selections(operation.selections, root.name, root.name, {})
    base = _MUTATION if operation.kind is OperationKind.MUTATION else 0
    return Cost(formula.of(formula.sum((base, part))), tuple(estimator.slicing.values()))


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
    clients: GraphQLSchema
    """What clients see: the types that a value can have for them."""
    weights: Weights
    formula: Formula
    slicing: dict[object, Slicing] = field(default_factory=dict)
    _known: dict[object, Part] = field(default_factory=dict)
    _possible: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def selections(
        self, selections: tuple[Selection, ...], written_on: str, type_name: str, sizes: Mapping[str, Part]
    ) -> Part:
        """Return what selections cost on an object type, wherever they are `written_on` an interface of it.

        `sizes` are what the field above says of the lists among them.
        """
        key = (id(selections), written_on, type_name, frozenset(sizes.items()))
        if key not in self._known:
            parts = [self._selection(each, written_on, type_name, sizes) for each in selections]
            self._known[key] = self.formula.sum(parts)
        return self._known[key]

    def _selection(self, selection: Selection, written_on: str, type_name: str, sizes: Mapping[str, Part]) -> Part:
        if isinstance(selection, FieldSelection):
            return self._field(selection, written_on, type_name, sizes)
        condition = selection.type_condition
        if condition is not None and type_name not in self._types(condition):
            return 0
        return self.selections(selection.selections, condition or written_on, type_name, sizes)

    def _field(self, selection: FieldSelection, written_on: str, type_name: str, sizes: Mapping[str, Part]) -> Part:
        definition = self.weights.field(type_name, selection.name)
        declared = self.weights.field(written_on, selection.name) or definition
        if definition is None:
            return 0
        arguments = GivenArguments(selection.arguments)
        # Selections are written on the type that the interface's field has; an object's may be narrower.
        written, named = get_named_type(declared.type), get_named_type(definition.type)
        own = _first(self.weights.of(definition), self.weights.of(declared))
        is_list = _is_list(definition.type)
        listed = self.weights.list_size(definition) or self.weights.list_size(declared)
        inner: dict[str, Part] = {}
        size: Part = 1
        if listed is not None:
            size = self._size(arguments, definition, listed.slicing, listed.assumed)
            inner = dict.fromkeys(listed.sized, size)
            self._require_slicing(f"{written_on}.{selection.name}", declared, listed, arguments)
        elif is_list or _is_connection(definition, named):
            size = self._size(arguments, definition, ("first", "last"), None)
            inner = {} if is_list else {"edges": size, "nodes": size}
        items: list[Part] = []
        for each in self._types(named.name):
            item = _first(own, self.weights.of_type(each), self.weights.of(named), int(is_composite_type(named)))
            below = self.selections(selection.selections, written.name, each, inner) if selection.selections else 0
            items.append(self.formula.sum((item or 0, below)))
        whole = self.formula.maximum(items)
        if is_list:
            whole = self.formula.product(sizes.get(selection.name, size), whole)
        return self.formula.sum((whole, *self._arguments(arguments, definition)))

    def _types(self, name: str) -> tuple[str, ...]:
        """Return the object types that a value of a type can have; a leaf's is its own."""
        known = self._possible.get(name)
        if known is None:
            kind = self.clients.type_map.get(name)
            possible = self.clients.get_possible_types(kind) if is_abstract_type(kind) else ()
            known = self._possible[name] = tuple(each.name for each in possible) or (name,)
        return known

    def _size(self, arguments: GivenArguments, definition: Any, slicing: tuple[str, ...], assumed: int | None) -> Part:
        """Return how many items a field's list may have: as many as the largest of the slicing arguments says."""
        paths = [(definition.args[root], root, rest) for root, *rest in _paths(slicing) if root in definition.args]
        fallback = _first(assumed, PAGE if paths else LIST) or 0

        def counted(variables: Variables) -> int:
            values = (value_at(arguments.value(root, variables), argument, rest) for argument, root, rest in paths)
            numbers = [number for value in values if (number := whole_number(value)) is not None]
            return max(0, *numbers) if numbers else fallback

        if all(arguments.is_constant(root) for _, root, _ in paths):
            return counted({})
        # Types that implement an interface mostly have the same argument, and then the same number.
        same = tuple((root, *rest, _default_text(argument)) for argument, root, rest in paths)
        return self.formula.reading(("size", arguments.text, same, fallback), counted)

    def _arguments(self, arguments: GivenArguments, definition: Any) -> list[Part]:
        """Return what a field's arguments cost."""
        return [
            self._argument(arguments, name, argument)
            for name, argument in definition.args.items()
            if name in arguments and self.weights.is_weighted(argument)
        ]

    def _argument(self, arguments: GivenArguments, name: str, argument: Any) -> Part:
        def weighed(variables: Variables) -> int:
            return min(self.weights.of_input(argument, arguments.value(name, variables)), CEILING)

        if arguments.is_constant(name):
            return weighed({})
        return self.formula.reading(("argument", arguments.text, name, id(argument)), weighed)

    def _require_slicing(self, coordinate: str, declared: Any, listed: ListSize, arguments: GivenArguments) -> None:
        key = (coordinate, arguments.text)
        if listed.requires_one and key not in self.slicing:
            slicing = read_slicing(coordinate, declared, listed.slicing, arguments)
            if slicing is not None:
                self.slicing[key] = slicing


def _paths(names: tuple[str, ...]) -> list[list[str]]:
    return [name.split(".") for name in names]


def _first(*values: int | None) -> int | None:
    return next((each for each in values if each is not None), None)


def _default_text(argument: Any) -> str:
    node = argument.ast_node.default_value if argument.ast_node is not None else None
    return print_ast(node) if node is not None else ""


def _is_connection(definition: Any, named: Any) -> bool:
    is_fielded = isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    return is_fielded and "edges" in named.fields and not {"first", "last"}.isdisjoint(definition.args)


def _is_list(kind: Any) -> bool:
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)
