"""Subscriptions: created, changed with proration, paused, ended."""

from __future__ import annotations

from typing import Any

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import subscription as shapes
from subgraphs.billing.sandbox.objects.catalog import price as price_body
from subgraphs.billing.sandbox.objects.invoice import invoice_item
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources import entitlements, invoices
from subgraphs.billing.sandbox.resources.billing_cycle import amount_of, period_around, prorated
from subgraphs.billing.sandbox.resources.listing import list_of, search
from subgraphs.billing.sandbox.store import StripeObject

_PRORATIONS = ("create_prorations", "none", "always_invoice")
_FEEDBACK = (
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
)
_STATUSES = (
    "incomplete",
    "incomplete_expired",
    "trialing",
    "active",
    "past_due",
    "unpaid",
    "paused",
    "canceled",
    "all",
    "ended",
)


def create(account: Account, params: Params) -> StripeObject:
    """POST /v1/subscriptions"""
    customer = account.find("customer", params.required("customer"), param="customer")
    entries = params.items("items")
    if not entries:
        raise StripeError.missing_param("items")
    now = account.now()
    start = params.integer("backdate_start_date", low=0) or now
    anchor = params.integer("billing_cycle_anchor", low=0) or start
    object_id = account.new_id("sub_1", 23)
    items = [_new_item(account, object_id, entry, anchor, now) for entry in entries]
    currencies = {item["price"]["currency"] for item in items}
    if len(currencies) > 1:
        raise StripeError.invalid("All prices on a subscription must have the same currency.", param="items")
    trial_days = params.integer("trial_period_days", low=1, high=730)
    trial_end = params.integer("trial_end", low=now) or (now + trial_days * 86_400 if trial_days else None)
    body = shapes.subscription(
        object_id,
        customer["id"],
        currencies.pop(),
        items,
        now,
        start=start,
        billing_cycle_anchor=anchor,
        metadata=params.metadata(),
        trial_end=trial_end,
        trial_start=now if trial_end else None,
        status="trialing" if trial_end else "active",
    )
    params.choice(
        "payment_behavior", ("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")
    )
    params.choice("proration_behavior", _PRORATIONS)
    params.boolean("off_session")
    params.text("currency")
    body = _fill(account, params, body)
    account.store.put(body, parent=customer["id"])
    first = None if trial_end else invoices.bill(account, customer, body, "subscription_create")
    if first is not None:
        body["latest_invoice"] = first["id"]
        unpaid = first["status"] == "open" and body["collection_method"] == "charge_automatically"
        body["status"] = "incomplete" if unpaid else "active"
    account.create(body, "customer.subscription.created", parent=customer["id"])
    entitlements.recompute(account, customer["id"])
    return body


def retrieve(account: Account, _params: Params, subscription_id: str) -> StripeObject:
    """GET /v1/subscriptions/:id"""
    return account.find("subscription", subscription_id)


def update(account: Account, params: Params, subscription_id: str) -> StripeObject:
    """POST /v1/subscriptions/:id"""
    before = account.find("subscription", subscription_id)
    if before["status"] == "canceled":
        raise StripeError.invalid(
            "A canceled subscription can only update its cancellation_details and metadata.", param="status"
        )
    proration = params.choice("proration_behavior", _PRORATIONS) or "create_prorations"
    at = params.integer("proration_date", low=0) or account.now()
    after = _fill(account, params, {**before})
    params.choice(
        "payment_behavior", ("allow_incomplete", "error_if_incomplete", "pending_if_incomplete", "default_incomplete")
    )
    params.boolean("off_session")
    entries = params.items("items")
    if entries is not None:
        after["items"] = {**before["items"], "data": changed_items(account, before, entries)}
        if proration != "none" and before["status"] != "trialing":
            for item in prorations(account, before, after, at):
                account.create(item, "invoiceitem.created", parent=before["customer"])
            if proration == "always_invoice":
                customer = account.find("customer", before["customer"])
                bill = invoices.bill_pending(account, customer, after, "subscription_update")
                after["latest_invoice"] = bill["id"] if bill else before["latest_invoice"]
    account.change(before, after, "customer.subscription.updated")
    entitlements.recompute(account, before["customer"])
    return after


def cancel(account: Account, params: Params, subscription_id: str) -> StripeObject:
    """DELETE /v1/subscriptions/:id: ends it at once."""
    before = account.find("subscription", subscription_id)
    if before["status"] == "canceled":
        raise StripeError.no_such("subscription", subscription_id)
    params.boolean("invoice_now")
    params.boolean("prorate")
    details = _cancellation(params, before["cancellation_details"], requested=True)
    return end(account, {**before, "cancellation_details": details}, account.now())


