"""A workflow and its steps, as they are kept and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""What JSON can say."""


class WorkflowStatus(StrEnum):
    """Where a workflow stands."""

    WAITING_APPROVAL = "WAITING_APPROVAL"
    """Its amount is above what one person may decide; somebody else has to approve it."""
    SCHEDULED = "SCHEDULED"
    """It waits for the day on which it takes effect."""
    RUNNING = "RUNNING"
    COMPENSATING = "COMPENSATING"
    """It can't be finished, or a person took it back; its steps are being undone."""
    NEEDS_ATTENTION = "NEEDS_ATTENTION"
    """It stopped, and a person has to decide: retry, compensate or resolve."""
    COMPLETED = "COMPLETED"
    COMPENSATED = "COMPENSATED"
    """Nothing of it is left in any system."""
    REJECTED = "REJECTED"
    """Approval was refused; nothing was done."""
    RESOLVED = "RESOLVED"
    """A person put right what it left behind, and said how."""


SETTLED = frozenset(
    {WorkflowStatus.COMPLETED, WorkflowStatus.COMPENSATED, WorkflowStatus.REJECTED, WorkflowStatus.RESOLVED}
)
"""Statuses that end a workflow."""
MOVING = frozenset({WorkflowStatus.RUNNING, WorkflowStatus.COMPENSATING})
"""Statuses in which some worker has to be at it."""


class StepStatus(StrEnum):
    """Where a step stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    """It did not take effect."""
    UNKNOWN = "UNKNOWN"
    """It was given up without knowing whether it took effect; undoing it finds out."""
    COMPENSATING = "COMPENSATING"
    COMPENSATED = "COMPENSATED"
    COMPENSATION_FAILED = "COMPENSATION_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepError:
    """Why a step's last try failed."""

    code: str
    """Of the registry in `gateway/errors.py`."""
    message: str
    """Safe to show."""
    system: str
    is_unknown: bool = False
    """Whether the write may have happened all the same."""
    retryable: bool = False
    retry_after_s: float | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as it is kept."""
        return {"code": self.code, "message": self.message, "system": self.system}

    @classmethod
    def from_json(cls, kept: Mapping[str, Json]) -> StepError:
        """Return what `to_json` kept."""
        return cls(code=kept["code"], message=kept["message"], system=kept["system"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step of one workflow."""

    workflow: str
    position: int
    name: str
    system: str
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    """Tries forward, over all workers."""
    error: StepError | None = None
    """Of the last try that failed, forward or back."""
    output: Json = None
    started_at: float | None = None
    """Seconds since 1970, UTC, as all instants here."""
    finished_at: float | None = None
    undo_attempts: int = 0
    undone_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRecord:
    """One workflow."""

    id: str
    kind: str
    status: WorkflowStatus
    input: Mapping[str, Json]
    fingerprint: str
    """Of kind and input: another one under the same id is a misuse of its key."""
    requested_by: str | None
    """Subject of the caller; None when anonymous."""
    correlation_id: str
    customer: str | None = None
    """Global id."""
    contract: str | None = None
    """Number."""
    result: Json = None
    error: StepError | None = None
    """Why it turned back or stopped."""
    starts_backward: bool = False
    """Whether this generation begins with undoing; one that turned back half way goes the same way again when resumed."""
    generation: int = 1
    """Runs so far: one, and one for each decision of a person."""
    epoch: int = 0
    """Counts takeovers: what an earlier worker still does has no effect."""
    worker: str | None = None
    approved_by: str | None = None
    note: str | None = None
    """What the person said who decided."""
    owner: str | None = None
    """Team that a stopped workflow waits for."""
    started_at: float = 0.0
    finished_at: float | None = None
    deadline_at: float = 0.0
    """When it is given up and undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is kept of a workflow's request beside the workflow."""

    asker: str | None = None
    """Equal for the same subject of the same issuer and tenant; None for nobody in particular."""
    agreed: Mapping[str, Json] = field(default_factory=dict)
    """Name of a question → the answer that the amount to be approved was reckoned from: what is carried out is this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFilter:
    """Which workflows; every part that is not None narrows."""

    kinds: tuple[str, ...] | None = None
    statuses: tuple[WorkflowStatus, ...] | None = None
    customer: str | None = None
    contract: str | None = None


class Superseded(Exception):  # noqa: N818 - reads as what it is
    """Another worker has the workflow: whoever hears this stops."""
