"""Merges directive definitions: executable ones that all subgraphs share, and composed ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gateway.federation.composition.merge.arguments import merge_arguments
from gateway.federation.composition.merge.context import BUILT_IN_DIRECTIVES, Merge
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import DirectiveDefinition

EXECUTABLE_LOCATIONS = frozenset(
    {
        "QUERY",
        "MUTATION",
        "SUBSCRIPTION",
        "FIELD",
        "FRAGMENT_DEFINITION",
        "FRAGMENT_SPREAD",
        "INLINE_FRAGMENT",
        "VARIABLE_DEFINITION",
    }
)


def merge_definitions(merge: Merge) -> Mapping[str, DirectiveDefinition]:
    """The supergraph's own directives; those of the join, link and carried specifications are not among them."""
    found: dict[str, DirectiveDefinition] = {}
    for name, definition in merge.composed.definitions.items():
        sources = Sources({0: definition})
        found[name] = replace(
            definition, name=name, arguments=merge_arguments(merge, sources), directives=(), node=None
        )
    for name, sources in executable_sources(merge):
        merged = _merge_executable(merge, name, sources)
        if merged is not None:
            found[name] = merged
    return found


def executable_sources(merge: Merge) -> Iterator[tuple[str, Sources[DirectiveDefinition]]]:
    """Directives that clients may use in some subgraph, and their versions in all."""
    names = dict.fromkeys(
        name
        for subgraph in merge.subgraphs
        for name, definition in subgraph.definitions.items()
        if name not in BUILT_IN_DIRECTIVES
        and name not in merge.composed.definitions
        and EXECUTABLE_LOCATIONS.intersection(definition.locations)
    )
    for name in names:
        yield name, Sources({i: subgraph.definitions.get(name) for i, subgraph in enumerate(merge.subgraphs)})


def common_locations(sources: Sources[DirectiveDefinition]) -> tuple[str, ...]:
    """The executable locations that all versions allow."""
    versions = [definition.locations for _, definition in sources.present()]
    first = sorted(EXECUTABLE_LOCATIONS.intersection(versions[0]))
    return tuple(location for location in first if all(location in version for version in versions[1:]))


def _merge_executable(merge: Merge, name: str, sources: Sources[DirectiveDefinition]) -> DirectiveDefinition | None:
    locations = common_locations(sources)
    if sources.missing() or not locations:
        return None
    return DirectiveDefinition(
        name=name,
        description=merge_descriptions(sources),
        arguments=merge_arguments(merge, sources),
        locations=locations,
        is_repeatable=all(definition.is_repeatable for _, definition in sources.present()),
    )
