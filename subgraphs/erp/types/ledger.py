"""Revenue entries, journal entries and accounting periods."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias

import strawberry
from strawberry import Private

from subgraphs.erp.context import Info
from subgraphs.erp.records import JournalEntryRecord, JournalLineRecord, PeriodRecord, RevenueEntryRecord
from subgraphs.erp.revenue import with_invoice
from subgraphs.erp.types.enums import PeriodStatus, RevenueStatus
from subgraphs.kit.global_id import encode_global_id, parse_global_id
from subgraphs.kit.money import Money
from subgraphs.kit.node import Node
from subgraphs.kit.system_error import BadUserInputError

if TYPE_CHECKING:
    from subgraphs.erp.types.invoice import InvoiceLine

LazyInvoiceLine: TypeAlias = Annotated["InvoiceLine", strawberry.lazy("subgraphs.erp.types.invoice")]
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


def _own_id(value: str, type_name: str) -> str | None:
    try:
        found, local = parse_global_id(value)
    except BadUserInputError:
        return None
    return local if found == type_name else None


@strawberry.federation.type(
    keys=["id"], description="One month's revenue of an invoice line, in the books or still to come; the ERP owns it."
)
class RevenueEntry(Node):
    """One month's revenue of an invoice line."""

    record: Private[RevenueEntryRecord]
    month: str = strawberry.federation.field(
        description="Year and month that the revenue belongs to, such as `2026-03`."
    )
    status: RevenueStatus = strawberry.federation.field(description="Whether it is in the books already.")
    recognized_on: dt.date = strawberry.federation.field(
        description="The day on which it is, or will be, in the books."
    )

    @classmethod
    def of(cls, record: RevenueEntryRecord) -> Self:
        """Wrap a record."""
        return cls(
            id=strawberry.ID(encode_global_id("RevenueEntry", record.id)),
            record=record,
            month=record.month,
            status=record.status,
            recognized_on=record.recognized_on,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: str) -> Self | None:  # noqa: A002 - the key\'s name
        """Find an entry by id: `line:7`, recognised with its invoice, or `12:2026-03`, a month of a deferral.

        Of a further instance they are `line:us:7` and `us:12:2026-03`: the month tells them apart.
        """
        local = _own_id(id, "RevenueEntry") or ""
        owner, _, part = local.rpartition(":")
        if not _MONTH.fullmatch(part):
            line = await info.context.invoice_lines.load(local.removeprefix("line:"))
            is_booked = line is not None and line.invoice_journal_entry_id is not None
            if line is None or line.invoice_issued_on is None or not is_booked:
                return None
            return cls.of(with_invoice(line, line.invoice_issued_on))
        deferral = await info.context.deferrals.load(owner) if owner else None
        entries = deferral.entries if deferral else ()
        return next((cls.of(entry) for entry in entries if entry.month == part), None)

    @strawberry.field(
        description="Without tax, in the invoice's currency and at the invoice's rate; negative for a line that takes back."
    )
    def amount(self) -> Money:
        return Money.of(self.record.amount, self.record.currency)

    @strawberry.field(
        description="In the books' own currency; null when it was recognised with the invoice, whose journal entry has it."
    )
    def booked_amount(self) -> Money | None:
        if self.record.booked_amount is None or self.record.booked_currency is None:
            return None
        return Money.of(self.record.booked_amount, self.record.booked_currency)

    @strawberry.field(description="The line whose revenue it is.")
    async def invoice_line(self, info: Info) -> LazyInvoiceLine | None:
        from subgraphs.erp.types.invoice import InvoiceLine  # noqa: PLC0415 - types refer to each other

        record = await info.context.invoice_lines.load(self.record.line_id)
        return None if record is None else InvoiceLine.of(record)

    @strawberry.field(description="The entry that put it into the books; null while it is to come.")
    async def journal_entry(self, info: Info) -> JournalEntry | None:
        return await JournalEntry.load(info, self.record.journal_entry_id)


