"""TYPE_KIND_MISMATCH: a type is of one kind here and of another there."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.outline import merged_kind
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import NamedType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import across, grouped


def check(merge: Merge) -> Iterator[CompositionError]:
    """A type has one kind; only interface objects may stand for interfaces."""
    for name, kind in merge.outline.kinds.items():
        versions: dict[int, NamedType] = {
            index: subgraph.types[name] for index, subgraph in enumerate(merge.subgraphs) if name in subgraph.types
        }
        if any(merged_kind(merge.subgraphs[index], element) is not kind for index, element in versions.items()):
            texts = {index: _kind_text(merge.subgraphs[index], element) for index, element in versions.items()}
            sources = Sources(versions)
            yield across(
                merge,
                "TYPE_KIND_MISMATCH",
                f"`{name}` is of different kinds: {grouped(merge, sources, texts)}",
                sources,
                coordinate=name,
                mend="Make it the same kind everywhere, or rename one of them.",
            )


def _kind_text(subgraph: Subgraph, element: NamedType) -> str:
    if subgraph.is_interface_object(element):
        return "an @interfaceObject"
    kind = str(merged_kind(subgraph, element))
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
