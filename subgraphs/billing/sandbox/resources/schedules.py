"""Subscription schedules: the phases a subscription has gone and will go through."""

from __future__ import annotations

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import subscription as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources import entitlements, invoices
from subgraphs.billing.sandbox.resources.billing_cycle import add_interval, period_around
from subgraphs.billing.sandbox.resources.listing import list_of
from subgraphs.billing.sandbox.store import StripeObject

_ENDS = ("cancel", "release")
_OVER = frozenset({"canceled", "completed", "released"})


def create(account: Account, params: Params) -> StripeObject:
    """POST /v1/subscription_schedules: from a subscription, or of a customer with phases."""
    now = account.now()
    source = params.text("from_subscription")
    if source is not None:
        subscription = account.find("subscription", source, param="from_subscription")
        if subscription["schedule"] is not None:
            raise StripeError.invalid(
                "You cannot migrate a subscription that is already attached to a schedule.", param="from_subscription"
            )
        period = (
            min(item["current_period_start"] for item in subscription["items"]["data"]),
            max(item["current_period_end"] for item in subscription["items"]["data"]),
        )
        items = [(item["price"], item.get("quantity")) for item in subscription["items"]["data"]]
        phases = [shapes.schedule_phase(*period, subscription["currency"], items)]
        customer_id, subscription_id = subscription["customer"], subscription["id"]
    else:
        customer_id = account.find("customer", params.required("customer"), param="customer")["id"]
        subscription_id = None
        phases = _phases(account, params, _start(params, now))
        if not phases:
            raise StripeError.missing_param("phases")
    body = shapes.subscription_schedule(
        account.new_id("sub_sched_1", 23),
        customer_id,
        subscription_id,
        phases,
        now,
        now=now,
        end_behavior=params.choice("end_behavior", _ENDS) or "release",
        metadata=params.metadata(),
    )
    if subscription_id is None:
        body |= {"status": "not_started", "current_phase": None}
    account.create(body, "subscription_schedule.created", parent=customer_id)
    if subscription_id is None and phases[0]["start_date"] <= now:
        begin(account, body)
        return account.find("subscription_schedule", body["id"])
    if subscription_id is not None:
        before = account.find("subscription", subscription_id)
        account.change(before, {**before, "schedule": body["id"]}, "customer.subscription.updated")
    return body


def _start(params: Params, now: int) -> int:
    given = params.text("start_date")
    return now if given in {None, "now"} else params.integer("start_date", low=0) or now


def _phases(account: Account, params: Params, start: int) -> list[StripeObject]:
    phases = []
    for phase in params.items("phases") or []:
        begin = start if phase.text("start_date") in {None, "now"} else phase.integer("start_date", low=0) or start
        items = []
        for entry in phase.items("items") or []:
            price = account.find("price", entry.required("price"), param="phases[0][items][0][price]")
            entry.metadata()
            metered = (price["recurring"] or {}).get("usage_type") == "metered"
            quantity = entry.integer("quantity", low=0)
            items.append((price, None if metered else 1 if quantity is None else quantity))
        if not items:
            raise StripeError.missing_param("phases[0][items]")
        end = phase.integer("end_date", low=0)
        duration = phase.nested("duration")
        if end is None and duration is not None:
            interval = duration.choice("interval", ("day", "week", "month", "year")) or "month"
            end = add_interval(begin, interval, duration.integer("interval_count", low=1) or 1)
        if end is None:
            recurring = items[0][0]["recurring"]
            end = add_interval(begin, recurring["interval"], recurring["interval_count"])
        phase.choice("proration_behavior", ("create_prorations", "none", "always_invoice"))
        phases.append(shapes.schedule_phase(begin, end, items[0][0]["currency"], items, phase.metadata()))
        start = end
    return phases


def retrieve(account: Account, _params: Params, schedule_id: str) -> StripeObject:
    """GET /v1/subscription_schedules/:id"""
    return account.find("subscription_schedule", schedule_id)


def update(account: Account, params: Params, schedule_id: str) -> StripeObject:
    """POST /v1/subscription_schedules/:id; sent phases replace all of them."""
    before = _open(account, schedule_id)
    params.choice("proration_behavior", ("create_prorations", "none", "always_invoice"))
    after = {
        **before,
        "end_behavior": params.choice("end_behavior", _ENDS) or before["end_behavior"],
        "metadata": params.metadata(before["metadata"]),
    }
    if "phases" in params:
        after["phases"] = _phases(account, params, before["phases"][0]["start_date"])
    return account.change(before, after, "subscription_schedule.updated")


def list_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/subscription_schedules"""
    url = "/v1/subscription_schedules"
    return list_of(account, params, "subscription_schedule", url, parent=params.text("customer"))


def cancel(account: Account, params: Params, schedule_id: str) -> StripeObject:
    """POST /v1/subscription_schedules/:id/cancel"""
    params.boolean("invoice_now")
    params.boolean("prorate")
    before = _open(account, schedule_id)
    after = {**before, "status": "canceled", "canceled_at": account.now(), "current_phase": None}
    return account.change(before, after, "subscription_schedule.canceled")


def release(account: Account, params: Params, schedule_id: str) -> StripeObject:
    """POST /v1/subscription_schedules/:id/release: the subscription goes on by itself."""
    params.boolean("preserve_cancel_date")
    before = _open(account, schedule_id)
    after = {
        **before,
        "status": "released",
        "released_at": account.now(),
        "released_subscription": before["subscription"],
        "subscription": None,
        "current_phase": None,
    }
    subscription = account.store.get(before["subscription"] or "", "subscription")
    if subscription is not None:
        account.change(subscription, {**subscription, "schedule": None}, "customer.subscription.updated")
    return account.change(before, after, "subscription_schedule.released")


def begin(account: Account, before: StripeObject) -> None:
    """Start a schedule whose first phase has come: its subscription is made and billed."""
    phase = before["phases"][0]
    start, now = phase["start_date"], account.now()
    subscription_id = account.new_id("sub_1", 23)
    items = []
    for entry in phase["items"]:
        price = account.find("price", entry["price"])
        period = period_around(start, now, price["recurring"]["interval"], price["recurring"]["interval_count"])
        item_id = account.new_id("si", 14)
        items.append(
            shapes.subscription_item(item_id, subscription_id, price, entry.get("quantity"), now, period=period)
        )
    customer = account.find("customer", before["customer"])
    body = shapes.subscription(
        subscription_id,
        customer["id"],
        phase["currency"],
        items,
        now,
        start=start,
        metadata=before["metadata"],
        schedule=before["id"],
        cancel_at=phase["end_date"] if before["end_behavior"] == "cancel" else None,
    )
    if customer["invoice_settings"]["default_payment_method"] is None:
        body |= {"collection_method": "send_invoice", "days_until_due": 30}
    account.store.put(body, parent=customer["id"])
    bill = invoices.bill(account, customer, body, "subscription_create")
    account.create({**body, "latest_invoice": bill["id"]}, "customer.subscription.created", parent=customer["id"])
    current = {"end_date": phase["end_date"], "start_date": start}
    after = {**before, "status": "active", "subscription": subscription_id, "current_phase": current}
    account.change(before, after, "subscription_schedule.updated")
    entitlements.recompute(account, customer["id"])


def _open(account: Account, schedule_id: str) -> StripeObject:
    body = account.find("subscription_schedule", schedule_id)
    if body["status"] in _OVER:
        raise StripeError.invalid(
            f"You cannot change a subscription schedule that is currently in the `{body['status']}` status."
        )
    return body
