"""LINK_IMPORT_NAME_MISMATCH: subgraphs give a directive that reaches the supergraph different names."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.normalise.diagnose import locate


def check(merge: Merge) -> Iterator[CompositionError]:
    """The supergraph has one name for each directive."""
    for directive, names in merge.carried.mismatches.items():
        using = [subgraph for subgraph in merge.subgraphs if subgraph.name in names]
        features = [(subgraph, subgraph.links.source_of_directive(names[subgraph.name])) for subgraph in using]
        yield CompositionError(
            code="LINK_IMPORT_NAME_MISMATCH",
            message=f"`@{directive}` has different names: "
            + ", ".join(f"`@{name}` in {subgraph}" for subgraph, name in names.items()),
            coordinate=f"@{directive}",
            subgraphs=tuple(names),
            locations=tuple(
                at for subgraph, source in features if source for at in locate(subgraph.name, source[0].node)
            ),
            mend="Import it under the same name everywhere.",
        )
