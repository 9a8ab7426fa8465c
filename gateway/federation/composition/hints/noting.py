"""Makes the hints."""

from __future__ import annotations

from collections.abc import Callable

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Element
from gateway.federation.composition.model.result import CompositionHint, HintLevel, SourceLocation
from gateway.federation.composition.normalise.diagnose import locate
from gateway.federation.composition.rules.finding import listed


def hint(
    merge: Merge, code: str, level: HintLevel, message: str, sources: Sources[Element], coordinate: str | None = None
) -> CompositionHint:
    """A hint about an element, located where subgraphs define it."""
    locations: list[SourceLocation] = []
    for index, element in sources.present():
        locations.extend(locate(merge.subgraphs[index].name, element.node))
    names = merge.outline.names(sources.indices())
    return CompositionHint(
        code=code, message=message, level=level, coordinate=coordinate, subgraphs=names, locations=tuple(locations)
    )


def presence(merge: Merge, sources: Sources[Element], ignore: Callable[[int], bool] = lambda _: False) -> str | None:
    """`in a, but not in b`; None when nothing is missing."""
    missing = [index for index in sources.missing() if not ignore(index)]
    if not missing:
        return None
    return f"in {listed(merge.outline.names(sources.indices()))}, but not in {listed(merge.outline.names(missing))}"
