"""EXTERNAL_ON_INTERFACE: @external stands on a field of an interface."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Interfaces are not resolved, so their fields can't be external."""
    for parent, field in subgraph.fields():
        if isinstance(parent, InterfaceType) and (parent.name, field.name) in subgraph.facts.external:
            yield in_subgraph(
                subgraph,
                "EXTERNAL_ON_INTERFACE",
                f"`{parent.name}.{field.name}` is a field of an interface and can't be @external",
                coordinate=f"{parent.name}.{field.name}",
                at=(field,),
                mend="Put @external on the field of the implementing types.",
            )
