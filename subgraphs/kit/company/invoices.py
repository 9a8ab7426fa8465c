"""The ERP's invoices: one per contract and billing day, with what was paid and credited since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from subgraphs.kit.company.catalogue import money
from subgraphs.kit.company.model import (
    BilledLine,
    CreditMemo,
    Customer,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Segment,
    Source,
    TaxRate,
)

_TERMS_DAYS = {Segment.ENTERPRISE: 45, Segment.MID_MARKET: 30, Segment.SMB: 14, Segment.STARTUP: 14}
_ZERO = Decimal("0.00")
_CREDIT_REASONS = ("Outage credit", "Seats billed too high", "Goodwill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivables:
    """What the ERP knows of money owed and received."""

    billed_lines: tuple[BilledLine, ...]
    """As given, now with their invoices' numbers."""
    invoices: tuple[Invoice, ...]
    invoice_lines: tuple[InvoiceLine, ...]
    payments: tuple[Payment, ...]
    credit_memos: tuple[CreditMemo, ...]
    late: frozenset[str]
    """Customers with an overdue invoice."""


def make_receivables(
    seed: int,
    customers: Sequence[Customer],
    lines: Sequence[BilledLine],
    never_invoiced: frozenset[str],
    tax_rates: Sequence[TaxRate],
    today: dt.date,
) -> Receivables:
    """Return invoices, payments and credit memos; about 12 % of the invoiced customers are late."""
    by_reference = {customer.reference: customer for customer in customers}
    rates = {rate.country: rate for rate in tax_rates}
    runs: dict[tuple[dt.date, str], list[BilledLine]] = {}
    for line in lines:
        if line.ref not in never_invoiced and Source.ERP not in by_reference[line.customer].missing_in:
            runs.setdefault((line.billed_on, line.contract), []).append(line)
    drafts = _number(runs, by_reference, rates, today)
    late = _choose_late(seed, [invoice for invoice, _ in drafts], today)
    unpaid = _unpaid(drafts, late, today)
    invoices, payments, credit_memos = [], [], []
    invoice_lines: list[InvoiceLine] = []
    numbers: dict[str, str] = {}
    for draft, run in drafts:
        rng = Random(f"{seed}:receivable:{draft.number}")  # noqa: S311 - a believable company, not a secret
        own_lines = _lines(draft, run)
        invoice, paid, credited = _settle(
            rng, draft, own_lines, by_reference[draft.customer], rates, draft.number in unpaid, today
        )
        invoices.append(invoice)
        payments += paid
        credit_memos += credited
        invoice_lines += own_lines
        numbers.update((line.ref, draft.number) for line in run)
    return Receivables(
        billed_lines=tuple(replace(line, invoice=numbers[line.ref]) if line.ref in numbers else line for line in lines),
        invoices=tuple(invoices),
        invoice_lines=tuple(invoice_lines),
        payments=tuple(payments),
        credit_memos=tuple(credit_memos),
        late=late,
    )


def _number(
    runs: Mapping[tuple[dt.date, str], Sequence[BilledLine]],
    customers: Mapping[str, Customer],
    rates: Mapping[str, TaxRate],
    today: dt.date,
) -> list[tuple[Invoice, Sequence[BilledLine]]]:
    """Return the invoices as issued, numbered by day within each year."""
    counts: dict[int, int] = {}
    drafts: list[tuple[Invoice, Sequence[BilledLine]]] = []
    for (issued_on, contract), run in sorted(runs.items(), key=lambda entry: entry[0]):
        counts[issued_on.year] = counts.get(issued_on.year, 0) + 1
        customer = customers[run[0].customer]
        rate = rates[customer.address.country]
        net = sum((line.amount for line in run), _ZERO)
        tax = money(net * rate.percent / 100)
        number = f"INV-{issued_on.year}-{counts[issued_on.year]:05}"
        is_draft = issued_on == today
        invoice = Invoice(
            number=number,
            customer=customer.reference,
            contract=contract,
            status=InvoiceStatus.DRAFT if is_draft else InvoiceStatus.POSTED,
            currency=customer.currency,
            issued_on=issued_on,
            due_on=issued_on + dt.timedelta(days=_TERMS_DAYS[customer.segment]),
            posted_on=None if is_draft else issued_on,
            tax_code=rate.code,
            net=net,
            tax=tax,
            total=net + tax,
            paid=_ZERO,
            credited=_ZERO,
            balance=_ZERO if is_draft else net + tax,
            journal_entry=None if is_draft else f"JE-{number}",
        )
        drafts.append((invoice, run))
    return drafts


def _choose_late(seed: int, invoices: Sequence[Invoice], today: dt.date) -> frozenset[str]:
    invoiced = sorted({invoice.customer for invoice in invoices})
    eligible = sorted({invoice.customer for invoice in invoices if invoice.due_on < today})
    rng = Random(f"{seed}:late")  # noqa: S311 - a believable company, not a secret
    return (
        frozenset(rng.sample(eligible, min(len(eligible), max(1, round(len(invoiced) * 0.12)))))
        if eligible
        else frozenset()
    )


