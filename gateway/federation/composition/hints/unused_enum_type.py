"""UNUSED_ENUM_TYPE: nothing refers to an enum."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.enums import enum_usages
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """It is kept with all values of all subgraphs."""
    usages = merge.once(enum_usages)
    for name, elements in merge.enums():
        if name not in usages:
            message = f"the enum `{name}` is defined, but nothing uses it"
            yield hint(merge, "UNUSED_ENUM_TYPE", HintLevel.DEBUG, message, Sources(elements), name)
