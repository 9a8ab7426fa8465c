"""Fills the sandbox with the ERP's part of the believable company, through the same business code that users call."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from subgraphs.erp.sandbox import ledger
from subgraphs.erp.sandbox.computed import amount_to_pay
from subgraphs.erp.sandbox.invoicing import Invoicing
from subgraphs.erp.sandbox.setup import Chart, set_up
from subgraphs.erp.sandbox.tables import Row, Tables, instant
from subgraphs.erp.vendors.tryton_mapping import with_reference
from subgraphs.kit.company.model import (
    Company,
    CreditMemo,
    Customer,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    RevenueEntry,
    RevenueStatus,
    Source,
)


def fill(tables: Tables, company: Company) -> None:
    """Create everything, each document with the instant it happened."""
    tables.stamp = _morning(min(period.starts_on for period in company.periods))
    _Filling(tables, company, set_up(tables, company)).run()


def _morning(day: dt.date, hour: int = 8) -> str:
    # What happened this morning may have happened just now, never later than that.
    return instant(min(dt.datetime.combine(day, dt.time(hour), dt.UTC), dt.datetime.now(dt.UTC)))


class _Filling:
    def __init__(self, tables: Tables, company: Company, chart: Chart) -> None:
        self._tables = tables
        self._company = company
        self._chart = chart
        self._invoicing = Invoicing(tables)
        self._parties: dict[str, int] = {}
        self._lines: dict[str, list[InvoiceLine]] = defaultdict(list)
        self._payments: dict[str, list[Payment]] = defaultdict(list)
        self._memos: dict[str, list[CreditMemo]] = defaultdict(list)
        self._revenue: dict[str, list[RevenueEntry]] = defaultdict(list)
        self._used: dict[str, int] = {}
        for line in company.invoice_lines:
            self._lines[line.invoice].append(line)
        for payment in company.payments:
            self._payments[payment.invoice].append(payment)
        for memo in company.credit_memos:
            self._memos[memo.invoice].append(memo)
        for entry in company.revenue_entries:
            self._revenue[entry.invoice_line].append(entry)

    def run(self) -> None:
        """Customers first, then invoices with all that followed from each, by day of issue."""
        for customer in self._company.customers:
            if Source.ERP not in customer.missing_in:
                self._customer(customer)
        counts: dict[int, int] = defaultdict(int)
        for invoice in self._company.invoices:
            counts[invoice.issued_on.year] += 1
            self._invoice(invoice)
        for year, count in counts.items():
            # The next invoice that a user posts carries on the numbers.
            self._tables.state.set_fact(f"next:invoice {year}", str(count + 1))

    def _customer(self, customer: Customer) -> None:
        tables, address = self._tables, customer.address
        tables.stamp = _morning(customer.created_on)
        own_name = dict(customer.names).get(Source.ERP)
        row = tables.create(
            "party.party",
            code=customer.reference,
            name=own_name or customer.legal_name,
            active=True,
            categories=[self._chart.credit_hold] if customer.credit_hold else [],
            credit_limit_amount=str(customer.credit_limit.quantize(Decimal("0.01"))),
        )
        self._parties[customer.reference] = row["id"]
        tables.create("party.identifier", party=row["id"], type=None, code=customer.tax_id)
        tables.create(
            "party.address",
            party=row["id"],
            street=address.street,
            postal_code=address.postal_code,
            city=customer.city_in(Source.ERP),
            country=self._chart.countries[address.country],
        )
        parent = self._parties.get(customer.parent_in(Source.ERP) or "")
        if parent is not None:
            values = {"from_": row["id"], "to": parent, "type": self._chart.subsidiary_of}
            tables.create("party.relation.all", **values)
        for kind, value in (("website", f"https://{customer.domain}"), ("email", f"billing@{customer.domain}")):
            tables.create("party.contact_mechanism", party=row["id"], type=kind, value=value)

    def _invoice(self, invoice: Invoice) -> None:
        tables, chart = self._tables, self._chart
        tables.stamp = _morning(invoice.issued_on)
        party = tables.row("party.party", self._parties[invoice.customer])
        row = tables.create(
            "account.invoice",
            type="out",
            number=invoice.number,
            reference=invoice.contract,
            state="draft",
            invoice_date=invoice.issued_on.isoformat(),
            company=ledger.COMPANY,
            party=party["id"],
            invoice_address=tables.related("party.party", party, "addresses")[0],
            currency=chart.currencies[invoice.currency],
            account=self._invoicing.ledger.account(ledger.RECEIVABLE),
            journal=self._invoicing.ledger.journal("revenue"),
            payment_term=chart.terms[(invoice.due_on - invoice.issued_on).days],
            untaxed_amount=str(invoice.net),
            tax_amount=str(invoice.tax),
            total_amount=str(invoice.total),
            payment_lines=[],
        )
        tax = chart.taxes[invoice.tax_code]
        lines = {line.reference: self._line(row, line, tax) for line in self._lines[invoice.number]}
        if invoice.tax:
            amounts = {"base": str(invoice.net), "amount": str(invoice.tax)}
            tables.create("account.invoice.tax", invoice=row["id"], tax=tax, **amounts)
        if invoice.status is InvoiceStatus.DRAFT:
            return
        period = self._period(invoice.issued_on)
        move = self._invoicing.post_move(
            row, day=invoice.issued_on, period=period, number=invoice.journal_entry or f"JE-{invoice.number}"
        )
        row = tables.write("account.invoice", row["id"], state="posted", move=move["id"], sequence_type_cache="invoice")
        if invoice.status is InvoiceStatus.VOIDED:
            self._void(row, move, invoice.issued_on)
            return
        for reference, line in lines.items():
            self._defer(row, line, self._revenue[reference], invoice)
        steps: list[tuple[dt.date, Payment | CreditMemo]] = [
            *((p.received_on, p) for p in self._payments[invoice.number] if p.status is PaymentStatus.SUCCEEDED),
            *((memo.issued_on, memo) for memo in self._memos[invoice.number]),
        ]
        for day, step in sorted(steps, key=lambda item: item[0]):
            tables.stamp = _morning(day, 10)
            match step:
                case Payment():
                    self._pay(row["id"], step)
                case CreditMemo():
                    self._credit(row["id"], next(iter(lines.values())), step)
            if amount_to_pay(tables, tables.row("account.invoice", row["id"])) == 0:
                self._invoicing.settle(row["id"], day.isoformat())

    def _line(self, invoice: Row, line: InvoiceLine, tax: int) -> Row:
        is_ratable = self._rules[line.sku] != "POINT_IN_TIME" and line.period_start < line.period_end
        return self._tables.create(
            "account.invoice.line",
            invoice=invoice["id"],
            type="line",
            description=line.description,
            note=line.billed_line,
            product=self._chart.products[line.sku],
            account=self._invoicing.ledger.account(ledger.REVENUE),
            quantity=line.quantity,
            unit=self._chart.unit,
            unit_price=str(line.unit_amount),
            taxes=[tax],
            currency=invoice["currency"],
            company=ledger.COMPANY,
            defer_from=line.period_start.isoformat() if is_ratable else None,
            defer_to=line.period_end.isoformat() if is_ratable else None,
        )

    @property
    def _rules(self) -> Mapping[str, str]:
        return {product.sku: product.revenue_rule for product in self._company.products}

    def _period(self, day: dt.date) -> Row:
        return self._chart.periods[f"{day:%Y-%m}"]

    def _void(self, row: Row, move: Row, issued_on: dt.date) -> None:
        day = min(issued_on + dt.timedelta(days=3), self._company.today)
        self._tables.stamp = _morning(day, 12)
        cancel = self._invoicing.cancel_move(row, move, day=day, period=self._period(day))
        self._tables.write("account.invoice", row["id"], state="cancelled", cancel_move=cancel["id"])

    def _defer(self, row: Row, line: Row, entries: list[RevenueEntry], invoice: Invoice) -> None:
        if line["defer_from"] is None:
            return
        tables, invoicing = self._tables, self._invoicing
        is_closed = all(entry.status is RevenueStatus.RECOGNIZED for entry in entries)
        deferral = invoicing.prepare_deferral(line, row, state="closed" if is_closed else "running")
        total = Decimal(deferral["amount"])
        opening = self._unique(f"JE-DEF-{invoice.number}")
        invoicing.defer(deferral, total, day=invoice.issued_on, period=self._period(invoice.issued_on), number=opening)
        done = booked = Decimal(0)
        for entry in entries:
            done += entry.amount
            if entry.status is not RevenueStatus.RECOGNIZED or entry.recognized_on is None:
                continue
            # Cumulated, so that the months add up to the whole in the company's currency as well.
            until = total if entry is entries[-1] else invoicing.ledger.to_company(done, row["currency"])
            day = entry.recognized_on
            tables.stamp = _morning(max(day, invoice.issued_on), 18)
            number = self._unique(entry.journal_entry or "")
            invoicing.recognize(deferral, until - booked, day=day, period=self._period(day), number=number)
            booked = until

    def _unique(self, number: str) -> str:
        """Tryton posts one move per deferral and month, where the facts have one entry per contract and month."""
        self._used[number] = self._used.get(number, 0) + 1
        return number if self._used[number] == 1 else f"{number}-{self._used[number]}"

    def _pay(self, invoice_id: int, payment: Payment) -> None:
        self._invoicing.add_payment(
            self._tables.row("account.invoice", invoice_id),
            amount=payment.amount,
            day=payment.received_on,
            method=self._chart.methods[payment.method],
            description=payment.reference,
            number=payment.journal_entry,
            period=self._period(payment.received_on),
        )

    def _credit(self, invoice_id: int, line: Row, memo: CreditMemo) -> None:
        tables = self._tables
        invoice = tables.row("account.invoice", invoice_id)
        copied = ("type", "reference", "company", "party", "invoice_address", "currency", "account", "journal")
        row = tables.create(
            "account.invoice",
            **{name: invoice[name] for name in copied},
            number=memo.reference,
            description=with_reference(memo.reason, memo.reference),
            state="draft",
            invoice_date=memo.issued_on.isoformat(),
            payment_term=None,
            untaxed_amount=str(-memo.net),
            tax_amount=str(-memo.tax),
            total_amount=str(-memo.total),
            payment_lines=[],
            sequence_type_cache="credit_note",
        )
        tables.create(
            "account.invoice.line",
            **{name: line[name] for name in ("type", "product", "account", "unit", "taxes", "currency", "company")},
            invoice=row["id"],
            description=memo.reason,
            note=None,
            quantity=-1,
            unit_price=str(memo.net),
            origin=f"account.invoice.line,{line['id']}",
            defer_from=None,
            defer_to=None,
        )
        if memo.tax:
            amounts = {"base": str(-memo.net), "amount": str(-memo.tax)}
            tables.create("account.invoice.tax", invoice=row["id"], tax=line["taxes"][0], **amounts)
        period = self._period(memo.issued_on)
        move = self._invoicing.post_move(row, day=memo.issued_on, period=period, number=memo.journal_entry)
        tables.write("account.invoice", row["id"], state="posted", move=move["id"])
        paying = self._invoicing.ledger.lines(move["id"], ledger.RECEIVABLE)[0]
        known = tables.row("account.invoice", invoice_id).get("payment_lines") or []
        tables.write("account.invoice", invoice_id, payment_lines=[*known, paying["id"]])
