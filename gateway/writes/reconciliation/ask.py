"""How a run asks the graph: patiently, page by page, naming who did not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

_PASSING = frozenset(
    {
        "OVERLOADED",
        "SYSTEM_CIRCUIT_OPEN",
        "SYSTEM_ERROR",
        "SYSTEM_RATE_LIMITED",
        "SYSTEM_SYNCHRONISING",
        "SYSTEM_TIMEOUT",
        "SYSTEM_UNAVAILABLE",
    }
)
"""Refusals that pass by themselves."""
_TOO_MUCH = frozenset({"COST_ESTIMATED_TOO_EXPENSIVE", "REQUEST_DEADLINE_EXCEEDED"})
"""Refusals that a smaller page does not meet."""
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFailure:
    """An error of an answer."""

    code: str
    system: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the graph said."""

    data: Mapping[str, Any] | None
    failures: Sequence[AskFailure] = ()


class Ask(Protocol):
    """Sends a query to the graph, as Concord itself and in the background."""

    async def __call__(self, document: str, variables: Mapping[str, Any]) -> Answer:
        """Return the answer; expected failures are in it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the things to compare."""

    nodes: Sequence[Mapping[str, Any]]
    failed: Mapping[str, str]
    """System that did not answer for all of them → code."""
    total: int | None = None


@dataclass(slots=True, kw_only=True)
class PatientAsk:
    """Asks again what was not answered, as long as one run may wait for a system."""

    ask: Ask
    patience_s: float
    """Waited for a system in all; once that is over, it is passed by for the rest of the run."""
    page_size: int
    _given_up: set[str] = field(default_factory=set)
    _waited_s: dict[str, float] = field(default_factory=dict)

    async def answer(self, document: str, variables: Mapping[str, Any]) -> Answer:
        """Return the answer, asked for again while systems fail that may come back."""
        while True:
            answer = await self.ask(document, variables)
            waits = {
                each.system: max(each.retry_after_s or 0.0, _PAUSE_S)
                for each in answer.failures
                if each.code in _PASSING and each.system not in self._given_up
            }
            if not waits:
                return answer
            pause_s = min(max(waits.values()), self.patience_s)
            for system in waits:
                self._waited_s[system] = self._waited_s.get(system, 0.0) + pause_s
                if self._waited_s[system] >= self.patience_s:
                    self._given_up.add(system)
            await asyncio.sleep(pause_s)

    async def pages(self, document: str, variables: Mapping[str, Any]) -> AsyncIterator[Page]:
        """Yield the connection `page`, from its front to its end; the last one is without nodes where it broke off."""
        after: str | None = None
        while True:
            answer = await self.answer(document, {**variables, "first": self.page_size, "after": after})
            codes = {each.code for each in answer.failures}
            if codes & _TOO_MUCH and self.page_size > 1:
                self.page_size = max(1, self.page_size // 2)
                continue
            failed = {each.system: each.code for each in answer.failures}
            found = None if answer.data is None else answer.data.get("page")
            if found is None:
                yield Page(nodes=(), failed=failed)
                return
            yield Page(nodes=[edge["node"] for edge in found["edges"]], failed=failed, total=found.get("totalCount"))
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]
