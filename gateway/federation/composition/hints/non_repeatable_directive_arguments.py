"""The applications of a directive to one element differ between subgraphs.

MERGED_NON_REPEATABLE_DIRECTIVE_ARGUMENTS: a known directive's arguments differ and are merged.
INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS: a directive's arguments differ, and the most frequent ones are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.federation.composition.hints.inconsistent_description import elements_of
from gateway.federation.composition.hints.noting import hint
from gateway.federation.composition.merge.access import inherited_by_field, inherited_by_type
from gateway.federation.composition.merge.applications import distinct_uses, is_repeatable
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.model.element import Directive
from gateway.federation.composition.model.result import CompositionHint, HintLevel


def find(merge: Merge) -> Iterator[CompositionHint]:
    """Known directives merge their arguments; of others the most frequent application wins."""
    for coordinate, sources in elements_of(merge):
        applied: dict[str, list[tuple[int, Directive]]] = {}
        for index, element in sources.present():
            for application in element.directives:
                if merge.is_merged(index, application):
                    applied.setdefault(application.name, []).append((index, application))
        for name, inherited in _inherited(merge, coordinate).items():
            applied.setdefault(name, []).extend((-1, application) for application in inherited)
        for name, uses in applied.items():
            if is_repeatable(merge, name) or len(distinct_uses(merge, name, uses)) < 2:
                continue
            carried = merge.carried.by_name.get(name)
            if carried is not None and any(argument.strategy for argument in carried.specification.arguments):
                message = f"the arguments of `@{name}` on `{coordinate}` differ and are merged"
                yield hint(
                    merge, "MERGED_NON_REPEATABLE_DIRECTIVE_ARGUMENTS", HintLevel.INFO, message, sources, coordinate
                )
            else:
                message = f"the arguments of `@{name}` on `{coordinate}` differ; the most frequent ones are taken"
                yield hint(
                    merge,
                    "INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS",
                    HintLevel.WARN,
                    message,
                    sources,
                    coordinate,
                )


def _inherited(merge: Merge, coordinate: str) -> Mapping[str, Sequence[Directive]]:
    """Access control that an element takes over from implementations or interface objects."""
    if coordinate in merge.outline.kinds:
        return inherited_by_type(merge, coordinate)
    parent, _, field = coordinate.partition(".")
    return inherited_by_field(merge, parent, field) if field in merge.fields.get(parent, {}) else {}
