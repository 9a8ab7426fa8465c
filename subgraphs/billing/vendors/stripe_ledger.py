"""Billing's writes, carried out at Stripe under its own idempotency keys; each answer goes into the mirror at once."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from subgraphs.billing.derivation import MeterReading
from subgraphs.billing.port import Grant, UsageReport
from subgraphs.billing.records import CancellationReason, Contract
from subgraphs.billing.vendors import stripe_mirror as mirror
from subgraphs.billing.vendors.stripe import StripeAdaptor, StripeDoc
from subgraphs.billing.vendors.stripe_books import today
from subgraphs.billing.vendors.stripe_mapping import contract_record
from subgraphs.billing.vendors.stripe_usage import meter_reading
from subgraphs.billing.vendors.stripe_wire import FormValue, start_of
from subgraphs.kit.database import Database
from subgraphs.kit.system_error import VendorError

_ONE_DAY = dt.timedelta(days=1)


class StripeLedger:
    """The `Ledger` of Stripe."""

    def __init__(self, adaptor: StripeAdaptor, database: Database) -> None:
        self._adaptor = adaptor
        self._database = database

    async def current(self, contract: Contract) -> Contract | None:
        """Read the subscription anew, so that a stale version is noticed."""
        read_at_ms = now_ms()
        found = (await self._adaptor.read([contract.id])).get(contract.id)
        if found is None or found.get("object") != "subscription":
            return None
        await self._keep(found, read_at_ms)
        return contract_record(found, today())

    async def record_usage(self, report: UsageReport, *, key: str, is_repeat: bool) -> MeterReading:
        """Send a meter event and return the reading with it; the event's identifier is the key, so that Stripe counts it once.

        Stripe adds up in its own time, so right after a first try the copy shows at least this use; whether a repeated one
        is in the copy already nobody can tell, so then only Stripe's own figure counts.
        """
        at = (report.at or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
        row_id, on = f"{report.customer}|{report.meter}", at.date()
        row, meter = await self._database.run(lambda c: self._usage_row(c, row_id, report))
        values: dict[str, FormValue] = {
            "event_name": report.meter,
            "identifier": vendor_key(key),
            "payload": {"stripe_customer_id": report.customer, "value": f"{report.quantity:f}"},
        }
        if report.at is not None:
            values["timestamp"] = int(at.timestamp())
        await self._adaptor.post("/v1/billing/meter_events", values, key=vendor_key(key))
        counted_at_ms = now_ms()
        known = Decimal(row["days"].get(on.isoformat(), "0"))
        expected = str(report.quantity if row["formula"] == "last" else known + report.quantity)
        counted = await self._counted(meter, report.customer, on)
        if counted is None:
            if is_repeat:
                return meter_reading(row)
            counted = expected
        elif not is_repeat and row["formula"] == "sum":
            counted = str(max(Decimal(counted), Decimal(expected)))

        def keep(connection: sqlite3.Connection) -> Mapping[str, Any]:
            latest = mirror.USAGE.get(connection, [row_id]).get(row_id) or row
            kept = {**latest, "days": {**latest["days"], on.isoformat(): counted}}
            mirror.USAGE.put(connection, row_id, kept, version=counted_at_ms)
            return kept

        return meter_reading(await self._database.run(keep))

    async def _counted(self, meter: str, customer: str, on: dt.date) -> str | None:
        """Return what Stripe has counted on a day; None if it can't say. The use is recorded by now, whatever happens here."""
        try:
            summaries = await self._adaptor.usage(meter, customer, start_of(on), start_of(on + _ONE_DAY))
        except VendorError:
            return None
        return mirror.days_of(summaries).get(on.isoformat(), "0")

    @staticmethod
    def _usage_row(connection: sqlite3.Connection, row_id: str, report: UsageReport) -> tuple[Mapping[str, Any], str]:
        """Return the copy's row and the meter's id."""
        meter = next(doc for doc in mirror.METERS.all(connection) if doc["event_name"] == report.meter)
        fresh = {
            "customer": report.customer,
            "meter": report.meter,
            "formula": meter["default_aggregation"]["formula"],
            "days": {},
        }
        return mirror.USAGE.get(connection, [row_id]).get(row_id) or fresh, meter["id"]

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
        created = await self._adaptor.post("/v1/subscriptions", values, key=vendor_key(key))
        read_at_ms = now_ms()
        await self._keep(created, read_at_ms)
        try:
            active = await self._adaptor.active_entitlements(grant.customer)
        except VendorError:
            return  # the right is given; Stripe's event brings the rest
        keys = {"id": grant.customer, "keys": sorted(entry["lookup_key"] for entry in active)}
        await self._database.run(lambda c: mirror.ENTITLEMENTS.put(c, grant.customer, keys, version=read_at_ms))

    async def _grant_price(self, grant: Grant) -> str:
        """Return the free price of the feature's grant product in the customer's currency, made on first use."""
        stem = f"concord-grant-{grant.feature.key}"
        product_id = f"prod_grant_{grant.feature.key}"
        known = await self._database.run(lambda c: mirror.PRODUCTS.get(c, [product_id]))
        attached = await self._database.run(lambda c: mirror.ATTACHMENTS.get(c, [product_id]))
        if not known:
            name, sku = f"Grant: {grant.feature.name}", f"GRANT-{grant.feature.key}"
            product = await self._adaptor.post(
                "/v1/products", {"id": product_id, "name": name, "metadata": {"sku": sku}}, key=f"{stem}-product"
            )
            await self._keep(product, now_ms())
        if grant.feature.key not in attached.get(product_id, {}).get("features", ()):
            await self._adaptor.post(
                f"/v1/products/{product_id}/features", {"entitlement_feature": grant.feature.id}, key=f"{stem}-feature"
            )
            row = {"id": product_id, "features": [grant.feature.key]}
            await self._database.run(lambda c: mirror.ATTACHMENTS.put(c, product_id, row, version=now_ms()))
        prices = (await self._database.run(lambda c: mirror.PRICES.find(c, "product", [product_id]))).get(
            product_id, ()
        )
        currency = grant.currency.lower()
        listed = next((price["id"] for price in prices if price["currency"] == currency), None)
        if listed is not None:
            return str(listed)
        price = await self._adaptor.post(
            "/v1/prices",
            {"product": product_id, "currency": currency, "unit_amount": 0, "recurring": {"interval": "month"}},
            key=f"{stem}-price-{currency}",
        )
        await self._keep(price, now_ms())
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
        changed = await self._adaptor.post(f"/v1/subscriptions/{contract.id}", values, key=vendor_key(key))
        await self._keep(changed, now_ms())
        return contract_record(changed, today())

    async def _keep(self, doc: StripeDoc, read_at_ms: int) -> None:
        await self._database.run(lambda connection: mirror.put_docs(connection, [doc], read_at_ms=read_at_ms))


def vendor_key(key: str) -> str:
    """Return a key of the length Stripe takes (255; 100 as a meter event's identifier), the same for the same key of ours."""
    return f"concord-{hashlib.sha256(key.encode()).hexdigest()[:48]}"


def now_ms() -> int:
    """Return the present, in milliseconds since 1970: the version that what is read now has in the copy."""
    return time.time_ns() // 1_000_000
