"""Amending at Stripe: items of a subscription, with Stripe's own proration or another authority's charges.

One update changes the items; `always_invoice` with the quote's `proration_date` bills what the preview showed. Charges of
another authority are invoice items on an invoice of their own, and the items get inline prices. The subscription's
metadata has `amended.<mark>` for each amendment, so that a repetition finds it and taking it back knows that there is one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from subgraphs.billing.amendment_port import Amending, Charge, PricedItem, Quote, Restoring, WantedItem
from subgraphs.billing.port import Billed, Books, Catalog, NewItem
from subgraphs.billing.records import Contract, ContractItem, Product, UsageKind, monthly_value
from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe import StripeAdaptor, StripeDoc
from subgraphs.billing.vendors.stripe_agreements import list_price
from subgraphs.billing.vendors.stripe_books import today
from subgraphs.billing.vendors.stripe_ledger import now_ms, vendor_key
from subgraphs.billing.vendors.stripe_mapping import contract_record, document_record
from subgraphs.billing.vendors.stripe_refunds import StripeRefunds
from subgraphs.billing.vendors.stripe_wire import FormValue, minor_amount, minor_digits, start_of
from subgraphs.kit.database import Database
from subgraphs.kit.record_loader import whole
from subgraphs.kit.system_error import BadUserInputError, ConflictError, NotFoundError, Outcome

_MARK = "concord_mark"
_REMEMBERED = 20
"""Amendments that the metadata names; Stripe keeps fifty entries in all."""


class StripeAmendments:
    """The `Amendments` of Stripe."""

    def __init__(self, adaptor: StripeAdaptor, database: Database, books: Books) -> None:
        self._adaptor = adaptor
        self._database = database
        self._books = books
        self._refunds = StripeRefunds(adaptor)

    async def current(self, number: str) -> Contract | None:
        """Read the subscription anew."""
        known = whole(await self._books.contracts([number])).get(number)
        found = None if known is None else (await self._adaptor.read([known.id])).get(known.id)
        if found is None or found.get("object") != "subscription":
            return None
        await self._keep(found)
        return contract_record(found, today())

    async def quote(self, contract: Contract, items: Sequence[WantedItem]) -> Quote:
        """Ask for a preview of the invoice, at this second."""
        catalog, at = await self._books.catalog(), int(time.time())
        details: dict[str, FormValue] = {
            "items": _changes(contract, items, catalog),
            "proration_behavior": "always_invoice",
            "proration_date": at,
        }
        preview = await self._adaptor.preview({"subscription": contract.id, "subscription_details": details})
        skus = {product.id: product.sku for product in catalog.products.values()}
        charges = tuple(
            Charge(
                sku=skus.get(line.product or ""),
                description=line.description,
                quantity=line.quantity or 1,
                amount=line.amount,
                starts_on=line.starts_on,
                ends_on=line.ends_on,
            )
            for line in document_record({**preview, "metadata": {}}).lines
        )
        after = _afterwards(contract, items, catalog)
        priced = tuple(
            PricedItem(
                sku=skus.get(item.price.product, item.price.product),
                quantity=item.quantity or 0,
                unit_price=item.price.unit_amount,
                interval=item.price.interval,
            )
            for item in after
            if item.quantity
        )
        return Quote(at=at, items=priced, charges=charges, mrr=monthly_value(after, contract.currency))

    async def amend(self, contract: Contract, change: Amending, *, key: str) -> Billed:
        """Update the items, unless the metadata says that it was done."""
        found = await self._subscription(contract.id)
        if _name(change.mark) not in (found.get("metadata") or {}):
            present = contract_record(found, today())
            if present.version != change.version:
                told = f"The contract has changed: its version is {present.version}."
                raise ConflictError(told, outcome=Outcome.NOT_APPLIED)
            catalog = await self._books.catalog()
            values: dict[str, FormValue] = {
                "items": _changes(present, change.items, catalog),
                "proration_behavior": "always_invoice" if change.charges is None else "none",
                "metadata": {
                    **_limits(present, change.items, catalog),
                    **dict.fromkeys(_outdated(found), ""),
                    _name(change.mark): str(change.at),
                },
            }
            if change.charges is None:
                values["proration_date"] = change.at
            found = await self._adaptor.post(f"/v1/subscriptions/{contract.id}", values, key=vendor_key(key))
            await self._keep(found)
        if change.charges is not None:
            bill = await self._charge(found, change.charges, change.mark, key)
        else:
            bill = await self._bill(found, change.at, change.mark)
        if bill is not None:
            await self._keep(bill)
        return Billed(contract=contract_record(found, today()), document=document_record(bill) if bill else None)

    async def restore(self, contract: Contract, change: Restoring, *, key: str) -> None:
        """Take back the bill, then the items; the mark goes last, so that what was interrupted is found again."""
        found = await self._subscription(contract.id)
        if _name(change.mark) not in (found.get("metadata") or {}):
            return
        present, catalog = contract_record(found, today()), await self._books.catalog()
        if found["status"] != "canceled" and not _is_as_made(present, change.wanted, catalog):
            told = "The contract was changed since; what it was before can't be put back."
            raise ConflictError(told, outcome=Outcome.NOT_APPLIED, retryable=False)
        await self._drop_pending(found, change.mark, key)
        bill = await self._bill(found, change.at, change.mark)
        if bill is not None:
            await self._keep(await self._refunds.take_back(bill, change.mark, key=key))
        metadata: dict[str, FormValue] = {_name(change.mark): ""}
        for feature, limit in change.limits.items():
            metadata[f"limit.{feature}"] = "" if limit is None else str(limit)
        values: dict[str, FormValue] = {"metadata": metadata}
        items = _back(present, change) if found["status"] != "canceled" else []
        if items:
            values |= {"items": items, "proration_behavior": "none"}
        await self._keep(
            await self._adaptor.post(f"/v1/subscriptions/{contract.id}", values, key=vendor_key(f"{key}:items"))
        )

    async def _charge(
        self, subscription: StripeDoc, charges: Sequence[Charge], mark: str, key: str
    ) -> StripeDoc | None:
        """Make an invoice of another authority's charges and issue it."""
        if not charges:
            return None
        bill = await self._bill(subscription, 0, mark)
        if bill is None:
            catalog, currency = await self._books.catalog(), str(subscription["currency"])
            for place, charge in enumerate(charges):
                product = _product(charge.sku or "", catalog)
                item: dict[str, FormValue] = {
                    "customer": subscription["customer"],
                    "subscription": subscription["id"],
                    "currency": currency,
                    "amount": minor_amount(charge.amount, currency),
                    "description": charge.description,
                    "period": {"start": start_of(charge.starts_on), "end": start_of(charge.ends_on) + 86_400},
                    "metadata": {_MARK: mark, **({} if product is None else {"product": product.id})},
                }
                await self._adaptor.post("/v1/invoiceitems", item, key=vendor_key(f"{key}:charge {place}"))
            wanted: dict[str, FormValue] = {
                "customer": subscription["customer"],
                "subscription": subscription["id"],
                "metadata": {_MARK: mark},
            }
            bill = await self._adaptor.post("/v1/invoices", wanted, key=vendor_key(f"{key}:bill"))
        if bill["status"] == "draft":
            bill = await self._adaptor.post(
                f"/v1/invoices/{bill['id']}/finalize", {}, key=vendor_key(f"{key}:finalize")
            )
        return bill

    async def _drop_pending(self, subscription: StripeDoc, mark: str, key: str) -> None:
        """Take out charges that no invoice has: their try stopped half way."""
        for item in await self._adaptor.list_all("/v1/invoiceitems", {"customer": subscription["customer"]}):
            if (item.get("metadata") or {}).get(_MARK) == mark and item.get("invoice") is None:
                await self._adaptor.delete(f"/v1/invoiceitems/{item['id']}", key=vendor_key(f"{key}:{item['id']}"))

    async def _bill(self, subscription: StripeDoc, at: int, mark: str) -> StripeDoc | None:
        """Return the amendment's invoice: the one that carries the mark, or that Stripe made for changes at that second."""
        for invoice in await self._adaptor.list_all("/v1/invoices", {"subscription": subscription["id"]}):
            starts = {line["period"]["start"] for line in invoice["lines"]["data"]}
            is_of_update = invoice.get("billing_reason") == "subscription_update" and at in starts
            if (invoice.get("metadata") or {}).get(_MARK) == mark or is_of_update:
                return (await self._adaptor.read([invoice["id"]])).get(invoice["id"])
        return None

    async def _subscription(self, subscription_id: str) -> StripeDoc:
        found = (await self._adaptor.read([subscription_id])).get(subscription_id)
        if found is None:
            raise NotFoundError("There is no such contract in billing.", outcome=Outcome.NOT_APPLIED)
        return found

    async def _keep(self, doc: StripeDoc) -> None:
        at_ms = now_ms()
        await self._database.run(lambda connection: mirror.put_docs(connection, [doc], read_at_ms=at_ms))


