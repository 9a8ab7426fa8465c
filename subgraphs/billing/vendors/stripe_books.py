"""Billing's reads, answered from the mirror of Stripe: no vendor request, whatever the number of ids."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar

from subgraphs.billing.port import Catalog, Held
from subgraphs.billing.records import Amendment, BilledLine, BillingCustomer, BillingDocument, Contract
from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe_dialect import StripeDialect
from subgraphs.billing.vendors.stripe_mapping import (
    contract_record,
    customer_record,
    document_record,
    draft_contract_record,
    feature_record,
    is_contract_schedule,
    price_record,
    product_record,
)
from subgraphs.billing.vendors.stripe_usage import meter_reading
from subgraphs.billing.vendors.stripe_wire import day
from subgraphs.kit.database import Database
from subgraphs.kit.record_loader import readable
from subgraphs.kit.system_error import VendorBadResponseError

ResultT = TypeVar("ResultT")


def today() -> dt.date:
    """The UTC day."""
    return dt.datetime.now(dt.UTC).date()


class StripeBooks:
    """The `Books` of Stripe."""

    def __init__(
        self,
        database: Database,
        dialect: StripeDialect,
        *,
        ensure_current: Callable[[], Awaitable[None]],
        read_at: Callable[[], dt.datetime | None],
    ) -> None:
        self._database = database
        self._dialect = dialect
        self.ensure_current = ensure_current
        self.read_at = read_at

    async def _run(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        await self.ensure_current()
        return await self._database.run(work)

    async def catalog(self) -> Catalog:
        """Products, features and list prices."""

        def read(connection: sqlite3.Connection) -> Catalog:
            attached = {row["id"]: row["features"] for row in mirror.ATTACHMENTS.all(connection)}
            products = {
                doc["id"]: product_record(doc, attached.get(doc["id"], ())) for doc in mirror.PRODUCTS.all(connection)
            }
            features = [feature_record(doc) for doc in mirror.FEATURES.all(connection)]
            prices = [price_record(doc) for doc in mirror.PRICES.all(connection)]
            listed = [price for price in prices if price.reference is not None or not self._dialect.has_prices]
            return Catalog(
                products=products,
                features={feature.key: feature for feature in features},
                prices={
                    product_id: tuple(
                        sorted((p for p in listed if p.product == product_id), key=lambda p: p.reference or p.id)
                    )
                    for product_id in products
                },
            )

        return await self._run(read)

    async def customers(self, ids: Sequence[str]) -> Mapping[str, BillingCustomer]:
        """Customers by id."""
        docs = await self._run(lambda connection: mirror.CUSTOMERS.get(connection, ids))
        return _each(docs, customer_record)

    async def held(self, ids: Sequence[str]) -> Mapping[str, Held]:
        """What customers hold; one entry for every id asked for."""

        def read(connection: sqlite3.Connection) -> Mapping[str, Any]:
            contracts = _contracts_of(connection, ids)
            active = mirror.ENTITLEMENTS.get(connection, ids)
            usage = mirror.USAGE.find(connection, "customer", ids)
            known = self._dialect.has_entitlements
            return {
                key: found
                if isinstance(found := contracts.get(key, ()), VendorBadResponseError)
                else Held(
                    contracts=found,
                    active_keys=frozenset(active[key]["keys"] if key in active else ()) if known else None,
                    readings={row["meter"]: meter_reading(row) for row in usage.get(key, ())},
                )
                for key in ids
            }

        return await self._run(read)

    async def contracts(self, numbers: Sequence[str]) -> Mapping[str, Contract]:
        """Contracts by number; of several with one number, the one begun last."""

        def read(connection: sqlite3.Connection) -> Mapping[str, Contract]:
            found: dict[str, Any] = {}
            on = today()
            started = mirror.SUBSCRIPTIONS.find(connection, "number", numbers)
            drafts = mirror.SCHEDULES.find(connection, "draft_number", numbers)
            for number in numbers:
                try:
                    records = [contract_record(doc, on) for doc in started.get(number, ())]
                except VendorBadResponseError as error:
                    found[number] = error
                    continue
                records = [record for record in records if record.granted_feature is None]
                records = records or _drafts(connection, drafts.get(number, ()))
                if records:
                    found[number] = max(records, key=lambda record: record.created_at)
            return found

        return await self._run(read)

    async def contracts_by_id(self, ids: Sequence[str]) -> Mapping[str, Contract]:
        """Contracts and grants by Stripe's id."""

        def read(connection: sqlite3.Connection) -> Mapping[str, Contract]:
            on = today()
            found = _each(mirror.SUBSCRIPTIONS.get(connection, ids), lambda doc: contract_record(doc, on))
            drafts = mirror.SCHEDULES.get(connection, [key for key in ids if key not in found])
            for draft in _drafts(connection, [doc for doc in drafts.values() if is_contract_schedule(doc)]):
                found[draft.id] = draft
            return found

        return await self._run(read)

    async def all_contracts(self) -> Sequence[Contract]:
        """Every contract."""

        def read(connection: sqlite3.Connection) -> Sequence[Contract]:
            on = today()
            docs = {doc["id"]: doc for doc in mirror.SUBSCRIPTIONS.all(connection)}
            # One that can't be read is left out, and was reported when it came.
            started = readable(_each(docs, lambda doc: contract_record(doc, on))).values()
            waiting = [doc for doc in mirror.SCHEDULES.all(connection) if is_contract_schedule(doc)]
            return [*(c for c in started if c.granted_feature is None), *_drafts(connection, waiting)]

        return await self._run(read)

    async def amendments(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Amendment]]:
        """Amendments that schedules record, and those seen happening."""
        catalog = await self.catalog()
        skus = {product.id: product.sku for product in catalog.products.values()}

        def read(connection: sqlite3.Connection) -> Mapping[str, Sequence[Amendment]]:
            found: dict[str, list[Amendment]] = {}
            prices = {doc["id"]: doc for doc in mirror.PRICES.all(connection)}
            seen = mirror.AMENDMENTS.find(connection, "contract", numbers)
            for number, docs in mirror.SUBSCRIPTIONS.find(connection, "number", numbers).items():
                schedules = mirror.SCHEDULES.get(connection, [doc["schedule"] for doc in docs if doc.get("schedule")])
                scheduled = [a for doc in schedules.values() for a in _phase_changes(doc, prices, skus)]
                observed = [_observed(row) for row in seen.get(number, ())]
                found[number] = sorted([*scheduled, *observed], key=lambda a: (a.effective_on, a.reference))
            return found

        return await self._run(read)

    async def documents(self, numbers: Sequence[str]) -> Mapping[str, BillingDocument]:
        """Documents by invoice number."""
        docs = await self._run(lambda connection: mirror.INVOICES.find(connection, "number", numbers))
        return _each({number: found[-1] for number, found in docs.items()}, document_record)

    async def lines_of(self, contract_ids: Sequence[str]) -> Mapping[str, Sequence[BilledLine]]:
        """Billed lines by contract; drafts and void documents charge nothing."""
        docs = await self._run(lambda connection: mirror.INVOICES.find(connection, "contract", contract_ids))
        found: dict[str, Sequence[BilledLine]] = {}
        for contract, invoices in docs.items():
            lines = [line for doc in invoices if doc["status"] != "void" for line in document_record(doc).lines]
            found[contract] = sorted(lines, key=lambda line: (line.starts_on, line.ref))
        return found

    async def lines(self, refs: Sequence[str]) -> Mapping[str, BilledLine]:
        """Billed lines by ref."""
        docs = await self._run(lambda connection: mirror.INVOICES.find(connection, "line", refs))
        return {
            ref: line for ref, found in docs.items() for line in document_record(found[-1]).lines if line.ref == ref
        }


