"""Fills the account with the believable company: what Stripe would hold after two years of its business."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.history_invoices import fill_invoices
from subgraphs.billing.sandbox.objects import catalog as shapes
from subgraphs.billing.sandbox.objects import customer as customer_shapes
from subgraphs.billing.sandbox.objects import subscription as subscription_shapes
from subgraphs.billing.sandbox.resources.billing_cycle import period_around
from subgraphs.billing.sandbox.resources.entitlements import recompute
from subgraphs.billing.sandbox.store import Store, StripeObject
from subgraphs.billing.sandbox.stripe_notation import midnight, minor, stable_id
from subgraphs.kit.company.model import (
    Amendment,
    BillingInterval,
    Company,
    Contract,
    ContractStatus,
    Customer,
    Entitlement,
    PaymentMethod,
    ProductKind,
    Source,
)

_ONE_DAY = dt.timedelta(days=1)
_INTERVALS = {BillingInterval.MONTHLY: "month", BillingInterval.ANNUAL: "year"}


def fill(store: Store, company: Company) -> None:
    """Store everything, oldest first. No events: Stripe would have forgotten nearly all of them."""
    opened = min((customer.created_on for customer in company.customers), default=company.today)
    _fill_catalog(store, company, midnight(opened))
    known = {c.reference: c for c in company.customers if Source.BILLING not in c.missing_in}
    customers = {
        reference: _fill_customer(store, customer, known.get(customer.parent_in(Source.BILLING) or ""))
        for reference, customer in known.items()
    }
    entitlements: dict[str, list[Entitlement]] = {}
    for entitlement in company.entitlements:
        entitlements.setdefault(entitlement.contract, []).append(entitlement)
    amendments: dict[str, list[Amendment]] = {}
    for amendment in company.amendments:
        amendments.setdefault(amendment.contract, []).append(amendment)
    filler = _Contracts(store, company, entitlements, amendments)
    subscriptions = {
        contract.number: filler.fill(contract, customers[contract.customer])
        for contract in company.contracts
        if contract.customer in customers
    }
    fill_invoices(store, company, customers, subscriptions)
    _fill_usage(store, company, customers)
    account = Account(store)
    for customer in customers.values():
        recompute(account, customer["id"], silent=True)


def _fill_catalog(store: Store, company: Company, created: int) -> None:
    for product in company.products:
        body = shapes.product(
            stable_id("prod", product.sku, 14),
            product.name,
            created,
            metadata={"sku": product.sku},
            unit_label=product.unit[:12],
        )
        store.put(body)
        meter = None
        if product.kind in {ProductKind.SEAT, ProductKind.METERED}:
            formula = "sum" if product.kind is ProductKind.METERED else "last"
            meter = shapes.meter(
                stable_id("mtr_test_61", product.sku, 28), product.feature, product.name, created, formula
            )
            store.put(meter)
        feature = shapes.feature(
            stable_id("feat_test_61", product.feature, 30),
            product.feature,
            product.name,
            {"meter": product.feature} if meter else {},
        )
        store.put(feature)
        store.put(shapes.product_feature(stable_id("prodft", product.sku, 14), feature), parent=body["id"])
        for price in (price for price in company.prices if price.sku == product.sku):
            store.put(
                _price(price.reference, body["id"], price.currency, price.unit_amount, price.interval, meter, created),
                parent=body["id"],
            )


def _price(
    reference: str,
    product_id: str,
    currency: str,
    unit_amount: Decimal,
    interval: BillingInterval,
    meter: StripeObject | None,
    created: int,
    *,
    negotiated: bool = False,
) -> StripeObject:
    metered = meter is not None and meter["default_aggregation"]["formula"] == "sum"
    recurring = None
    if interval in _INTERVALS:
        recurring = {
            "interval": _INTERVALS[interval],
            "meter": meter["id"] if meter and metered else None,
            "usage_type": "metered" if metered else "licensed",
        }
    return shapes.price(
        stable_id("price_1", f"{reference}:{unit_amount}", 23),
        product_id,
        currency.lower(),
        minor(unit_amount),
        created,
        recurring=recurring,
        nickname=f"{reference} negotiated" if negotiated else reference,
        lookup_key=None if negotiated else reference.lower(),
        metadata={} if negotiated else {"price_reference": reference},
    )


def _fill_customer(store: Store, customer: Customer, parent: Customer | None) -> StripeObject:
    created = midnight(customer.created_on)
    customer_id = stable_id("cus", customer.reference, 14)
    hierarchy = {} if parent is None else {"parent_customer": stable_id("cus", parent.reference, 14)}
    name = customer.name_in(Source.BILLING)
    email = f"billing@{customer.domain}"
    method_id = stable_id("pm_1", customer.reference, 23)
    digits = hashlib.sha256(customer.reference.encode()).digest()
    last4 = f"{int.from_bytes(digits[:2], 'big') % 10_000:04d}"
    method: StripeObject | None = None
    match customer.payment_method:
        case PaymentMethod.CARD:
            brand = ("visa", "mastercard", "amex")[digits[2] % 3]
            details = customer_shapes.card(brand, last4, digits[3] % 12 + 1, customer.created_on.year + 4)
            method = customer_shapes.payment_method(
                method_id, created, kind="card", details=details, customer_id=customer_id, name=name, email=email
            )
        case PaymentMethod.SEPA_DEBIT:
            details = customer_shapes.sepa_debit("37040044", customer.address.country, last4)
            method = customer_shapes.payment_method(
                method_id, created, kind="sepa_debit", details=details, customer_id=customer_id, name=name, email=email
            )
        case PaymentMethod.BANK_TRANSFER:
            pass
    if method is not None:
        store.put(method)
    body = customer_shapes.customer(
        customer_id,
        created,
        name=name,
        email=email,
        currency=customer.currency.lower(),
        address={
            "city": customer.city_in(Source.BILLING),
            "country": customer.address.country,
            "line1": customer.address.street,
            "line2": None,
            "postal_code": customer.address.postal_code,
            "state": None,
        },
        metadata={
            "customer_reference": customer.reference,
            "tax_id": customer.tax_id,
            "domain": customer.domain,
            **hierarchy,
        },
    )
    body["invoice_settings"]["default_payment_method"] = method["id"] if method else None
    return store.put(body)


class _Contracts:
    """Turns contracts into subscriptions, with schedules for amendments and for those that start later."""

    def __init__(
        self,
        store: Store,
        company: Company,
        entitlements: Mapping[str, Sequence[Entitlement]],
        amendments: Mapping[str, Sequence[Amendment]],
    ) -> None:
        self._store = store
        self._today = company.today
        self._entitlements = entitlements
        self._amendments = amendments
        self._prices = {price.reference: price for price in company.prices}

    def fill(self, contract: Contract, customer: StripeObject) -> StripeObject:
        """Store one contract and return its subscription, or its schedule while it is a draft."""
        start, now = midnight(contract.starts_on), midnight(self._today)
        entries = [entry for item in contract.items if (entry := self._entry(contract, item.sku)) is not None]
        metadata = self._metadata(contract)
        if contract.status is ContractStatus.DRAFT:
            phase = subscription_shapes.schedule_phase(
                start, midnight(contract.ends_on + _ONE_DAY), contract.currency.lower(), entries
            )
            draft = subscription_shapes.subscription_schedule(
                stable_id("sub_sched_1", contract.number, 23),
                customer["id"],
                None,
                [phase],
                now - 5 * 86_400,
                now=now,
                metadata=metadata,
                end_behavior="release" if contract.auto_renew else "cancel",
            )
            return self._store.put(draft, parent=customer["id"])
        subscription_id = stable_id("sub_1", contract.number, 23)
        over = contract.status in {ContractStatus.CANCELLED, ContractStatus.EXPIRED}
        last = midnight(contract.cancelled_on or contract.ends_on + _ONE_DAY) if over else now
        items = []
        for price, quantity in entries:
            recurring = price["recurring"]
            period = period_around(start, last - 1 if over else last, recurring["interval"], 1)
            item_id = stable_id("si", f"{contract.number}:{price['id']}", 14)
            items.append(
                subscription_shapes.subscription_item(item_id, subscription_id, price, quantity, start, period=period)
            )
        body = subscription_shapes.subscription(
            subscription_id,
            customer["id"],
            contract.currency.lower(),
            items,
            start,
            start=start,
            metadata=metadata,
            **self._collection(customer),
            **self._state(contract, last),
        )
        changes = self._amendments.get(contract.number, ())
        if changes:
            schedule = self._schedule(contract, customer, body, changes, now)
            body["schedule"] = schedule["id"]
            self._store.put(schedule, parent=customer["id"])
        return self._store.put(body, parent=customer["id"])

    def _entry(self, contract: Contract, sku: str) -> tuple[StripeObject, int | None] | None:
        """Return the Stripe price and quantity of an item; None for a one-off service, which is billed and not subscribed."""
        item = next(item for item in contract.items if item.sku == sku)
        listed = self._prices[item.price]
        if listed.interval not in _INTERVALS:
            return None
        product = self._store.get(stable_id("prod", sku, 14))
        assert product is not None
        found = self._store.get(stable_id("price_1", f"{item.price}:{item.unit_amount}", 23))
        if found is None:
            meter = self._store.get(stable_id("mtr_test_61", sku, 28))
            found = _price(
                item.price, product["id"], contract.currency, item.unit_amount, listed.interval, meter,
                midnight(contract.starts_on), negotiated=True,
            )  # fmt: skip
            self._store.put(found, parent=product["id"])
        return found, None if found["recurring"]["usage_type"] == "metered" else item.quantity

    def _metadata(self, contract: Contract) -> dict[str, str]:
        metadata = {
            "contract_number": contract.number,
            "term_ends_on": contract.ends_on.isoformat(),
            "term_starts_on": self._term_start(contract).isoformat(),
            "notice_days": str(contract.notice_days),
        }
        for entitlement in self._entitlements.get(contract.number, ()):
            if entitlement.limit is not None:
                metadata[f"limit.{entitlement.feature}"] = str(entitlement.limit)
        if not contract.auto_renew and contract.status is not ContractStatus.CANCELLED:
            metadata["non_renewal"] = "true"
        return metadata

    def _term_start(self, contract: Contract) -> dt.date:
        """The first day of the current term, whose length follows from its value: a renewed contract has one like its first."""
        cycle = Decimal(0)
        for item in contract.items:
            if self._prices[item.price].interval is contract.interval and item.quantity:
                cycle += item.quantity * item.unit_amount
        if not cycle:
            return contract.starts_on
        months = int(contract.total_value / cycle) * (12 if contract.interval is BillingInterval.ANNUAL else 1)
        after = contract.ends_on + _ONE_DAY
        year, month = divmod(after.year * 12 + after.month - 1 - months, 12)
        return max(contract.starts_on, dt.date(year, month + 1, after.day))

    def _collection(self, customer: StripeObject) -> dict[str, object]:
        if customer["invoice_settings"]["default_payment_method"] is None:
            return {"collection_method": "send_invoice", "days_until_due": 30}
        return {"collection_method": "charge_automatically"}

    def _state(self, contract: Contract, last: int) -> dict[str, object]:
        ends = midnight(contract.ends_on + _ONE_DAY)
        match contract.status:
            case ContractStatus.TRIAL:
                trial_end = midnight(contract.trial_ends_on or contract.ends_on)
                state: dict[str, object] = {
                    "status": "trialing",
                    "trial_start": midnight(contract.starts_on),
                    "trial_end": trial_end,
                }
            case ContractStatus.PAUSED:
                state = {"pause_collection": {"behavior": "void", "resumes_at": None}}
            case ContractStatus.CANCELLED | ContractStatus.EXPIRED:
                asked = midnight(contract.cancelled_on - 30 * _ONE_DAY) if contract.cancelled_on else last
                details = {"comment": None, "feedback": "other", "reason": "cancellation_requested"}
                return {"status": "canceled", "canceled_at": asked, "ended_at": last, "cancellation_details": details}
            case _:
                state = {}
        if not contract.auto_renew:
            details = {"comment": None, "feedback": None, "reason": "cancellation_requested"}
            state |= {"cancel_at": ends, "canceled_at": midnight(contract.starts_on), "cancellation_details": details}
        return state

    def _schedule(
        self,
        contract: Contract,
        customer: StripeObject,
        subscription: StripeObject,
        changes: Sequence[Amendment],
        now: int,
    ) -> StripeObject:
        """Return the phases before, between and after the amendments, walked backwards from the items of today."""
        currency = contract.currency.lower()
        quantities = {item["price"]["product"]: item.get("quantity") for item in subscription["items"]["data"]}
        end = midnight(contract.ends_on + _ONE_DAY)
        phases = []
        for change in sorted(changes, key=lambda change: change.effective_on, reverse=True):
            entries = [(item["price"], quantities[item["price"]["product"]]) for item in subscription["items"]["data"]]
            begin = midnight(change.effective_on)
            metadata = {"amendment_reference": change.reference, "reason": change.reason}
            phases.append(subscription_shapes.schedule_phase(begin, end, currency, entries, metadata))
            quantities[stable_id("prod", change.sku, 14)] = change.quantity_from
            end = begin
        entries = [(item["price"], quantities[item["price"]["product"]]) for item in subscription["items"]["data"]]
        phases.append(subscription_shapes.schedule_phase(midnight(contract.starts_on), end, currency, entries))
        return subscription_shapes.subscription_schedule(
            stable_id("sub_sched_1", contract.number, 23),
            customer["id"],
            subscription["id"],
            phases[::-1],
            midnight(contract.starts_on),
            now=now,
            end_behavior="release" if contract.auto_renew else "cancel",
        )


def _fill_usage(store: Store, company: Company, customers: Mapping[str, StripeObject]) -> None:
    noon = 43_200
    rows = [
        (
            usage.reference,
            usage.feature,
            customers[usage.customer]["id"],
            min(midnight(usage.recorded_on) + noon, midnight(company.today) + 60),
            str(usage.quantity),
        )
        for usage in company.usage
        if usage.customer in customers and usage.quantity
    ]
    seats = {product.feature for product in company.products if product.kind is ProductKind.SEAT}
    in_use: dict[tuple[str, str], int] = {}
    for entitlement in company.entitlements:
        if entitlement.feature in seats and entitlement.customer in customers and entitlement.used:
            key = (customers[entitlement.customer]["id"], entitlement.feature)
            in_use[key] = in_use.get(key, 0) + entitlement.used
    today = midnight(company.today)
    rows += [
        (f"{customer}:{feature}:in-use", feature, customer, today + 60, str(count))
        for (customer, feature), count in in_use.items()
    ]
    store.record_meter_events(rows)
