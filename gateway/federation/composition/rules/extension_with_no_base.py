"""EXTENSION_WITH_NO_BASE: a type is extended, but no subgraph defines it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.finding import in_subgraph


def check(merge: Merge) -> Iterator[CompositionError]:
    """Root types need no definition, all others do."""
    for name in merge.outline.kinds:
        if name in ("Query", "Mutation", "Subscription"):
            continue
        elements = merge.outline.elements(name)
        if any(element.has_definition for element in elements.values()):
            continue
        for index, element in elements.items():
            yield in_subgraph(
                merge.subgraphs[index],
                "EXTENSION_WITH_NO_BASE",
                f"`{name}` is extended, but no subgraph defines it",
                coordinate=name,
                at=(element,),
                mend=f"Define `{name}` in one subgraph, or drop `extend`.",
            )
