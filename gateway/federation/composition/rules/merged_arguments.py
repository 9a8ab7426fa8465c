"""Arguments that reach the supergraph, of fields and of executable directives; several rules look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.federation.composition.merge.arguments import merged_argument_sources
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.definitions import common_locations, executable_sources
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import InputValue


@dataclass(frozen=True, slots=True)
class MergedArgument:
    """An argument and its versions."""

    coordinate: str
    versions: Sources[InputValue]


def merged_arguments(merge: Merge) -> tuple[MergedArgument, ...]:
    """Every argument that all versions of its field or directive have."""
    return (*_of_fields(merge), *_of_directives(merge))


def _of_fields(merge: Merge) -> Iterator[MergedArgument]:
    for group in merge.field_groups():
        if merge.is_unresolved(group):
            continue
        for name, versions in merged_argument_sources(merge, group.resolving):
            yield MergedArgument(f"{group.coordinate}({name}:)", versions)


def _of_directives(merge: Merge) -> Iterator[MergedArgument]:
    for directive, sources in executable_sources(merge):
        if not sources.missing() and common_locations(sources):
            for name, versions in merged_argument_sources(merge, sources):
                yield MergedArgument(f"@{directive}({name}:)", versions)
