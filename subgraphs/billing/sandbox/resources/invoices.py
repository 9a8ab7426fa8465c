"""Invoices, their lines and pending invoice items."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import CardDeclined, StripeError
from subgraphs.billing.sandbox.objects import invoice as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources.billing_cycle import add_interval, charge_of
from subgraphs.billing.sandbox.resources.listing import list_of, search
from subgraphs.billing.sandbox.store import StripeObject

_INLINE_LINES = 10
FAILING_CARD = "pm_card_chargeCustomerFail"
"""One of Stripe's test cards: it can be named, and charging it fails. https://docs.stripe.com/testing"""


def shown(body: StripeObject) -> StripeObject:
    """Return the invoice with its first lines only, as every answer but the lines list shows it."""
    lines = body["lines"]
    return {
        **body,
        "lines": {**lines, "data": lines["data"][:_INLINE_LINES], "has_more": len(lines["data"]) > _INLINE_LINES},
    }


def pending(account: Account, customer_id: str, subscription_id: str | None) -> list[StripeObject]:
    def belongs(item: StripeObject) -> bool:
        origin = (item["parent"] or {}).get("subscription_details") or {}
        return item["invoice"] is None and origin.get("subscription") in {None, subscription_id}

    return [item for item in account.store.all("invoiceitem", parent=customer_id) if belongs(item)]


def line_of_item(account: Account, invoice_id: str, item: StripeObject) -> StripeObject:
    """Return the line that charges a pending item."""
    price = (item["pricing"] or {}).get("price_details")
    origin = (item["parent"] or {}).get("subscription_details") or {}
    return shapes.line_item(
        account.new_id("il_1", 23),
        invoice_id,
        item["amount"],
        item["currency"],
        item["description"] or "",
        (item["period"]["start"], item["period"]["end"]),
        quantity=item["quantity"],
        price=None
        if price is None
        else {
            "id": price["price"],
            "product": price["product"],
            "unit_amount_decimal": item["pricing"]["unit_amount_decimal"],
        },
        subscription=origin.get("subscription"),
        invoice_item=item["id"],
        proration=item["proration"],
        metadata=item["metadata"],
    )


def _lines_of_items(account: Account, invoice_id: str, items: list[StripeObject]) -> list[StripeObject]:
    for item in items:
        account.store.put({**item, "invoice": invoice_id})
    return [line_of_item(account, invoice_id, item) for item in items]


def bill(
    account: Account, customer: StripeObject, subscription: StripeObject, reason: str, *, at: int | None = None
) -> StripeObject:
    """Invoice a subscription's current cycle with everything pending, finalize it, and collect if that is automatic."""
    invoice_id = account.new_id("in_1", 23)
    lines = _lines_of_items(account, invoice_id, pending(account, customer["id"], subscription["id"]))
    for item in subscription["items"]["data"]:
        price, period = item["price"], (item["current_period_start"], item["current_period_end"])
        product = account.store.get(price["product"]) or {"name": "item"}
        if price["recurring"]["usage_type"] == "metered":
            if reason == "subscription_create":
                continue
            period = (
                add_interval(period[0], price["recurring"]["interval"], -price["recurring"]["interval_count"]),
                period[0],
            )
            quantity = _used(account, customer["id"], price["recurring"]["meter"], period)
        else:
            quantity = item["quantity"]
        lines.append(
            shapes.line_item(
                account.new_id("il_1", 23),
                invoice_id,
                charge_of(price, quantity),
                price["currency"],
                f"{quantity} x {product['name']}",
                period,
                quantity=quantity,
                price=price,
                subscription=subscription["id"],
                subscription_item=item["id"],
            )
        )
    return _issue(account, customer, subscription, invoice_id, lines, reason, at)


def _used(account: Account, customer_id: str, meter_id: str, period: tuple[int, int]) -> int:
    """Return what a meter counted in a cycle that is over, in whole units."""
    meter = account.store.get(meter_id, "billing.meter")
    values = account.store.meter_values(meter["event_name"], customer_id, *period) if meter else []
    return int(sum((value for _, value in values), Decimal(0)))


def bill_pending(
    account: Account, customer: StripeObject, subscription: StripeObject, reason: str
) -> StripeObject | None:
    """Invoice what is pending at once; None when nothing is."""
    invoice_id = account.new_id("in_1", 23)
    lines = _lines_of_items(account, invoice_id, pending(account, customer["id"], subscription["id"]))
    return _issue(account, customer, subscription, invoice_id, lines, reason, None) if lines else None