def _each(docs: Mapping[str, Mapping[str, Any]], parse: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    """Return what each becomes; one that can't be read has its error in its place."""
    found: dict[str, Any] = {}
    for key, doc in docs.items():
        try:
            found[key] = parse(doc)
        except VendorBadResponseError as error:
            found[key] = error
    return found


def _contracts_of(
    connection: sqlite3.Connection, customers: Sequence[str]
) -> Mapping[str, tuple[Contract, ...] | VendorBadResponseError]:
    """Return customer → contracts; its error for a customer of whom one can't be read."""
    on = today()
    found: dict[str, list[Contract]] = {}
    failed: dict[str, VendorBadResponseError] = {}
    for customer, docs in mirror.SUBSCRIPTIONS.find(connection, "customer", customers).items():
        try:
            found[customer] = [contract_record(doc, on) for doc in docs]
        except VendorBadResponseError as error:
            failed[customer] = error
    for customer, docs in mirror.SCHEDULES.find(connection, "draft_customer", customers).items():
        found.setdefault(customer, []).extend(_drafts(connection, docs))
    return {
        customer: tuple(sorted(contracts, key=lambda contract: (contract.starts_on, contract.number)))
        for customer, contracts in found.items()
    } | failed


def _drafts(connection: sqlite3.Connection, docs: Iterable[Mapping[str, Any]]) -> list[Contract]:
    waiting = list(docs)
    needed = {item["price"] for doc in waiting for phase in doc["phases"] for item in phase["items"]}
    prices = mirror.PRICES.get(connection, sorted(needed))
    return [draft_contract_record(doc, prices) for doc in waiting]


def _phase_changes(
    schedule: Mapping[str, Any], prices: Mapping[str, Mapping[str, Any]], skus: Mapping[str, str]
) -> list[Amendment]:
    """Return what changes between one phase and the next."""
    changes = []
    phases = schedule["phases"]
    for before, after in pairwise(phases):
        metadata = after.get("metadata") or {}
        old = {item["price"]: item.get("quantity") or 0 for item in before["items"]}
        new = {item["price"]: item.get("quantity") or 0 for item in after["items"]}
        for price_id in dict.fromkeys([*old, *new]):
            was, becomes = old.get(price_id, 0), new.get(price_id, 0)
            if was == becomes or price_id not in prices:
                continue
            price = price_record(prices[price_id])
            changes.append(
                Amendment(
                    reference=metadata.get("amendment_reference")
                    or f"{schedule['id']}.{after['start_date']}.{price_id}",
                    effective_on=day(after["start_date"]),
                    sku=skus.get(price.product, price.product),
                    quantity_from=was,
                    quantity_to=becomes,
                    mrr_change=price.per_month(becomes) - price.per_month(was),
                    currency=price.currency,
                    reason=metadata.get("reason"),
                )
            )
    return changes


def _observed(row: Mapping[str, Any]) -> Amendment:
    return Amendment(
        reference=row["reference"],
        effective_on=dt.date.fromisoformat(row["effectiveOn"]),
        sku=row["sku"],
        quantity_from=row["quantityFrom"],
        quantity_to=row["quantityTo"],
        mrr_change=Decimal(row["mrrChange"]),
        currency=row["currency"],
        reason=None,
    )
