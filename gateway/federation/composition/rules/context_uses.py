"""The uses of @fromContext, which several rules look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.federation.composition.model.element import Directive, Field, FieldedType, InputValue, NamedType
from gateway.federation.composition.model.selected_context import parse_selected_context
from gateway.federation.composition.model.subgraph import Subgraph


@dataclass(frozen=True, slots=True)
class ContextUse:
    """@fromContext on an argument."""

    parent: FieldedType
    field: Field
    argument: InputValue
    applied: Directive
    context: str | None
    selection: str | None

    @property
    def coordinate(self) -> str:
        """The argument's coordinate."""
        return f"{self.parent.name}.{self.field.name}({self.argument.name}:)"


def context_uses(subgraph: Subgraph) -> Iterator[ContextUse]:
    """Every argument that is filled from a context."""
    for parent, field in subgraph.fields():
        for argument in field.arguments.values():
            for applied in subgraph.uses(argument, "fromContext"):
                context, selection = parse_selected_context(applied.text("field"))
                yield ContextUse(parent, field, argument, applied, context, selection)


def context_places(subgraph: Subgraph) -> Mapping[str, tuple[NamedType, ...]]:
    """Context to the types that set it."""
    found: dict[str, list[NamedType]] = {}
    for element in subgraph.types.values():
        for applied in subgraph.uses(element, "context"):
            found.setdefault(applied.text("name") or "", []).append(element)
    return {name: tuple(places) for name, places in found.items()}