def _unpaid(
    drafts: Sequence[tuple[Invoice, Sequence[BilledLine]]], late: frozenset[str], today: dt.date
) -> frozenset[str]:
    """Return the invoices that late customers still owe: their last one or two past due."""
    owed: dict[str, list[str]] = {}
    for invoice, _ in drafts:
        if invoice.customer in late and invoice.due_on < today:
            owed.setdefault(invoice.customer, []).append(invoice.number)
    return frozenset(number for numbers in owed.values() for number in numbers[-(1 + len(numbers) % 2) :])


def _lines(invoice: Invoice, run: Sequence[BilledLine]) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            reference=f"{invoice.number}-{place}",
            invoice=invoice.number,
            billed_line=line.ref,
            sku=line.sku,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
            period_start=line.period_start,
            period_end=line.period_end,
        )
        for place, line in enumerate(run, 1)
    ]


def _settle(
    rng: Random,
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    customer: Customer,
    rates: Mapping[str, TaxRate],
    is_unpaid: bool,
    today: dt.date,
) -> tuple[Invoice, list[Payment], list[CreditMemo]]:
    if invoice.status is InvoiceStatus.DRAFT:
        return invoice, [], []
    if not is_unpaid and rng.random() < 0.006:
        voided = replace(invoice, status=InvoiceStatus.VOIDED, posted_on=None, balance=_ZERO, journal_entry=None)
        return voided, [], []
    memos = []
    if rng.random() < 0.02 and invoice.issued_on + dt.timedelta(days=5) <= today and lines[0].amount >= 10:
        memos.append(_credit(rng, invoice, lines, rates[customer.address.country]))
    credited = sum((memo.total for memo in memos), _ZERO)
    payments = _payments(rng, invoice, customer, invoice.total - credited, is_unpaid, today)
    paid = sum((payment.amount for payment in payments if payment.status is PaymentStatus.SUCCEEDED), _ZERO)
    balance = invoice.total - paid - credited
    settled = replace(
        invoice,
        status=InvoiceStatus.POSTED if balance else InvoiceStatus.PAID,
        paid=paid,
        credited=credited,
        balance=balance,
    )
    return settled, payments, memos


def _credit(rng: Random, invoice: Invoice, lines: Sequence[InvoiceLine], rate: TaxRate) -> CreditMemo:
    net = money(lines[0].amount * Decimal(rng.choice(("0.05", "0.10", "0.20"))))
    tax = money(net * rate.percent / 100)
    reference = f"CM-{invoice.number.removeprefix('INV-')}"
    return CreditMemo(
        reference=reference,
        invoice=invoice.number,
        customer=invoice.customer,
        reason=rng.choice(_CREDIT_REASONS),
        net=net,
        tax=tax,
        total=net + tax,
        currency=invoice.currency,
        issued_on=invoice.issued_on + dt.timedelta(days=5),
        journal_entry=f"JE-{reference}",
    )


def _payments(
    rng: Random, invoice: Invoice, customer: Customer, owed: Decimal, is_unpaid: bool, today: dt.date
) -> list[Payment]:
    """Return the payments until today. Who is not late pays by the due date, so an open invoice is not yet due."""
    term = (invoice.due_on - invoice.issued_on).days
    by_card = customer.payment_method is not PaymentMethod.BANK_TRANSFER
    paid_on = invoice.issued_on + dt.timedelta(days=rng.randint(0, 2) if by_card else rng.randint(term // 2, term))
    tries: list[tuple[PaymentStatus, Decimal, dt.date]] = []
    if by_card and (is_unpaid or rng.random() < 0.03):
        tries.append((PaymentStatus.FAILED, owed, invoice.issued_on))
        paid_on = invoice.issued_on + dt.timedelta(days=3)
    half = money(owed / 2)
    if is_unpaid:
        if rng.random() < 0.3:
            tries.append((PaymentStatus.SUCCEEDED, half, paid_on))
    elif not by_card and rng.random() < 0.08:
        tries += [(PaymentStatus.SUCCEEDED, half, paid_on), (PaymentStatus.SUCCEEDED, owed - half, invoice.due_on)]
    else:
        tries.append((PaymentStatus.SUCCEEDED, owed, paid_on))
    digits = invoice.number.removeprefix("INV-")
    return [
        Payment(
            reference=f"PAY-{digits}-{attempt}",
            invoice=invoice.number,
            customer=invoice.customer,
            status=status,
            method=customer.payment_method,
            amount=amount,
            currency=invoice.currency,
            received_on=day,
            journal_entry=None if status is PaymentStatus.FAILED else f"JE-PAY-{digits}-{attempt}",
        )
        for attempt, (status, amount, day) in enumerate(tries, 1)
        if day <= today
    ]
