"""What a workflow is made of: steps with their undoing, which failures are retried, and what a person decides."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Protocol

from gateway.writes.workflows.model import Json, StepError


class CallFailed(Exception):  # noqa: N818 - reads as what it is
    """A system did not do, or may not have done, what a step asked of it."""

    def __init__(self, error: StepError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


def refuse(code: str, message: str, system: str = "gateway") -> CallFailed:
    """Return the failure of a step that finds, before it writes, that it must not."""
    return CallFailed(StepError(code=code, message=message, system=system))


def beginning_of_day(day: str | None) -> float | None:
    """Return when a day begins in UTC, in seconds since 1970; None for none."""
    return None if day is None else dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC).timestamp()


class Calls(Protocol):
    """Asks the subgraph of a system of record."""

    async def __call__(self, system: str, document: str, variables: Mapping[str, Json], key: str | None) -> Json:
        """Return the data of the answer's only root field. `key` makes a mutation repeatable.

        Raises `CallFailed` where there are errors, or no usable answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One exchange with a system, for the evidence."""

    system: str
    action: str
    """Name of the field that was asked."""
    question: Mapping[str, Json]
    answer: Json


@dataclass(slots=True, kw_only=True)
class StepContext:
    """What a step works with during one try."""

    workflow: str
    step: str
    requested_by: str | None
    input: Mapping[str, Json]
    outputs: Mapping[str, Json]
    """Name of each step that is done → what it returned."""
    calls: Calls
    exchanges: list[Answered] = field(default_factory=list)
    agreed: Mapping[str, Json] = field(default_factory=dict)
    """Action → the answer that somebody approved, for a workflow that had to be."""

    @property
    def key(self) -> str:
        """The idempotency key of this step's write; the same in every try by any worker."""
        return f"{self.workflow}:{self.step}"

    async def read(self, system: str, document: str, variables: Mapping[str, Json]) -> Json:
        """Return the only root field's data of a query."""
        return await self.calls(system, document, variables, None)

    async def pages(
        self, system: str, document: str, variables: Mapping[str, Json], after: str | None = None
    ) -> AsyncGenerator[Json]:
        """Yield the nodes of the connection that is a query's only root field, or the only field of its only entity.

        The document takes `$after`, and asks for `edges{node}` and `pageInfo{hasNextPage endCursor}`.
        """
        while True:
            found = await self.read(system, document, {**variables, "after": after})
            if isinstance(found, list):
                (found,) = found[0].values()
            for edge in found["edges"]:
                yield edge["node"]
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]

    async def write(self, system: str, action: str, selection: str, variables: Mapping[str, Json]) -> Json:
        """Send the mutation `action` under this step's key, and return its payload."""
        return await self._send(system, action, selection, variables, self.key)

    async def undo(self, system: str, action: str, selection: str, variables: Mapping[str, Json]) -> Json:
        """Send the mutation that takes this step back. `undoes` tells the owner to refuse the step from now on."""
        given = {**variables, "undoes": self.key}
        return await self._send(system, action, selection, given, f"{self.key}:undo")

    async def _send(self, system: str, action: str, selection: str, variables: Mapping[str, Json], key: str) -> Json:
        kind = f"{action[0].upper()}{action[1:]}Input"
        document = f"mutation($input:{kind}!){{{action}(input:$input){{{selection}}}}}"
        try:
            answer = await self.calls(system, document, {"input": dict(variables)}, key)
        except CallFailed as failed:
            self.exchanges.append(
                Answered(system=system, action=action, question=variables, answer={"error": failed.error.to_json()})
            )
            raise
        self.exchanges.append(Answered(system=system, action=action, question=variables, answer=answer))
        return answer


RECOVERED = "concord.source.recovered.v1"
"""A system is well again: every step that waits is tried."""


