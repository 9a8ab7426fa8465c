"""DIRECTIVE_COMPOSITION_ERROR: @composeDirective asks for what can't be composed."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.normalise.diagnose import locate


def check(merge: Merge) -> Iterator[CompositionError]:
    """A composed directive belongs to a linked specification, the same one under the same name everywhere."""
    for problem in merge.composed.problems:
        yield CompositionError(
            code="DIRECTIVE_COMPOSITION_ERROR",
            message=problem.message,
            subgraphs=tuple(dict.fromkeys(subgraph.name for subgraph, _ in problem.at)),
            locations=tuple(at for subgraph, applied in problem.at for at in locate(subgraph.name, applied.node)),
            mend=problem.mend,
        )
