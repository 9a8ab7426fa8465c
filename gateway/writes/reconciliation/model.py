"""Drift and the runs that find it, as they are kept and shown."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class DriftKind(StrEnum):
    """What kind of thing two systems disagree about."""

    CUSTOMER = "CUSTOMER"
    CONTRACT = "CONTRACT"
    PRODUCT = "PRODUCT"


class DriftStatus(StrEnum):
    """Where a drift stands."""

    OPEN = "OPEN"
    """The systems disagree, and nobody has said that they may."""
    ACCEPTED = "ACCEPTED"
    """Somebody said why they may; with other values it is open again."""
    RESOLVED = "RESOLVED"
    """They agree again, or one of them is not there anymore."""


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    """Everything in its scope was compared."""
    PARTIAL = "PARTIAL"
    """Some system could not be asked; what it holds was not compared, and nothing is said of it."""
    INTERRUPTED = "INTERRUPTED"
    """Its gateway stopped before the end; another run begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is compared: one field of one thing, as a copy of its owner's."""

    kind: DriftKind
    subject: str
    """Global id of the customer or contract; SKU of the product."""
    field: str
    """In the words of the graph: `name`, `taxIds`, `invoiced`."""
    system: str
    """Who holds the copy, such as `erp`."""

    @property
    def text(self) -> str:
        """Equal for equal places."""
        return f"{self.kind}\n{self.subject}\n{self.field}\n{self.system}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of comparing one place."""

    place: Place
    owner: str
    """The system whose value counts."""
    customer: str | None = None
    """Global id of the customer it concerns."""
    contract: str | None = None
    """Number."""
    owner_value: str | None = None
    """As text; None where the owner holds none."""
    copy_value: str | None = None
    difference: Decimal | None = None
    """Copy less owner; None for what is no amount."""
    currency: str | None = None
    differs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One disagreement, from its discovery to its end."""

    id: str
    found: Finding
    status: DriftStatus
    detected_at: float
    """Seconds since 1970, UTC, as all instants here."""
    seen_at: float
    """When a run last found it."""
    resolved_at: float | None = None
    accepted_by: str | None = None
    reason: str | None = None
    """Why it was accepted."""
    workflow: str | None = None
    """The workflow that was last started to mend it."""
    revision: int = 1
    """Counts what happened to it: with each number one event at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run compares."""

    kinds: tuple[DriftKind, ...] = tuple(DriftKind)
    customer: str | None = None
    """Global id: this customer and its contracts only."""
    contract: str | None = None
    """Global id: this contract only."""
    product: str | None = None
    """SKU: this product only."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing but kinds narrows it."""
        return self.customer is None and self.contract is None and self.product is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """A system that could not be asked during a run."""

    system: str
    code: str
    """Of the registry in `gateway/errors.py`."""
    subjects: int
    """How many things were not, or not wholly, compared for it; 0 where it is not known how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a run did so far."""

    total: int | None = None
    """Things in its scope, as far as their owners say."""
    compared: int = 0
    """Things of which at least one field was compared."""
    differing: int = 0
    """Fields that differ beyond their tolerance."""
    opened: int = 0
    resolved: int = 0
    unreachable: tuple[Unreachable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One reconciliation."""

    id: str
    scope: Scope
    status: RunStatus
    asked_by: str | None
    """Subject of the person who asked; None for a scheduled run, or somebody without a name."""
    is_scheduled: bool
    started_at: float
    finished_at: float | None = None
    tally: Tally = field(default_factory=Tally)
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFilter:
    """Which drifts; every part that is not None narrows."""

    statuses: tuple[DriftStatus, ...] | None = None
    kinds: tuple[DriftKind, ...] | None = None
    systems: tuple[str, ...] | None = None
    """Owners or holders of the copy."""
    fields: tuple[str, ...] | None = None
    customer: str | None = None
    contract: str | None = None
    product: str | None = None
    """SKU."""


def drift_id(place: Place, episode: int) -> str:
    """Return the id of a place's n-th disagreement."""
    text = f"{place.text}\n{episode}"
    return f"dr-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def drift_global_id(drift: str) -> str:
    """Return the id that a drift has in the graph."""
    return base64.urlsafe_b64encode(f"Drift:{drift}".encode()).decode().rstrip("=")


def mended_by(place: Place) -> str | None:
    """Return the kind of workflow that pushes the owner's value there; None where people have to."""
    if place.kind is DriftKind.PRODUCT:
        # How revenue and tax of a product that the ERP lacks are handled, no system knows.
        return None if (place.field, place.system) == ("record", "erp") else "product-distribution"
    return _MENDED_BY.get((place.kind, place.field, place.system))


def mending_input(drift: Drift) -> Mapping[str, str | None]:
    """Return the input of the workflow that mends it."""
    place = drift.found.place
    if place.kind is DriftKind.PRODUCT:
        return {"sku": place.subject, "revenueRule": None, "taxCode": None}
    return {"customer": drift.found.customer}


_MENDED_BY: Mapping[tuple[DriftKind, str, str], str] = {
    (DriftKind.CUSTOMER, "record", "crm"): "customer-sync",
    **{
        (DriftKind.CUSTOMER, name, "erp"): "customer-sync"
        for name in ("record", "street", "city", "country", "website")
    },
    **{
        (DriftKind.CUSTOMER, name, "billing"): "customer-sync"
        for name in ("record", "name", "city", "country", "taxIds")
    },
}
"""(kind, field, holder of the copy) → the kind of workflow."""
