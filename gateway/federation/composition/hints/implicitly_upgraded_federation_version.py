"""IMPLICITLY_UPGRADED_FEDERATION_VERSION: a subgraph links what needs a later federation version than it links."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.link import Feature, Version
from gateway.federation.composition.model.result import CompositionHint, HintLevel
from gateway.federation.composition.normalise.diagnose import locate
from gateway.federation.composition.normalise.specification import BY_NAME, CARRIED_BY_IDENTITY


def find(merge: Merge) -> Iterator[CompositionHint]:
    """It composes as if it linked that version."""
    for subgraph in merge.subgraphs:
        federation = subgraph.links.federation
        if federation is None:
            continue
        needed, feature = max(
            ((_first_version(feature), feature) for feature in subgraph.links.features), key=lambda pair: pair[0]
        )
        if needed > federation.url.version:
            yield CompositionHint(
                code="IMPLICITLY_UPGRADED_FEDERATION_VERSION",
                message=f"[{subgraph.name}] links federation {federation.url.version}, but `{feature.url}` needs "
                f"{needed}: it is composed as if it linked that",
                level=HintLevel.INFO,
                subgraphs=(subgraph.name,),
                locations=locate(subgraph.name, federation.node),
            )


def _first_version(feature: Feature) -> Version:
    """The federation version that a linked specification's directives came with."""
    carried = CARRIED_BY_IDENTITY.get(feature.url.identity)
    return min(BY_NAME[name].since for name in carried.directives) if carried else Version(0, 0)
