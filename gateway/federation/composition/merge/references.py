"""Merges the types that subgraphs give to one element: the supertype for outputs, the subtype for inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.federation.composition.merge.outline import Outline
from gateway.federation.composition.model.type_reference import ListOf, Named, NonNull, TypeReference


@dataclass(frozen=True, slots=True)
class MergedReference:
    """The merged type and how the versions relate to it."""

    type: TypeReference
    all_equal: bool
    is_compatible: bool


def merge_references(outline: Outline, references: Iterable[TypeReference], *, is_input: bool) -> MergedReference:
    """The type for the supergraph. When versions are incompatible it is the first that was found."""
    merged: TypeReference | None = None
    has_subtypes, compatible = False, True
    for reference in references:
        if merged is None or merged == reference:
            merged = reference
        elif is_strict_subtype(outline, merged, reference):
            has_subtypes = True
            merged = reference if is_input else merged
        elif is_strict_subtype(outline, reference, merged):
            has_subtypes = True
            merged = merged if is_input else reference
        else:
            compatible = False
    if merged is None:
        raise ValueError("an element without a type")
    return MergedReference(merged, compatible and not has_subtypes, compatible)


def is_strict_subtype(outline: Outline, reference: TypeReference, maybe: TypeReference) -> bool:
    """Is `maybe` a subtype of `reference` in the supergraph, and not the same?

    Non-null is below nullable, members and implementations are below their union or interface, and lists follow
    their items.
    """
    match reference, maybe:
        case NonNull(of), NonNull(other):
            return is_strict_subtype(outline, of, other)
        case _, NonNull(other):
            return reference == other or is_strict_subtype(outline, reference, other)
        case ListOf(of), ListOf(other_item):
            return is_strict_subtype(outline, of, other_item)
        case Named(name), Named(other_name):
            return outline.is_direct_subtype(name, other_name)
        case _:
            return False
