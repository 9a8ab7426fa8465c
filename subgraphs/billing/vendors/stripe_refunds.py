"""Takes back an invoice at Stripe, whatever became of it: void, refunded, or its effect on the customer's balance reversed."""

from __future__ import annotations

from subgraphs.billing.vendors.stripe import StripeAdaptor, StripeDoc
from subgraphs.billing.vendors.stripe_ledger import vendor_key
from subgraphs.billing.vendors.stripe_wire import FormValue

_MARK = "concord_mark"


class StripeRefunds:
    """Each can be repeated: what an earlier try did is found by its mark."""

    def __init__(self, adaptor: StripeAdaptor) -> None:
        self._adaptor = adaptor

    async def take_back(self, invoice: StripeDoc, mark: str, *, key: str) -> StripeDoc:
        """Return the invoice afterwards: void while it is open, else credited and refunded in full."""
        path = f"/v1/invoices/{invoice['id']}"
        if invoice["status"] == "draft":
            invoice = await self._adaptor.post(f"{path}/finalize", {}, key=vendor_key(f"{key}:finalize"))
        if invoice["status"] in ("open", "uncollectible"):
            return await self._adaptor.post(f"{path}/void", {}, key=vendor_key(f"{key}:void"))
        if invoice["status"] == "paid":
            if invoice["amount_paid"]:
                await self._refund(invoice, int(invoice["amount_paid"]), mark, key)
            moved = int(invoice.get("ending_balance") or 0) - int(invoice.get("starting_balance") or 0)
            if moved:
                await self.change_balance(invoice, -moved, mark, key=key)
        return invoice

    async def change_balance(self, invoice: StripeDoc, amount: int, mark: str, *, key: str) -> None:
        """Add to what the invoice's customer owes, or below 0 has in credit; once for a mark."""
        path = f"/v1/customers/{invoice['customer']}/balance_transactions"
        known = await self._adaptor.list_all(path)
        if any((each.get("metadata") or {}).get(_MARK) == mark for each in known):
            return
        values: dict[str, FormValue] = {
            "amount": amount,
            "currency": invoice["currency"],
            "description": f"Takes back {invoice.get('number') or invoice['id']}",
            "metadata": {_MARK: mark},
        }
        await self._adaptor.post(path, values, key=vendor_key(f"{key}:balance"))

    async def _refund(self, invoice: StripeDoc, amount: int, mark: str, key: str) -> None:
        known = await self._adaptor.list_all("/v1/credit_notes", {"invoice": invoice["id"]})
        if any((each.get("metadata") or {}).get(_MARK) == mark for each in known):
            return
        values: dict[str, FormValue] = {
            "invoice": invoice["id"],
            "amount": amount,
            "refund_amount": amount,
            "metadata": {_MARK: mark},
        }
        await self._adaptor.post("/v1/credit_notes", values, key=vendor_key(f"{key}:refund"))
