"""AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE: access control stands on an interface, its field, or an interface object."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.carried import ACCESS_CONTROL
from gateway.federation.composition.model.element import Element, InterfaceType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Interfaces inherit what their implementations ask for, so they ask for nothing themselves."""
    for element in subgraph.types.values():
        if isinstance(element, InterfaceType):
            yield from _on(subgraph, element, "the interface", element.name)
            for field in element.fields.values():
                yield from _on(subgraph, field, "the interface field", f"{element.name}.{field.name}")
        elif subgraph.is_interface_object(element):
            yield from _on(subgraph, element, "the interface object", element.name)


def _on(subgraph: Subgraph, element: Element, what: str, coordinate: str) -> Iterator[CompositionError]:
    for directive in ACCESS_CONTROL:
        for applied in subgraph.uses(element, directive):
            yield in_subgraph(
                subgraph,
                "AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE",
                f"@{applied.name} cannot stand on {what} `{coordinate}`",
                coordinate=coordinate,
                at=(applied, element),
                mend="Put it on the implementing types or their fields.",
            )
