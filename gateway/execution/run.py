"""The response tree of one operation while it grows, and what every fetch of the run shares."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gateway.execution.collect import Reached
from gateway.execution.located import ErrorList, Failure
from gateway.execution.ports import RequestContext, SubgraphAnswer
from gateway.execution.walk import ConcretePath, is_of
from gateway.federation.plan import RepresentationField, RepresentationFragment, RepresentationSelection

Landed: TypeAlias = "SubgraphAnswer | Exception | asyncio.Future[SubgraphAnswer]"
"""What became of a fetch, or will become of it."""


@dataclass(slots=True)
class Run:
    """One execution of a plan. Everything here changes only between awaits."""

    variables: Mapping[str, Any]
    """The client's, coerced."""
    context: RequestContext
    data: dict[str, Any] = field(default_factory=dict)
    """The response tree: what subgraphs gave, by response name, keys and required fields included."""
    errors: ErrorList = field(default_factory=ErrorList)
    is_write: bool = False
    """Whether the operation is a mutation."""
    cursor: str | None = None
    """Of one event of a subscription: its place in the log, as the source stream told it."""
    ledger: dict[tuple[int, str], Failure] = field(default_factory=dict)
    """(identity of an object in the tree, response name) → why that field is not there. What depends on it failed for
    the same reason."""

    reached: Reached = field(default_factory=dict)
    """Objects that were found in the tree and are where they were."""
    landed: dict[tuple[int, bytes], Landed] = field(default_factory=dict)
    """(fetch, body) → what is known already, of a request that was begun in another way (`typed_run.py`)."""
    is_late: bool = False
    """Whether so much time has passed that nobody waits for a slow fetch without need."""
    sent: dict[tuple[int, int], dict[int, Any]] | None = None
    """Once a fetch was slow, (fetch, number of the input) → the objects it was sent for already, by identity."""

    def fail_field(self, path: ConcretePath, holder: dict[str, Any], name: str, failure: Failure) -> None:
        """Note that the field `name` of the object at `path` could not be had."""
        self.errors.add((*path, name), failure)
        self.ledger[id(holder), name] = failure

    def fail_path(self, path: ConcretePath, failure: Failure) -> None:
        """Note an error that a subgraph located at a place of the tree."""
        self.errors.add(path, failure)
        holder: Any = self.data
        for name in path:
            if isinstance(holder, dict) and isinstance(name, str):
                following = holder.get(name)
                if following is None:
                    self.ledger[id(holder), name] = failure
                holder = following
            elif isinstance(holder, list) and isinstance(name, int) and 0 <= name < len(holder):
                holder = holder[name]
            else:
                return


def why_missing(run: Run, value: Any, selection: RepresentationSelection) -> Failure | None:
    """Return the failure that keeps a representation from being built, or None where a value was legitimately null."""
    for holder, name in _gaps(value, selection):
        failure = run.ledger.get((id(holder), name))
        if failure is not None:
            return failure
    return None


def _gaps(value: Any, selection: RepresentationSelection) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, list):
        for item in value:
            yield from _gaps(item, selection)
    if not isinstance(value, dict):
        return
    for each in selection:
        match each:
            case RepresentationFragment(_, possible_types, inner):
                if is_of(value, possible_types):
                    yield from _gaps(value, inner)
            case RepresentationField(_, source, inner, _):
                if value.get(source) is None:
                    yield value, source
                elif inner:
                    yield from _gaps(value[source], inner)
