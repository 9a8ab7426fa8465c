"""What the graph and the event side need of a billing platform; a vendor's folder provides both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from subgraphs.billing.derivation import MeterReading
from subgraphs.billing.records import (
    Amendment,
    BilledLine,
    BillingCustomer,
    BillingDocument,
    BillingInterval,
    CancellationReason,
    Contract,
    Feature,
    Price,
    Product,
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that is sold: few objects, read at once."""

    products: Mapping[str, Product]
    """By the vendor's id."""
    features: Mapping[str, Feature]
    """By key."""
    prices: Mapping[str, tuple[Price, ...]]
    """Product id → its list prices."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a customer holds, as entitlements are derived from it."""

    contracts: tuple[Contract, ...]
    """Contracts and grants, ended ones too."""
    active_keys: frozenset[str] | None
    """Keys the vendor says are active; None where it keeps none."""
    readings: Mapping[str, MeterReading]
    """Meter → the customer's use."""


class Books(Protocol):
    """Reads. Every mapping leaves out what does not exist; raises VendorError when the state can't be told."""

    def ensure_current(self) -> Awaitable[None]:
        """Return once the copy is complete and fresh enough to answer from. Raises VendorError."""
        ...

    def read_at(self) -> dt.datetime | None:
        """When the copy last agreed with the vendor."""
        ...

    async def catalog(self) -> Catalog:
        """Return what is sold."""
        ...

    async def customers(self, ids: Sequence[str]) -> Mapping[str, BillingCustomer]:
        """Return customers by the vendor's id."""
        ...

    async def held(self, ids: Sequence[str]) -> Mapping[str, Held]:
        """Return what customers hold, by the vendor's id of the customer."""
        ...

    async def contracts(self, numbers: Sequence[str]) -> Mapping[str, Contract]:
        """Return contracts by number."""
        ...

    async def contracts_by_id(self, ids: Sequence[str]) -> Mapping[str, Contract]:
        """Return contracts by the vendor's id."""
        ...

    async def all_contracts(self) -> Sequence[Contract]:
        """Return every contract, without grants."""
        ...

    async def amendments(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Amendment]]:
        """Return contract number → its amendments, oldest first."""
        ...

    async def documents(self, numbers: Sequence[str]) -> Mapping[str, BillingDocument]:
        """Return billing's documents by invoice number."""
        ...

    async def lines_of(self, contract_ids: Sequence[str]) -> Mapping[str, Sequence[BilledLine]]:
        """Return contract id → its billed lines, oldest period first."""
        ...

    async def lines(self, refs: Sequence[str]) -> Mapping[str, BilledLine]:
        """Return billed lines by ref."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """Use to be counted."""

    customer: str
    meter: str
    quantity: Decimal
    at: dt.datetime | None
    """When it was used; None: now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right to a feature outside of a contract."""

    customer: str
    feature: Feature
    currency: str
    limit: int | None
    valid_until: dt.date | None
    """Last day."""
    reason: str | None


class Ledger(Protocol):
    """Writes. Each carries an idempotency key of the caller's; the copy shows the result at once. Raises VendorError."""

    async def current(self, contract: Contract) -> Contract | None:
        """Return the contract as the vendor has it at this moment."""
        ...

    async def record_usage(self, report: UsageReport, *, key: str, is_repeat: bool) -> MeterReading:
        """Count use and return the meter's reading with it; the same key counts once.

        `is_repeat`: an earlier try may have been counted.
        """
        ...

    async def grant(self, grant: Grant, *, key: str) -> None:
        """Give a right."""
        ...

    async def pause(self, contract: Contract, *, resumes_on: dt.date | None, key: str) -> Contract:
        """Stop collecting for a contract."""
        ...

    async def resume(self, contract: Contract, *, key: str) -> Contract:
        """Collect for a contract again."""
        ...

    async def schedule_cancellation(
        self,
        contract: Contract,
        *,
        effective_on: dt.date,
        reason: CancellationReason | None,
        comment: str | None,
        key: str,
    ) -> Contract:
        """End a contract on a day; `effective_on` is the first day without it."""
        ...

    async def set_auto_renew(self, contract: Contract, *, auto_renews: bool, key: str) -> Contract:
        """Let a contract renew by itself, or end with its term."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """A customer to be known to billing."""

    reference: str
    """The business key, `CUST-0001`."""
    name: str
    email: str | None = None
    city: str | None = None
    country: str | None = None
    tax_id: str | None = None
    mark: str
    """Our external reference, by which it is known that it was made here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A product to be sold by quantity."""

    sku: str
    quantity: int
    interval: BillingInterval | None = None
    """None: the product's monthly price, or the only one there is."""
    price: str | None = None
    """The list price that was agreed on, by the vendor's id; None: what it is at the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContract:
    """An agreement to be activated."""

    number: str
    customer: str
    """The vendor's id."""
    currency: str
    items: tuple[NewItem, ...]
    starts_on: dt.date
    ends_on: dt.date
    """Last day of the first term."""
    notice_days: int
    days_until_due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What a contract, or a change of one, was charged with at once."""

    contract: Contract
    document: BillingDocument | None


class Agreements(Protocol):
    """What workflows write: each call can be repeated, and finds what an earlier one did. Raises VendorError."""

    async def list_prices(self, items: Sequence[NewItem], currency: str) -> tuple[Price, ...]:
        """Return the price of each item that `activate` would take. Raises BadUserInputError where there is none."""
        ...

    async def ensure_customer(self, customer: NewCustomer, *, key: str) -> tuple[str, bool]:
        """Return the id of the customer with that reference, and whether it was made here, now or earlier."""
        ...

    async def retire_customer(self, reference: str, mark: str, *, key: str) -> None:
        """Delete a customer that was made under that mark and has no contracts."""
        ...

    async def change_customer_fields(
        self, customer: str, changes: Mapping[str, tuple[str | None, str | None]], *, refuses: bool, key: str
    ) -> None:
        """Write each field, name to (before, after), that has its value before; one that has the other already stays.

        Any other value is left alone, or refused with ConflictError where `refuses`.
        """
        ...

    async def activate(self, contract: NewContract, *, key: str) -> Billed:
        """Create the contract, active, and bill its first period. Raises ConflictError for another price than was agreed on."""
        ...

    async def withdraw(self, customer: str, number: str, *, key: str) -> None:
        """End a contract as if it had never been: its open bills are void."""
        ...

    async def name_document(self, document: str, number: str | None, *, key: str) -> None:
        """Write the business number that the ERP posted a bill under into billing's copy; None takes it out."""
        ...
