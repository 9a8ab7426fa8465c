"""What the resolvers of the gateway's own graph work with; made once per operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import strawberry
from aiodataloader import DataLoader

from gateway.access.classified import Hidden
from gateway.errors import GatewayError
from gateway.events.consumers import Consumers
from gateway.events.dead_letter_desk import DeadLetterDesk
from gateway.events.log import EventLog
from gateway.events.sight import Sight
from gateway.events.source_stream import EventStreams
from gateway.events.webhooks import Webhooks
from gateway.execution.ports import RequestContext
from gateway.graph.systems import SystemDirectory
from gateway.writes.reconciliation.desk import ReconciliationDesk
from gateway.writes.reconciliation.model import Drift
from gateway.writes.workflows.desk import WorkflowDesk
from gateway.writes.workflows.model import StepRecord

EntityKeys: TypeAlias = Mapping[str, str]
"""Key fields of an entity: `{"id": "…"}`, `{"number": "CON-2025-0001"}`."""


class EntityLookup(Protocol):
    """Asks the subgraph that owns a type whether entities exist."""

    async def __call__(self, typename: str, known: Sequence[EntityKeys], wanted: str) -> Sequence[str | None]:
        """Return the key field `wanted` of each entity, in order; None for one that does not exist or has none.

        `wanted` may be a path to a field of a related entity, `owner.id`.

            await look_up("Contract", [{"id": "Q29u…"}], "number")    # ["CON-2025-0001"]

        Raises `GatewayError` with a SYSTEM_* code when the owner can't tell.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One question to the owner of a type."""

    typename: str
    field: str
    value: str
    wanted: str


@dataclass(slots=True, kw_only=True)
class GraphContext:
    """Made on the event loop for each query or subscription."""

    log: EventLog
    streams: EventStreams
    desk: DeadLetterDesk
    consumers: Consumers
    webhooks: Webhooks
    look_up: EntityLookup
    directory: SystemDirectory
    request: RequestContext
    workflows: WorkflowDesk | None = None
    """None where the gateway is configured to carry none."""
    reconciliation: ReconciliationDesk | None = None
    """None where the gateway carries no workflows, beside which drift is kept."""
    sight: Sight | None = None
    """What of the events the caller sees; None: all."""
    announces: bool = False
    """Whether a subscription yields events as the log has them: whoever needs their fields makes them."""
    hidden: Hidden = field(default_factory=Hidden)
    """What of the values that writes, drift and dead letters tell of the caller sees masked."""
    resume_after: str | None = None
    """The cursor that the client gave outside the operation, such as Last-Event-ID; a `cursor` argument goes before it."""
    _keys: DataLoader[_Asked, str | None] = field(init=False)
    _steps: DataLoader[str, Sequence[StepRecord]] = field(init=False)
    _drifts: DataLoader[tuple[str, str], Sequence[Drift]] = field(init=False)

    def __post_init__(self) -> None:
        # Not cached: a subscription keeps its context for days, and entities come and go.
        self._keys = DataLoader(self._load_keys, cache=False)
        self._steps = DataLoader(self._load_steps, cache=False)
        self._drifts = DataLoader(self._load_drifts, cache=False)

    async def steps_of(self, workflow: str) -> Sequence[StepRecord]:
        """Return the steps of a workflow, in order; asked for together with those of others."""
        steps: Sequence[StepRecord] = await self._steps.load(workflow)
        return steps

    async def drift_of(self, column: str, key: str) -> Sequence[Drift]:
        """Return what is not resolved by `customer` or `subject`; asked for together with that of others."""
        drifts: Sequence[Drift] = await self._drifts.load((column, key))
        return drifts

    async def entity_key(self, typename: str, known: tuple[str, str], wanted: str) -> str | None:
        """Return one key field of an entity known by another (name, value), or None if there is no such entity."""
        name, value = known
        key: str | None = await self._keys.load(_Asked(typename=typename, field=name, value=value, wanted=wanted))
        return key

    async def _load_steps(self, workflows: list[str]) -> list[Sequence[StepRecord]]:
        assert self.workflows is not None
        found = await self.workflows.steps(workflows)
        return [found.get(workflow, ()) for workflow in workflows]

    async def _load_drifts(self, questions: list[tuple[str, str]]) -> list[Sequence[Drift]]:
        if self.reconciliation is None:
            raise GatewayError("STORE_UNAVAILABLE", "This gateway keeps no drift; `[workflows]` configures its store.")
        found: dict[tuple[str, str], Sequence[Drift]] = {}
        for column in {column for column, _ in questions}:
            keys = [key for asked, key in questions if asked == column]
            live = await self.reconciliation.live_of(column, keys)
            found |= {(column, key): drifts for key, drifts in live.items()}
        return [found[question] for question in questions]

    async def _load_keys(self, questions: list[_Asked]) -> list[Any]:
        answers: dict[_Asked, Any] = {}
        groups: dict[tuple[str, str, str], list[_Asked]] = {}
        for asked in dict.fromkeys(questions):
            groups.setdefault((asked.typename, asked.field, asked.wanted), []).append(asked)
        for (typename, name, wanted), group in groups.items():
            try:
                found = await self.look_up(typename, [{name: asked.value} for asked in group], wanted)
            except Exception as error:  # noqa: BLE001 - the loader raises it where the key was asked for
                answers.update(dict.fromkeys(group, error))
            else:
                answers.update(zip(group, found, strict=True))
        return [answers[asked] for asked in questions]


GraphInfo: TypeAlias = strawberry.Info[GraphContext, None]
