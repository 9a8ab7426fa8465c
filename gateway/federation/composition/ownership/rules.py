"""The rules of ownership, in the order in which they are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.ownership import (
    ownership_field_outside_owner,
    ownership_mutation_outside_owner,
    ownership_non_null_across_systems,
    ownership_two_owners,
    ownership_unknown,
)
from gateway.federation.composition.ownership.graph import OwnedGraph

OWNERSHIP_RULES: tuple[Callable[[OwnedGraph], Iterable[CompositionError]], ...] = (
    ownership_unknown.check,
    ownership_two_owners.check,
    ownership_mutation_outside_owner.check,
    ownership_field_outside_owner.check,
    ownership_non_null_across_systems.check,
)
