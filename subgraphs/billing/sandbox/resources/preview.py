"""What an invoice would be, without making it: POST /v1/invoices/create_preview."""

from __future__ import annotations

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import invoice as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources import invoices, subscriptions
from subgraphs.billing.sandbox.store import StripeObject


def create(account: Account, params: Params) -> StripeObject:
    """The invoice that a change of a subscription's items would make at once, with `always_invoice`."""
    subscription_id = params.required("subscription")
    before = account.find("subscription", subscription_id, param="subscription")
    details = params.nested("subscription_details")
    if details is None:
        raise StripeError.missing_param("subscription_details")
    behavior = details.choice("proration_behavior", ("create_prorations", "none", "always_invoice"))
    if behavior != "always_invoice":
        raise StripeError.invalid(
            "This sandbox previews what is invoiced at once.", param="subscription_details[proration_behavior]"
        )
    at = details.integer("proration_date", low=0) or account.now()
    changed = subscriptions.changed_items(account, before, details.items("items") or [])
    after = {**before, "items": {**before["items"], "data": changed}}
    customer = account.find("customer", before["customer"])
    items = [
        *invoices.pending(account, customer["id"], subscription_id),
        *subscriptions.prorations(account, before, after, at),
    ]
    invoice_id = account.new_id("upcoming_in_1", 23)
    lines = [invoices.line_of_item(account, invoice_id, item) for item in items]
    return shapes.invoice(
        invoice_id,
        customer,
        before["currency"],
        lines,
        account.now(),
        subscription=before,
        billing_reason="subscription_update",
    )
