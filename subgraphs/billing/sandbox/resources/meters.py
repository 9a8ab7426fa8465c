"""Billing meters: usage events in, sums per customer and window out.

https://docs.stripe.com/billing/subscriptions/usage-based
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import catalog as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources.listing import list_of
from subgraphs.billing.sandbox.store import StripeObject

_WINDOWS = {"hour": 3_600, "day": 86_400}
_BACKDATED_S = 35 * 86_400
_AHEAD_S = 300


def create_meter(account: Account, params: Params) -> StripeObject:
    """POST /v1/billing/meters"""
    event_name = params.required("event_name")
    if any(m["event_name"] == event_name and m["status"] == "active" for m in account.store.all("billing.meter")):
        raise StripeError.invalid(f"An active meter with the event name {event_name} exists.", param="event_name")
    aggregation = params.nested("default_aggregation")
    formula = aggregation.choice("formula", ("sum", "count", "last")) if aggregation else None
    if formula is None:
        raise StripeError.missing_param("default_aggregation[formula]")
    body = shapes.meter(
        account.new_id("mtr_test_61", 28), event_name, params.required("display_name"), account.now(), formula
    )
    return account.create(body, "billing.meter.created")


def retrieve_meter(account: Account, _params: Params, meter_id: str) -> StripeObject:
    """GET /v1/billing/meters/:id"""
    return account.find("billing.meter", meter_id)


def update_meter(account: Account, params: Params, meter_id: str) -> StripeObject:
    """POST /v1/billing/meters/:id"""
    before = account.find("billing.meter", meter_id)
    after = {**before, "display_name": params.text("display_name") or before["display_name"]}
    return account.change(before, after, "billing.meter.updated")


def list_meters(account: Account, params: Params) -> StripeObject:
    """GET /v1/billing/meters"""
    where = {"status": params.choice("status", ("active", "inactive"))}
    return list_of(account, params, "billing.meter", "/v1/billing/meters", where=where, created=False)


def create_meter_event(account: Account, params: Params) -> StripeObject:
    """POST /v1/billing/meter_events; an identifier seen before counts once."""
    event_name = params.required("event_name")
    meters = [m for m in account.store.all("billing.meter") if m["event_name"] == event_name]
    if not any(meter["status"] == "active" for meter in meters):
        raise StripeError.invalid(
            f"No active meter found for event name {event_name}.", code="no_meter", param="event_name"
        )
    payload = params.nested("payload")
    if payload is None:
        raise StripeError.missing_param("payload")
    customer_id = payload.required("stripe_customer_id")
    account.find("customer", customer_id, param="payload[stripe_customer_id]")
    value = payload.required("value")
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0 or len(value) > 15:
        raise StripeError.invalid(
            f"Invalid decimal: {value[:20]}", code="meter_event_invalid_value", param="payload[value]"
        )
    now = account.now()
    at = params.integer("timestamp", low=0) or now
    if not now - _BACKDATED_S <= at <= now + _AHEAD_S:
        raise StripeError.invalid(
            "Timestamp must be within the past 35 calendar days or up to 5 minutes in the future.",
            code="timestamp_too_far_in_past" if at < now else "timestamp_in_future",
            param="timestamp",
        )
    identifier = params.text("identifier") or account.new_id("meter_event", 24)
    account.store.record_meter_events([(identifier, event_name, customer_id, at, str(number))])
    return {
        "object": "billing.meter_event",
        "created": now,
        "event_name": event_name,
        "identifier": identifier,
        "livemode": False,
        "payload": {"stripe_customer_id": customer_id, "value": value},
        "timestamp": at,
    }


def event_summaries(account: Account, params: Params, meter_id: str) -> StripeObject:
    """GET /v1/billing/meters/:id/event_summaries?customer=&start_time=&end_time=[&value_grouping_window=]"""
    meter = account.find("billing.meter", meter_id)
    customer_id = account.find("customer", params.required("customer"), param="customer")["id"]
    start, end = (params.integer(name, low=0) for name in ("start_time", "end_time"))
    if start is None or end is None:
        raise StripeError.missing_param("start_time" if start is None else "end_time")
    if start % 60 or end % 60 or start >= end:
        raise StripeError.invalid(
            "start_time and end_time must be aligned with minute boundaries, and start_time before end_time.",
            param="start_time",
        )
    window = params.choice("value_grouping_window", tuple(_WINDOWS))
    params.integer("limit", low=1, high=100)
    values = account.store.meter_values(meter["event_name"], customer_id, start, end)
    size = _WINDOWS[window] if window else end - start
    buckets: dict[int, list[Decimal]] = {}
    for at, value in values:
        buckets.setdefault(start + (at - start) // size * size, []).append(value)
    formula = meter["default_aggregation"]["formula"]
    return {
        "object": "list",
        "data": [
            {
                "id": f"mtrusg_{meter_id[-8:]}{begin}",
                "object": "billing.meter_event_summary",
                "aggregated_value": _aggregate(formula, found),
                "end_time": min(begin + size, end),
                "livemode": False,
                "meter": meter_id,
                "start_time": begin,
            }
            for begin, found in sorted(buckets.items(), reverse=True)
        ],
        "has_more": False,
        "url": f"/v1/billing/meters/{meter_id}/event_summaries",
    }


def _aggregate(formula: str, values: list[Decimal]) -> Any:
    match formula:
        case "count":
            total = Decimal(len(values))
        case "last":
            total = values[-1]
        case _:
            total = sum(values, Decimal(0))
    return int(total) if total == total.to_integral_value() else float(total)
