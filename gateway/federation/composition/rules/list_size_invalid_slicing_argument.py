"""LIST_SIZE_INVALID_SLICING_ARGUMENT: `slicingArguments` names what is no integer argument of the field, nor in one."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InputType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import Named, is_list, named_type, nullable
from gateway.federation.composition.rules.finding import in_subgraph
from gateway.federation.composition.rules.list_size_uses import list_size_uses


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """The size of a list can be read from arguments of type Int, and from fields of arguments: `input.first`."""
    for use in list_size_uses(subgraph):
        for path in use.names("slicingArguments"):
            name, *below = path.split(".")
            argument = use.field.arguments.get(name)
            found = argument
            for step in below:
                within = subgraph.types.get(named_type(found.type)) if found and not is_list(found.type) else None
                found = within.fields.get(step) if isinstance(within, InputType) else None
            if found is None:
                message = f"`{use.coordinate}` has no argument `{path}` that could slice it"
            elif nullable(found.type) != Named("Int"):
                message = f"the slicing argument `{use.coordinate}({path}:)` is of type `{found.type}` and not Int"
            else:
                continue
            yield in_subgraph(
                subgraph,
                "LIST_SIZE_INVALID_SLICING_ARGUMENT",
                message,
                coordinate=use.coordinate,
                at=(use.applied, argument or use.field),
            )
