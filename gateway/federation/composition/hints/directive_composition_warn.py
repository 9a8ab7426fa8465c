"""DIRECTIVE_COMPOSITION_WARN: a composed directive has another name in a subgraph that does not compose it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionHint, HintLevel
from gateway.federation.composition.normalise.diagnose import locate


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Nothing is lost yet, but that subgraph can't compose the directive under its own name."""
    composed = {(item.feature.url.identity, item.origin): item.name for item in merge.composed.items}
    for (identity, origin), name in composed.items():
        for subgraph in merge.subgraphs:
            feature = subgraph.links.find(identity)
            if feature is None or name in merge.composed.names[subgraph.name]:
                continue
            here = feature.directive_name(origin)
            if here != name and any(imported.name == f"@{origin}" for imported in feature.imports):
                yield CompositionHint(
                    code="DIRECTIVE_COMPOSITION_WARN",
                    message=f"[{subgraph.name}] the composed directive `@{name}` is called `@{here}` here; "
                    f"composing it from here too would take one name everywhere",
                    level=HintLevel.WARN,
                    coordinate=f"@{name}",
                    subgraphs=(subgraph.name,),
                    locations=locate(subgraph.name, feature.node),
                )