def end(account: Account, body: StripeObject, at: int) -> StripeObject:
    """Cancel a subscription as of `at` and withdraw what it entitled to."""
    after = {**body, "status": "canceled", "canceled_at": body["canceled_at"] or at, "ended_at": at}
    account.store.put(after)
    account.emit("customer.subscription.deleted", after)
    entitlements.recompute(account, after["customer"])
    return after


def list_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/subscriptions; cancelled ones only with status=all, canceled or ended."""
    status = params.choice("status", _STATUSES)
    where: dict[str, Any] = {"collection_method": params.text("collection_method")}
    match status:
        case None:
            where["status"] = [s for s in _STATUSES if s not in {"canceled", "incomplete_expired", "all", "ended"}]
        case "all":
            pass
        case "ended":
            where["status"] = ["canceled", "incomplete_expired"]
        case _:
            where["status"] = status
    price = params.text("price")
    if price is not None:
        where["items.data[0].price.id"] = price
    customer = params.text("customer")
    if customer is not None:
        account.find("customer", customer, param="customer")
    return list_of(account, params, "subscription", "/v1/subscriptions", parent=customer, where=where)


def search_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/subscriptions/search"""
    return search(account, params, "subscription", "/v1/subscriptions/search")


def list_items(account: Account, params: Params) -> StripeObject:
    """GET /v1/subscription_items?subscription="""
    body = account.find("subscription", params.required("subscription"), param="subscription")
    limit = params.integer("limit", low=1, high=100) or 10
    data = body["items"]["data"]
    after = params.text("starting_after")
    start = next((place + 1 for place, item in enumerate(data) if item["id"] == after), 0)
    return {
        "object": "list",
        "data": data[start : start + limit],
        "has_more": len(data) > start + limit,
        "url": "/v1/subscription_items",
    }


def _fill(account: Account, params: Params, body: StripeObject) -> StripeObject:
    body["metadata"] = params.metadata(body["metadata"])
    if "description" in params:
        body["description"] = params.text("description")
    method = params.choice("collection_method", ("charge_automatically", "send_invoice"))
    body["collection_method"] = method or body["collection_method"]
    body["days_until_due"] = params.integer("days_until_due", low=0, high=365) or body["days_until_due"]
    if body["collection_method"] == "send_invoice" and body["days_until_due"] is None:
        raise StripeError.missing_param("days_until_due")
    chosen = params.text("default_payment_method")
    if chosen is not None:
        body["default_payment_method"] = account.find("payment_method", chosen, param="default_payment_method")["id"]
    if "pause_collection" in params:
        body["pause_collection"] = _pause(account, params)
    now = account.now()
    at_period_end = params.boolean("cancel_at_period_end")
    if at_period_end is not None and params.integer("cancel_at", low=0) is not None:
        raise StripeError.invalid(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.", param="cancel_at"
        )
    if at_period_end is not None:
        period_end = min(item["current_period_end"] for item in body["items"]["data"])
        body |= {"cancel_at_period_end": at_period_end, "cancel_at": period_end if at_period_end else None}
    elif "cancel_at" in params:
        cancel_at = params.integer("cancel_at", low=0)
        if cancel_at is not None and cancel_at <= now:
            raise StripeError.invalid("`cancel_at` must be in the future.", param="cancel_at")
        body |= {"cancel_at": cancel_at, "cancel_at_period_end": False}
    asked = at_period_end is not None or "cancel_at" in params
    if asked:
        body["canceled_at"] = now if body["cancel_at"] else None
    body["cancellation_details"] = _cancellation(
        params, body["cancellation_details"], requested=bool(body["cancel_at"]) if asked else None
    )
    return body


def _pause(account: Account, params: Params) -> StripeObject | None:
    if params.unset("pause_collection"):
        return None
    asked = params.nested("pause_collection")
    assert asked is not None
    behavior = asked.choice("behavior", ("keep_as_draft", "mark_uncollectible", "void"))
    if behavior is None:
        raise StripeError.missing_param("pause_collection[behavior]")
    resumes_at = asked.integer("resumes_at", low=0)
    if resumes_at is not None and resumes_at <= account.now():
        raise StripeError.invalid("`resumes_at` must be in the future.", param="pause_collection[resumes_at]")
    return {"behavior": behavior, "resumes_at": resumes_at}


def _cancellation(params: Params, current: StripeObject, *, requested: bool | None) -> StripeObject:
    given = params.nested("cancellation_details")
    details = {**current}
    if requested is not None:
        details["reason"] = "cancellation_requested" if requested else None
    if given is not None:
        if "comment" in given:
            details["comment"] = given.text("comment")
        if "feedback" in given:
            details["feedback"] = given.choice("feedback", _FEEDBACK)
    return details


