"""MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL: a directive that reaches the supergraph stands on an @external field."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import in_subgraph


def check(merge: Merge) -> Iterator[CompositionError]:
    """External fields only refer to a field; what the field is like is said where it is defined."""
    for group in merge.field_groups():
        if merge.is_unresolved(group):
            continue
        for index, field in group.sources.present():
            if not merge.is_external(index, group.parent, group.name):
                continue
            for applied in field.directives:
                if merge.is_merged(index, applied):
                    yield in_subgraph(
                        merge.subgraphs[index],
                        "MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL",
                        f"`{applied}` cannot stand on the @external field `{group.coordinate}`",
                        coordinate=group.coordinate,
                        at=(applied,),
                        mend="Put it on the field in the subgraph that resolves it.",
                    )
