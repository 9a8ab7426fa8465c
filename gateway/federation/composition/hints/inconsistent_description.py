"""INCONSISTENT_DESCRIPTION: subgraphs describe an element differently."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.arguments import merged_argument_sources
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.definitions import executable_sources
from gateway.federation.composition.merge.descriptions import merge_descriptions
from gateway.federation.composition.merge.enums import value_sources
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Element
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """The supergraph takes the description that most give."""
    for coordinate, sources in elements_of(merge):
        texts = {element.description for _, element in sources.present() if element.description}
        if len(texts) > 1:
            chosen = (merge_descriptions(sources) or "").strip().partition("\n")[0]
            message = f"`{coordinate}` is described in {len(texts)} ways; clients will read “{chosen}”"
            yield hint(merge, "INCONSISTENT_DESCRIPTION", HintLevel.WARN, message, sources, coordinate)


def elements_of(merge: Merge) -> Iterator[tuple[str, Sources[Element]]]:
    """Every element of the supergraph with its versions."""
    yield "schema", Sources({index: subgraph.schema for index, subgraph in enumerate(merge.subgraphs)})
    for name in merge.outline.kinds:
        yield name, Sources(merge.outline.elements(name))
    for group in merge.field_groups():
        yield group.coordinate, group.resolving
        for name, versions in merged_argument_sources(merge, group.resolving):
            yield f"{group.coordinate}({name}:)", versions
    for groups in merge.input_fields.values():
        for input_group in groups.values():
            yield input_group.coordinate, input_group.sources
    for name, elements in merge.enums():
        for value, values in value_sources(elements).items():
            yield f"{name}.{value}", values
    for name, definitions in executable_sources(merge):
        if not definitions.missing():
            yield f"@{name}", definitions
