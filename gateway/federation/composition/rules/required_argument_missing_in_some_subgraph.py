"""REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH: one subgraph demands an argument that another doesn't know."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.arguments import argument_sources, is_contextual_anywhere
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.definitions import common_locations, executable_sources
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import InputValue
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import across, listed


def check(merge: Merge) -> Iterator[CompositionError]:
    """Only arguments that all know reach clients, so none of the others may be required."""
    for group in merge.field_groups():
        if not merge.is_unresolved(group):
            for name, versions in argument_sources(group.resolving).items():
                yield from _missing(merge, f"{group.coordinate}({name}:)", versions)
    for directive, sources in executable_sources(merge):
        if not sources.missing() and common_locations(sources):
            for name, versions in argument_sources(sources).items():
                yield from _missing(merge, f"@{directive}({name}:)", versions)


def _missing(merge: Merge, coordinate: str, versions: Sources[InputValue]) -> Iterator[CompositionError]:
    missing = versions.missing()
    required = [index for index, argument in versions.present() if argument.is_required]
    if missing and required and not is_contextual_anywhere(merge, versions):
        yield across(
            merge,
            "REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH",
            f"`{coordinate}` is required in {listed(merge.outline.names(required))}, "
            f"but {listed(merge.outline.names(missing))} does not have it",
            versions,
            coordinate=coordinate,
            mend="Make it optional, or add it where it is missing.",
        )
