"""Takes credit memos back in Tryton: a draft is cancelled, a posted one is followed by an invoice that charges the same again."""

from __future__ import annotations

import datetime as dt
from typing import Any

from subgraphs.erp.vendors.tryton import Row
from subgraphs.erp.vendors.tryton_mapping import with_reference
from subgraphs.erp.vendors.tryton_orders import TrytonOrders

_HEAD = ("account", "journal", "company", "invoice_address", "party", "currency", "reference", "state", "number")
_LINE = ("account", "company", "currency", "product", "unit", "unit_price", "quantity", "taxes", "description")
_COPIED = tuple(name for name in _HEAD if name not in {"state", "number"})
_COPIED_LINE = tuple(name for name in _LINE if name not in {"quantity", "taxes", "description"})


class TrytonCredits(TrytonOrders):
    """`take_back_credit_memo` of one company."""

    async def take_back_credit_memo(self, invoice_id: str, reference: str) -> None:  # noqa: ARG002 - its books are these
        """Find the memo by the reference in its description, in whatever state it is."""
        domain = [["description", "like", f"%[{reference}]"], ["type", "=", "out"], ["state", "!=", "cancelled"]]
        rows = await self._tryton.search("account.invoice", domain, ("state",), limit=1)
        if not rows:
            return
        books = await self._shelf.open()
        (memo,) = await self._read("account.invoice", [str(rows[0]["id"])], (*_HEAD, "lines"))
        if memo["state"] in ("draft", "validated"):
            await self._tryton.call("model.account.invoice.cancel", [memo["id"]], books.context)
            return
        # An applied memo has settled a part of its invoice; taking that apart would rewrite what is posted.
        text = with_reference(f"Takes back {memo['number']}", f"{reference}-back")
        begun = await self._tryton.search("account.invoice", [["description", "=", text]], ("state",), limit=1)
        if begun:
            charged, state = int(begun[0]["id"]), begun[0]["state"]
        else:
            lines = await self._read("account.invoice.line", [str(each) for each in memo["lines"]], _LINE)
            values = {
                **{name: memo[name] for name in _COPIED},
                "type": "out",
                "invoice_date": dt.datetime.now(dt.UTC).date(),
                "description": text,
                "lines": [["create", [_charged_again(line, str(memo["number"])) for line in lines]]],
            }
            (charged,) = await self._tryton.call("model.account.invoice.create", [values], books.context)
            state = "draft"
        if state == "draft":
            await self._tryton.press("account.invoice", charged, "post", books.context)


def _charged_again(line: Row, memo: str) -> dict[str, Any]:
    return {
        **{name: line[name] for name in _COPIED_LINE},
        "type": "line",
        "quantity": -line["quantity"],
        "description": f"Takes back {memo}: {line['description'] or ''}".strip(": "),
        "taxes": [["add", list(line["taxes"])]],
    }
