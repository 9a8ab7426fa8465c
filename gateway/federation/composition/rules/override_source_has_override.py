"""OVERRIDE_SOURCE_HAS_OVERRIDE: the subgraph a field is taken over from takes it over itself."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.override_uses import override_uses


def check(merge: Merge) -> Iterator[CompositionError]:
    """A field is taken over once."""
    for found in override_uses(merge):
        others = {use.index for use in merge.overrides_of(found.group).uses}
        if found.is_usable and found.use.source_index in others:
            yield found.error(
                "OVERRIDE_SOURCE_HAS_OVERRIDE",
                f"`{found.use.source}` takes the field over with an @override of its own",
                "Keep only one of the two.",
            )