@strawberry.federation.type(
    description="One posting of a journal entry, in the books' own currency: either its debit or its credit is 0."
)
class JournalLine:
    """One posting of a journal entry."""

    account: str = strawberry.federation.field(description="Code of the account in the chart of accounts.")
    account_name: str = strawberry.federation.field(description="What accountants call the account.")
    debit: Money = strawberry.federation.field(description="What it adds on the debit side; 0 for a credit.")
    credit: Money = strawberry.federation.field(description="What it adds on the credit side; 0 for a debit.")
    foreign_amount: Money | None = strawberry.federation.field(
        description="In the document's currency where that is not the books' own, debits positive; else null."
    )
    description: str | None = strawberry.federation.field(
        description="What the accountant or the ERP wrote; null where nothing."
    )

    @classmethod
    def of(cls, record: JournalLineRecord, currency: str) -> Self:
        """Wrap a record."""
        foreign = None
        if record.foreign_amount is not None and record.foreign_currency is not None:
            foreign = Money.of(record.foreign_amount, record.foreign_currency)
        return cls(
            account=record.account,
            account_name=record.account_name,
            debit=Money.of(record.debit, currency),
            credit=Money.of(record.credit, currency),
            foreign_amount=foreign,
            description=record.description,
        )


@strawberry.federation.type(
    keys=["id"], description="An entry of the general ledger; its debits and credits add up to the same."
)
class JournalEntry(Node):
    """An entry of the general ledger."""

    record: Private[JournalEntryRecord]
    number: str | None = strawberry.federation.field(description="Number in the ledger; null until one is assigned.")
    date: dt.date = strawberry.federation.field(description="Day on which it counts, which decides the period.")
    posted_on: dt.date | None = strawberry.federation.field(
        description="Day on which it was posted; null while it is a draft."
    )
    posted: bool = strawberry.federation.field(
        description="True: it is in the books for good; false: a draft that may change."
    )
    journal: str = strawberry.federation.field(
        description="Name of the journal that it is in, such as the one of revenue or of a bank."
    )
    description: str | None = strawberry.federation.field(
        description="What the accountant or the ERP wrote; null where nothing."
    )

    @classmethod
    def of(cls, record: JournalEntryRecord) -> Self:
        """Wrap a record."""
        return cls(
            id=strawberry.ID(encode_global_id("JournalEntry", record.id)),
            record=record,
            number=record.number,
            date=record.date,
            posted_on=record.posted_on,
            posted=record.is_posted,
            journal=record.journal,
            description=record.description,
        )

    @classmethod
    async def load(cls, info: Info, entry_id: str | None) -> Self | None:
        """Return the entry with this local id, if there is one."""
        record = await info.context.journal_entries.load(entry_id) if entry_id else None
        return None if record is None else cls.of(record)

    @classmethod
    async def resolve_reference(cls, info: Info, id: str) -> Self | None:  # noqa: A002 - the key\'s name
        """Find an entry by id."""
        return await cls.load(info, _own_id(id, "JournalEntry"))

    @strawberry.field(description="Its postings; debits and credits add up to the same.")
    async def lines(self, info: Info) -> list[JournalLine]:
        records = await info.context.lines_of_journal_entries.load(self.record.id)
        return [JournalLine.of(record, self.record.currency) for record in records]

    @strawberry.field(description="The month of the books that it counts in.")
    async def period(self, info: Info) -> AccountingPeriod | None:
        record = await info.context.periods.load(self.record.period_id)
        return None if record is None else AccountingPeriod.of(record)


@strawberry.federation.type(keys=["id"], description="A month of the books.")
class AccountingPeriod(Node):
    """A month of the books."""

    code: str = strawberry.federation.field(description="Year and month, such as `2026-03`.")
    fiscal_year: str = strawberry.federation.field(description="Name of the fiscal year that it is part of.")
    starts_on: dt.date = strawberry.federation.field(description="Its first day.")
    ends_on: dt.date = strawberry.federation.field(description="Its last day, inclusive.")
    status: PeriodStatus = strawberry.federation.field(description="Whether it still takes entries.")

    @classmethod
    def of(cls, record: PeriodRecord) -> Self:
        """Wrap a record."""
        return cls(
            id=strawberry.ID(encode_global_id("AccountingPeriod", record.id)),
            code=record.code,
            fiscal_year=record.fiscal_year,
            starts_on=record.starts_on,
            ends_on=record.ends_on,
            status=record.status,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: str) -> Self | None:  # noqa: A002 - the key\'s name
        """Find a period by id."""
        local = _own_id(id, "AccountingPeriod")
        record = await info.context.periods.load(local) if local else None
        return None if record is None else cls.of(record)
