"""What workflows write at Stripe: customers, subscriptions and their first bill, and the way back from each.

Every write has Stripe's own idempotency key; because Stripe forgets keys after a day, what exists is looked for first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from subgraphs.billing.port import Billed, Books, Catalog, NewContract, NewCustomer, NewItem
from subgraphs.billing.records import BillingInterval, Price, UsageKind
from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe import StripeAdaptor, StripeDoc
from subgraphs.billing.vendors.stripe_books import today
from subgraphs.billing.vendors.stripe_ledger import now_ms, vendor_key
from subgraphs.billing.vendors.stripe_mapping import contract_record, document_record
from subgraphs.billing.vendors.stripe_wire import FormValue
from subgraphs.kit.database import Database
from subgraphs.kit.system_error import BadUserInputError, ConflictError, NotFoundError, Outcome

_MARK = "concord_mark"


class StripeAgreements:
    """The `Agreements` of Stripe."""

    def __init__(self, adaptor: StripeAdaptor, database: Database, books: Books) -> None:
        self._adaptor = adaptor
        self._database = database
        self._books = books
        # Guards the look before each creation, so that two workflows make a customer once.
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure_customer(self, customer: NewCustomer, *, key: str) -> tuple[str, bool]:
        """Find the customer by the reference in its metadata, and create it only if there is none."""
        async with self._making[customer.reference]:
            found = await self._customer(customer.reference)
            if found is not None:
                return str(found["id"]), (found.get("metadata") or {}).get(_MARK) == customer.mark
            metadata: dict[str, FormValue] = {"customer_reference": customer.reference, _MARK: customer.mark}
            if customer.tax_id:
                metadata["tax_id"] = customer.tax_id
            values: dict[str, FormValue] = {"name": customer.name, "metadata": metadata}
            if customer.email:
                values["email"] = customer.email
            address: dict[str, FormValue] = {}
            if customer.city:
                address["city"] = customer.city
            if customer.country:
                address["country"] = customer.country
            if address:
                values["address"] = address
            # A customer that was deleted answers a repetition of its creation as if it were still there.
            created = await self._adaptor.post("/v1/customers", values, key=vendor_key(key))
            await self._keep(created)
            return str(created["id"]), True

    async def retire_customer(self, reference: str, mark: str, *, key: str) -> None:
        """Delete the customer; one that has subscriptions of its own stays."""
        found = await self._customer(reference)
        if found is None or (found.get("metadata") or {}).get(_MARK) != mark:
            return
        docs = await self._adaptor.list_all("/v1/subscriptions", {"customer": found["id"], "status": "all"})
        if any(doc["status"] != "canceled" for doc in docs):
            return
        await self._adaptor.delete(f"/v1/customers/{found['id']}", key=vendor_key(key))
        at_ms = now_ms()
        await self._database.run(lambda c: mirror.CUSTOMERS.remove(c, str(found["id"]), version=at_ms))

    async def change_customer_fields(
        self, customer: str, changes: Mapping[str, tuple[str | None, str | None]], *, refuses: bool, key: str
    ) -> None:
        """Set name, address and the tax id in the metadata, in one request."""
        found = (await self._adaptor.read([customer])).get(customer)
        if found is None:
            raise NotFoundError("Billing has no record of this customer.", outcome=Outcome.NOT_APPLIED)
        address = found.get("address") or {}
        held = {
            "name": found.get("name"),
            "city": address.get("city"),
            "country": address.get("country"),
            "taxId": (found.get("metadata") or {}).get("tax_id"),
        }
        values: dict[str, FormValue] = {}
        moved: dict[str, FormValue] = {}
        for name, (before, after) in changes.items():
            if (held[name] or None) == (after or None):
                continue
            if (held[name] or None) != (before or None):
                if refuses:
                    told = f"The customer's {name} was changed in billing meanwhile."
                    raise ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
            elif name == "taxId":
                values["metadata"] = {"tax_id": after or ""}
            elif name == "name":
                values["name"] = after or ""
            else:
                moved[name] = after or ""
        if moved:  # whole, since what is left out of an address may be taken for empty
            values["address"] = {**{name: text for name, text in address.items() if text}, **moved}
        if values:
            await self._keep(await self._adaptor.post(f"/v1/customers/{customer}", values, key=vendor_key(key)))

    async def list_prices(self, items: Sequence[NewItem], currency: str) -> tuple[Price, ...]:
        """Look them up in the catalogue."""
        catalog = await self._books.catalog()
        return tuple(list_price(catalog, item, currency) for item in items)

    async def activate(self, contract: NewContract, *, key: str) -> Billed:
        """Subscribe the customer, to be billed by invoice at once."""
        found = await self._subscription(contract.customer, contract.number)
        if found is not None and found["status"] == "canceled":
            raise ConflictError("The contract was withdrawn.", outcome=Outcome.NOT_APPLIED, retryable=False)
        if found is None:
            prices = await self.list_prices(contract.items, contract.currency)
            if any(item.price not in (None, price.id) for item, price in zip(contract.items, prices, strict=True)):
                told = "The price is another one than was approved; ask for the contract again."
                raise ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
            values: dict[str, FormValue] = {
                "customer": contract.customer,
                "items": [
                    {"price": price.id, "quantity": item.quantity}
                    for item, price in zip(contract.items, prices, strict=True)
                ],
                "collection_method": "send_invoice",
                "days_until_due": contract.days_until_due,
                "metadata": {
                    "contract_number": contract.number,
                    "term_starts_on": contract.starts_on.isoformat(),
                    "term_ends_on": contract.ends_on.isoformat(),
                    "notice_days": str(contract.notice_days),
                },
            }
            found = await self._adaptor.post("/v1/subscriptions", values, key=vendor_key(key))
            await self._keep(found)
        document = await self._document(found.get("latest_invoice"))
        return Billed(contract=contract_record(found, today()), document=document)

    async def withdraw(self, customer: str, number: str, *, key: str) -> None:
        """Cancel the subscription and void its open invoices, wherever an earlier try stopped."""
        found = await self._subscription(customer, number)
        if found is None:
            return
        if found["status"] != "canceled":
            await self._keep(await self._adaptor.delete(f"/v1/subscriptions/{found['id']}", key=vendor_key(key)))
        for invoice in await self._adaptor.list_all("/v1/invoices", {"subscription": found["id"]}):
            if invoice["status"] in ("open", "uncollectible"):
                void_key = vendor_key(f"{key}:{invoice['id']}")
                await self._keep(await self._adaptor.post(f"/v1/invoices/{invoice['id']}/void", {}, key=void_key))
            elif invoice["status"] == "paid" and invoice["amount_paid"]:
                raise ConflictError("The contract's bill is paid.", outcome=Outcome.NOT_APPLIED, retryable=False)

    async def name_document(self, document: str, number: str | None, *, key: str) -> None:
        """Set `invoice_number` in the invoice's metadata."""
        values: dict[str, FormValue] = {"metadata": {"invoice_number": number}}
        await self._keep(await self._adaptor.post(f"/v1/invoices/{document}", values, key=vendor_key(key)))

    async def _customer(self, reference: str) -> StripeDoc | None:
        """Return the customer as Stripe has it; the copy says which one it is."""
        known = (await self._database.run(lambda c: mirror.CUSTOMERS.find(c, "reference", [reference]))).get(
            reference, ()
        )
        live = await self._adaptor.read([str(doc["id"]) for doc in known])
        return next(iter(live.values()), None)

    async def _subscription(self, customer: str, number: str) -> StripeDoc | None:
        docs = await self._adaptor.list_all("/v1/subscriptions", {"customer": customer, "status": "all"})
        return next((doc for doc in docs if (doc.get("metadata") or {}).get("contract_number") == number), None)

    async def _document(self, invoice: Any) -> Any:
        invoice_id = invoice["id"] if isinstance(invoice, Mapping) else invoice
        doc = (await self._adaptor.read([invoice_id])).get(invoice_id) if invoice_id else None
        if doc is None:
            return None
        await self._keep(doc)
        return document_record(doc)

    async def _keep(self, doc: StripeDoc) -> None:
        at_ms = now_ms()
        await self._database.run(lambda connection: mirror.put_docs(connection, [doc], read_at_ms=at_ms))


def list_price(catalog: Catalog, item: NewItem, currency: str) -> Price:
    """Return the list price of a product in a currency; monthly unless told otherwise. Raises BadUserInputError."""
    product = next((each for each in catalog.products.values() if each.sku == item.sku and each.is_active), None)
    prices = () if product is None else catalog.prices.get(product.id, ())
    fitting = [
        price
        for price in prices
        if price.is_active
        and price.reference is not None
        and price.currency == currency
        and price.usage is UsageKind.LICENSED
        and price.interval is not None
        and item.interval in (None, price.interval)
    ]
    if not fitting:
        told = f"There is no list price of {item.sku[:60]} in {currency[:3]}."
        raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
    return min(fitting, key=lambda price: (price.interval is not BillingInterval.MONTH, price.interval_count, price.id))
