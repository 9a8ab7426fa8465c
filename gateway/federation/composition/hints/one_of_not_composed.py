"""ONE_OF_NOT_COMPOSED: clients won't be held to the @oneOf of an input type, which the supergraph doesn't carry.

Spec: https://spec.graphql.org/draft/#sec--oneOf
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Kind
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Federation carries @oneOf only as a composed directive; the subgraph itself still refuses what doesn't fit."""
    for name, kind in merge.outline.kinds.items():
        if kind is not Kind.INPUT:
            continue
        left_behind = {
            index: element
            for index, element in merge.outline.elements(name).items()
            if any(applied.name == "oneOf" and not merge.is_merged(index, applied) for applied in element.directives)
        }
        if left_behind:
            message = (
                f"clients won't be told that `{name}` is @oneOf: import it from a linked specification and add "
                f'`@composeDirective(name: "@oneOf")` in the subgraphs that define it'
            )
            yield hint(merge, "ONE_OF_NOT_COMPOSED", HintLevel.WARN, message, Sources(left_behind), name)