def _issue(
    account: Account,
    customer: StripeObject,
    subscription: StripeObject,
    invoice_id: str,
    lines: list[StripeObject],
    reason: str,
    at: int | None,
) -> StripeObject:
    now = at or account.now()
    draft = shapes.invoice(
        invoice_id, customer, subscription["currency"], lines, now, subscription=subscription, billing_reason=reason
    )
    account.create(draft, "invoice.created", parent=customer["id"])
    final = _finalized(account, draft, customer)
    if final["status"] == "open" and final["collection_method"] == "charge_automatically":
        method = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
        if method is not None:
            final = paid(account, final)
        else:
            account.emit("invoice.payment_failed", shown(final))
    return final


def _finalized(account: Account, before: StripeObject, customer: StripeObject) -> StripeObject:
    sequence, balance = customer["next_invoice_sequence"], customer["balance"]
    due = max(0, before["total"] + balance)
    rest = balance + before["total"] - due
    account.change(customer, {**customer, "next_invoice_sequence": sequence + 1, "balance": rest}, "customer.updated")
    now = account.now()
    after = {
        **before,
        "amount_due": due,
        "amount_remaining": due,
        "starting_balance": balance,
        "ending_balance": rest,
        "status": "open",
        "number": f"{customer['invoice_prefix']}-{sequence:04d}",
        "effective_at": now,
        "status_transitions": {**before["status_transitions"], "finalized_at": now},
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{before['id']}",
        "invoice_pdf": f"https://pay.stripe.com/invoice/{before['id']}/pdf",
    }
    account.store.put(after)
    account.emit("invoice.finalized", shown(after))
    return paid(account, after) if after["amount_due"] == 0 else after


def paid(account: Account, before: StripeObject) -> StripeObject:
    after = {
        **before,
        "status": "paid",
        "attempted": True,
        "attempt_count": before["attempt_count"] + 1,
        "amount_paid": before["amount_due"],
        "amount_remaining": 0,
        "status_transitions": {**before["status_transitions"], "paid_at": account.now()},
    }
    account.store.put(after)
    account.emit("invoice.paid", shown(after))
    account.emit("invoice.payment_succeeded", shown(after))
    return after


def create(account: Account, params: Params) -> StripeObject:
    """POST /v1/invoices: a draft of everything pending for the customer."""
    customer = account.find("customer", params.required("customer"), param="customer")
    subscription_id = params.text("subscription")
    subscription = account.find("subscription", subscription_id, param="subscription") if subscription_id else None
    invoice_id = account.new_id("in_1", 23)
    include = params.choice("pending_invoice_items_behavior", ("include", "exclude")) or "include"
    waiting = pending(account, customer["id"], subscription_id) if include == "include" else []
    lines = _lines_of_items(account, invoice_id, waiting)
    currency = params.text("currency") or (lines[0]["currency"] if lines else customer["currency"] or "eur")
    body = shapes.invoice(invoice_id, customer, currency, lines, account.now(), subscription=subscription)
    body["auto_advance"] = params.boolean("auto_advance") or False
    body["description"] = params.text("description")
    body["metadata"] = params.metadata()
    method = params.choice("collection_method", ("charge_automatically", "send_invoice"))
    body["collection_method"] = method or body["collection_method"]
    days = params.integer("days_until_due", low=0)
    if days is not None:
        body["due_date"] = account.now() + days * 86_400
    return shown(account.create(body, "invoice.created", parent=customer["id"]))


def retrieve(account: Account, _params: Params, invoice_id: str) -> StripeObject:
    """GET /v1/invoices/:id"""
    return shown(account.find("invoice", invoice_id))


def update(account: Account, params: Params, invoice_id: str) -> StripeObject:
    """POST /v1/invoices/:id"""
    before = account.find("invoice", invoice_id)
    after = {**before, "metadata": params.metadata(before["metadata"])}
    if "description" in params:
        after["description"] = params.text("description")
    return shown(account.change(before, after, "invoice.updated"))


def list_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/invoices"""
    where = {
        "status": params.choice("status", ("draft", "open", "paid", "uncollectible", "void")),
        "parent.subscription_details.subscription": params.text("subscription"),
        "collection_method": params.text("collection_method"),
    }
    found = list_of(account, params, "invoice", "/v1/invoices", parent=params.text("customer"), where=where)
    return {**found, "data": [shown(body) for body in found["data"]]}


def search_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/invoices/search"""
    found = search(account, params, "invoice", "/v1/invoices/search")
    return {**found, "data": [shown(body) for body in found["data"]]}


def list_lines(account: Account, params: Params, invoice_id: str) -> StripeObject:
    """GET /v1/invoices/:id/lines"""
    data = account.find("invoice", invoice_id)["lines"]["data"]
    limit = params.integer("limit", low=1, high=100) or 10
    after = params.text("starting_after")
    start = next((place + 1 for place, line in enumerate(data) if line["id"] == after), 0)
    url = f"/v1/invoices/{invoice_id}/lines"
    return {"object": "list", "data": data[start : start + limit], "has_more": len(data) > start + limit, "url": url}


