"""Composes subgraphs into a supergraph: normalise, check each, upgrade, merge, check the whole, satisfiability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from gateway.federation.composition.hints import HINTS
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.outline import Outline
from gateway.federation.composition.merge.supergraph import merge_supergraph
from gateway.federation.composition.model.result import (
    Composition,
    CompositionError,
    CompositionHint,
    SubgraphSource,
)
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.normalise.normalise import check_names, normalise
from gateway.federation.composition.normalise.upgrade import upgrade_all
from gateway.federation.composition.ownership import OWNERSHIP_RULES, OwnedGraph
from gateway.federation.composition.rules import (
    API_RULES,
    MERGE_RULES,
    NAME_RULES,
    SUBGRAPH_RULES,
    SUPERGRAPH_RULES,
)
from gateway.federation.composition.rules.whole import Whole
from gateway.federation.composition.satisfiability import check_satisfiability
from gateway.federation.ownership import Ownership
from gateway.federation.supergraph.uncollected import uncollected

T = TypeVar("T")
_Errors = tuple[CompositionError, ...]


@uncollected()
def compose(subgraphs: Sequence[SubgraphSource], ownership: Ownership | None = None) -> Composition:
    """The supergraph of these subgraphs, or every error that one stage of composition finds.

    With an ownership table, subgraphs also have to keep to what their systems own. Stages follow each other because a
    later one can't judge what an earlier one rejects. Bad input is an error in the result, never an exception.
    """
    normalised, errors = _normalise(subgraphs)
    if errors:
        return _failed(errors)
    upgraded, errors = upgrade_all(normalised)
    was_federation_1 = {subgraph.name for subgraph in normalised if not subgraph.is_federation_2}
    errors = errors or tuple(
        error
        for subgraph in upgraded
        if subgraph.name in was_federation_1
        for error in _apply(SUBGRAPH_RULES, subgraph)
    )
    if errors:
        return _failed(errors)
    return _merge(Merge(Outline(upgraded)), ownership)


def _normalise(sources: Sequence[SubgraphSource]) -> tuple[tuple[Subgraph, ...], _Errors]:
    errors = list(check_names(sources))
    normalised: list[Subgraph] = []
    for source in sorted(sources, key=lambda source: source.name):
        subgraph, found = normalise(source)
        errors.extend(found)
        if subgraph is not None:
            normalised.append(subgraph)
            if subgraph.is_federation_2:
                errors.extend(_apply(SUBGRAPH_RULES, subgraph))
    return tuple(normalised), tuple(errors)


def _merge(merge: Merge, ownership: Ownership | None) -> Composition:
    errors = _apply(NAME_RULES, merge) or _apply(MERGE_RULES, merge)
    if errors:
        return _failed(errors)
    whole = Whole(merge, merge_supergraph(merge))
    errors = _apply(SUPERGRAPH_RULES, whole) or _apply(API_RULES, whole)
    if errors:
        return _failed(errors)
    satisfiability = check_satisfiability(whole)
    owned = _apply(OWNERSHIP_RULES, OwnedGraph(whole, ownership)) if ownership is not None else ()
    errors = (*satisfiability.errors, *owned)
    hints = (*(found for find in HINTS for found in find(merge)), *satisfiability.hints)
    if errors:
        return _failed(errors, hints)
    return Composition(whole.sdl, (), hints)


def _apply(rules: Iterable[Callable[[T], Iterable[CompositionError]]], subject: T) -> _Errors:
    return tuple(error for rule in rules for error in rule(subject))


def _failed(errors: Iterable[CompositionError], hints: Iterable[CompositionHint] = ()) -> Composition:
    return Composition(None, tuple(dict.fromkeys(errors)), tuple(hints))
