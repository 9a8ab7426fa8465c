"""What becomes of the directives that clients may use.

INCONSISTENT_EXECUTABLE_DIRECTIVE_PRESENCE: clients can't use a directive that some subgraph doesn't define.
NO_EXECUTABLE_DIRECTIVE_INTERSECTION: clients can't use a directive that has no location common to all subgraphs.
INCONSISTENT_EXECUTABLE_DIRECTIVE_REPEATABLE: clients can't repeat a directive that is repeatable in some subgraphs only.
INCONSISTENT_EXECUTABLE_DIRECTIVE_LOCATIONS: clients can use a directive only where all subgraphs allow it.
EXECUTABLE_DIRECTIVE_NOT_SENT: subgraphs aren't told of a directive on a spread or fragment that may not stand on an inline one.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.hints.noting import hint, presence
from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.definitions import (
    EXECUTABLE_LOCATIONS,
    common_locations,
    executable_sources,
)
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import DirectiveDefinition
from gateway.federation.composition.model.result import CompositionHint, HintLevel

_NAMED_FRAGMENTS = frozenset({"FRAGMENT_SPREAD", "FRAGMENT_DEFINITION"})


def find(merge: Merge) -> Iterator[CompositionHint]:
    """A directive that clients use may get to any subgraph, so all have to know it in the same way."""
    for name, sources in executable_sources(merge):
        for code, message in _notes(merge, name, sources):
            yield hint(merge, code, HintLevel.WARN, message, sources, f"@{name}")


def _notes(merge: Merge, name: str, sources: Sources[DirectiveDefinition]) -> Iterator[tuple[str, str]]:
    told = presence(merge, sources)
    if told is not None:
        yield (
            "INCONSISTENT_EXECUTABLE_DIRECTIVE_PRESENCE",
            f"clients can't use `@{name}`: it is defined {told}",
        )
        return
    common = common_locations(sources)
    if not common:
        yield (
            "NO_EXECUTABLE_DIRECTIVE_INTERSECTION",
            f"clients can't use `@{name}`: no location is common to all subgraphs",
        )
        return
    if len({definition.is_repeatable for _, definition in sources.present()}) > 1:
        yield (
            "INCONSISTENT_EXECUTABLE_DIRECTIVE_REPEATABLE",
            f"`@{name}` is repeatable in some subgraphs only, so clients can't repeat it",
        )
    locations = {frozenset(d.locations) & EXECUTABLE_LOCATIONS for _, d in sources.present()}
    if len(locations) > 1:
        yield (
            "INCONSISTENT_EXECUTABLE_DIRECTIVE_LOCATIONS",
            f"`@{name}` has different locations in subgraphs; clients can use it on {', '.join(common)}",
        )
    unsent = sorted(_NAMED_FRAGMENTS.intersection(common))
    if unsent and "INLINE_FRAGMENT" not in common:
        meaning = f"subgraphs aren't told of `@{name}` on {' or '.join(unsent)}"
        yield (
            "EXECUTABLE_DIRECTIVE_NOT_SENT",
            f"{meaning}: they get inline fragments, on which it would have to be allowed",
        )
