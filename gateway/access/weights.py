"""What a schema says of costs, by `@cost` and `@listSize`: read once for a schema, where it is asked for.

<https://ibm.github.io/graphql-specs/cost-spec.html>
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLNamedType, get_named_type, value_from_ast_untyped

from gateway.access.arguments import ABSENT, InputDefinition
from gateway.federation.supergraph import Supergraph


@dataclass(frozen=True, slots=True)
class ListSize:
    """`@listSize` of one field."""

    assumed: int | None
    slicing: tuple[str, ...]
    """Arguments, or fields of one (`page.first`), that say how many items there are."""
    sized: tuple[str, ...]
    """Fields of the value whose lists are meant, instead of the field itself."""
    requires_one: bool
    """Whether exactly one of the slicing arguments must be given."""


class Weights:
    """What one supergraph says."""

    def __init__(self, supergraph: Supergraph) -> None:
        self._types = supergraph.schema.type_map
        self._cost = supergraph.links.directive("cost")
        self._list_size = supergraph.links.directive("listSize", "cost")
        self._weighted: dict[str, bool] = {}
        """Input type → whether anything in it costs, as far as that was asked."""

    def field(self, type_name: str, name: str) -> Any:
        """Return the definition of an object type's or interface's field; None where there is none."""
        return getattr(self._types.get(type_name), "fields", {}).get(name)

    def of_type(self, name: str) -> int | None:
        """Return the weight that is written on a type."""
        return self.of(self._types[name])

    def of(self, element: Any) -> int | None:
        """Return the weight on a type, field, argument or input field; None where nothing is said."""
        applied = _applied(element, self._cost)
        if applied is None:
            return None
        try:
            return max(0, math.ceil(float(applied.get("weight", 1))))
        except (TypeError, ValueError, OverflowError):
            return None

    def list_size(self, definition: Any) -> ListSize | None:
        """Return what a field says of its list's size."""
        applied = _applied(definition, self._list_size)
        if applied is None:
            return None
        assumed = applied.get("assumedSize")
        return ListSize(
            assumed if isinstance(assumed, int) else None,
            _names(applied.get("slicingArguments")),
            _names(applied.get("sizedFields")),
            applied.get("requireOneSlicingArgument") is not False,
        )

    def is_weighted(self, definition: InputDefinition) -> bool:
        """Whether an argument or input field, or anything in it, costs."""
        return self.of(definition) is not None or self._is_weighted_type(get_named_type(definition.type))

    def of_input(self, definition: InputDefinition, value: Any) -> int:
        """Return what a value of an argument or input field costs: itself, and the fields that are given in it."""
        if value is ABSENT or value is None:
            return 0
        kind = get_named_type(definition.type)
        own = self.of(definition)
        if own is None:
            own = self.of(kind)
        return (own or 0) + self._of_fields(kind, value)

    def _of_fields(self, kind: GraphQLNamedType, value: Any) -> int:
        if not isinstance(kind, GraphQLInputObjectType) or not self._is_weighted_type(kind):
            return 0
        if isinstance(value, list | tuple):
            return sum(self._of_fields(kind, each) for each in value)
        if not isinstance(value, Mapping):
            return 0
        return sum(self.of_input(kind.fields[name], each) for name, each in value.items() if name in kind.fields)

    def _is_weighted_type(self, kind: GraphQLNamedType) -> bool:
        known = self._weighted.get(kind.name)
        if known is None:
            reached: set[GraphQLNamedType] = set()
            pending = [kind]
            while pending:
                each = pending.pop()
                if each not in reached:
                    reached.add(each)
                    fields = each.fields.values() if isinstance(each, GraphQLInputObjectType) else ()
                    pending += [get_named_type(inner.type) for inner in fields]
            known = self._weighted[kind.name] = any(map(self._says_weight, reached))
        return known

    def _says_weight(self, kind: GraphQLNamedType) -> bool:
        fields = kind.fields.values() if isinstance(kind, GraphQLInputObjectType) else ()
        return self.of(kind) is not None or any(self.of(each) is not None for each in fields)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else () if value is None else (str(value),)


def _applied(element: Any, name: str) -> Mapping[str, Any] | None:
    node = element.ast_node
    for directive in (node.directives or ()) if node is not None else ():
        if directive.name.value == name:
            return {each.name.value: value_from_ast_untyped(each.value) for each in directive.arguments or ()}
    return None
