"""How far a field has moved that @override takes over.

FROM_SUBGRAPH_DOES_NOT_EXIST: a field is taken over from a subgraph that does not exist.
OVERRIDE_DIRECTIVE_CAN_BE_REMOVED: the other subgraph no longer has or resolves the field, so @override can go.
OVERRIDDEN_FIELD_CAN_BE_REMOVED: the subgraph that lost the field can drop it.
OVERRIDE_MIGRATION_IN_PROGRESS: a label decides which subgraph resolves the field.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.result import CompositionHint, HintLevel
from gateway.federation.composition.rules.override_uses import OverrideAt, override_uses


def find(merge: Merge) -> Iterator[CompositionHint]:
    """What is left to do for each @override."""
    for found in override_uses(merge):
        for code, level, message in _notes(merge, found):
            yield hint(merge, code, level, message, found.group.sources, found.group.coordinate)


def _notes(merge: Merge, found: OverrideAt) -> Iterator[tuple[str, HintLevel, str]]:
    use, coordinate = found.use, found.group.coordinate
    if use.source_index is None:
        near = get_close_matches(use.source, [subgraph.name for subgraph in merge.subgraphs], n=1)
        guess = f"; is `{near[0]}` meant?" if near else ""
        message = f"`{coordinate}` is taken over from `{use.source}`, and there is no such subgraph{guess}"
        yield "FROM_SUBGRAPH_DOES_NOT_EXIST", HintLevel.WARN, message
        return
    if not found.is_usable:
        return
    if use.source_index not in found.group.sources.indices():
        message = f"`{use.source}` no longer has `{coordinate}`, so the @override in {found.subgraph.name} can go"
        yield "OVERRIDE_DIRECTIVE_CAN_BE_REMOVED", HintLevel.INFO, message
        return
    overrides = merge.overrides_of(found.group)
    if merge.is_external(use.source_index, found.group.parent, found.group.name):
        message = f"`{use.source}` no longer resolves `{coordinate}`, so the @override in {found.subgraph.name} can go"
        yield "OVERRIDE_DIRECTIVE_CAN_BE_REMOVED", HintLevel.INFO, message
    elif not use.label:
        needed = use.source_index in overrides.used
        rest = "mark it @external there, where it is still referred to" if needed else "remove it there"
        message = f"`{coordinate}` has left `{use.source}`: {rest}"
        yield "OVERRIDDEN_FIELD_CAN_BE_REMOVED", HintLevel.INFO, message
    if use.label:
        message = f"`{coordinate}` is moving from `{use.source}` to `{found.subgraph.name}` ({use.label})"
        yield "OVERRIDE_MIGRATION_IN_PROGRESS", HintLevel.INFO, message