def _name(mark: str) -> str:
    return f"amended.{mark.removeprefix('concord-')[:24]}"


def _outdated(subscription: StripeDoc) -> list[str]:
    marks = [
        (str(at), name) for name, at in (subscription.get("metadata") or {}).items() if name.startswith("amended.")
    ]
    return [name for _, name in sorted(marks)[: max(0, len(marks) - _REMEMBERED)]]


def _item_of(contract: Contract, sku: str, catalog: Catalog) -> ContractItem | None:
    """Return the contract's item of a product that is charged by quantity."""
    product = _product(sku, catalog)
    found = (item for item in contract.items if product is not None and item.price.product == product.id)
    return next((item for item in found if item.price.usage is UsageKind.LICENSED), None)


def _product(sku: str, catalog: Catalog) -> Product | None:
    return next((product for product in catalog.products.values() if product.sku == sku), None)


def _changes(contract: Contract, wanted: Sequence[WantedItem], catalog: Catalog) -> list[FormValue]:
    """Return the `items` of an update. Raises BadUserInputError for a product that is neither there nor to be had."""
    changes: list[FormValue] = []
    for want in wanted:
        item = _item_of(contract, want.sku, catalog)
        if item is None and want.quantity == 0:
            told = f"The contract has no {want.sku[:60]} to be dropped."
            raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
        if item is not None and want.quantity == 0:
            changes.append({"id": item.id, "deleted": True})
            continue
        price = item.price if item is not None else list_price(catalog, _new(want), contract.currency)
        entry: dict[str, FormValue] = {"quantity": want.quantity}
        if item is not None:
            entry["id"] = item.id
        if want.unit_price is not None and want.unit_price != price.unit_amount:
            assert price.interval is not None
            entry["price_data"] = {
                "currency": contract.currency.lower(),
                "product": price.product,
                "unit_amount_decimal": _minor_decimal(want.unit_price, contract.currency),
                "recurring": {"interval": price.interval.value.lower(), "interval_count": price.interval_count},
            }
        elif item is None:
            entry["price"] = price.id
        changes.append(entry)
    return changes


