"""OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE: @override meets a directive that it can't be combined with."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.rules.override_uses import OverrideAt, override_uses

_CODE = "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE"


def check(merge: Merge) -> Iterator[CompositionError]:
    """What is taken over has no @requires or @provides, and who takes it over resolves it."""
    for found in override_uses(merge):
        if found.is_on_interface_object:
            yield found.error(_CODE, "fields of an @interfaceObject cannot be taken over")
        elif found.is_usable and found.use.source_index is not None:
            others = {use.index for use in merge.overrides_of(found.group).uses}
            if found.use.source_index not in others:
                yield from _collisions(merge, found, found.use.source_index)


def _collisions(merge: Merge, found: OverrideAt, source_index: int) -> Iterator[CompositionError]:
    group, source = found.group, merge.subgraphs[source_index]
    field = group.sources.by_index.get(source_index)
    if field is None:
        for interface, _ in merge.interface_object_fields(group.parent, group.name, source_index):
            yield found.error(_CODE, f"`{source.name}` has the field only through the @interfaceObject `{interface}`")
        return
    for directive in ("requires", "provides"):
        if source.has(field, directive):
            yield found.error(
                _CODE,
                f"the field has @{directive} in `{source.name}`",
                f"Remove @{directive} there first.",
            )
            return
    if merge.is_external(found.use.index, group.parent, group.name):
        yield found.error(_CODE, "the field is @external here, so it is not resolved here", "Remove @external.")
