"""INCONSISTENT_UNION_MEMBER: a union has a member in some subgraphs only."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import NamedType, UnionType
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Only some subgraphs can return it."""
    for name, members in merge.outline.members.items():
        elements: Sources[NamedType] = Sources(merge.outline.elements(name))
        for member in members:
            having = elements.keep(
                lambda _, element, member=member: isinstance(element, UnionType) and member in element.members  # type: ignore[misc]  # the default binds the loop's member
            )
            told = presence(merge, having)
            if told is not None:
                message = f"`{member}` belongs to the union `{name}` {told}"
                yield hint(merge, "INCONSISTENT_UNION_MEMBER", HintLevel.DEBUG, message, having, name)
