"""What the ERP subgraph needs of an ERP: batched reads, one invoice list, four writes, and what changed since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from subgraphs.erp.records import (
    ChargeRecord,
    CustomerRecord,
    DeferralRecord,
    InvoiceLineRecord,
    InvoiceRecord,
    InvoiceStatus,
    JournalEntryRecord,
    JournalLineRecord,
    PaymentRecord,
    PeriodRecord,
    ProductRecord,
)
from subgraphs.kit.adaptor import Adaptor, Capabilities
from subgraphs.kit.product_copy import ProductCopy

RecordT_co = TypeVar("RecordT_co", covariant=True)


class Related(Protocol[RecordT_co]):
    """Records of one kind that belong to others: an invoice's lines, a customer's open documents."""

    @property
    def capabilities(self) -> Capabilities:
        """What the adaptor can do."""
        ...

    async def read(self, ids: Sequence[str]) -> Mapping[str, Sequence[RecordT_co]]:
        """Return the related records by the id they belong to, in the vendor-neutral default order. Raises VendorError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceQuery:
    """Which invoices; every part that is not None narrows. Hashable, so that equal lists are loaded together."""

    statuses: tuple[InvoiceStatus, ...] | None = None
    customer_ids: tuple[str, ...] | None = None
    customer_reference: str | None = None
    contract: str | None = None
    number: str | None = None
    """A part of the number."""
    issued_from: dt.date | None = None
    issued_until: dt.date | None = None
    is_overdue: bool | None = None

    @property
    def is_open_only(self) -> bool:
        """Whether only invoices that are waiting for money can match."""
        return self.is_overdue is True or self.statuses == (InvoiceStatus.POSTED,)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceOrder:
    """How a list of invoices is ordered; the id decides between equals."""

    field: str = "issued_on"
    """`issued_on` or `number`."""
    is_descending: bool = True

    def value_of(self, invoice: InvoiceRecord) -> str | None:
        """Return what an invoice is ordered by, as text."""
        if self.field == "number":
            return invoice.number
        return None if invoice.issued_on is None else invoice.issued_on.isoformat()

    def is_value(self, text: str | None) -> bool:
        """Whether `value_of` could have said this of an invoice."""
        if text is None or self.field == "number":
            return text is None or text.isprintable()
        try:
            return dt.date.fromisoformat(text).isoformat() == text
        except ValueError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePosition:
    """A place in a list: behind the invoice with this value and id; without an id, among those with the value."""

    value: str | None
    """What the list is ordered by."""
    id: str | None
    are_equals_behind: bool = False
    """Without an id: whether invoices with the same value come behind the place, all of them, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePage:
    """Some invoices, in order."""

    invoices: Sequence[InvoiceRecord]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine:
    """What is taken back of an invoice line: `quantity` units at `unit_price`, or an amount as one unit."""

    line_id: str
    quantity: Decimal
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParty:
    """A customer to be known to the ERP."""

    reference: str
    """The business key, `CUST-0001`."""
    name: str
    tax_id: str | None = None
    website: str | None = None
    email: str | None = None
    street: str | None = None
    city: str | None = None
    country: str | None = None
    """ISO 3166 alpha-2."""
    currency: str | None = None
    """What the first order is in."""
    business_unit: str | None = None
    """Which part of our company sells to it, as the CRM says."""
    known_as: tuple[str, ...] = ()
    """Ids of records that identity has for the customer."""
    mark: str
    """Our external reference, by which it is known that it was made here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order."""

    sku: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    billed_line: str | None
    service_from: dt.date
    service_until: dt.date
    """Last day, inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What is to be invoiced for a contract."""

    customer_id: str
    contract: str
    currency: str
    issued_on: dt.date
    reference: str
    """Our external reference, by which the order is found again."""
    lines: tuple[OrderLine, ...]


class Parties(Protocol):
    """What workflows write into the ERP's copies of a customer's fields."""

    async def change_party_fields(
        self, party_id: str, changes: Mapping[str, tuple[str | None, str | None]], *, refuses: bool
    ) -> None:
        """Write each field, name to (before, after), that has its value before; one that has the other already stays.

        Any other value is left alone, or refused with ConflictError where `refuses`.
        """
        ...


class ProductCopies(Protocol):
    """What workflows write into the ERP's copies of a product's fields."""

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """Write the fields that have their value before, or make the product; returns its id, and whether it was made.

        Raises ConflictError for a field with another value, and for a product that came or went meanwhile.
        """
        ...

    async def take_back_product(self, product: ProductCopy) -> None:
        """Put back the fields that have their value after; take out of use what was made under the mark."""
        ...


class Orders(Parties, ProductCopies, Protocol):
    """What workflows write: each call can be repeated, and finds what an earlier one did. Raises VendorError."""

    async def knows_party(self, party: NewParty) -> bool:
        """Whether there is a customer with that reference, in use or not."""
        ...

    async def ensure_party(self, party: NewParty) -> tuple[str, bool]:
        """Return the id of the customer with that reference, and whether it was made here, now or earlier."""
        ...

    async def retire_party(self, reference: str, mark: str) -> None:
        """Take a customer out of use if it was made under that mark and has no documents."""
        ...

    async def place_order(self, order: NewOrder) -> str:
        """Return the id of the draft invoice, its taxes computed."""
        ...

    async def find_order(self, reference: str) -> str | None:
        """Return the id of the invoice that carries our reference."""
        ...

    async def post_order(self, invoice_id: str) -> None:
        """Number the invoice and put it into the books."""
        ...

    async def schedule_revenue(self, invoice_id: str) -> tuple[str, ...]:
        """Defer the invoice's revenue over its service period; returns the deferrals' ids."""
        ...

    async def reverse_revenue(self, invoice_id: str) -> None:
        """Put the opposite of everything into the books that the invoice's deferrals put there."""
        ...

    async def take_back_credit_memo(self, invoice_id: str, reference: str) -> None:
        """Cancel the invoice's credit memo that carries our reference; charge the same again once it is posted."""
        ...

    async def cancel_order(self, invoice_id: str) -> None:
        """Cancel the invoice: a draft at once, a posted one by the opposite entry."""
        ...


