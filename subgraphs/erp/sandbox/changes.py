"""What accountants do in Tryton on request: each change is made by the calls that Tryton's own client sends."""

from __future__ import annotations

import calendar
import datetime as dt
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from subgraphs.erp.sandbox.computed import amount_to_pay
from subgraphs.erp.sandbox.refusal import UserError
from subgraphs.erp.sandbox.rpc import Rpc
from subgraphs.erp.sandbox.tables import Row, Tables
from subgraphs.erp.vendors.tryton_mapping import CREDIT_HOLD
from subgraphs.kit.sandbox.changes import ChangeMaker, Made, NothingToChangeError, one_of

_CENT = Decimal("0.01")
_PAY = "wizard.account.invoice.pay"
_COPIED = ("company", "party", "invoice_address", "currency", "account", "journal", "payment_term", "reference")
_COPIED_LINE = ("type", "product", "account", "unit", "currency", "company", "quantity", "unit_price")
_REASONS = ("Goodwill", "Service credit for an outage", "Price correction")
_NO_OPEN_INVOICE = "There is no open invoice."
_NO_INVOICE = "There is no invoice to go by."


class ErpChanges:
    """The changes of one company's books."""

    def __init__(self, tables: Tables, rpc: Rpc) -> None:
        self._tables = tables
        self._rpc = rpc

    def makers(self) -> Sequence[ChangeMaker]:
        """Return the kinds."""
        return (
            ChangeMaker("payment_received", "A payment for an open invoice arrives.", self.payment_received),
            ChangeMaker("invoice_posted", "The invoice of a contract's next period is posted.", self.invoice_posted),
            ChangeMaker("credit_memo", "A part of an open invoice is credited.", self.credit_memo),
            ChangeMaker(
                "payment_refunded", "A part of a paid invoice is credited and given back.", self.payment_refunded
            ),
            ChangeMaker("credit_hold", "A customer is put on credit hold.", self.credit_hold),
            ChangeMaker("credit_released", "A customer on credit hold is released.", self.credit_released),
        )

    async def payment_received(self, dice: random.Random) -> Made:
        """Pay an open invoice, mostly in full, by the pay wizard."""
        invoice = one_of(dice, self._open_invoices(), _NO_OPEN_INVOICE)
        left = amount_to_pay(self._tables, invoice)
        amount = left if dice.random() < 0.8 else max(_CENT, (left / 2).quantize(_CENT))
        method = dice.choice(list(self._tables.rows("account.invoice.payment.method")))
        reference = f"TRANSFER-{dice.randrange(16**8):08X}"
        self._pay(invoice, amount, int(method["id"]), reference)
        money = f"{amount:,.2f} {self._currency(invoice)}"
        return Made(str(invoice["id"]), f"{self._party(invoice)} paid {money} for {invoice['number']}.")

    async def invoice_posted(self, dice: random.Random) -> Made:
        """Write and post an invoice like an earlier one, for the period that follows it."""
        today, tables = _today(), self._tables
        earlier = [row for row in self._invoices() if row["state"] in {"posted", "paid"} and row.get("reference")]
        model = one_of(dice, earlier, _NO_INVOICE)
        lines = [self._next_line(tables.row("account.invoice.line", i)) for i in self._line_ids(model)]
        values = {name: model.get(name) for name in _COPIED} | {"type": "out", "invoice_date": today}
        number = self._create("account.invoice", {**values, "lines": [["create", lines]]})
        self._press("account.invoice", "post", number)
        for line in self._line_ids(tables.row("account.invoice", number)):
            for deferral in list(tables.ids_where("account.invoice.deferred", "invoice_line", line)):
                self._press("account.invoice.deferred", "run", deferral)
        invoice = tables.row("account.invoice", number)
        money = f"{Decimal(invoice['total_amount']):,.2f} {self._currency(invoice)}"
        return Made(str(number), f"{invoice['number']} over {money} was posted for {self._party(invoice)}.")

    async def credit_memo(self, dice: random.Random) -> Made:
        """Credit a part of an open invoice's first line, post the credit note and let it reduce the invoice."""
        tables = self._tables
        creditable = [(row, line) for row in self._open_invoices() if (line := self._creditable(row)) is not None]
        invoice, line = one_of(dice, creditable, _NO_OPEN_INVOICE)
        left = min(amount_to_pay(tables, invoice), self._amount(line))
        amount = max(_CENT, (left * dice.randint(5, 30) / 100).quantize(_CENT))
        memo, reason = self._credit(dice, invoice, line, amount)
        own = [i for i in tables.ids_where("account.move.line", "move", memo["move"]) if self._is_receivable(i, memo)]
        self._write("account.invoice", int(invoice["id"]), {"payment_lines": [["add", own]]})
        money = f"{amount:,.2f} {self._currency(invoice)}"
        return Made(str(memo["id"]), f"{memo['number']} takes back {money} of {invoice['number']}: {reason.lower()}.")

    async def payment_refunded(self, dice: random.Random) -> Made:
        """Credit a part of a paid invoice and pay the credit note out by the pay wizard."""
        paid = [row for row in self._invoices() if row["state"] == "paid"]
        creditable = [(row, line) for row in paid if (line := self._creditable(row)) is not None]
        invoice, line = one_of(dice, creditable, "No invoice is paid.")
        amount = max(_CENT, (self._amount(line) * dice.randint(5, 30) / 100).quantize(_CENT))
        memo, _ = self._credit(dice, invoice, line, amount)
        method = dice.choice(list(self._tables.rows("account.invoice.payment.method")))
        left = amount_to_pay(self._tables, memo)
        self._pay(memo, left, int(method["id"]), f"REFUND-{dice.randrange(16**8):08X}")
        money = f"{-left:,.2f} {self._currency(invoice)}"
        return Made(str(memo["id"]), f"{self._party(invoice)} got {money} of {invoice['number']} back.")

    def _credit(self, dice: random.Random, invoice: Row, line: Row, amount: Decimal) -> tuple[Row, str]:
        """Post a credit note over a part of a line; returns it, and why."""
        reason = dice.choice(_REASONS)
        copied = {name: line.get(name) for name in ("type", "product", "account", "unit", "currency", "company")}
        credit = {
            **copied,
            "description": reason,
            "origin": f"account.invoice.line,{line['id']}",
            "quantity": -1,
            "unit_price": amount,
            "taxes": [["add", list(line.get("taxes") or ())]],
        }
        kept = {name: invoice.get(name) for name in _COPIED if name != "payment_term"}
        values = {
            **kept,
            "type": "out",
            "invoice_date": _today(),
            "description": reason,
            "lines": [["create", [credit]]],
        }
        number = self._create("account.invoice", values)
        self._press("account.invoice", "post", number)
        return self._tables.row("account.invoice", number), reason

    async def credit_hold(self, dice: random.Random) -> Made:
        """Put a customer on hold, of those that owe something if there is one."""
        free = [party for party in self._customers() if self._hold() not in party["categories"]]
        owing = {invoice["party"] for invoice in self._open_invoices()}
        party = one_of(dice, [p for p in free if p["id"] in owing] or free, "Every customer is on hold.")
        self._write("party.party", int(party["id"]), {"categories": [["add", [self._hold()]]]})
        return Made(str(party["id"]), f"{party['name']} was put on credit hold.")

    async def credit_released(self, dice: random.Random) -> Made:
        """Release a customer."""
        held = [party for party in self._customers() if self._hold() in party["categories"]]
        party = one_of(dice, held, "No customer is on hold.")
        self._write("party.party", int(party["id"]), {"categories": [["remove", [self._hold()]]]})
        return Made(str(party["id"]), f"{party['name']} was released from credit hold.")

    def _create(self, model: str, values: dict[str, Any]) -> int:
        (row_id,) = self._call(f"model.{model}.create", [values], {})
        return int(row_id)

    def _write(self, model: str, row_id: int, values: dict[str, Any]) -> None:
        self._call(f"model.{model}.write", [row_id], values, {})

    def _press(self, model: str, button: str, row_id: int) -> None:
        self._call(f"model.{model}.{button}", [row_id], {})

    def _pay(self, invoice: Row, amount: Decimal, method: int, description: str) -> None:
        form = {"amount": amount, "payment_method": method, "date": _today(), "description": description}
        wizard, *_ = self._call(f"{_PAY}.create", {})
        answers = {"start": form, "ask": {"type": "partial"}}
        self._call(f"{_PAY}.execute", wizard, answers, "pay", {"active_id": invoice["id"]})
        self._call(f"{_PAY}.delete", wizard, {})

    def _call(self, method: str, *parameters: Any) -> Any:
        try:
            return self._rpc.call(method, parameters)
        except UserError as refused:
            raise NothingToChangeError(f"Tryton refused the change: {refused.message}") from refused

    def _invoices(self) -> list[Row]:
        rows = self._tables.rows("account.invoice")
        return [row for row in rows if row["type"] == "out" and Decimal(row["total_amount"]) > 0]

    def _open_invoices(self) -> list[Row]:
        return [row for row in self._invoices() if row["state"] == "posted" and amount_to_pay(self._tables, row) > 0]

    def _line_ids(self, invoice: Row) -> list[int]:
        return self._tables.related("account.invoice", invoice, "lines")

    def _next_line(self, line: Row) -> dict[str, Any]:
        """Return the values of a line like this one, its service period moved on by its own length."""
        values = {name: line.get(name) for name in _COPIED_LINE} | {"taxes": [["add", list(line.get("taxes") or ())]]}
        values["unit_price"] = Decimal(line["unit_price"])
        title = str(line.get("description") or "").partition(",")[0]
        if not line.get("defer_from"):
            return {**values, "description": title}
        begins = dt.date.fromisoformat(line["defer_to"]) + dt.timedelta(days=1)
        months = max(1, round((begins - dt.date.fromisoformat(line["defer_from"])).days / 30.4))
        ends = _months_later(begins, months) - dt.timedelta(days=1)
        return {**values, "description": f"{title}, {begins} to {ends}", "defer_from": begins, "defer_to": ends}

    def _creditable(self, invoice: Row) -> Row | None:
        lines = [self._tables.row("account.invoice.line", i) for i in self._line_ids(invoice)]
        return next((line for line in lines if self._amount(line) > _CENT), None)

    def _amount(self, line: Row) -> Decimal:
        return (Decimal(str(line.get("quantity") or 0)) * Decimal(line["unit_price"])).quantize(_CENT)

    def _is_receivable(self, line_id: int, invoice: Row) -> bool:
        return bool(self._tables.row("account.move.line", line_id)["account"] == invoice["account"])

    def _customers(self) -> list[Row]:
        parties = self._tables.rows("party.party")
        return [party for party in parties if str(party.get("code") or "").startswith("CUST-")]

    def _hold(self) -> int:
        return next(int(row["id"]) for row in self._tables.rows("party.category") if row["name"] == CREDIT_HOLD)

    def _party(self, invoice: Row) -> str:
        return str(self._tables.row("party.party", invoice["party"])["name"])

    def _currency(self, invoice: Row) -> str:
        return str(self._tables.row("currency.currency", invoice["currency"])["code"])


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _months_later(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
