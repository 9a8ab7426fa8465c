"""Merges custom scalars."""

from __future__ import annotations

from gateway.federation.composition.merge.applications import merge_applications
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.join import join_types
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import ScalarType


def merge_scalar(merge: Merge, name: str) -> ScalarType:
    """The supergraph's scalar."""
    elements = merge.outline.elements(name)
    sources = Sources(elements)
    return ScalarType(
        name=name,
        description=merge_descriptions(sources),
        directives=(*join_types(merge.outline, elements), *merge_applications(merge, sources)),
    )