def _new_item(account: Account, subscription_id: str, entry: Params, anchor: int, now: int) -> StripeObject:
    price = _inline_price(account, entry)
    if price is None:
        price_id = entry.text("price") or entry.required("plan")
        price = account.find("price", price_id, param="items[0][price]")
    if price["recurring"] is None:
        raise StripeError.invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param="items[0][price]",
        )
    if not price["active"] and price["lookup_key"] is not None:
        raise StripeError.invalid(
            "The price specified is inactive. This field only accepts active prices.", param="items[0][price]"
        )
    metered = price["recurring"]["usage_type"] == "metered"
    quantity = entry.integer("quantity", low=0)
    if metered and quantity is not None:
        raise StripeError.invalid("You cannot set the quantity for metered plans.", param="items[0][quantity]")
    recurring = price["recurring"]
    return shapes.subscription_item(
        account.new_id("si", 14),
        subscription_id,
        price,
        None if metered else (1 if quantity is None else quantity),
        now,
        period=period_around(anchor, now, recurring["interval"], recurring["interval_count"]),
        metadata=entry.metadata(),
    )


def _inline_price(account: Account, entry: Params) -> StripeObject | None:
    """Return the price that `price_data` makes, for this subscription alone."""
    data = entry.nested("price_data")
    if data is None:
        return None
    product = account.find("product", data.required("product"), param="items[0][price_data][product]")
    recurring = data.nested("recurring")
    if recurring is None:
        raise StripeError.missing_param("items[0][price_data][recurring]")
    interval = recurring.choice("interval", ("day", "week", "month", "year"))
    if interval is None:
        raise StripeError.missing_param("items[0][price_data][recurring][interval]")
    count = recurring.integer("interval_count", low=1, high=36) or 1
    exact = data.required("unit_amount_decimal")
    body = price_body(
        account.new_id("price_1", 23),
        product["id"],
        data.required("currency"),
        int(exact) if exact.isdecimal() else None,
        account.now(),
        recurring={"interval": interval, "interval_count": count, "meter": None, "usage_type": "licensed"},
        active=False,
        unit_amount_decimal=exact,
    )
    return account.create(body, "price.created", parent=product["id"])


def changed_items(account: Account, before: StripeObject, entries: list[Params]) -> list[StripeObject]:
    items = {item["id"]: item for item in before["items"]["data"]}
    for entry in entries:
        item_id = entry.text("id")
        if item_id is None:
            added = _new_item(account, before["id"], entry, before["billing_cycle_anchor"], account.now())
            items[added["id"]] = added
            continue
        item = items.get(item_id)
        if item is None:
            raise StripeError.no_such("subscription_item", item_id, param="items[0][id]")
        if entry.boolean("deleted"):
            entry.boolean("clear_usage")
            del items[item_id]
            continue
        changed = {**item, "metadata": entry.metadata(item["metadata"])}
        price_id = entry.text("price")
        price = _inline_price(account, entry)
        if price_id is not None:
            price = account.find("price", price_id, param="items[0][price]")
        if price is not None:
            fresh = shapes.subscription_item(
                item_id, before["id"], price, item.get("quantity"), item["created"],
                period=(item["current_period_start"], item["current_period_end"]),
            )  # fmt: skip
            changed |= {"price": fresh["price"], "plan": fresh["plan"]}
        quantity = entry.integer("quantity", low=0)
        if quantity is not None:
            if changed["price"]["recurring"]["usage_type"] == "metered":
                raise StripeError.invalid("You cannot set the quantity for metered plans.", param="items[0][quantity]")
            changed["quantity"] = quantity
        items[item_id] = changed
    if not items:
        raise StripeError.invalid("A subscription must have at least one active plan.", param="items")
    return list(items.values())


def prorations(account: Account, before: StripeObject, after: StripeObject, at: int) -> list[StripeObject]:
    """Return invoice items, not stored: a credit for the unused time of what was, a charge for the rest of what is."""
    old = {item["id"]: item for item in before["items"]["data"]}
    new = {item["id"]: item for item in after["items"]["data"]}
    found = []
    for item_id in dict.fromkeys([*old, *new]):
        was, now_is = old.get(item_id), new.get(item_id)
        if (
            was
            and now_is
            and (was["price"]["id"], was.get("quantity")) == (now_is["price"]["id"], now_is.get("quantity"))
        ):
            continue
        for item, sign, words in ((was, -1, "Unused time on"), (now_is, 1, "Remaining time on")):
            if item is None or item["price"]["recurring"]["usage_type"] == "metered":
                continue
            period = (item["current_period_start"], item["current_period_end"])
            amount = sign * prorated(amount_of(item["price"], item.get("quantity")), period, at)
            product = account.store.get(item["price"]["product"]) or {"name": "item"}
            found.append(
                invoice_item(
                    account.new_id("ii_1", 23),
                    before["customer"],
                    amount,
                    before["currency"],
                    f"{words} {item.get('quantity') or 1} x {product['name']}",
                    account.now(),
                    period=(at, period[1]),
                    quantity=item.get("quantity") or 1,
                    price=item["price"],
                    subscription=before["id"],
                    proration=True,
                )
            )
    return found