def _in_state(account: Account, invoice_id: str, allowed: tuple[str, ...], verb: str) -> StripeObject:
    body = account.find("invoice", invoice_id)
    if body["status"] not in allowed:
        raise StripeError.invalid(f"This invoice is {body['status']} and can't be {verb}.", code="invoice_not_editable")
    return body


def finalize(account: Account, params: Params, invoice_id: str) -> StripeObject:
    """POST /v1/invoices/:id/finalize"""
    params.boolean("auto_advance")
    before = _in_state(account, invoice_id, ("draft",), "finalized")
    return shown(_finalized(account, before, account.find("customer", before["customer"])))


def pay(account: Account, params: Params, invoice_id: str) -> StripeObject:
    """POST /v1/invoices/:id/pay"""
    before = _in_state(account, invoice_id, ("open", "uncollectible"), "paid")
    outside = params.boolean("paid_out_of_band")
    method = params.text("payment_method")
    customer = account.find("customer", before["customer"])
    if not (outside or method or customer["invoice_settings"]["default_payment_method"]):
        raise StripeError(
            402,
            "card_error",
            "There is no default payment method set on this customer. Please set one to pay the invoice.",
            "missing",
        )
    if method == FAILING_CARD and not outside:
        tried = {**before, "attempted": True, "attempt_count": before["attempt_count"] + 1}
        account.store.put(tried)
        account.emit("invoice.payment_failed", shown(tried))
        raise CardDeclined
    return shown(paid(account, before))


def void(account: Account, _params: Params, invoice_id: str) -> StripeObject:
    """POST /v1/invoices/:id/void"""
    return _close(account, invoice_id, "void", "voided_at", "invoice.voided")


def mark_uncollectible(account: Account, _params: Params, invoice_id: str) -> StripeObject:
    """POST /v1/invoices/:id/mark_uncollectible"""
    return _close(account, invoice_id, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible")


def _close(account: Account, invoice_id: str, status: str, stamp: str, event: str) -> StripeObject:
    before = _in_state(account, invoice_id, ("open", "uncollectible"), status)
    transitions = {**before["status_transitions"], stamp: account.now()}
    after = {**before, "status": status, "status_transitions": transitions}
    if status == "void":
        after["amount_remaining"] = 0
        used = (before["ending_balance"] or 0) - before["starting_balance"]
        if used:
            customer = account.find("customer", before["customer"])
            account.change(customer, {**customer, "balance": customer["balance"] - used}, "customer.updated")
    account.store.put(after)
    account.emit(event, shown(after), {"status": before["status"]})
    return shown(after)


def create_item(account: Account, params: Params) -> StripeObject:
    """POST /v1/invoiceitems"""
    customer = account.find("customer", params.required("customer"), param="customer")
    price_id = params.text("price")
    pricing = params.nested("pricing")
    price_id = (pricing.text("price") if pricing else None) or price_id
    price: Mapping[str, Any] | None = account.find("price", price_id, param="price") if price_id else None
    quantity = params.integer("quantity", low=0) or 1
    amount = params.integer("amount")
    currency = params.text("currency") or (price["currency"] if price else None)
    if amount is None and price is None:
        raise StripeError.missing_param("amount")
    if currency is None:
        raise StripeError.missing_param("currency")
    period = params.nested("period")
    bounds = (period.integer("start"), period.integer("end")) if period else (None, None)
    subscription_id = params.text("subscription")
    if subscription_id is not None:
        account.find("subscription", subscription_id, param="subscription")
    body = shapes.invoice_item(
        account.new_id("ii_1", 23),
        customer["id"],
        amount if amount is not None else charge_of(price or {}, quantity),
        currency.lower(),
        params.text("description"),
        account.now(),
        period=(bounds[0], bounds[1]) if bounds[0] is not None and bounds[1] is not None else None,
        quantity=quantity,
        price=price,
        subscription=subscription_id,
        metadata=params.metadata(),
    )
    return account.create(body, "invoiceitem.created", parent=customer["id"])


def retrieve_item(account: Account, _params: Params, item_id: str) -> StripeObject:
    """GET /v1/invoiceitems/:id"""
    return account.find("invoiceitem", item_id)


def list_items(account: Account, params: Params) -> StripeObject:
    """GET /v1/invoiceitems"""
    where = {"invoice": params.text("invoice")}
    return list_of(account, params, "invoiceitem", "/v1/invoiceitems", parent=params.text("customer"), where=where)


def delete_item(account: Account, _params: Params, item_id: str) -> StripeObject:
    """DELETE /v1/invoiceitems/:id: while no invoice has it."""
    before = account.find("invoiceitem", item_id)
    if before["invoice"] is not None:
        raise StripeError.invalid("Invoice items that are attached to an invoice can't be deleted.")
    account.store.delete(item_id)
    account.emit("invoiceitem.deleted", before)
    return {"id": item_id, "object": "invoiceitem", "deleted": True}
