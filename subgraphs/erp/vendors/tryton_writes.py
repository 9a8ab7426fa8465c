"""The four writes, as a person would do them in Tryton's client: by RPC, so that versions, rules and wizards apply."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from subgraphs.erp.port import CreditLine
from subgraphs.erp.records import CustomerRecord, InvoiceRecord
from subgraphs.erp.vendors.tryton import Row, Tryton
from subgraphs.erp.vendors.tryton_books import BooksShelf
from subgraphs.erp.vendors.tryton_mapping import many_to_one, with_reference
from subgraphs.kit.system_error import BadUserInputError, Outcome, VendorError

_CREDITED = ("account", "journal", "company", "invoice_address", "party", "currency", "reference")
_CREDITED_LINE = ("account", "company", "currency", "product", "unit", "taxes", "description", "invoice")


class TrytonWrites:
    """Writes of one company."""

    def __init__(self, tryton: Tryton, shelf: BooksShelf) -> None:
        self._tryton = tryton
        self._shelf = shelf

    async def set_credit_hold(self, customer: CustomerRecord, *, on_hold: bool, version: str) -> None:
        """Put the party into the category for holds, or take it out. Raises VendorConflictError for a stale version."""
        books = await self._shelf.open()
        change = ["add" if on_hold else "remove", [books.credit_hold]]
        context = {**books.context, "_timestamp": {f"party.party,{customer.id}": version}}
        await self._tryton.call("model.party.party.write", [int(customer.id)], {"categories": [change]}, context)

    async def record_payment(
        self, invoice: InvoiceRecord, *, amount: Decimal, received_on: dt.date, method: str | None, reference: str
    ) -> str:
        """Pay by the invoice's own wizard, which posts the move and settles the invoice when nothing is left."""
        books = await self._shelf.open()
        methods = dict(books.payment_methods)
        if method is not None and method not in methods:
            names = ", ".join(methods)
            raise BadUserInputError(
                f"The ERP has no such payment method; it has: {names}.", outcome=Outcome.NOT_APPLIED
            )
        way = methods[method] if method is not None else books.payment_methods[0][1]
        await self._pay(invoice.id, amount=amount, on=received_on, method=way, description=reference)
        return await self.find_payment(invoice, reference) or ""

    async def _pay(self, invoice_id: str, *, amount: Decimal, on: dt.date, method: int, description: str) -> None:
        books = await self._shelf.open()
        (invoice,) = await self._read("account.invoice", [invoice_id], ("party", "currency"))
        form = {
            "payee": invoice["party"],
            "payees": [invoice["party"]],
            "amount": amount,
            "currency": invoice["currency"],
            "company": books.company,
            "payment_method": method,
            "date": on,
            "description": description,
        }
        number = int(invoice_id)
        active = {**books.context, "active_id": number, "active_ids": [number], "active_model": "account.invoice"}
        wizard, *_ = await self._tryton.call("wizard.account.invoice.pay.create", books.context, is_write=False)
        try:
            # "partial" also settles what happens to be the whole rest, and refuses more than that.
            answers = {"start": form, "ask": {"type": "partial"}}
            await self._tryton.call("wizard.account.invoice.pay.execute", wizard, answers, "pay", active)
        finally:
            # A wizard that is left open holds nothing but its form; what became of the payment must not be lost over it.
            with suppress(VendorError):
                await self._tryton.call("wizard.account.invoice.pay.delete", wizard, books.context, is_write=False)

    async def find_payment(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """Return the id of the invoice's payment line whose move carries the reference."""
        domain = [["move.description", "=", reference], ["move.origin", "=", f"account.invoice,{invoice.id}"]]
        fields = ("move.id", "account.type.receivable")
        rows = await self._tryton.search("account.move.line", domain, fields)
        found = [row for row in rows if row["account"]["type"]["receivable"]]
        return str(found[0]["id"]) if found else None

    async def issue_credit_memo(
        self, invoice: InvoiceRecord, lines: Sequence[CreditLine], *, issued_on: dt.date, reason: str, reference: str
    ) -> str:
        """Create the credit note, post it, apply it to the invoice, and settle both when nothing is left to pay."""
        books = await self._shelf.open()
        text = with_reference(reason, reference)
        begun = await self._tryton.search(
            "account.invoice", [["description", "=", text], ["type", "=", "out"]], ("state",), limit=1
        )
        if begun:
            memo_id, state = int(begun[0]["id"]), begun[0]["state"]
        else:
            values = await self._credit_note(invoice, lines, issued_on=issued_on, text=text)
            (memo_id,) = await self._tryton.call("model.account.invoice.create", [values], books.context)
            state = "draft"
        if state == "draft":
            await self._tryton.press("account.invoice", memo_id, "post", books.context)
        await self._apply(memo_id, invoice.id, on=issued_on)
        return str(memo_id)

    async def _credit_note(
        self, invoice: InvoiceRecord, lines: Sequence[CreditLine], *, issued_on: dt.date, text: str
    ) -> Mapping[str, Any]:
        (head,) = await self._read("account.invoice", [invoice.id], _CREDITED)
        rows = await self._read("account.invoice.line", [line.line_id for line in lines], _CREDITED_LINE)
        by_id = {str(row["id"]): row for row in rows}
        created = [
            {
                "type": "line",
                "origin": f"account.invoice.line,{line.line_id}",
                "quantity": -float(line.quantity),
                "unit_price": line.unit_price,
                **{name: by_id[line.line_id][name] for name in _CREDITED_LINE if name not in {"taxes", "invoice"}},
                "taxes": [["add", list(by_id[line.line_id]["taxes"])]],
            }
            for line in lines
        ]
        kept = {name: head[name] for name in _CREDITED}
        return {**kept, "type": "out", "invoice_date": issued_on, "description": text, "lines": [["create", created]]}

    async def _apply(self, memo_id: int, invoice_id: str, *, on: dt.date) -> None:
        """Make the credit note's open line pay the invoice, as far as the invoice is open; settle both if that was all."""
        books = await self._shelf.open()
        fields = ("state", "amount_to_pay", "lines_to_pay.invoice_payment", "lines_to_pay.reconciliation")
        rows = {row["id"]: row for row in await self._tryton.search(
            "account.invoice", [["id", "in", [memo_id, int(invoice_id)]]], fields
        )}  # fmt: skip
        memo, invoice = rows[memo_id], rows[int(invoice_id)]
        free = [
            line["id"]
            for line in memo["lines_to_pay"]
            if line["reconciliation"] is None and many_to_one(line["invoice_payment"]) is None
        ]
        left = invoice["amount_to_pay"] + (memo["amount_to_pay"] if free else 0)
        if free and invoice["state"] == "posted" and left >= 0:
            change = {"payment_lines": [["add", free]]}
            await self._tryton.call("model.account.invoice.write", [int(invoice_id)], change, books.context)
        if invoice["state"] == "posted" and left == 0:
            method = books.payment_methods[0][1]
            await self._pay(invoice_id, amount=Decimal(0), on=on, method=method, description="")

    async def find_credit_memo(self, invoice: InvoiceRecord, reference: str) -> str | None:
        """Return the id of the posted credit note that carries the reference, of whichever invoice it is."""
        del invoice
        domain = [["description", "like", f"%[{reference}]"], ["state", "in", ["posted", "paid"]]]
        rows = await self._tryton.search("account.invoice", domain, ("state",), limit=1)
        return str(rows[0]["id"]) if rows else None

    async def void_invoice(self, invoice: InvoiceRecord, *, version: str) -> None:
        """Cancel: Tryton posts the opposite move and settles both. Raises VendorConflictError for a stale version."""
        books = await self._shelf.open()
        context = {**books.context, "_timestamp": {f"account.invoice,{invoice.id}": version}}
        await self._tryton.call("model.account.invoice.cancel", [int(invoice.id)], context)

    async def _read(self, model: str, ids: Sequence[str], fields: Sequence[str]) -> list[Row]:
        """Read plain fields, without nested rows: what a later `create` takes back as it is."""
        books = await self._shelf.open()
        domain = [["id", "in", [int(i) for i in ids]]]
        rows: list[Row] = await self._tryton.call(
            f"model.{model}.search_read", domain, 0, None, None, list(fields), books.context, is_write=False
        )
        return rows
