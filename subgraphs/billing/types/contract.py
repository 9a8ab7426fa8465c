"""Contracts and their items."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from subgraphs.billing import records
from subgraphs.billing.context import Info
from subgraphs.billing.derivation import (
    NO_READING,
    billing_dates,
    features_of,
    usage_of,
)
from subgraphs.billing.renewals import notice_by, renewal_due_on
from subgraphs.billing.types.billed_line import BilledLine
from subgraphs.billing.types.catalog import Price, Product
from subgraphs.billing.types.values import (
    ContractAmendment,
    ContractCancellation,
    ContractRenewal,
    ContractStatus,
    ContractUsage,
    ScheduledBilling,
    ServicePeriod,
)
from subgraphs.kit.connection import Connection, connection_of, page_window
from subgraphs.kit.global_id import encode_global_id, local_id
from subgraphs.kit.money import Currency, Money
from subgraphs.kit.node import Node

if TYPE_CHECKING:
    from subgraphs.billing.types.customer import Customer

LazyCustomer = Annotated["Customer", strawberry.lazy("subgraphs.billing.types.customer")]


@strawberry.type(description="One product of a contract: how many of it, at which price.")
class ContractItem:
    """One product of a contract."""

    record: strawberry.Private[records.ContractItem]

    @strawberry.field
    async def product(self, info: Info) -> Product | None:
        """The product that was agreed on; null if the catalogue no longer has it."""
        found = (await info.context.catalog()).products.get(self.record.price.product)
        return None if found is None else Product.of(found)

    @strawberry.field(description="Agreed number of units, such as seats; null where it is charged by use.")
    def quantity(self) -> int | None:
        """Units per cycle."""
        return self.record.quantity

    @strawberry.field(
        description="Agreed price per unit and cycle, before tax; may hold fractions of a cent, null for tiered prices."
    )
    def unit_price(self) -> Money | None:
        """Agreed price per unit and cycle."""
        price = self.record.price
        return None if price.unit_amount is None else Money.of(price.unit_amount, price.currency)

    @strawberry.field(description="The agreed price with its cycle: a list price, or one negotiated with the customer.")
    def price(self) -> Price:
        """The agreed price with its cycle."""
        return Price.of(self.record.price)

    @strawberry.field(
        description="What the item brings a month, before tax: its price by quantity, a year's divided by twelve; 0 for use and one-off charges."
    )
    def mrr(self) -> Money:
        """Monthly value."""
        price = self.record.price
        return Money.of(price.per_month(self.record.quantity or 0), price.currency)


@strawberry.federation.type(
    keys=["id", "number"], description="A recurring agreement with a customer: what vendors call a subscription."
)
class Contract(Node):
    """A recurring agreement.

    Only its keys are never null: other systems lead to contracts too, and their part of one has to stand while billing is down.
    """

    record: strawberry.Private[records.Contract]
    id: strawberry.ID
    number: str = strawberry.field(
        description="Business key in all systems, such as `CON-2025-0001`; where none was assigned, billing's own id."
    )

    @classmethod
    def of(cls, record: records.Contract) -> Self:
        """Return the type of a record."""
        gid = encode_global_id("Contract", record.number)
        return cls(record=record, id=strawberry.ID(gid), number=record.number)

    @classmethod
    async def resolve_reference(cls, info: Info, *, id: str | None = None, number: str | None = None) -> Self | None:  # noqa: A002 - the key's name
        """Return the contract with that number or global id."""
        wanted = number if number is not None else local_id(id or "", "Contract")
        record = await info.context.contracts.load(wanted)
        return None if record is None else cls.of(record)

    @strawberry.field
    def status(self) -> ContractStatus | None:
        """Where the contract stands; billing decides, and a late payment alone doesn't change it."""
        return self.record.status

    @strawberry.field
    def currency(self) -> Currency | None:
        """Currency of all amounts that billing gives for the contract."""
        return Currency(self.record.currency)

    @strawberry.field
    def starts_on(self) -> dt.date | None:
        """First day of the contract, in UTC; stays as it is when the contract renews."""
        return self.record.starts_on

    @strawberry.field(description="Last day of the current term, in UTC; null where no term was agreed.")
    def ends_on(self) -> dt.date | None:
        """Last day of the current term."""
        return self.record.ends_on

    @strawberry.field
    def auto_renews(self) -> bool | None:
        """Whether another term of the same length follows by itself; false once an end is planned."""
        return self.record.auto_renews

    @strawberry.field
    def trial_ends_on(self) -> dt.date | None:
        """Day on which the free trial ends or ended; null where there was none."""
        return self.record.trial_ends_on

    @strawberry.field(description="Day on which a paused contract resumes by itself; null unless one was named.")
    def resumes_on(self) -> dt.date | None:
        """Day on which it resumes."""
        return self.record.resumes_on

    @strawberry.field
    def cancellation(self) -> ContractCancellation | None:
        """The end that somebody asked for; null where nobody did, and for an agreed end without renewal."""
        found = self.record.cancellation
        return (
            None
            if found is None
            else ContractCancellation(effective_on=found.effective_on, reason=found.reason, comment=found.comment)
        )

    @strawberry.field
    def items(self) -> list[ContractItem] | None:
        """The products that were agreed on."""
        return [ContractItem(record=item) for item in self.record.items]

    @strawberry.field(
        description="Monthly recurring revenue before tax, of what recurs by quantity; 0 unless the contract is active or paused."
    )
    def mrr(self) -> Money | None:
        """Monthly recurring revenue."""
        return Money.of(self.record.mrr, self.record.currency)

    @strawberry.field(
        description="Value of the whole current term before tax, of what recurs by quantity; null without an agreed term."
    )
    def total_value(self) -> Money | None:
        """Value of the whole term."""
        value = self.record.total_value
        return None if value is None else Money.of(value, self.record.currency)

    @strawberry.field(
        description="When the renewal is due and by when to give notice; null where nothing will be renewed: over or not begun, in trial, ending, or without a term."
    )
    def renewal(self, info: Info) -> ContractRenewal | None:
        """When the term ends and by when to say so."""
        due_on, notice = renewal_due_on(self.record), notice_by(self.record)
        if due_on is None or notice is None:
            return None
        return ContractRenewal(due_on=due_on, notice_by=notice, days_left=(due_on - info.context.today).days)

    @strawberry.field(
        description="Charges still to come within the current term, by day; empty unless the contract is active or in trial."
    )
    def billing_schedule(self) -> list[ScheduledBilling] | None:
        """Charges still to come."""
        return [
            ScheduledBilling(
                bills_on=date.bills_on,
                period=ServicePeriod(starts_on=date.bills_on, ends_on=date.ends_on),
                amount=Money.of(date.amount, self.record.currency),
            )
            for date in billing_dates(self.record)
        ]

    @strawberry.field(
        description="Use of metered features by month of the contract, newest first. Meters count per customer, so contracts that share a feature show the same use; what is in use now, such as seats, is on the entitlement."
    )
    async def usage(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[ContractUsage] | None:
        """Use of metered features."""
        window = page_window(first=first, after=after, last=last, before=before)
        catalog = await info.context.catalog()
        held = await info.context.held.load(self.record.customer)
        features = [
            (feature, (held.readings if held else {}).get(feature.meter or "", NO_READING))
            for key in features_of(self.record, catalog.products)
            if (feature := catalog.features.get(key)) is not None
        ]
        rows = [
            ContractUsage(
                feature=row.feature,
                period=ServicePeriod(starts_on=row.starts_on, ends_on=row.ends_on),
                quantity=row.quantity,
            )
            for row in usage_of(self.record, features, info.context.today)
        ]
        return connection_of(rows, window, identity=lambda row: f"{row.feature}|{row.period.starts_on}")

    @strawberry.field(description="Changes of its items within the term, oldest first.")
    async def amendments(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[ContractAmendment] | None:
        """Changes of its items."""
        window = page_window(first=first, after=after, last=last, before=before)
        rows = [
            ContractAmendment(
                reference=row.reference,
                effective_on=row.effective_on,
                sku=row.sku,
                quantity_from=row.quantity_from,
                quantity_to=row.quantity_to,
                mrr_change=Money.of(row.mrr_change, row.currency),
                reason=row.reason,
            )
            for row in await info.context.amendments.load(self.number)
        ]
        return connection_of(rows, window, identity=lambda row: row.reference)

    @strawberry.field
    def customer(self) -> LazyCustomer | None:
        """The customer it was made with."""
        from subgraphs.billing.types.customer import Customer  # noqa: PLC0415 - the two types point at each other

        return Customer(billing_ref=strawberry.ID(self.record.customer))

    @strawberry.field(description="What was charged for it so far, oldest period first.")
    async def billed_lines(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[BilledLine] | None:
        """What was charged."""
        window = page_window(first=first, after=after, last=last, before=before)
        lines = [BilledLine.of(line) for line in await info.context.lines_of.load(self.record.id)]
        return connection_of(lines, window, identity=lambda line: str(line.ref))

    @strawberry.field(
        description="Opaque, changes with every change of what was agreed; send it with a write, which refuses a stale one."
    )
    def version(self) -> str | None:
        """Version to send with a change."""
        return self.record.version
