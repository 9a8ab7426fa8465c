"""REQUIRES_INVALID_FIELDS: the `fields` of @requires is not a valid selection."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.field_set_faults import Fault, field_set_errors


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Field sets of @requires."""
    return field_set_errors(subgraph, "requires", Fault.INVALID_FIELDS)
