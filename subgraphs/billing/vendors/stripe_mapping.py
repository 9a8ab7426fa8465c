"""Stripe's objects → neutral records. Everything Concord reads out of Stripe, and the metadata keys it relies on, is here.

A contract is a subscription (or, before it starts, a subscription schedule) with these metadata:

    contract_number   CON-2025-0001; without it the subscription's id is the number
    term_starts_on, term_ends_on   the agreed term, 2026-02-28; Stripe itself only knows billing cycles
    notice_days       days of notice before the term ends
    non_renewal       "true": the end that `cancel_at` sets was agreed as not renewing, not asked for as a cancellation
    limit.<feature>   agreed limit of a feature; absent: without limit
    granted_feature   an agreement that only grants this feature

Customers carry `customer_reference`, `tax_id` and `parent_customer` (`cus_…`, where they belong to another), products `sku`, list prices `price_reference`, invoices `invoice_number`,
invoice lines `billed_line_ref` and `product` (where they have no price), schedule phases `amendment_reference` and `reason`, features `meter`.

What Stripe has and this file does not know is reported (`stripe_drift`): a status without a word of ours is UNKNOWN, an
interval without one is none, and a field that is gone is empty.

Objects of API versions before 2025-03-31 are understood too: cycles on the subscription, plans in place of prices,
`invoice.subscription`.
"""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

import orjson

from subgraphs.billing.records import (
    BilledLine,
    BillingCustomer,
    BillingDocument,
    BillingInterval,
    Cancellation,
    CancellationReason,
    Contract,
    ContractItem,
    ContractStatus,
    DocumentStatus,
    Feature,
    PaymentMethod,
    PaymentMethodKind,
    Price,
    Product,
    UsageKind,
)
from subgraphs.billing.vendors.stripe_agreed import agreed_limits, agreed_term, whole_number
from subgraphs.billing.vendors.stripe_wire import day, instant, major_amount
from subgraphs.kit.system_error import VendorBadResponseError

StripeDoc: TypeAlias = Mapping[str, Any]

VERSION = 2
"""Of this mapping: raised when what an object becomes changes, which the golden file shows."""
API_VERSION = "2025-09-30.clover"
"""What it was written for, and what is asked for in every request."""

STATUS = {
    "incomplete": ContractStatus.DRAFT,
    "incomplete_expired": ContractStatus.CANCELLED,
    "trialing": ContractStatus.TRIAL,
    "active": ContractStatus.ACTIVE,
    "past_due": ContractStatus.ACTIVE,
    "unpaid": ContractStatus.ACTIVE,
    "paused": ContractStatus.PAUSED,
    "canceled": ContractStatus.CANCELLED,
}
DOCUMENT_STATUS = {
    "draft": DocumentStatus.DRAFT,
    "open": DocumentStatus.OPEN,
    "paid": DocumentStatus.PAID,
    "uncollectible": DocumentStatus.UNCOLLECTIBLE,
    "void": DocumentStatus.VOID,
}
INTERVAL = {interval.value.lower(): interval for interval in BillingInterval}
PAYMENT_METHOD = {"card": PaymentMethodKind.CARD, "sepa_debit": PaymentMethodKind.SEPA_DEBIT}
_BROKEN = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, OverflowError)
_P = ParamSpec("_P")
_RecordT = TypeVar("_RecordT")


def _readable(parse: Callable[_P, _RecordT]) -> Callable[_P, _RecordT]:
    """Raise VendorBadResponseError for an object that lacks what a record can't be without."""

    @wraps(parse)
    def read(*args: _P.args, **kwargs: _P.kwargs) -> _RecordT:
        try:
            return parse(*args, **kwargs)
        except _BROKEN as error:
            raise VendorBadResponseError(
                "An object of the billing system lacks what it needs to be read.", system="billing"
            ) from error

    return read


@_readable
def customer_record(doc: StripeDoc) -> BillingCustomer:
    """Return a customer, its default payment method if that was expanded."""
    metadata, address = doc.get("metadata") or {}, doc.get("address") or {}
    method = (doc.get("invoice_settings") or {}).get("default_payment_method")
    return BillingCustomer(
        id=doc["id"],
        reference=metadata.get("customer_reference"),
        name=doc.get("name"),
        email=doc.get("email"),
        city=address.get("city"),
        country=address.get("country"),
        currency=doc["currency"].upper() if doc.get("currency") else None,
        tax_id=metadata.get("tax_id"),
        parent_id=metadata.get("parent_customer"),
        created_at=instant(doc["created"]),
        payment_method=payment_method_record(method) if isinstance(method, Mapping) else None,
    )


def payment_method_record(doc: StripeDoc) -> PaymentMethod:
    """Return how a customer pays."""
    kind = doc["type"]
    details = doc.get(kind) or {}
    expires = None
    if details.get("exp_year"):
        year, month = details["exp_year"], details["exp_month"]
        expires = dt.date(year, month, calendar.monthrange(year, month)[1])
    return PaymentMethod(
        id=doc["id"],
        kind=PAYMENT_METHOD.get(kind, PaymentMethodKind.OTHER),
        brand=details.get("brand") or details.get("bank_code"),
        last4=details.get("last4"),
        expires_on=expires,
    )