class Readings(Protocol):
    """What the graph reads and people write. Every method raises VendorError."""

    @property
    def customers(self) -> Adaptor[CustomerRecord]: ...
    @property
    def invoices(self) -> Adaptor[InvoiceRecord]:
        """By id; credit memos too."""
        ...

    @property
    def invoices_by_number(self) -> Adaptor[InvoiceRecord]: ...
    @property
    def invoice_lines(self) -> Adaptor[InvoiceLineRecord]: ...
    @property
    def payments(self) -> Adaptor[PaymentRecord]: ...
    @property
    def deferrals(self) -> Adaptor[DeferralRecord]: ...
    @property
    def journal_entries(self) -> Adaptor[JournalEntryRecord]: ...
    @property
    def lines_of_journal_entries(self) -> Related[JournalLineRecord]: ...
    @property
    def periods(self) -> Adaptor[PeriodRecord]: ...
    @property
    def products(self) -> Adaptor[ProductRecord]:
        """By SKU."""
        ...

    @property
    def open_documents_of_customers(self) -> Related[InvoiceRecord]:
        """Posted invoices and credit memos that are not settled."""
        ...

    @property
    def lines_of_invoices(self) -> Related[InvoiceLineRecord]: ...
    @property
    def charges_of_contracts(self) -> Related[ChargeRecord]:
        """By contract number; of posted and paid documents."""
        ...

    @property
    def lines_of_billed_lines(self) -> Related[InvoiceLineRecord]:
        """By the billed line's reference, in whatever state the invoice is."""
        ...

    @property
    def payments_of_invoices(self) -> Related[PaymentRecord]: ...
    @property
    def credit_memos_of_invoices(self) -> Related[InvoiceRecord]: ...
    @property
    def deferrals_of_lines(self) -> Related[DeferralRecord]: ...
    def invoices_of_customers(self, query: InvoiceQuery) -> Related[InvoiceRecord]: ...
    def invoices_of_contracts(self, query: InvoiceQuery) -> Related[InvoiceRecord]: ...
    async def list_invoices(
        self, query: InvoiceQuery, order: InvoiceOrder, *, size: int, after: InvoicePosition | None
    ) -> InvoicePage:
        """Return up to `size` invoices behind `after`."""
        ...

    async def count_invoices(self, query: InvoiceQuery) -> int | None:
        """Return how many match; None when the ERP can't count that."""
        ...

    async def list_periods(self) -> Sequence[PeriodRecord]:
        """Return all accounting periods, the newest first."""
        ...

    async def set_credit_hold(self, customer: CustomerRecord, *, on_hold: bool, version: str) -> None: ...
    async def record_payment(
        self, invoice: InvoiceRecord, *, amount: Decimal, received_on: dt.date, method: str | None, reference: str
    ) -> str:
        """Return the payment's id."""
        ...

    async def find_payment(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """Return the id of the payment that carries our reference."""
        ...

    async def issue_credit_memo(
        self, invoice: InvoiceRecord, lines: Sequence[CreditLine], *, issued_on: dt.date, reason: str, reference: str
    ) -> str:
        """Return the credit memo's id. Goes on where an earlier try with the same reference stopped."""
        ...

    async def find_credit_memo(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """Return the id of the finished credit memo in the invoice's books that carries our reference."""
        ...

    async def void_invoice(self, invoice: InvoiceRecord, *, version: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRow:
    """A row of a list that nothing could be made of."""

    id: str
    stamp: str
    """Differs once the row has changed."""


class Erp(Orders, Readings, Protocol):
    """One ERP, with what changed in it. Every method raises VendorError.

    What changed and can't be read is left out, and added to `unreadable`.
    """

    async def changed_customers(
        self, since: dt.datetime | None, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[CustomerRecord]:
        """Return the customers changed at or after `since`, all of them for None, the oldest change first."""
        ...

    async def deleted_customers(self, ids: Sequence[str]) -> frozenset[str]:
        """Return which customers are there no more, not even retired."""
        ...

    async def changed_invoices(
        self, since: dt.datetime | None, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[InvoiceRecord]: ...
    async def changed_journal_entries(
        self, since: dt.datetime, *, unreadable: list[UnreadableRow] | None = None
    ) -> Sequence[JournalEntryRecord]: ...
    async def last_journal_change(self) -> dt.datetime | None: ...
