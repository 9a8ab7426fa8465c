"""Billing's writes, carried out at Stripe under its own idempotency keys; each answer goes into the mirror at once."""

from __future__ import annotations

import datetime as dt
import sqlite3
import time
from collections.abc import Mapping

from subgraphs.billing.port import Grant, UsageReport
from subgraphs.billing.records import CancellationReason, Contract
from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe import StripeAdaptor, StripeDoc
from subgraphs.billing.vendors.stripe_books import today
from subgraphs.billing.vendors.stripe_mapping import contract_record
from subgraphs.billing.vendors.stripe_usage import with_use
from subgraphs.billing.vendors.stripe_wire import FormValue, start_of
from subgraphs.kit.database import Database

_ONE_DAY = dt.timedelta(days=1)


class StripeLedger:
    """The `Ledger` of Stripe."""

    def __init__(self, adaptor: StripeAdaptor, database: Database) -> None:
        self._adaptor = adaptor
        self._database = database

    async def current(self, contract: Contract) -> Contract | None:
        """Read the subscription anew, so that a stale version is noticed."""
        read_at_ms = _now_ms()
        found = (await self._adaptor.read([contract.id])).get(contract.id)
        if found is None or found.get("object") != "subscription":
            return None
        await self._keep(found, read_at_ms)
        return contract_record(found, today())

    async def record_usage(self, report: UsageReport, *, key: str) -> None:
        """Send a meter event; its identifier is the key, so that Stripe counts it once."""
        at = report.at or dt.datetime.now(dt.UTC)
        values: dict[str, FormValue] = {
            "event_name": report.meter,
            "identifier": key[:100],
            "payload": {"stripe_customer_id": report.customer, "value": f"{report.quantity:f}"},
        }
        if report.at is not None:
            values["timestamp"] = int(at.timestamp())
        await self._adaptor.post("/v1/billing/meter_events", values, key=key)
        row_id = f"{report.customer}|{report.meter}"

        def count(connection: sqlite3.Connection) -> None:
            row = mirror.USAGE.get(connection, [row_id]).get(row_id) or {
                "customer": report.customer,
                "meter": report.meter,
                "formula": _formula(mirror.METERS.all(connection), report.meter),
                "days": {},
            }
            counted = with_use(row, at.astimezone(dt.UTC).date(), report.quantity)
            mirror.USAGE.put(connection, row_id, counted, version=_now_ms())

        await self._database.run(count)

    async def grant(self, grant: Grant, *, key: str) -> None:
        """Subscribe the customer to a free product that carries the feature: Stripe's way to entitle without a charge."""
        price = await self._grant_price(grant)
        values: dict[str, FormValue] = {
            "customer": grant.customer,
            "items": [{"price": price}],
            "metadata": {
                "granted_feature": grant.feature.key,
                **({} if grant.limit is None else {f"limit.{grant.feature.key}": str(grant.limit)}),
                **({"reason": grant.reason[:500]} if grant.reason else {}),
            },
        }
        if grant.valid_until is not None:
            values["cancel_at"] = start_of(grant.valid_until + _ONE_DAY)
        read_at_ms = _now_ms()
        created = await self._adaptor.post("/v1/subscriptions", values, key=key)
        active = await self._adaptor.active_entitlements(grant.customer)
        keys = {"id": grant.customer, "keys": sorted(entry["lookup_key"] for entry in active)}
        await self._database.run(lambda c: mirror.ENTITLEMENTS.put(c, grant.customer, keys, version=read_at_ms))
        await self._keep(created, _now_ms())

    async def _grant_price(self, grant: Grant) -> str:
        """Return the free price of the feature's grant product in the customer's currency, made on first use."""
        stem = f"concord-grant-{grant.feature.key}"
        product_id = f"prod_grant_{grant.feature.key}"
        product = (await self._database.run(lambda c: mirror.PRODUCTS.get(c, [product_id]))).get(product_id)
        if product is None:
            product = await self._adaptor.post(
                "/v1/products",
                {
                    "id": product_id,
                    "name": f"Grant: {grant.feature.name}",
                    "metadata": {"sku": f"GRANT-{grant.feature.key}"},
                },
                key=f"{stem}-product",
            )
            await self._adaptor.post(
                f"/v1/products/{product_id}/features",
                {"entitlement_feature": grant.feature.id},
                key=f"{stem}-feature",
            )
            row = {"id": product_id, "features": [grant.feature.key]}
            await self._database.run(lambda c: mirror.ATTACHMENTS.put(c, product_id, row, version=_now_ms()))
            await self._keep(product, _now_ms())
        prices = (await self._database.run(lambda c: mirror.PRICES.find(c, "product", [product_id]))).get(
            product_id, ()
        )
        currency = grant.currency.lower()
        known = next((price["id"] for price in prices if price["currency"] == currency), None)
        if known is not None:
            return str(known)
        price = await self._adaptor.post(
            "/v1/prices",
            {"product": product_id, "currency": currency, "unit_amount": 0, "recurring": {"interval": "month"}},
            key=f"{stem}-price-{currency}",
        )
        await self._keep(price, _now_ms())
        return str(price["id"])

    async def pause(self, contract: Contract, *, resumes_on: dt.date | None, key: str) -> Contract:
        """Void what would be collected until resumed."""
        pause: dict[str, FormValue] = {"behavior": "void"}
        if resumes_on is not None:
            pause["resumes_at"] = start_of(resumes_on)
        return await self._update(contract, {"pause_collection": pause}, key)

    async def resume(self, contract: Contract, *, key: str) -> Contract:
        """Collect again."""
        return await self._update(contract, {"pause_collection": None}, key)

    async def schedule_cancellation(
        self,
        contract: Contract,
        *,
        effective_on: dt.date,
        reason: CancellationReason | None,
        comment: str | None,
        key: str,
    ) -> Contract:
        """Set `cancel_at`, and say that it is a cancellation and no mere non-renewal."""
        details: dict[str, FormValue] = {"comment": comment}
        if reason is not None:
            details["feedback"] = reason.value.lower()
        values: dict[str, FormValue] = {
            "cancel_at": start_of(effective_on),
            "cancellation_details": details,
            "metadata": {"non_renewal": None},
        }
        return await self._update(contract, values, key)

    async def set_auto_renew(self, contract: Contract, *, auto_renews: bool, key: str) -> Contract:
        """Clear `cancel_at`, or set it to the end of the term."""
        if auto_renews:
            return await self._update(contract, {"cancel_at": None, "metadata": {"non_renewal": None}}, key)
        assert contract.ends_on is not None
        values: dict[str, FormValue] = {
            "cancel_at": start_of(contract.ends_on + _ONE_DAY),
            "metadata": {
                "non_renewal": "true",
                # A renewed contract's term has moved on; the metadata has to say which term it ends with.
                "term_starts_on": contract.term_starts_on.isoformat(),
                "term_ends_on": contract.ends_on.isoformat(),
            },
        }
        return await self._update(contract, values, key)

    async def _update(self, contract: Contract, values: Mapping[str, FormValue], key: str) -> Contract:
        changed = await self._adaptor.post(f"/v1/subscriptions/{contract.id}", values, key=key)
        await self._keep(changed, _now_ms())
        return contract_record(changed, today())

    async def _keep(self, doc: StripeDoc, read_at_ms: int) -> None:
        await self._database.run(lambda connection: mirror.put_docs(connection, [doc], read_at_ms=read_at_ms))


def _formula(meters: list[Mapping[str, object]], event_name: str) -> str:
    for meter in meters:
        aggregation = meter.get("default_aggregation")
        if meter.get("event_name") == event_name and isinstance(aggregation, Mapping):
            return str(aggregation["formula"])
    return "sum"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
