"""DIRECTIVE_COMPOSITION_INFO: @composeDirective is needless, or a subgraph links another major version silently."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionHint, HintLevel
from gateway.federation.composition.normalise.diagnose import locate


def find(merge: Merge) -> Iterator[CompositionHint]:
    """What is composed anyway needs no @composeDirective; versions only matter where they are composed."""
    yield from _other_versions(merge)
    for subgraph, applied, name in merge.composed.needless:
        yield CompositionHint(
            code="DIRECTIVE_COMPOSITION_INFO",
            message=f"[{subgraph.name}] `@{name}` reaches the supergraph without @composeDirective",
            level=HintLevel.INFO,
            coordinate=f"@{name}",
            subgraphs=(subgraph.name,),
            locations=locate(subgraph.name, applied.node),
        )


def _other_versions(merge: Merge) -> Iterator[CompositionHint]:
    composing = {(item.subgraph.name, item.feature.url.identity) for item in merge.composed.items}
    for identity in dict.fromkeys(item.feature.url.identity for item in merge.composed.items):
        majors = {i.feature.url.version.major for i in merge.composed.items if i.feature.url.identity == identity}
        others = []
        for subgraph in merge.subgraphs:
            feature = subgraph.links.find(identity)
            if feature and (subgraph.name, identity) not in composing and feature.url.version.major not in majors:
                others.append((subgraph, feature))
        if others:
            yield CompositionHint(
                code="DIRECTIVE_COMPOSITION_INFO",
                message=f"`{identity}` is linked in another major version by subgraphs that don't compose it",
                level=HintLevel.INFO,
                subgraphs=tuple(subgraph.name for subgraph, _ in others),
                locations=tuple(at for subgraph, feature in others for at in locate(subgraph.name, feature.node)),
            )
