"""What happens by itself as time goes by: schedules begin, cycles turn, trials end, pauses resume, cancellations fall due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from subgraphs.billing.sandbox.account import Account, Cause
from subgraphs.billing.sandbox.resources import invoices, schedules, subscriptions
from subgraphs.billing.sandbox.resources.billing_cycle import period_around
from subgraphs.billing.sandbox.store import StripeObject

_EVERY_S = 5.0


async def run_clock(account: Account, announce: Callable[[StripeObject], None]) -> None:
    """Carry out what has fallen due, every few seconds, until cancelled."""
    while True:
        for schedule in _startable(account):
            acting = account.caused_by(Cause())
            with account.store.transaction():
                schedules.begin(acting, schedule)
            for event in acting.emitted:
                announce(event)
        for subscription in _due(account):
            acting = account.caused_by(Cause())
            with account.store.transaction():
                _advance(acting, subscription)
            for event in acting.emitted:
                announce(event)
            await asyncio.sleep(0)
        await asyncio.sleep(_EVERY_S)


def _startable(account: Account) -> list[StripeObject]:
    now = account.now()
    waiting = (body for body in account.store.all("subscription_schedule") if body["status"] == "not_started")
    return [body for body in waiting if body["phases"][0]["start_date"] <= now]


def _due(account: Account) -> list[StripeObject]:
    now = account.now()
    return [body for body in account.store.all("subscription") if body["status"] != "canceled" and _next(body) <= now]


def _next(body: StripeObject) -> int:
    """When something next happens to a subscription by itself."""
    moments: list[int] = [item["current_period_end"] for item in body["items"]["data"]]
    moments += [body[name] for name in ("cancel_at", "trial_end") if body[name] and body["status"] != "canceled"]
    if body["status"] != "trialing" and body["trial_end"] in moments:
        moments.remove(body["trial_end"])
    if body["pause_collection"] and body["pause_collection"]["resumes_at"]:
        moments.append(body["pause_collection"]["resumes_at"])
    return min(moments)


def _advance(account: Account, before: StripeObject) -> None:
    now = account.now()
    if before["cancel_at"] and before["cancel_at"] <= now:
        subscriptions.end(account, before, before["cancel_at"])
        return
    after = {**before}
    if before["status"] == "trialing" and before["trial_end"] and before["trial_end"] <= now:
        after["status"] = "active"
    pause = before["pause_collection"]
    if pause and pause["resumes_at"] and pause["resumes_at"] <= now:
        after["pause_collection"] = None
    turned = False
    items = []
    for item in before["items"]["data"]:
        if item["current_period_end"] <= now:
            recurring = item["price"]["recurring"]
            begin, end = period_around(
                before["billing_cycle_anchor"], now, recurring["interval"], recurring["interval_count"]
            )
            items.append({**item, "current_period_start": begin, "current_period_end": end})
            turned = True
        else:
            items.append(item)
    after["items"] = {**before["items"], "data": items}
    account.store.put(after)
    if turned and after["pause_collection"] is None:
        customer = account.find("customer", before["customer"])
        bill = invoices.bill(account, customer, after, "subscription_cycle")
        after["latest_invoice"] = bill["id"]
    account.change(before, after, "customer.subscription.updated")