class OnFailure(Enum):
    """What follows when a step fails for good."""

    COMPENSATE = "compensate"
    ASK = "ask"
    """The workflow stops where it is, and a person decides: past this point going on is the better way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Which failures of a step are tried again, and for how long; any other fails it."""

    codes: frozenset[str] = frozenset(
        {
            "SYSTEM_SYNCHRONISING",
            "SYSTEM_UNAVAILABLE",
            "SYSTEM_TIMEOUT",
            "SYSTEM_CIRCUIT_OPEN",
            "SYSTEM_RATE_LIMITED",
            "SYSTEM_ERROR",
            "SYSTEM_BAD_RESPONSE",
            "OVERLOADED",
            "IDEMPOTENCY_IN_PROGRESS",
        }
    )
    """Failures that pass by themselves. With the step's key a repetition finds what an earlier try did."""
    ask: frozenset[str] = frozenset({"SYSTEM_AUTH_FAILED"})
    """Failures that only a person can mend, and then the workflow can go on."""
    give_up_after_s: float = 120.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 10.0

    def pause_s(self, attempt: int, error: StepError) -> float:
        """Return how long to wait after the attempt (from 1) that failed so."""
        return max(error.retry_after_s or 0.0, min(self.longest_pause_s, self.first_pause_s * 2.0 ** (attempt - 1)))


Run = Callable[[StepContext], Awaitable[Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write to one system, or a check before one."""

    name: str
    system: str
    run: Run
    """Returns what later steps and the undoing need, as JSON. Raises `CallFailed`."""
    undo: Run | None = None
    """Takes the step back, whether or not it took effect; None where there is nothing to take back."""
    retry: RetryPolicy = RetryPolicy()
    awaits: frozenset[str] = frozenset()
    """Types of lifecycle events that may end what the step waits for: one of them, and it is tried again at once. The retry
    policy's pauses are the fall-back, so an event that is late, doubled or never comes does no harm."""
    on_failure: OnFailure = OnFailure.COMPENSATE


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWrite:
    """What a dry run tells of one step."""

    step: str
    system: str
    action: str
    """The mutation that would be sent."""
    changes: tuple[tuple[str, str | None, str | None], ...] = ()
    """(field, value at present, value afterwards)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """A workflow that is begun as another one is completed: in one transaction, so once and never lost."""

    kind: str
    input: Mapping[str, Json]
    """Its kind's `due_at` says when it is carried out."""


Plan = Callable[[StepContext], Awaitable[tuple[PlannedWrite, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A kind of workflow."""

    kind: str
    """Such as `quote-to-cash`."""
    steps: tuple[Step, ...]
    """In order; undone in reverse."""
    plan: Plan
    """Reads what a dry run answers with; changes nothing."""
    amount: Callable[[StepContext], Awaitable[Decimal | None]]
    """Reads from its owner what it is worth, for the limit above which somebody else has to approve. Answers that it leaves in
    the context's `exchanges` are what is agreed to: steps find them in `agreed`."""
    subject: Callable[[Mapping[str, Json]], tuple[str | None, str | None]]
    """(customer, contract) that the workflow is filed under, as far as its outputs by step say."""
    result: Callable[[Mapping[str, Json]], Json]
    """What a finished workflow came to, from the outputs by step."""
    deadline_s: float = 900.0
    """Time from the start after which it is undone instead of retried."""
    retried_within_s: float | None = None
    """Time from the start after which a person may not let it go on anymore; None: always."""
    due_at: Callable[[Mapping[str, Json]], float | None] = lambda _given: None
    """When an input is to be carried out, in seconds since 1970; None: at once."""
    follow: Callable[[str, Mapping[str, Json]], Following | None] = lambda _workflow, _outputs: None
    """What is to be done later, from the workflow's id and its outputs by step."""

    @property
    def has_way_back(self) -> bool:
        """Whether any of it can be undone; what only asks can't take back what it heard of."""
        return any(step.undo is not None for step in self.steps)

    def step(self, name: str) -> Step:
        """Return a step by name."""
        return next(step for step in self.steps if step.name == name)