@_readable
def product_record(doc: StripeDoc, feature_keys: Iterable[str]) -> Product:
    """Return a product; without a `sku` its id is the SKU."""
    return Product(
        id=doc["id"],
        sku=(doc.get("metadata") or {}).get("sku") or doc["id"],
        name=doc["name"],
        is_active=doc.get("active", True),
        features=tuple(feature_keys),
    )


@_readable
def price_record(doc: StripeDoc) -> Price:
    """Return a price, or the plan that older versions have in its place."""
    recurring = doc.get("recurring") or (doc if doc.get("object") == "plan" else {})
    exact = doc.get("unit_amount_decimal") or doc.get("unit_amount")
    if doc.get("object") == "plan":
        exact = doc.get("amount")
    interval = recurring.get("interval")
    metered = recurring.get("usage_type") == "metered"
    return Price(
        id=doc["id"],
        product=doc["product"],
        reference=(doc.get("metadata") or {}).get("price_reference"),
        currency=doc["currency"].upper(),
        unit_amount=None if exact is None else major_amount(exact, doc["currency"]),
        interval=INTERVAL.get(interval) if interval else None,
        interval_count=recurring.get("interval_count") or 1,
        usage=UsageKind.METERED if metered else UsageKind.LICENSED,
        is_active=doc.get("active", True),
    )


@_readable
def feature_record(doc: StripeDoc) -> Feature:
    """Return a feature."""
    meter = (doc.get("metadata") or {}).get("meter")
    return Feature(id=doc["id"], key=doc["lookup_key"], name=doc["name"], meter=meter)


def is_contract_schedule(doc: StripeDoc) -> bool:
    """Whether a schedule stands for a contract that has not started."""
    return doc["status"] == "not_started" and doc.get("subscription") is None


@_readable
def contract_record(doc: StripeDoc, today: dt.date) -> Contract:
    """Return the contract of a subscription, its term rolled on to `today` where it renews by itself."""
    metadata = doc.get("metadata") or {}
    items = tuple(_item(item) for item in doc["items"]["data"])
    starts_on = day(doc.get("start_date") or doc["created"])
    ends_at = _end_at(doc)
    auto_renews = ends_at is None and doc.get("status") != "canceled"
    status = STATUS.get(str(doc.get("status")), ContractStatus.UNKNOWN)
    if doc.get("pause_collection") and status is ContractStatus.ACTIVE:
        status = ContractStatus.PAUSED
    term_starts_on, ends_on = agreed_term(metadata, starts_on, today if auto_renews else None)
    ended_on = day(doc["ended_at"]) if doc.get("ended_at") else None
    if status is ContractStatus.CANCELLED and ended_on and ends_on and ended_on > ends_on:
        status = ContractStatus.EXPIRED
    resumes_at = (doc.get("pause_collection") or {}).get("resumes_at")
    asked_for = ends_at is not None and metadata.get("non_renewal") != "true" and doc.get("status") != "canceled"
    details = doc.get("cancellation_details") or {}
    return Contract(
        id=doc["id"],
        number=metadata.get("contract_number") or doc["id"],
        customer=_id(doc["customer"]),
        status=status,
        currency=(doc.get("currency") or doc["items"]["data"][0]["plan"]["currency"]).upper(),
        starts_on=starts_on,
        term_starts_on=term_starts_on,
        ends_on=ends_on,
        auto_renews=auto_renews,
        notice_days=whole_number(metadata.get("notice_days")),
        trial_ends_on=day(doc["trial_end"]) if doc.get("trial_end") else None,
        cancellation=Cancellation(
            effective_on=day(ends_at),
            reason=_reason(details.get("feedback")),
            comment=details.get("comment"),
        )
        if asked_for and ends_at is not None
        else None,
        resumes_on=day(resumes_at) if resumes_at else None,
        period=_cycle(doc),
        items=items,
        limits=agreed_limits(metadata),
        granted_feature=metadata.get("granted_feature"),
        schedule=doc["schedule"] if isinstance(doc.get("schedule"), str) else None,
        created_at=instant(doc["created"]),
        ended_on=ended_on,
        version=subscription_version(doc),
    )


@_readable
def draft_contract_record(doc: StripeDoc, prices: Mapping[str, StripeDoc]) -> Contract:
    """Return the contract that a schedule will start; its prices come by id."""
    metadata = doc.get("metadata") or {}
    phase = doc["phases"][0]
    starts_on = day(phase["start_date"])
    term_starts_on, ends_on = agreed_term(metadata, starts_on, None)
    return Contract(
        id=doc["id"],
        number=metadata.get("contract_number") or doc["id"],
        customer=_id(doc["customer"]),
        status=ContractStatus.DRAFT,
        currency=phase["currency"].upper(),
        starts_on=starts_on,
        term_starts_on=term_starts_on,
        ends_on=ends_on,
        auto_renews=doc["end_behavior"] == "release",
        notice_days=whole_number(metadata.get("notice_days")),
        trial_ends_on=None,
        cancellation=None,
        resumes_on=None,
        period=(instant(phase["start_date"]), instant(phase["end_date"])),
        items=tuple(
            ContractItem(
                id=f"{doc['id']}.{place}",
                price=price_record(prices[_id(item["price"])]),
                quantity=item.get("quantity"),
            )
            for place, item in enumerate(phase["items"])
            if _id(item["price"]) in prices
        ),
        limits=agreed_limits(metadata),
        granted_feature=None,
        schedule=doc["id"],
        created_at=instant(doc["created"]),
        ended_on=None,
        version=_digest((doc["status"], doc["end_behavior"], doc["phases"], metadata)),
    )


