"""Makes the errors that rules report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphql import Node

from gateway.federation.composition.merge.context import Merge
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Directive, Element
from gateway.federation.composition.model.result import CompositionError, SourceLocation
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.normalise.diagnose import locate


def in_subgraph(
    subgraph: Subgraph,
    code: str,
    message: str,
    *,
    coordinate: str | None = None,
    at: Iterable[Element | Directive | None] = (),
    mend: str | None = None,
) -> CompositionError:
    """An error of one subgraph; its message names the subgraph."""
    nodes: list[Node | None] = [element.node for element in at if element is not None]
    return CompositionError(
        code=code,
        message=f"[{subgraph.name}] {message}",
        coordinate=coordinate,
        subgraphs=(subgraph.name,),
        locations=locate(subgraph.name, *nodes),
        mend=mend,
    )


def across(
    merge: Merge,
    code: str,
    message: str,
    sources: Sources[Element],
    *,
    coordinate: str | None = None,
    mend: str | None = None,
) -> CompositionError:
    """An error that several subgraphs have together."""
    locations: list[SourceLocation] = []
    for index, element in sources.present():
        locations.extend(locate(merge.subgraphs[index].name, element.node))
    return CompositionError(
        code=code,
        message=message,
        coordinate=coordinate,
        subgraphs=merge.outline.names(sources.indices()),
        locations=tuple(locations),
        mend=mend,
    )


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def grouped(merge: Merge, sources: Sources[Element], texts: dict[int, str]) -> str:
    """What each subgraph says, equal answers together: `Int in a and b, but String in c`."""
    answers: dict[str, list[int]] = {}
    for index in sources.indices():
        answers.setdefault(texts[index], []).append(index)
    parts = [f"{text} in {listed(merge.outline.names(indices))}" for text, indices in answers.items()]
    return ", but ".join(parts)
