"""What people do with invoices in Tryton: tax, post, pay, credit, cancel, run deferrals; with its refusals."""

from __future__ import annotations

import calendar
import datetime as dt
from collections import defaultdict
from decimal import Decimal

from subgraphs.erp.sandbox.computed import amount_to_pay, compute, lines_to_pay, record_name, rounded
from subgraphs.erp.sandbox.ledger import BANK, DEFERRED, RECEIVABLE, REVENUE, TAX, Ledger, Posting
from subgraphs.erp.sandbox.models import NAMES
from subgraphs.erp.sandbox.refusal import UserError
from subgraphs.erp.sandbox.tables import Row, Tables


class Invoicing:
    """The business of `account.invoice`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.ledger = Ledger(tables)

    def update_amounts(self, invoice_id: int) -> None:
        """Compute a draft's taxes, per tax and document, and its totals."""
        tables = self._tables
        invoice = tables.row("account.invoice", invoice_id)
        if invoice["state"] not in {"draft", "validated"}:
            return
        for tax_line in tables.related("account.invoice", invoice, "taxes"):
            tables.remove("account.invoice.tax", tax_line)
        bases: dict[int, Decimal] = defaultdict(Decimal)
        net = Decimal(0)
        for line in self._lines(invoice):
            amount = Decimal(compute(tables, "account.invoice.line", "amount", line))
            net += amount
            for tax in line.get("taxes") or ():
                bases[tax] += amount
        tax_total = Decimal(0)
        for tax, base in bases.items():
            rate = Decimal(tables.row("account.tax", tax)["rate"])
            amount = rounded(tables, base * rate, invoice["currency"])
            tax_total += amount
            tables.create("account.invoice.tax", invoice=invoice_id, tax=tax, base=str(base), amount=str(amount))
        total = {"untaxed_amount": net, "tax_amount": tax_total, "total_amount": net + tax_total}
        values = {name: str(rounded(tables, value, invoice["currency"])) for name, value in total.items()}
        tables.write("account.invoice", invoice_id, **values)

    def _lines(self, invoice: Row) -> list[Row]:
        return [
            self._tables.row("account.invoice.line", i)
            for i in self._tables.related("account.invoice", invoice, "lines")
        ]

    def post(self, invoice_id: int) -> None:
        """Number the invoice, post its move, and prepare deferrals for lines with a service period."""
        tables = self._tables
        invoice = tables.row("account.invoice", invoice_id)
        if invoice["state"] not in {"draft", "validated"}:
            raise self._button_refused("post", invoice)
        day = dt.date.fromisoformat(invoice["invoice_date"] or tables.now()[:10])
        period = self.ledger.period(day)
        is_credit = Decimal(invoice["total_amount"]) < 0
        invoice = tables.write(
            "account.invoice",
            invoice_id,
            invoice_date=day.isoformat(),
            number=invoice.get("number") or self._number(day, is_credit=is_credit),
            sequence_type_cache="credit_note" if is_credit else "invoice",
        )
        move = self.post_move(invoice, day=day, period=period)
        tables.write("account.invoice", invoice_id, state="posted", move=move["id"])
        for line in self._lines(invoice):
            if line.get("defer_from") and line.get("defer_to"):
                self.prepare_deferral(line, invoice)

    def post_move(self, invoice: Row, *, day: dt.date, period: Row, number: str | None = None) -> Row:
        """Return the invoice's move: receivable against revenue and tax."""
        tables = self._tables
        term = invoice.get("payment_term")
        days = tables.row("account.invoice.payment_term", term)["days"] if term else 0
        receivable = Posting(
            account=RECEIVABLE,
            amount=Decimal(invoice["total_amount"]),
            party=invoice["party"],
            maturity=day + dt.timedelta(days=days),
        )
        revenue = [
            Posting(
                account=REVENUE,
                amount=-Decimal(compute(tables, "account.invoice.line", "amount", line)),
                description=line.get("description"),
            )
            for line in self._lines(invoice)
        ]
        taxes = [
            Posting(account=TAX, amount=-Decimal(tables.row("account.invoice.tax", i)["amount"]))
            for i in tables.related("account.invoice", invoice, "taxes")
        ]
        return self.ledger.post(
            [receivable, *revenue, *taxes],
            day=day,
            currency=invoice["currency"],
            journal="revenue",
            origin=f"account.invoice,{invoice['id']}",
            number=number,
            period=period,
        )

    def _number(self, day: dt.date, *, is_credit: bool) -> str:
        tables = self._tables
        while True:
            count = tables.state.next_number(f"{'credit note' if is_credit else 'invoice'} {day.year}")
            number = f"CM-{day.year}-{count:04}" if is_credit else f"INV-{day.year}-{count:05}"
            if not list(tables.ids_where("account.invoice", "number", number)):
                return number

    def prepare_deferral(self, line: Row, invoice: Row, *, state: str = "draft") -> Row:
        """Return the deferral of an invoice line; its months are booked when it runs."""
        amount = Decimal(compute(self._tables, "account.invoice.line", "amount", line))
        return self._tables.create(
            "account.invoice.deferred",
            company=invoice["company"],
            type=invoice["type"],
            journal=self.ledger.journal("revenue"),
            invoice_line=line["id"],
            amount=str(self.ledger.to_company(amount, invoice["currency"])),
            start_date=line["defer_from"],
            end_date=line["defer_to"],
            state=state,
        )

    def run_deferral(self, deferral_id: int) -> None:
        """Take the amount out of revenue, and bring it back day by day in the months whose period is open."""
        tables, ledger = self._tables, self.ledger
        deferral = tables.row("account.invoice.deferred", deferral_id)
        if deferral["state"] != "draft":
            raise self._button_refused("run", deferral, "account.invoice.deferred")
        line = tables.row("account.invoice.line", deferral["invoice_line"])
        invoice_day = dt.date.fromisoformat(tables.row("account.invoice", line["invoice"])["invoice_date"])
        starts, ends = (dt.date.fromisoformat(deferral[name]) for name in ("start_date", "end_date"))
        total, own = Decimal(deferral["amount"]), tables.row("company.company", deferral["company"])["currency"]
        tables.write("account.invoice.deferred", deferral_id, state="running")
        self.defer(deferral, total, day=invoice_day, period=ledger.period(invoice_day))
        rest, day = total, starts.replace(day=1)
        is_closed = False
        while day <= ends:
            last = day.replace(day=calendar.monthrange(day.year, day.month)[1])
            period = next((p for p in tables.rows("account.period") if p["start_date"] == day.isoformat()), None)
            days = (min(last, ends) - max(day, starts)).days + 1
            part = rounded(tables, total / ((ends - starts).days + 1) * days, own)
            amount = rest if last >= ends else part
            if period is not None and period["state"] == "open":
                self.recognize(deferral, amount, day=day, period=period)
                is_closed = last >= ends
            rest -= amount
            day = last + dt.timedelta(days=1)
        if is_closed:
            tables.write("account.invoice.deferred", deferral_id, state="closed")

    def defer(self, deferral: Row, amount: Decimal, *, day: dt.date, period: Row, number: str | None = None) -> Row:
        """Post the whole amount, in the company's currency, from revenue to deferred revenue."""
        postings = [Posting(account=DEFERRED, amount=-amount), Posting(account=REVENUE, amount=amount)]
        return self._post_deferred(deferral, postings, day=day, period=period, number=number)

    def recognize(self, deferral: Row, amount: Decimal, *, day: dt.date, period: Row, number: str | None = None) -> Row:
        """Post one month's amount from deferred revenue to revenue."""
        postings = [Posting(account=DEFERRED, amount=amount), Posting(account=REVENUE, amount=-amount)]
        return self._post_deferred(deferral, postings, day=day, period=period, number=number)

    def _post_deferred(
        self, deferral: Row, postings: list[Posting], *, day: dt.date, period: Row, number: str | None
    ) -> Row:
        return self.ledger.post(
            postings,
            day=day,
            currency=self._tables.row("company.company", deferral["company"])["currency"],
            journal="revenue",
            origin=f"account.invoice.deferred,{deferral['id']}",
            period=period,
            number=number,
        )

    def pay(self, invoice_id: int, *, amount: Decimal, day: dt.date, method: int, description: str | None) -> None:
        """Do the pay wizard's last step with "partial": post the money, settle everything once nothing is left."""
        tables = self._tables
        invoice = tables.row("account.invoice", invoice_id)
        left = amount_to_pay(tables, invoice)
        # What is left of a credit note is below zero, and so is the money that is given back.
        if abs(amount) > abs(left) or amount * left < 0:
            name = record_name(tables, "account.invoice", invoice)
            code = tables.row("currency.currency", invoice["currency"])["code"]
            raise UserError(
                f'You cannot add a partial payment on invoice "{name}" with an amount greater than the amount to pay'
                f' "{code}{left:,.2f}".'
            )
        if amount:
            self.add_payment(invoice, amount=amount, day=day, method=method, description=description)
        if amount == left:
            self.settle(invoice_id, day.isoformat())

    def add_payment(
        self,
        invoice: Row,
        *,
        amount: Decimal,
        day: dt.date,
        method: int,
        description: str | None,
        number: str | None = None,
        period: Row | None = None,
    ) -> Row:
        """Post money received and note its line as a payment of the invoice."""
        tables = self._tables
        tables.row("account.invoice.payment.method", method)
        move = self.ledger.post(
            [Posting(account=RECEIVABLE, amount=-amount, party=invoice["party"]), Posting(account=BANK, amount=amount)],
            day=day,
            currency=invoice["currency"],
            journal="cash",
            origin=f"account.invoice,{invoice['id']}",
            description=description,
            number=number,
            period=period,
        )
        paying = self.ledger.lines(move["id"], RECEIVABLE)[0]
        known = tables.row("account.invoice", invoice["id"]).get("payment_lines") or []
        tables.write("account.invoice", invoice["id"], payment_lines=[*known, paying["id"]])
        return move

    def settle(self, invoice_id: int, day: str) -> None:
        """Reconcile the invoice's lines with its payment lines; it and the credit notes among them become paid."""
        tables = self._tables
        invoice = tables.row("account.invoice", invoice_id)
        paying = [tables.row("account.move.line", i) for i in invoice.get("payment_lines") or ()]
        lines = [line for line in (*lines_to_pay(tables, invoice), *paying) if line.get("reconciliation") is None]
        self.ledger.reconcile(lines, day)
        tables.write("account.invoice", invoice_id, state="paid")
        for line in paying:
            model, _, number = (tables.row("account.move", line["move"]).get("origin") or "").partition(",")
            if model == "account.invoice" and int(number) != invoice_id:
                tables.write("account.invoice", int(number), state="paid")

    def cancel(self, invoice_id: int) -> None:
        """Cancel: a draft at once, a posted invoice by the opposite move; what was paid becomes the customer's credit."""
        tables = self._tables
        invoice = tables.row("account.invoice", invoice_id)
        if invoice["state"] not in {"draft", "validated", "posted"}:
            raise self._button_refused("cancel", invoice)
        if invoice.get("move") is None:
            tables.write("account.invoice", invoice_id, state="cancelled")
            return
        move = tables.row("account.move", invoice["move"])
        today = dt.date.fromisoformat(tables.now()[:10])
        cancel = self.cancel_move(invoice, move, day=today, period=self.ledger.period(today))
        tables.write("account.invoice", invoice_id, state="cancelled", cancel_move=cancel["id"], payment_lines=[])

    def cancel_move(self, invoice: Row, move: Row, *, day: dt.date, period: Row) -> Row:
        """Return the opposite of a move, settled with it."""
        tables = self._tables
        opposite = tables.create(
            "account.move",
            **{name: move[name] for name in ("company", "journal", "origin", "description", "state")},
            number=f"{day.year}/{tables.state.next_number(f'move {day.year}')}",
            period=period["id"],
            date=day.isoformat(),
            post_date=tables.now()[:10],
        )
        for line in self.ledger.lines(move["id"]):
            foreign = line.get("amount_second_currency")
            tables.create(
                "account.move.line",
                **{name: line[name] for name in ("account", "party", "description", "second_currency")},
                move=opposite["id"],
                debit=line["credit"],
                credit=line["debit"],
                maturity_date=None,
                amount_second_currency=None if foreign is None else str(-Decimal(foreign)),
                reconciliation=None,
            )
        own = [line for line in lines_to_pay(tables, invoice) if line.get("reconciliation") is None]
        self.ledger.reconcile([*own, *self.ledger.lines(opposite["id"], RECEIVABLE)], day.isoformat())
        return opposite

    def _button_refused(self, button: str, row: Row, model: str = "account.invoice") -> UserError:
        return UserError(
            f'You can not call "{button}" on "{record_name(self._tables, model, row)}" of "{NAMES[model]}".'
        )
