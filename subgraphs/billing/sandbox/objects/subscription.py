"""Subscriptions, their items and schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from subgraphs.billing.sandbox.objects.catalog import plan
from subgraphs.billing.sandbox.store import StripeObject


def subscription_item(
    object_id: str,
    subscription_id: str,
    price: Mapping[str, Any],
    quantity: int | None,
    created: int,
    *,
    period: tuple[int, int],
    metadata: Mapping[str, str] | None = None,
) -> StripeObject:
    """https://docs.stripe.com/api/subscription_items/object; metered items have no quantity."""
    item: StripeObject = {
        "id": object_id,
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": created,
        "current_period_end": period[1],
        "current_period_start": period[0],
        "discounts": [],
        "metadata": dict(metadata or {}),
        "plan": plan(price),
        "price": dict(price),
        "quantity": quantity,
        "subscription": subscription_id,
        "tax_rates": [],
    }
    if quantity is None:
        del item["quantity"]
    return item


def subscription(
    object_id: str,
    customer_id: str,
    currency: str,
    items: Sequence[StripeObject],
    created: int,
    *,
    start: int,
    **given: Any,
) -> StripeObject:
    """https://docs.stripe.com/api/subscriptions/object"""
    return {
        "id": object_id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": start,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"type": "classic"},
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "customer": customer_id,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {
            "object": "list",
            "data": list(items),
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={object_id}",
        },
        "latest_invoice": None,
        "livemode": False,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": start,
        "status": "active",
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
        **given,
    }


def schedule_phase(
    start: int,
    end: int,
    currency: str,
    items: Sequence[tuple[Mapping[str, Any], int | None]],
    metadata: Mapping[str, str] | None = None,
) -> StripeObject:
    """One phase of a schedule: from `start` until `end`, these (price, quantity) pairs."""
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "billing_cycle_anchor": None,
        "billing_thresholds": None,
        "collection_method": None,
        "currency": currency,
        "default_payment_method": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": [
            {
                "billing_thresholds": None,
                "discounts": [],
                "metadata": {},
                "plan": price["id"],
                "price": price["id"],
                **({} if quantity is None else {"quantity": quantity}),
                "tax_rates": [],
            }
            for price, quantity in items
        ],
        "metadata": dict(metadata or {}),
        "on_behalf_of": None,
        "proration_behavior": "create_prorations",
        "start_date": start,
        "transfer_data": None,
        "trial_end": None,
    }


def subscription_schedule(
    object_id: str,
    customer_id: str,
    subscription_id: str | None,
    phases: Sequence[StripeObject],
    created: int,
    *,
    now: int,
    **given: Any,
) -> StripeObject:
    """https://docs.stripe.com/api/subscription_schedules/object"""
    current = next((phase for phase in phases if phase["start_date"] <= now < phase["end_date"]), None)
    return {
        "id": object_id,
        "object": "subscription_schedule",
        "application": None,
        "billing_mode": {"type": "classic"},
        "canceled_at": None,
        "completed_at": None,
        "created": created,
        "current_phase": None
        if current is None
        else {"end_date": current["end_date"], "start_date": current["start_date"]},
        "customer": customer_id,
        "default_settings": {
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
            "on_behalf_of": None,
            "transfer_data": None,
        },
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "phases": list(phases),
        "released_at": None,
        "released_subscription": None,
        "status": "not_started" if current is None and phases and phases[0]["start_date"] > now else "active",
        "subscription": subscription_id,
        "test_clock": None,
        **given,
    }
