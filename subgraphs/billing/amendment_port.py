"""What amending a contract, and pricing that, needs of a billing platform."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from subgraphs.billing.port import Billed
from subgraphs.billing.records import BillingInterval, Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedItem:
    """A product as the contract is to have it."""

    sku: str
    quantity: int
    """0 drops it."""
    interval: BillingInterval | None = None
    """Which list price, for a product that is new to the contract; the monthly one by default."""
    unit_price: Decimal | None = None
    """What another pricing authority says; None: the price that the contract has, or the list price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a change costs, or below 0 gives back, for the rest of a billing cycle."""

    sku: str | None
    description: str
    quantity: int
    amount: Decimal
    starts_on: dt.date
    ends_on: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedItem:
    """A product of the contract as it would be afterwards."""

    sku: str
    quantity: int
    unit_price: Decimal | None
    interval: BillingInterval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What billing would charge at once."""

    at: int
    """The moment of the change, unix seconds; amending at it charges exactly this."""
    items: tuple[PricedItem, ...]
    charges: tuple[Charge, ...]
    mrr: Decimal
    """Afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amending:
    """A change of a contract's items."""

    version: str
    """Of the contract as it was read."""
    at: int
    items: tuple[WantedItem, ...]
    charges: tuple[Charge, ...] | None
    """What another pricing authority charges; None: billing prorates."""
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldItem:
    """An item as it was before a change, by the vendor's ids."""

    item: str
    price: str
    quantity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """A change that is to be taken back."""

    mark: str
    at: int
    before: tuple[HeldItem, ...]
    limits: Mapping[str, int | None] = field(default_factory=dict)
    """Feature → limit, before the change."""
    wanted: tuple[WantedItem, ...]
    """What the change made; another quantity now means that somebody has changed the contract since."""


class Amendments(Protocol):
    """Each write can be repeated, and finds what an earlier one did. Raises VendorError."""

    async def current(self, number: str) -> Contract | None:
        """Return the contract as the vendor has it at this moment."""
        ...

    async def quote(self, contract: Contract, items: Sequence[WantedItem]) -> Quote:
        """Return what a change would cost, having changed nothing."""
        ...

    async def amend(self, contract: Contract, change: Amending, *, key: str) -> Billed:
        """Change the items and bill the difference at once. Raises ConflictError for a stale version."""
        ...

    async def restore(self, contract: Contract, change: Restoring, *, key: str) -> None:
        """Put the items back as they were, and take back what was billed."""
        ...
