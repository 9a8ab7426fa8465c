"""INTERFACE_OBJECT_USAGE_ERROR: an interface object is no entity."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Without a @key nobody could say which implementation an interface object stands for."""
    for element in subgraph.types.values():
        if subgraph.is_interface_object(element) and not subgraph.has(element, "key"):
            yield in_subgraph(
                subgraph,
                "INTERFACE_OBJECT_USAGE_ERROR",
                f"`{element.name}` is an @interfaceObject without a @key",
                coordinate=element.name,
                at=(element,),
                mend=f"Add the @key that the interface `{element.name}` has in other subgraphs.",
            )
