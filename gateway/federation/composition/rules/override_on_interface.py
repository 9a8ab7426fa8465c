"""OVERRIDE_ON_INTERFACE: @override stands on a field of an interface."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.override_uses import override_uses


def check(merge: Merge) -> Iterator[CompositionError]:
    """Interfaces are not resolved, so nothing about them can be taken over."""
    for found in override_uses(merge):
        if found.is_on_interface:
            yield found.error(
                "OVERRIDE_ON_INTERFACE",
                "fields of interfaces cannot be taken over",
                "Put @override on the field of the implementing types.",
            )
