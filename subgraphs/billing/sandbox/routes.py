"""Which function answers which URL of Stripe's API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subgraphs.billing.sandbox.resources import (
    catalog,
    credit_notes,
    customers,
    entitlements,
    events,
    invoices,
    meters,
    preview,
    schedules,
    subscriptions,
)

Endpoint = Callable[..., dict[str, Any]]
"""(account, parameters, *ids of the path) → the answer's body."""

_TABLE: Sequence[tuple[str, str, Endpoint]] = (
    ("POST", "/v1/customers", customers.create),
    ("GET", "/v1/customers", customers.list_all),
    ("GET", "/v1/customers/search", customers.search_all),
    ("GET", "/v1/customers/:id", customers.retrieve),
    ("POST", "/v1/customers/:id/balance_transactions", customers.create_balance_transaction),
    ("GET", "/v1/customers/:id/balance_transactions", customers.list_balance_transactions),
    ("POST", "/v1/customers/:id", customers.update),
    ("DELETE", "/v1/customers/:id", customers.delete),
    ("GET", "/v1/customers/:id/payment_methods", customers.list_of_customer),
    ("POST", "/v1/payment_methods", customers.create_payment_method),
    ("GET", "/v1/payment_methods", customers.list_payment_methods),
    ("GET", "/v1/payment_methods/:id", customers.retrieve_payment_method),
    ("POST", "/v1/payment_methods/:id/attach", customers.attach),
    ("POST", "/v1/payment_methods/:id/detach", customers.detach),
    ("POST", "/v1/products", catalog.create_product),
    ("GET", "/v1/products", catalog.list_products),
    ("GET", "/v1/products/search", catalog.search_products),
    ("GET", "/v1/products/:id", catalog.retrieve_product),
    ("POST", "/v1/products/:id", catalog.update_product),
    ("GET", "/v1/products/:id/features", catalog.list_product_features),
    ("POST", "/v1/products/:id/features", catalog.attach_feature),
    ("DELETE", "/v1/products/:id/features/:id", catalog.detach_feature),
    ("POST", "/v1/prices", catalog.create_price),
    ("GET", "/v1/prices", catalog.list_prices),
    ("GET", "/v1/prices/search", catalog.search_prices),
    ("GET", "/v1/prices/:id", catalog.retrieve_price),
    ("POST", "/v1/prices/:id", catalog.update_price),
    ("POST", "/v1/subscriptions", subscriptions.create),
    ("GET", "/v1/subscriptions", subscriptions.list_all),
    ("GET", "/v1/subscriptions/search", subscriptions.search_all),
    ("GET", "/v1/subscriptions/:id", subscriptions.retrieve),
    ("POST", "/v1/subscriptions/:id", subscriptions.update),
    ("DELETE", "/v1/subscriptions/:id", subscriptions.cancel),
    ("GET", "/v1/subscription_items", subscriptions.list_items),
    ("POST", "/v1/subscription_schedules", schedules.create),
    ("GET", "/v1/subscription_schedules", schedules.list_all),
    ("GET", "/v1/subscription_schedules/:id", schedules.retrieve),
    ("POST", "/v1/subscription_schedules/:id", schedules.update),
    ("POST", "/v1/subscription_schedules/:id/cancel", schedules.cancel),
    ("POST", "/v1/subscription_schedules/:id/release", schedules.release),
    ("POST", "/v1/invoices/create_preview", preview.create),
    ("POST", "/v1/invoices", invoices.create),
    ("GET", "/v1/invoices", invoices.list_all),
    ("GET", "/v1/invoices/search", invoices.search_all),
    ("GET", "/v1/invoices/:id", invoices.retrieve),
    ("POST", "/v1/invoices/:id", invoices.update),
    ("GET", "/v1/invoices/:id/lines", invoices.list_lines),
    ("POST", "/v1/invoices/:id/finalize", invoices.finalize),
    ("POST", "/v1/invoices/:id/pay", invoices.pay),
    ("POST", "/v1/invoices/:id/void", invoices.void),
    ("POST", "/v1/invoices/:id/mark_uncollectible", invoices.mark_uncollectible),
    ("POST", "/v1/invoiceitems", invoices.create_item),
    ("GET", "/v1/invoiceitems", invoices.list_items),
    ("GET", "/v1/invoiceitems/:id", invoices.retrieve_item),
    ("DELETE", "/v1/invoiceitems/:id", invoices.delete_item),
    ("POST", "/v1/credit_notes", credit_notes.create),
    ("GET", "/v1/credit_notes", credit_notes.list_all),
    ("GET", "/v1/credit_notes/:id", credit_notes.retrieve),
    ("POST", "/v1/credit_notes/:id/void", credit_notes.void),
    ("POST", "/v1/entitlements/features", entitlements.create_feature),
    ("GET", "/v1/entitlements/features", entitlements.list_features),
    ("GET", "/v1/entitlements/features/:id", entitlements.retrieve_feature),
    ("POST", "/v1/entitlements/features/:id", entitlements.update_feature),
    ("GET", "/v1/entitlements/active_entitlements", entitlements.list_active),
    ("GET", "/v1/entitlements/active_entitlements/:id", entitlements.retrieve_active),
    ("POST", "/v1/billing/meters", meters.create_meter),
    ("GET", "/v1/billing/meters", meters.list_meters),
    ("GET", "/v1/billing/meters/:id", meters.retrieve_meter),
    ("POST", "/v1/billing/meters/:id", meters.update_meter),
    ("GET", "/v1/billing/meters/:id/event_summaries", meters.event_summaries),
    ("POST", "/v1/billing/meter_events", meters.create_meter_event),
    ("GET", "/v1/events", events.list_all),
    ("GET", "/v1/events/:id", events.retrieve),
    ("GET", "/v1/webhook_endpoints", events.list_endpoints),
    ("GET", "/v1/webhook_endpoints/:id", events.retrieve_endpoint),
)


@dataclass(frozen=True, slots=True)
class Match:
    """A route found: its function and the ids of the path."""

    endpoint: Endpoint
    ids: tuple[str, ...]


_FIXED: Mapping[tuple[str, str], Endpoint] = {(m, path): f for m, path, f in _TABLE if ":id" not in path}
_PATTERNS: Sequence[tuple[str, re.Pattern[str], Endpoint]] = tuple(
    (method, re.compile(path.replace(":id", "([^/]+)")), endpoint) for method, path, endpoint in _TABLE if ":id" in path
)


def match(method: str, path: str) -> Match | None:
    """Return what answers this method and path, or None."""
    fixed = _FIXED.get((method, path))
    if fixed is not None:
        return Match(fixed, ())
    for wanted, pattern, endpoint in _PATTERNS:
        found = pattern.fullmatch(path) if wanted == method else None
        if found is not None:
            return Match(endpoint, found.groups())
    return None