def _afterwards(contract: Contract, wanted: Sequence[WantedItem], catalog: Catalog) -> tuple[ContractItem, ...]:
    """Return the contract's items as they would be, at billing's own prices."""
    items = {item.id: item for item in contract.items}
    for want in wanted:
        item = _item_of(contract, want.sku, catalog)
        price = item.price if item is not None else list_price(catalog, _new(want), contract.currency)
        place = item.id if item is not None else f"new {want.sku}"
        items[place] = ContractItem(id=place, price=price, quantity=want.quantity)
    return tuple(items.values())


def _limits(contract: Contract, wanted: Sequence[WantedItem], catalog: Catalog) -> dict[str, FormValue]:
    """Return the limits that follow a quantity, as metadata."""
    found: dict[str, FormValue] = {}
    for want in wanted:
        item, product = _item_of(contract, want.sku, catalog), _product(want.sku, catalog)
        for key in product.features if product is not None and item is not None else ():
            feature = catalog.features.get(key)
            is_by_quantity = feature is not None and feature.meter is not None
            if item is not None and is_by_quantity and contract.limits.get(key) == item.quantity and want.quantity:
                found[f"limit.{key}"] = str(want.quantity)
    return found


def _is_as_made(contract: Contract, wanted: Sequence[WantedItem], catalog: Catalog) -> bool:
    """Whether the contract still has what the amendment gave it."""
    for want in wanted:
        item = _item_of(contract, want.sku, catalog)
        if (0 if item is None else item.quantity) != want.quantity:
            return False
    return True


def _back(contract: Contract, change: Restoring) -> list[FormValue]:
    """Return the `items` of the update that makes the contract what it was."""
    before = {item.item: item for item in change.before}
    by_price = {item.price: item for item in change.before}
    changes: list[FormValue] = []
    seen: set[str] = set()
    for item in contract.items:
        was = before.get(item.id) or by_price.get(item.price.id)
        if was is None:
            changes.append({"id": item.id, "deleted": True})
            continue
        seen.add(was.item)
        entry: dict[str, FormValue] = {"id": item.id}
        if was.price != item.price.id:
            entry["price"] = was.price
        if was.quantity is not None and was.quantity != item.quantity:
            entry["quantity"] = was.quantity
        if len(entry) > 1:
            changes.append(entry)
    for was in change.before:
        if was.item not in seen:
            back: Mapping[str, FormValue] = {"price": was.price}
            changes.append(back if was.quantity is None else {**back, "quantity": was.quantity})
    return changes


def _new(want: WantedItem) -> NewItem:
    return NewItem(sku=want.sku, quantity=want.quantity, interval=want.interval)


def _minor_decimal(amount: Decimal, currency: str) -> str:
    exact = amount.scaleb(minor_digits(currency)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return f"{exact.normalize():f}"
