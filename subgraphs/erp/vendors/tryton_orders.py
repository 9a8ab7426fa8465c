"""What workflows write in Tryton: parties, draft invoices, their posting and deferral, and the way back from each.

Each write can be repeated: parties are found by their code, invoices by the reference in their description, entries that
reverse others by the description that names those.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from subgraphs.erp.port import NewOrder, NewParty, OrderLine
from subgraphs.erp.vendors.tryton import Row, Tryton
from subgraphs.erp.vendors.tryton_books import BooksShelf
from subgraphs.erp.vendors.tryton_mapping import to_rule, with_reference
from subgraphs.erp.vendors.tryton_writes import TrytonWrites
from subgraphs.kit.system_error import BadUserInputError, ConflictError, Outcome

_AT_ONCE = "POINT_IN_TIME"
_ANY = ["active", "in", [True, False]]
_MOVE = (
    "number", "journal", "date", "state", "origin", "lines.account", "lines.debit", "lines.credit", "lines.party",
)  # fmt: skip


class TrytonOrders(TrytonWrites):
    """`Orders` of one company."""

    def __init__(self, tryton: Tryton, shelf: BooksShelf) -> None:
        super().__init__(tryton, shelf)
        # Guards the look before each creation, so that two workflows make a customer once.
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def knows_party(self, party: NewParty) -> bool:
        """Look for the party's code."""
        return await self._party(party.reference) is not None

    async def ensure_party(self, party: NewParty) -> tuple[str, bool]:
        """Find the party by its code, and create it only if there is none; one that was retired is used again."""
        async with self._making[party.reference]:
            found = await self._party(party.reference)
            if found is not None:
                if not found["active"]:
                    await self._change_party(int(found["id"]), {"active": True})
                return str(found["id"]), _is_marked(found, party.mark)
            books = await self._shelf.open()
            values = {
                "code": party.reference,
                "name": party.name,
                "identifiers": _created({"type": None, "code": party.tax_id} if party.tax_id else None),
                "addresses": _created(
                    {"street": party.street, "city": party.city, "country": await self._country(party.country)}
                ),
                "contact_mechanisms": _created(
                    {"type": "website", "value": party.website} if party.website else None,
                    {"type": "email", "value": party.email} if party.email else None,
                    {"type": "other", "value": party.mark},
                ),
            }
            (party_id,) = await self._tryton.call("model.party.party.create", [values], books.context)
            return str(party_id), True

    async def retire_party(self, reference: str, mark: str) -> None:
        """Deactivate the party; one with documents of its own stays."""
        found = await self._party(reference)
        if found is None or not _is_marked(found, mark) or not found["active"]:
            return
        domain = [["party", "=", found["id"]], ["state", "!=", "cancelled"]]
        if not await self._tryton.search("account.invoice", domain, ("state",), limit=1):
            await self._change_party(int(found["id"]), {"active": False})

    async def place_order(self, order: NewOrder) -> str:
        """Create the draft invoice, unless one carries the reference already."""
        found = await self.find_order(order.reference)
        if found is not None:
            return found
        books = await self._shelf.open()
        addresses = await self._tryton.search(
            "party.address", [["party", "=", int(order.customer_id)]], ("country.code",), limit=1
        )
        country = (addresses[0].get("country") or {}).get("code") if addresses else None
        taxes = await self._taxes(country)
        products = await self._products([line.sku for line in order.lines])
        values = {
            "type": "out",
            "company": books.company,
            "party": int(order.customer_id),
            "invoice_address": addresses[0]["id"] if addresses else None,
            "currency": await self._one("currency.currency", [["code", "=", order.currency]], "currency"),
            "account": await self._one("account.account", _open("receivable"), "customerRef"),
            "journal": await self._one("account.journal", [["type", "=", "revenue"]], "customerRef"),
            "payment_term": await self._term(),
            "invoice_date": order.issued_on,
            "reference": order.contract,
            "description": with_reference("Order", order.reference),
            "lines": [
                ["create", [await self._line(line, order, products[line.sku], taxes) for line in order.lines]],
            ],
        }
        (invoice_id,) = await self._tryton.call("model.account.invoice.create", [values], books.context)
        return str(invoice_id)

    async def find_order(self, reference: str) -> str | None:
        """Return the invoice's id, in whatever state it is."""
        domain = [["description", "=", with_reference("Order", reference)], ["type", "=", "out"]]
        rows = await self._tryton.search("account.invoice", domain, ("state",), limit=1)
        return str(rows[0]["id"]) if rows else None

    async def post_order(self, invoice_id: str) -> None:
        """Press Post, unless that was done."""
        books = await self._shelf.open()
        if await self._state(invoice_id) == "draft":
            await self._tryton.press("account.invoice", int(invoice_id), "post", books.context)

    async def schedule_revenue(self, invoice_id: str) -> tuple[str, ...]:
        """Press Run on each deferral that posting prepared."""
        books = await self._shelf.open()
        deferrals = await self._deferrals(invoice_id)
        for deferral in deferrals:
            if deferral["state"] == "draft":
                await self._tryton.press("account.invoice.deferred", deferral["id"], "run", books.context)
        return tuple(str(deferral["id"]) for deferral in deferrals)

    async def reverse_revenue(self, invoice_id: str) -> None:
        """Post the opposite of each of the deferrals' entries, once each."""
        books = await self._shelf.open()
        today = dt.datetime.now(dt.UTC).date()
        for deferral in await self._deferrals(invoice_id):
            moves = await self._tryton.search(
                "account.move", [["origin", "=", f"account.invoice.deferred,{deferral['id']}"]], _MOVE
            )
            for move in moves:
                text = f"Reversal of entry {move['id']}"
                begun = await self._tryton.search("account.move", [["description", "=", text]], ("state",), limit=1)
                if begun:
                    opposite, state = int(begun[0]["id"]), begun[0]["state"]
                else:
                    values = await self._opposite(move, text, today)
                    (opposite,) = await self._tryton.call("model.account.move.create", [values], books.context)
                    state = "draft"
                if state == "draft":
                    await self._tryton.call("model.account.move.post", [opposite], books.context)

    async def cancel_order(self, invoice_id: str) -> None:
        """Press Cancel, unless that was done. Raises ConflictError for an invoice that is paid: people have to decide."""
        books = await self._shelf.open()
        match await self._state(invoice_id):
            case "cancelled":
                return
            case "paid":
                raise ConflictError("The invoice is paid and can't be cancelled.", outcome=Outcome.NOT_APPLIED)
            case _:
                await self._tryton.call("model.account.invoice.cancel", [int(invoice_id)], books.context)

    async def _party(self, reference: str) -> Row | None:
        fields = ("code", "active", "contact_mechanisms.type", "contact_mechanisms.value")
        rows = await self._tryton.search("party.party", [["code", "=", reference], _ANY], fields, limit=1)
        return rows[0] if rows else None

    async def _change_party(self, party_id: int, values: Mapping[str, Any]) -> None:
        books = await self._shelf.open()
        await self._tryton.call("model.party.party.write", [party_id], dict(values), books.context)

    async def _country(self, code: str | None) -> int | None:
        rows = await self._tryton.search("country.country", [["code", "=", code]], ("code",), limit=1) if code else []
        return int(rows[0]["id"]) if rows else None

    async def _state(self, invoice_id: str) -> str:
        rows = await self._tryton.search("account.invoice", [["id", "=", int(invoice_id)]], ("state",), limit=1)
        return str(rows[0]["state"]) if rows else "cancelled"

    async def _deferrals(self, invoice_id: str) -> Sequence[Row]:
        domain = [["invoice_line.invoice", "=", int(invoice_id)]]
        return await self._tryton.search("account.invoice.deferred", domain, ("state",), order=[["id", "ASC"]])

    async def _taxes(self, country: str | None) -> list[int]:
        """Return the country's sales tax; the books name taxes by it: `DE-VAT-19`."""
        rows = (
            await self._tryton.search("account.tax", [["name", "like", f"{country}-%"]], ("name",)) if country else []
        )
        return [int(row["id"]) for row in rows[:1]]

    async def _products(self, skus: Sequence[str]) -> Mapping[str, Row]:
        fields = ("code", "default_uom", "account_category.name")
        rows = await self._tryton.search("product.product", [["code", "in", sorted(set(skus))]], fields)
        found = {row["code"]: row for row in rows}
        missing = sorted(set(skus) - set(found))
        if missing:
            told = f"The ERP has no product {', '.join(missing)[:100]}."
            raise BadUserInputError(told, system="erp", outcome=Outcome.NOT_APPLIED)
        return found

    async def _term(self) -> int | None:
        rows = await self._tryton.search("account.invoice.payment_term", [], ("name",), order=[["id", "ASC"]], limit=1)
        return int(rows[0]["id"]) if rows else None

    async def _one(self, model: str, domain: list[Any], argument: str) -> int:
        rows = await self._tryton.search(model, domain, ("id",), order=[["id", "ASC"]], limit=1)
        if not rows:
            told = f"The ERP's books have nothing for this `{argument}`."
            raise BadUserInputError(told, system="erp", outcome=Outcome.NOT_APPLIED)
        return int(rows[0]["id"])

    async def _line(self, line: OrderLine, order: NewOrder, product: Row, taxes: list[int]) -> Mapping[str, Any]:
        rule = to_rule((product.get("account_category") or {}).get("name"))
        is_deferred = rule != _AT_ONCE and line.service_from < line.service_until
        unit = product.get("default_uom")
        return {
            "type": "line",
            "product": product["id"],
            "account": await self._one("account.account", _open("revenue"), "lines"),
            "description": line.description,
            "note": line.billed_line,
            "quantity": float(line.quantity),
            "unit": unit if unit is not None else await self._one("product.uom", [], "lines"),
            "unit_price": line.unit_price,
            "currency": await self._one("currency.currency", [["code", "=", order.currency]], "currency"),
            "taxes": [["add", taxes]],
            "defer_from": line.service_from if is_deferred else None,
            "defer_to": line.service_until if is_deferred else None,
        }

    async def _opposite(self, move: Row, text: str, day: dt.date) -> Mapping[str, Any]:
        domain = [["start_date", "<=", day], ["end_date", ">=", day], ["type", "=", "standard"]]
        return {
            "company": (await self._shelf.open()).company,
            "journal": move["journal"],
            "period": await self._one("account.period", domain, "issuedOn"),
            "date": day,
            "description": text,
            "lines": [
                [
                    "create",
                    [
                        {
                            "account": line["account"],
                            "debit": Decimal(line["credit"]),
                            "credit": Decimal(line["debit"]),
                            "party": line["party"],
                        }
                        for line in move["lines"]
                    ],
                ]
            ],
        }


def _created(*rows: Mapping[str, Any] | None) -> list[Any]:
    given = [dict(row) for row in rows if row is not None]
    return [["create", given]] if given else []


def _is_marked(party: Row, mark: str) -> bool:
    return any(way["type"] == "other" and way["value"] == mark for way in party["contact_mechanisms"])


def _open(kind: str) -> list[Any]:
    """Return the domain of the accounts of a kind that can be posted to."""
    return [[f"type.{kind}", "=", True], ["closed", "!=", True]]
