"""CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS: an argument is filled here and demanded from clients there."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.arguments import argument_sources, is_contextual_anywhere
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.join import is_contextual
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import in_subgraph


def check(merge: Merge) -> Iterator[CompositionError]:
    """Clients don't see a contextual argument, so nobody may require them to send it."""
    for group in merge.field_groups():
        for name, versions in argument_sources(group.resolving).items():
            if not is_contextual_anywhere(merge, versions):
                continue
            for index, argument in versions.present():
                if argument.is_required and not is_contextual(merge.subgraphs[index], argument):
                    yield in_subgraph(
                        merge.subgraphs[index],
                        "CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS",
                        f"`{group.coordinate}({name}:)` is filled from a context in another subgraph, but required here",
                        coordinate=f"{group.coordinate}({name}:)",
                        at=(argument,),
                        mend="Use @fromContext here too, or make the argument nullable.",
                    )
