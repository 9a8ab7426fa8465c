"""Events of the last 30 days, and the endpoint they are delivered to, which the process's settings name."""

from __future__ import annotations

from typing import Any

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources.listing import created_bounds, list_of, window_of
from subgraphs.billing.sandbox.store import StripeObject


def retrieve(account: Account, _params: Params, event_id: str) -> StripeObject:
    """GET /v1/events/:id"""
    event = account.find("event", event_id)
    if event["created"] < account.oldest_event():
        raise StripeError.no_such("event", event_id)
    return event


def list_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/events, newest first"""
    window = window_of(account, params)
    for name, anchor in (("starting_after", window.starting_after), ("ending_before", window.ending_before)):
        event = account.store.get(anchor, "event") if anchor else None
        if anchor is not None and (event is None or event["created"] < account.oldest_event()):
            raise StripeError.no_such("event", anchor, param=name)
    kinds = params.strings("types") or ([kind] if (kind := params.text("type")) else [])
    where: dict[str, Any] = {"type": kinds} if kinds else {}
    bounds = created_bounds(params)
    bounds["gte"] = max(bounds.get("gte", 0), account.oldest_event())
    page = account.store.page("event", window, where=where, created=bounds)
    return {"object": "list", "data": page.data, "has_more": page.has_more, "url": "/v1/events"}


def retrieve_endpoint(account: Account, _params: Params, endpoint_id: str) -> StripeObject:
    """GET /v1/webhook_endpoints/:id"""
    return account.find("webhook_endpoint", endpoint_id)


def list_endpoints(account: Account, params: Params) -> StripeObject:
    """GET /v1/webhook_endpoints"""
    return list_of(account, params, "webhook_endpoint", "/v1/webhook_endpoints")
