"""INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE: a subgraph with a key on an interface lacks one of its implementations."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.element import InterfaceType, Kind
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import in_subgraph, listed


def check(merge: Merge) -> Iterator[CompositionError]:
    """Whoever can be asked for an interface by key has to know every type it can be."""
    for name, kind in merge.outline.kinds.items():
        if kind is not Kind.INTERFACE:
            continue
        implementers = merge.outline.implementers.get(name, ())
        for subgraph in merge.subgraphs:
            element = subgraph.types.get(name)
            if not isinstance(element, InterfaceType):
                continue
            key = next((key for key in subgraph.uses(element, "key") if key.value("resolvable") is not False), None)
            here = {other.name for other in subgraph.implementers.get(name, ())}
            missing = [f"`{other}`" for other in implementers if other not in here]
            if key is not None and missing:
                yield in_subgraph(
                    subgraph,
                    "INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE",
                    f"`{name}` can be resolved by `{key}` here, but its implementation {listed(missing)} is not known",
                    coordinate=name,
                    at=(key,),
                    mend=f"Define {listed(missing)} in {subgraph.name}, implementing `{name}`.",
                )
