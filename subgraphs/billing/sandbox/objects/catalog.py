"""Products, prices, features and meters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subgraphs.billing.sandbox.store import StripeObject


def product(object_id: str, name: str, created: int, **given: Any) -> StripeObject:
    """https://docs.stripe.com/api/products/object"""
    return {
        "id": object_id,
        "object": "product",
        "active": True,
        "created": created,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": created,
        "url": None,
        **given,
    }


def price(
    object_id: str,
    product_id: str,
    currency: str,
    unit_amount: int | None,
    created: int,
    *,
    recurring: Mapping[str, Any] | None,
    **given: Any,
) -> StripeObject:
    """https://docs.stripe.com/api/prices/object; `unit_amount` in minor units."""
    return {
        "id": object_id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": created,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product_id,
        "recurring": None
        if recurring is None
        else {
            "interval": "month",
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
            **recurring,
        },
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": unit_amount,
        "unit_amount_decimal": None if unit_amount is None else str(unit_amount),
        **given,
    }


def plan(of_price: Mapping[str, Any]) -> StripeObject:
    """The older form of a recurring price, which subscription items still carry."""
    recurring = of_price["recurring"] or {}
    return {
        "id": of_price["id"],
        "object": "plan",
        "active": of_price["active"],
        "amount": of_price["unit_amount"],
        "amount_decimal": of_price["unit_amount_decimal"],
        "billing_scheme": of_price["billing_scheme"],
        "created": of_price["created"],
        "currency": of_price["currency"],
        "interval": recurring.get("interval"),
        "interval_count": recurring.get("interval_count"),
        "livemode": False,
        "metadata": of_price["metadata"],
        "meter": recurring.get("meter"),
        "nickname": of_price["nickname"],
        "product": of_price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": recurring.get("usage_type"),
    }


def feature(object_id: str, lookup_key: str, name: str, metadata: Mapping[str, str]) -> StripeObject:
    """https://docs.stripe.com/api/entitlements/feature/object"""
    return {
        "id": object_id,
        "object": "entitlements.feature",
        "active": True,
        "livemode": False,
        "lookup_key": lookup_key,
        "metadata": dict(metadata),
        "name": name,
    }


def product_feature(object_id: str, entitlement_feature: Mapping[str, Any]) -> StripeObject:
    """https://docs.stripe.com/api/product-feature/object"""
    return {
        "id": object_id,
        "object": "product_feature",
        "entitlement_feature": dict(entitlement_feature),
        "livemode": False,
    }


def active_entitlement(object_id: str, of_feature: Mapping[str, Any]) -> StripeObject:
    """https://docs.stripe.com/api/entitlements/active-entitlement/object"""
    return {
        "id": object_id,
        "object": "entitlements.active_entitlement",
        "feature": of_feature["id"],
        "livemode": False,
        "lookup_key": of_feature["lookup_key"],
    }


def meter(object_id: str, event_name: str, display_name: str, created: int, formula: str = "sum") -> StripeObject:
    """https://docs.stripe.com/api/billing/meter/object"""
    return {
        "id": object_id,
        "object": "billing.meter",
        "created": created,
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "default_aggregation": {"formula": formula},
        "display_name": display_name,
        "event_name": event_name,
        "event_time_window": None,
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": created,
        "value_settings": {"event_payload_key": "value"},
    }
