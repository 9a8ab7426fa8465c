"""Stripe's documents in our own SQLite file, found by the keys queries need; the reading side of the adaptor."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from subgraphs.billing.vendors.stripe_mapping import StripeDoc, is_contract_schedule, line_ref
from subgraphs.billing.vendors.stripe_wire import day
from subgraphs.kit.projection import Projection


def _customer(doc: Mapping[str, Any]) -> list[str]:
    customer = doc.get("customer")
    found = customer.get("id") if isinstance(customer, Mapping) else customer
    return [found] if isinstance(found, str) else []


def _number(doc: Mapping[str, Any]) -> list[str]:
    return [(doc.get("metadata") or {}).get("contract_number") or doc["id"]]


def _metadata(name: str) -> Any:
    return lambda doc: [value] if (value := (doc.get("metadata") or {}).get(name)) else []


def _contract_of_invoice(doc: Mapping[str, Any]) -> list[str]:
    details = (doc.get("parent") or {}).get("subscription_details") or {}
    subscription = details.get("subscription") or doc.get("subscription")
    return [subscription] if isinstance(subscription, str) else []


CUSTOMERS = Projection("stripe_customers", {"reference": _metadata("customer_reference")})
PRODUCTS = Projection("stripe_products")
PRICES = Projection(
    "stripe_prices", {"product": lambda doc: [doc["product"]] if isinstance(doc.get("product"), str) else []}
)
FEATURES = Projection("stripe_features")
ATTACHMENTS = Projection("stripe_attachments")
"""Product id → {"features": [lookup key, …]}."""
METERS = Projection("stripe_meters")
SUBSCRIPTIONS = Projection("stripe_subscriptions", {"customer": _customer, "number": _number})
SCHEDULES = Projection(
    "stripe_schedules",
    {
        "draft_customer": lambda doc: _customer(doc) if is_contract_schedule(doc) else [],
        "draft_number": lambda doc: _number(doc) if is_contract_schedule(doc) else [],
    },
)
INVOICES = Projection(
    "stripe_invoices",
    {
        "customer": _customer,
        "number": _metadata("invoice_number"),
        "contract": _contract_of_invoice,
        "line": lambda doc: [line_ref(line) for line in (doc.get("lines") or {}).get("data") or ()],
    },
)
ENTITLEMENTS = Projection("stripe_entitlements")
"""Customer id → {"keys": [lookup key, …]} of the active ones."""
USAGE = Projection("stripe_usage", {"customer": lambda row: [row["customer"]]})
"""`customer|meter` → {"customer", "meter", "formula", "days": {"2026-11-05": "120"}, "readAt"}."""
AMENDMENTS = Projection("stripe_amendments", {"contract": lambda row: [row["contract"]]})
"""Changes of items seen happening, which Stripe itself forgets after 30 days."""

TABLES = (
    CUSTOMERS,
    PRODUCTS,
    PRICES,
    FEATURES,
    ATTACHMENTS,
    METERS,
    SUBSCRIPTIONS,
    SCHEDULES,
    INVOICES,
    ENTITLEMENTS,
    USAGE,
    AMENDMENTS,
)
SCHEMAS = tuple(table.schema for table in TABLES)

_BY_OBJECT = {
    "customer": CUSTOMERS,
    "product": PRODUCTS,
    "price": PRICES,
    "plan": PRICES,
    "entitlements.feature": FEATURES,
    "billing.meter": METERS,
    "subscription": SUBSCRIPTIONS,
    "subscription_schedule": SCHEDULES,
    "invoice": INVOICES,
}


def table_of(doc: StripeDoc) -> Projection | None:
    """Return the table an object is kept in, or None for kinds that are not."""
    return _BY_OBJECT.get(str(doc.get("object")))


def put_docs(connection: sqlite3.Connection, docs: Iterable[StripeDoc], *, read_at_ms: int) -> None:
    """Store objects as they were when asked for at `read_at_ms`; an older answer does not replace a newer one."""
    for doc in docs:
        table = table_of(doc)
        if table is not None:
            table.put(connection, doc["id"], doc, version=read_at_ms)


def replace_all(
    connection: sqlite3.Connection, table: Projection, docs: Mapping[str, Mapping[str, Any]], *, read_at_ms: int
) -> None:
    """Make a table hold what a complete list held at `read_at_ms`; what is newer here stays."""
    for doc_id, doc in docs.items():
        table.put(connection, doc_id, doc, version=read_at_ms)
    gone = [row[0] for row in connection.execute(f"select id from {table.name}") if row[0] not in docs]  # noqa: S608 - our own names
    for doc_id in gone:
        table.remove(connection, doc_id, version=read_at_ms)


def days_of(summaries: Sequence[StripeDoc]) -> dict[str, str]:
    """Return UTC day → use, from Stripe's daily sums."""
    return {day(entry["start_time"]).isoformat(): str(entry["aggregated_value"]) for entry in summaries}
