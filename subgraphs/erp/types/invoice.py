"""Invoices with their lines, payments and credit memos."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias

import strawberry
from strawberry import Private

from subgraphs.erp.context import Info
from subgraphs.erp.records import InvoiceLineRecord, InvoiceRecord, PaymentRecord
from subgraphs.erp.revenue import schedule
from subgraphs.erp.types.enums import InvoiceStatus
from subgraphs.erp.types.ledger import JournalEntry, RevenueEntry
from subgraphs.erp.types.product import Product
from subgraphs.kit.connection import Connection, connection_of, page_window
from subgraphs.kit.global_id import encode_global_id, parse_global_id
from subgraphs.kit.money import Currency, Money
from subgraphs.kit.node import Node
from subgraphs.kit.system_error import BadUserInputError

if TYPE_CHECKING:
    from subgraphs.erp.types.billed_line import BilledLine
    from subgraphs.erp.types.contract import Contract
    from subgraphs.erp.types.customer import Customer

LazyCustomer: TypeAlias = Annotated["Customer", strawberry.lazy("subgraphs.erp.types.customer")]
LazyContract: TypeAlias = Annotated["Contract", strawberry.lazy("subgraphs.erp.types.contract")]
LazyBilledLine: TypeAlias = Annotated["BilledLine", strawberry.lazy("subgraphs.erp.types.billed_line")]


def own_id(value: str, type_name: str) -> str | None:
    """Return the local id; None for what is no id of this type, which therefore names nothing."""
    try:
        found, local = parse_global_id(value)
    except BadUserInputError:
        return None
    return local if found == type_name else None


@strawberry.federation.type(
    keys=["id", "number"],
    description="What a customer owes for what was charged; the ERP owns it and posts it to the books.",
)
class Invoice(Node):
    """An invoice to a customer. Its id alone is never null: billing leads to invoices too."""

    record: Private[InvoiceRecord]
    number: str | None = strawberry.federation.field(
        description="Business key in all systems, such as `INV-2025-00001`; null while it is a draft without a number."
    )
    status: InvoiceStatus | None = strawberry.federation.field(
        description="How far it has come; amounts may change while it is a DRAFT, and not once it is posted."
    )
    currency: Currency | None = strawberry.federation.field(description="Currency of all its amounts.")
    description: str | None = strawberry.federation.field(
        description="What the ERP has as its heading; null where nothing."
    )
    issued_on: dt.date | None = strawberry.federation.field(
        description="Date on the invoice; null while a draft has none."
    )
    due_on: dt.date | None = strawberry.federation.field(
        description="Last day to pay, of the first instalment if there are several; null until it is posted."
    )
    posted_at: dt.datetime | None = strawberry.federation.field(
        description="When it went into the books; null while it is a draft."
    )
    settled_on: dt.date | None = strawberry.federation.field(
        description="Day on which nothing was left to pay; null as long as something is."
    )
    version: str | None = strawberry.federation.field(
        description="Opaque, changes with every change in the ERP; send it with a write, which refuses a stale one."
    )

    @classmethod
    def of(cls, record: InvoiceRecord) -> Self:
        """Wrap a record."""
        return cls(
            id=strawberry.ID(encode_global_id("Invoice", record.id)),
            record=record,
            number=record.number,
            status=record.status,
            currency=Currency(record.currency),
            description=record.description,
            issued_on=record.issued_on,
            due_on=record.due_on,
            posted_at=record.posted_at,
            settled_on=record.settled_on,
            version=record.version,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: str | None = None, number: str | None = None) -> Self | None:  # noqa: A002 - the key's name
        """Find an invoice by id or number."""
        if id is not None:
            local = own_id(id, "Invoice")
            record = await info.context.invoices.load(local) if local else None
        else:
            record = await info.context.invoices_by_number.load(number or "")
        return None if record is None or record.is_credit_memo else cls.of(record)

    @strawberry.field(description="Sum of its lines, without tax.")
    def net(self) -> Money | None:
        return Money.of(self.record.net, self.record.currency)

    @strawberry.field(description="All taxes on it.")
    def tax(self) -> Money | None:
        return Money.of(self.record.tax, self.record.currency)

    @strawberry.field(description="What the customer has to pay in all: net and tax.")
    def total(self) -> Money | None:
        return Money.of(self.record.total, self.record.currency)

    @strawberry.field(description="What is left to pay, after payments and credit memos applied to it.")
    def balance(self) -> Money | None:
        return Money.of(self.record.balance, self.record.currency)

    @strawberry.field(description="True: it is posted, past its due date, and something is left to pay.")
    def overdue(self, info: Info) -> bool | None:
        return self.record.is_overdue(info.context.today())

    @strawberry.field(description="Its lines, in their order on the invoice.")
    async def lines(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[InvoiceLine] | None:
        window = page_window(first=first, after=after, last=last, before=before)
        records = await info.context.lines_of_invoices.load(self.record.id)
        return connection_of([InvoiceLine.of(record) for record in records], window, identity=_identity)

    @strawberry.field(description="Money received for it, the oldest first.")
    async def payments(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Payment] | None:
        window = page_window(first=first, after=after, last=last, before=before)
        # Without payment lines there is nothing to ask the ERP for.
        records = await info.context.payments_of_invoices.load(self.record.id) if self.record.payment_ids else ()
        return connection_of([Payment.of(record) for record in records], window, identity=_identity)

    @strawberry.field(description="Documents that took it back, whole or in part.")
    async def credit_memos(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[CreditMemo] | None:
        window = page_window(first=first, after=after, last=last, before=before)
        records = await info.context.credit_memos_of_invoices.load(self.record.id)
        return connection_of([CreditMemo.of(record) for record in records], window, identity=_identity)

    @strawberry.field(description="The entry that it made in the ledger; null while it is a draft.")
    async def journal_entry(self, info: Info) -> JournalEntry | None:
        return await JournalEntry.load(info, self.record.journal_entry_id)

    @strawberry.field(description="The recurring agreement that it charges for; null for one outside of contracts.")
    def contract(self) -> LazyContract | None:
        from subgraphs.erp.types.contract import Contract  # noqa: PLC0415 - types refer to each other

        return Contract(number=self.record.contract) if self.record.contract else None

    @strawberry.field(description="The customer who has to pay it.")
    def customer(self) -> LazyCustomer | None:
        from subgraphs.erp.types.customer import Customer  # noqa: PLC0415 - types refer to each other

        return Customer.of((self.record.customer_id,)) if self.record.customer_id else None


@strawberry.federation.type(keys=["id"], description="One line of an invoice or credit memo.")
class InvoiceLine(Node):
    """One line of an invoice."""

    record: Private[InvoiceLineRecord]
    description: str | None = strawberry.federation.field(description="What it charges for, in words.")
    quantity: Decimal = strawberry.federation.field(description="How many units; may have decimals.")
    unit: str | None = strawberry.federation.field(
        description="Symbol of the unit, such as `u`; null where the ERP names none."
    )
    service_from: dt.date | None = strawberry.federation.field(
        description="First day of the service it charges for; null for what is no service over time."
    )
    service_until: dt.date | None = strawberry.federation.field(
        description="Last day of the service, inclusive; null for what is no service over time."
    )
    taxes: list[str] = strawberry.federation.field(description="Names of the taxes on it, as the ERP calls them.")

    @classmethod
    def of(cls, record: InvoiceLineRecord) -> Self:
        """Wrap a record."""
        return cls(
            id=strawberry.ID(encode_global_id("InvoiceLine", record.id)),
            record=record,
            description=record.description,
            quantity=record.quantity,
            unit=record.unit,
            service_from=record.service_from,
            service_until=record.service_until,
            taxes=list(record.tax_names),
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: str) -> Self | None:  # noqa: A002 - the key\'s name
        """Find a line by id."""
        local = own_id(id, "InvoiceLine")
        record = await info.context.invoice_lines.load(local) if local else None
        return None if record is None else cls.of(record)

    @strawberry.field(description="Price of one unit without tax, in the invoice's currency and not rounded to cents.")
    def unit_price(self) -> Decimal:
        return self.record.unit_price

    @strawberry.field(description="Quantity by unit price, without tax, rounded to cents; negative on a credit memo.")
    def amount(self) -> Money:
        return Money.of(self.record.amount, self.record.currency)

    @strawberry.field(description="The product it charges for; null for a line without one.")
    def product(self) -> Product | None:
        return Product.stub(self.record.sku) if self.record.sku else None

    @strawberry.field(
        description="The charge of the billing platform that it carries; null for a line that was entered in the ERP."
    )
    def billed_line(self) -> LazyBilledLine | None:
        from subgraphs.erp.types.billed_line import BilledLine  # noqa: PLC0415 - types refer to each other

        return BilledLine(ref=strawberry.ID(self.record.billed_line)) if self.record.billed_line else None

    @strawberry.field(description="The invoice that it is on; null for a line of a credit memo.")
    async def invoice(self, info: Info) -> Invoice | None:
        record = await info.context.invoices.load(self.record.invoice_id)
        return None if record is None or record.is_credit_memo else Invoice.of(record)

    @strawberry.field(description="Its revenue by month, booked and to come; empty until its invoice is posted.")
    async def revenue_entries(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[RevenueEntry]:
        window = page_window(first=first, after=after, last=last, before=before)
        # Only a line with a service period can have a deferral.
        found = await info.context.deferrals_of_lines.load(self.record.id) if self.record.service_from else ()
        entries = schedule(self.record, found[0] if found else None)
        return connection_of([RevenueEntry.of(entry) for entry in entries], window, identity=_identity)


@strawberry.federation.type(keys=["id"], description="Money received for an invoice; credit memos are no payments.")
class Payment(Node):
    """Money received for an invoice."""

    record: Private[PaymentRecord]
    received_on: dt.date = strawberry.federation.field(description="Day on which the money came in, as booked.")
    reference: str | None = strawberry.federation.field(
        description="The bank's or payer's reference; null where none was noted."
    )
    method: str | None = strawberry.federation.field(
        description="Name of the journal it was booked in, which several payment methods may share."
    )

    @classmethod
    def of(cls, record: PaymentRecord) -> Self:
        """Wrap a record."""
        return cls(
            id=strawberry.ID(encode_global_id("Payment", record.id)),
            record=record,
            received_on=record.received_on,
            reference=record.reference,
            method=record.method,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: str) -> Self | None:  # noqa: A002 - the key\'s name
        """Find a payment by id."""
        local = own_id(id, "Payment")
        record = await info.context.payments.load(local) if local else None
        return None if record is None else cls.of(record)

    @strawberry.field(description="How much came in, in the invoice's currency.")
    def amount(self) -> Money:
        return Money.of(self.record.amount, self.record.currency)

    @strawberry.field(description="The invoice that it pays.")
    async def invoice(self, info: Info) -> Invoice | None:
        record = await info.context.invoices.load(self.record.invoice_id)
        return None if record is None else Invoice.of(record)

    @strawberry.field(description="The entry that it made in the ledger.")
    async def journal_entry(self, info: Info) -> JournalEntry | None:
        return await JournalEntry.load(info, self.record.journal_entry_id)


@strawberry.federation.type(
    keys=["id"], description="A document that takes back an invoice or a part of it. Its amounts are positive."
)
class CreditMemo(Node):
    """A document that takes back an invoice or a part of it. Amounts are positive."""

    record: Private[InvoiceRecord]
    number: str | None = strawberry.federation.field(
        description="Business key, such as `CM-2025-00001`; null while it is a draft without a number."
    )
    status: InvoiceStatus = strawberry.federation.field(
        description="How far it has come; amounts may change while it is a DRAFT, and not once it is posted."
    )
    reason: str | None = strawberry.federation.field(
        description="Why it was issued, as whoever issued it said; null where nobody did."
    )
    issued_on: dt.date | None = strawberry.federation.field(
        description="Date on the document; null while a draft has none."
    )
    posted_at: dt.datetime | None = strawberry.federation.field(
        description="When it went into the books; null while it is a draft."
    )
    version: str = strawberry.federation.field(description="Opaque, changes with every change in the ERP.")

    @classmethod
    def of(cls, record: InvoiceRecord) -> Self:
        """Wrap a record."""
        return cls(
            id=strawberry.ID(encode_global_id("CreditMemo", record.id)),
            record=record,
            number=record.number,
            status=record.status,
            reason=record.description,
            issued_on=record.issued_on,
            posted_at=record.posted_at,
            version=record.version,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: str) -> Self | None:  # noqa: A002 - the key\'s name
        """Find a credit memo by id."""
        local = own_id(id, "CreditMemo")
        record = await info.context.invoices.load(local) if local else None
        return cls.of(record) if record is not None and record.is_credit_memo else None

    @strawberry.field(description="What it takes back without tax, as a positive amount.")
    def net(self) -> Money:
        return Money.of(-self.record.net, self.record.currency)

    @strawberry.field(description="The taxes that it takes back, as a positive amount.")
    def tax(self) -> Money:
        return Money.of(-self.record.tax, self.record.currency)

    @strawberry.field(description="What it takes back in all, as a positive amount.")
    def total(self) -> Money:
        return Money.of(-self.record.total, self.record.currency)

    @strawberry.field(
        description="The invoice that it takes back, or whose part; null for a credit that was not made from one."
    )
    async def invoice(self, info: Info) -> Invoice | None:
        if not self.record.credits:
            return None
        record = await info.context.invoices.load(self.record.credits[0])
        return None if record is None else Invoice.of(record)

    @strawberry.field(
        description="True: it has reduced what is left to pay of its invoice; false: the customer still has it as credit."
    )
    def applied(self) -> bool:
        return self.record.applied_to is not None

    @strawberry.field(description="The entry that it made in the ledger; null while it is a draft.")
    async def journal_entry(self, info: Info) -> JournalEntry | None:
        return await JournalEntry.load(info, self.record.journal_entry_id)

    @strawberry.field(description="The customer who gets the credit.")
    def customer(self) -> LazyCustomer | None:
        from subgraphs.erp.types.customer import Customer  # noqa: PLC0415 - types refer to each other

        return Customer.of((self.record.customer_id,)) if self.record.customer_id else None


def _identity(node: Node) -> str:
    return node.id


def invoices_of(records: Sequence[InvoiceRecord]) -> list[Invoice]:
    """Wrap records."""
    return [Invoice.of(record) for record in records]
