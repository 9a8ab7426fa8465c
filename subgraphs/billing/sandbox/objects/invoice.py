"""Invoices, their lines, invoice items and credit notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from subgraphs.billing.sandbox.store import StripeObject


def line_item(
    object_id: str,
    invoice_id: str,
    amount: int,
    currency: str,
    description: str,
    period: tuple[int, int],
    *,
    quantity: int | None = 1,
    price: Mapping[str, Any] | None = None,
    subscription: str | None = None,
    subscription_item: str | None = None,
    invoice_item: str | None = None,
    proration: bool = False,
    tax: int = 0,
    metadata: Mapping[str, str] | None = None,
) -> StripeObject:
    """https://docs.stripe.com/api/invoice-line-item/object; amounts in minor units, before tax."""
    origin: StripeObject | None = None
    no_credit = {"credited_items": None}
    if subscription_item is not None:
        origin = {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": invoice_item,
                "proration": proration,
                "proration_details": no_credit,
                "subscription": subscription,
                "subscription_item": subscription_item,
            },
        }
    elif invoice_item is not None:
        origin = {
            "type": "invoice_item_details",
            "invoice_item_details": {
                "invoice_item": invoice_item,
                "proration": proration,
                "proration_details": no_credit,
                "subscription": subscription,
            },
            "subscription_item_details": None,
        }
    return {
        "id": object_id,
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": dict(metadata or {}),
        "parent": origin,
        "period": {"end": period[1], "start": period[0]},
        "pretax_credit_amounts": [],
        "pricing": None
        if price is None
        else {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": quantity,
        "subtotal": amount,
        "taxes": []
        if not tax
        else [
            {
                "amount": tax,
                "tax_behavior": "exclusive",
                "tax_rate_details": None,
                "taxability_reason": "standard_rated",
                "taxable_amount": amount,
                "type": "tax_rate_details",
            }
        ],
    }


def invoice(
    object_id: str,
    customer: Mapping[str, Any],
    currency: str,
    lines: Sequence[StripeObject],
    created: int,
    *,
    subscription: Mapping[str, Any] | None = None,
    period: tuple[int, int] | None = None,
    **given: Any,
) -> StripeObject:
    """https://docs.stripe.com/api/invoices/object, as a draft; totals follow from the lines."""
    subtotal = sum(line["amount"] for line in lines)
    tax = sum(entry["amount"] for line in lines for entry in line["taxes"])
    total = subtotal + tax
    due = max(total, 0)
    body: StripeObject = {
        "id": object_id,
        "object": "invoice",
        "account_country": "DE",
        "account_name": "Concord Sandbox",
        "account_tax_ids": None,
        "amount_due": due,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": due,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual" if subscription is None else "subscription_cycle",
        "collection_method": "charge_automatically" if subscription is None else subscription["collection_method"],
        "created": created,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": {
            "object": "list",
            "data": list(lines),
            "has_more": False,
            "total_count": len(lines),
            "url": f"/v1/invoices/{object_id}/lines",
        },
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None
        if subscription is None
        else {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
        },
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": period[1] if period else created,
        "period_start": period[0] if period else created,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "test_clock": None,
        "total": total,
        "total_discount_amounts": [],
        "total_excluding_tax": subtotal,
        "total_pretax_credit_amounts": [],
        "total_taxes": [entry for line in lines for entry in line["taxes"]],
        "webhooks_delivered_at": None,
        **given,
    }
    return body


def invoice_item(
    object_id: str,
    customer_id: str,
    amount: int,
    currency: str,
    description: str | None,
    created: int,
    *,
    period: tuple[int, int] | None = None,
    quantity: int = 1,
    price: Mapping[str, Any] | None = None,
    subscription: str | None = None,
    proration: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> StripeObject:
    """https://docs.stripe.com/api/invoiceitems/object"""
    return {
        "id": object_id,
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": customer_id,
        "date": created,
        "description": description,
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": dict(metadata or {}),
        "net_amount": amount,
        "parent": None
        if subscription is None
        else {
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription, "subscription_item": None},
        },
        "period": {"end": period[1] if period else created, "start": period[0] if period else created},
        "pricing": None
        if price is None
        else {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "proration": proration,
        "quantity": quantity,
        "tax_rates": [],
        "test_clock": None,
    }


def credit_note(
    object_id: str,
    of_invoice: Mapping[str, Any],
    amount: int,
    number: str,
    created: int,
    *,
    reason: str | None,
    memo: str | None,
    line: tuple[str, str],
    metadata: Mapping[str, str] | None = None,
) -> StripeObject:
    """https://docs.stripe.com/api/credit_notes/object; `line` is (line id, description)."""
    paid = of_invoice["status"] == "paid"
    return {
        "id": object_id,
        "object": "credit_note",
        "amount": amount,
        "amount_shipping": 0,
        "created": created,
        "currency": of_invoice["currency"],
        "customer": of_invoice["customer"],
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": created,
        "invoice": of_invoice["id"],
        "lines": {
            "object": "list",
            "data": [
                {
                    "id": line[0],
                    "object": "credit_note_line_item",
                    "amount": amount,
                    "description": line[1],
                    "discount_amount": 0,
                    "discount_amounts": [],
                    "invoice_line_item": None,
                    "livemode": False,
                    "metadata": None,
                    "pretax_credit_amounts": [],
                    "quantity": 1,
                    "tax_rates": [],
                    "taxes": [],
                    "type": "custom_line_item",
                    "unit_amount": amount,
                    "unit_amount_decimal": str(amount),
                }
            ],
            "has_more": False,
            "url": f"/v1/credit_notes/{object_id}/lines",
        },
        "livemode": False,
        "memo": memo,
        "metadata": dict(metadata or {}),
        "number": number,
        "out_of_band_amount": None,
        "pdf": f"https://pay.stripe.com/credit_notes/{object_id}/pdf",
        "post_payment_amount": amount if paid else 0,
        "pre_payment_amount": 0 if paid else amount,
        "pretax_credit_amounts": [],
        "reason": reason,
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "total": amount,
        "total_excluding_tax": amount,
        "total_taxes": [],
        "type": "post_payment" if paid else "pre_payment",
        "voided_at": None,
    }
