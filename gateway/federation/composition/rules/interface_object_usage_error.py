"""INTERFACE_OBJECT_USAGE_ERROR: an interface object has no interface to stand for, or meets its implementations."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import InterfaceType, Kind, NamedType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, in_subgraph, listed


def check(merge: Merge) -> Iterator[CompositionError]:
    """Some subgraph defines the interface, and none with an interface object knows its implementations."""
    for name, kind in merge.outline.kinds.items():
        if kind is Kind.INTERFACE:
            yield from _without_interface(merge, name)
            yield from _beside_implementations(merge, name)


def _without_interface(merge: Merge, name: str) -> Iterator[CompositionError]:
    versions: dict[int, NamedType] = {
        index: subgraph.types[name] for index, subgraph in enumerate(merge.subgraphs) if name in subgraph.types
    }
    if all(merge.subgraphs[index].is_interface_object(element) for index, element in versions.items()):
        yield across(
            merge,
            "INTERFACE_OBJECT_USAGE_ERROR",
            f"`{name}` is an @interfaceObject wherever it is defined "
            f"({listed(merge.outline.names(tuple(versions)))}), so there is no interface it could stand for",
            Sources(versions),
            coordinate=name,
            mend=f"Define `interface {name}` with the same @key in the subgraph that knows its implementations.",
        )


def _beside_implementations(merge: Merge, name: str) -> Iterator[CompositionError]:
    for subgraph in merge.subgraphs:
        element = subgraph.types.get(name)
        if element is None or isinstance(element, InterfaceType) or not subgraph.is_interface_object(element):
            continue
        known = [subgraph.types[other] for other in merge.outline.implementers.get(name, ()) if other in subgraph.types]
        if known:
            names = listed([f"`{other.name}`" for other in known])
            yield in_subgraph(
                subgraph,
                "INTERFACE_OBJECT_USAGE_ERROR",
                f"`{name}` is an @interfaceObject, but the subgraph also defines its implementations {names}",
                coordinate=name,
                at=(element, *known),
                mend=f"Remove {names} from {subgraph.name}, or make `{name}` an interface there.",
            )