@_readable
def document_record(doc: StripeDoc) -> BillingDocument:
    """Return billing's copy of an invoice with its lines."""
    metadata, currency = doc.get("metadata") or {}, doc["currency"]
    parent = (doc.get("parent") or {}).get("subscription_details") or {}
    taxes = doc.get("total_taxes")
    tax = sum(entry["amount"] for entry in taxes) if taxes is not None else doc.get("tax") or 0
    subscription = parent.get("subscription") or doc.get("subscription")
    number = metadata.get("invoice_number")
    return BillingDocument(
        id=doc["id"],
        number=number,
        customer=_id(doc["customer"]),
        contract=_id(subscription) if subscription else None,
        status=DOCUMENT_STATUS.get(str(doc.get("status")), DocumentStatus.UNKNOWN),
        currency=currency.upper(),
        subtotal=major_amount(doc["subtotal"], currency),
        tax=major_amount(tax, currency),
        total=major_amount(doc["total"], currency),
        amount_due=major_amount(doc.get("amount_remaining", doc["amount_due"]), currency),
        issued_at=instant(doc.get("effective_at") or doc["created"]),
        due_on=day(doc["due_date"]) if doc.get("due_date") else None,
        lines=tuple(_line(line, doc, number) for line in doc["lines"]["data"]),
    )


def line_ref(line: StripeDoc) -> str:
    """Return the key a billed line is known by: its business reference, else Stripe's id."""
    return str((line.get("metadata") or {}).get("billed_line_ref") or line["id"])


def subscription_version(doc: StripeDoc) -> str:
    """Return a digest of what an update could collide with; a turn of the billing cycle is no change."""
    items = [
        (item["id"], (item.get("price") or item["plan"])["id"], item.get("quantity")) for item in doc["items"]["data"]
    ]
    return _digest(
        (doc.get("status"), doc.get("pause_collection"), _end_at(doc), items, doc.get("trial_end"), doc.get("metadata"))
    )


def quantities(items: Iterable[StripeDoc]) -> dict[tuple[str, str], int]:
    """Return (product, price) → quantity of subscription items, to compare two states."""
    found: dict[tuple[str, str], int] = {}
    for item in items:
        price = item.get("price") or item["plan"]
        key = (_id(price["product"]), price["id"])
        found[key] = found.get(key, 0) + (item.get("quantity") or 0)
    return found


def _item(doc: StripeDoc) -> ContractItem:
    return ContractItem(id=doc["id"], price=price_record(doc.get("price") or doc["plan"]), quantity=doc.get("quantity"))


def _line(line: StripeDoc, document: StripeDoc, number: str | None) -> BilledLine:
    product = ((line.get("pricing") or {}).get("price_details") or {}).get("product")
    product = product or (line.get("price") or line.get("plan") or {}).get("product")
    product = product or (line.get("metadata") or {}).get("product")
    parent = line.get("parent") or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    contract = details.get("subscription") or line.get("subscription")
    starts_on, period_end = day(line["period"]["start"]), instant(line["period"]["end"])
    # Stripe's period ends where the next begins; a period of an instant is that one day.
    return BilledLine(
        ref=line_ref(line),
        description=line.get("description") or "",
        quantity=line.get("quantity"),
        amount=major_amount(line["amount"], line["currency"]),
        currency=line["currency"].upper(),
        starts_on=starts_on,
        ends_on=max(starts_on, (period_end - dt.timedelta(seconds=1)).date()),
        product=_id(product) if product else None,
        contract=_id(contract) if contract else None,
        document=document["id"],
        invoice_number=number,
    )


def _end_at(doc: StripeDoc) -> int | None:
    if doc.get("cancel_at"):
        return int(doc["cancel_at"])
    return int(_cycle(doc)[1].timestamp()) if doc.get("cancel_at_period_end") else None


def _cycle(doc: StripeDoc) -> tuple[dt.datetime, dt.datetime]:
    holders = [item for item in doc["items"]["data"] if item.get("current_period_end")] or [doc]
    longest = max(holders, key=lambda holder: int(holder["current_period_end"]))
    return instant(longest["current_period_start"]), instant(longest["current_period_end"])


def _reason(feedback: str | None) -> CancellationReason | None:
    if feedback is None:
        return None
    known = {reason.value.lower(): reason for reason in CancellationReason}
    return known.get(feedback, CancellationReason.OTHER)


def _id(value: Any) -> str:
    return str(value["id"] if isinstance(value, Mapping) else value)


def _digest(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
