"""Customers, payment methods and webhook endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subgraphs.billing.sandbox.store import StripeObject

NO_ADDRESS: Mapping[str, None] = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def customer(object_id: str, created: int, **given: Any) -> StripeObject:
    """https://docs.stripe.com/api/customers/object"""
    return {
        "id": object_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": object_id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        **given,
    }


def payment_method(
    object_id: str,
    created: int,
    *,
    kind: str,
    details: Mapping[str, Any],
    customer_id: str | None = None,
    name: str | None = None,
    email: str | None = None,
) -> StripeObject:
    """https://docs.stripe.com/api/payment_methods/object; `kind` is card or sepa_debit."""
    return {
        "id": object_id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict(NO_ADDRESS),
            "email": email,
            "name": name,
            "phone": None,
            "tax_id": None,
        },
        kind: dict(details),
        "created": created,
        "customer": customer_id,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }


def card(brand: str, last4: str, exp_month: int, exp_year: int, country: str = "US") -> StripeObject:
    """The `card` member of a card payment method."""
    return {
        "brand": brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": country,
        "display_brand": brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": f"{brand[:4]}{last4}{exp_month:02d}{exp_year}",
        "funding": "credit",
        "generated_from": None,
        "last4": last4,
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def sepa_debit(bank_code: str, country: str, last4: str) -> StripeObject:
    """The `sepa_debit` member of a direct-debit payment method."""
    return {
        "bank_code": bank_code,
        "branch_code": "",
        "country": country,
        "fingerprint": f"{bank_code}{last4}",
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": last4,
    }


def webhook_endpoint(object_id: str, url: str, enabled_events: list[str], created: int) -> StripeObject:
    """https://docs.stripe.com/api/webhook_endpoints/object; the secret is shown once, on creation."""
    return {
        "id": object_id,
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": created,
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }
