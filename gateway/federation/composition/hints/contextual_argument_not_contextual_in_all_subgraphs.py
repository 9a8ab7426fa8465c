"""CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS: an argument is filled here, and open to clients there."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.arguments import argument_sources, is_contextual_anywhere
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.join import is_contextual
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Clients don't see it in either case."""
    for group in merge.field_groups():
        for name, versions in argument_sources(group.resolving).items():
            if not is_contextual_anywhere(merge, versions):
                continue
            for index, argument in versions.present():
                if not is_contextual(merge.subgraphs[index], argument):
                    coordinate = f"{group.coordinate}({name}:)"
                    yield hint(
                        merge,
                        "CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS",
                        HintLevel.WARN,
                        f"clients won't see `{coordinate}`, which {merge.subgraphs[index].name} leaves to them: "
                        f"another subgraph has it filled from a context",
                        versions,
                        coordinate,
                    )
