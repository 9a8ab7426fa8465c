"""INCONSISTENT_ENTITY: a type is an entity in some subgraphs only."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Kind, NamedType
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Objects from a subgraph without the @key can't be completed by others."""
    for name, kind in merge.outline.kinds.items():
        if kind is not Kind.OBJECT:
            continue
        elements: Sources[NamedType] = Sources(merge.outline.elements(name))
        keyed = elements.keep(lambda index, element: merge.subgraphs[index].has(element, "key"))
        told = presence(merge, keyed)
        if keyed.indices() and told is not None:
            message = f"`{name}` has a @key {told}"
            yield hint(merge, "INCONSISTENT_ENTITY", HintLevel.INFO, message, elements, name)
