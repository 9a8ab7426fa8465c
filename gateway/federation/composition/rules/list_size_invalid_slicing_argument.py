"""LIST_SIZE_INVALID_SLICING_ARGUMENT: `slicingArguments` names what is no integer argument of the field."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import Named, nullable
from gateway.federation.composition.rules.finding import in_subgraph
from gateway.federation.composition.rules.list_size_uses import list_size_uses


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """The size of a list can be read from arguments of type Int."""
    for use in list_size_uses(subgraph):
        for name in use.names("slicingArguments"):
            argument = use.field.arguments.get(name)
            if argument is None:
                message = f"`{use.coordinate}` has no argument `{name}` that could slice it"
            elif nullable(argument.type) != Named("Int"):
                message = f"the slicing argument `{use.coordinate}({name}:)` is of type `{argument.type}` and not Int"
            else:
                continue
            yield in_subgraph(
                subgraph,
                "LIST_SIZE_INVALID_SLICING_ARGUMENT",
                message,
                coordinate=use.coordinate,
                at=(use.applied, argument or use.field),
            )
