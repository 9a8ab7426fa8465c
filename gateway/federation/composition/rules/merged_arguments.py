"""Arguments that reach the supergraph, of fields and of executable directives; several rules look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.federation.composition.merge.arguments import merged_argument_sources
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.definitions import common_locations, executable_sources
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import InputValue
from gateway.federation.composition.rules.external_missing_on_base import is_external_everywhere


@dataclass(frozen=True, slots=True)
class MergedArgument:
    """An argument and its versions."""

    coordinate: str
    versions: Sources[InputValue]


def merged_arguments(merge: Merge) -> Iterator[MergedArgument]:
    """Every argument that all versions of its field or directive have."""
    for group in merge.field_groups():
        if is_external_everywhere(merge, group):
            continue
        for name, versions in merged_argument_sources(merge, merge.without_external(group)):
            yield MergedArgument(f"{group.coordinate}({name}:)", versions)
    for directive, sources in executable_sources(merge):
        if not sources.missing() and common_locations(sources):
            for name, versions in merged_argument_sources(merge, sources):
                yield MergedArgument(f"@{directive}({name}:)", versions)
