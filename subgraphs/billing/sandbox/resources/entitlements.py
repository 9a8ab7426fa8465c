"""Features, and what each customer is entitled to through the products subscribed to.

https://docs.stripe.com/billing/entitlements
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import catalog as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources.listing import list_of
from subgraphs.billing.sandbox.store import StripeObject

_ENTITLING = frozenset({"active", "trialing", "past_due"})


def create_feature(account: Account, params: Params) -> StripeObject:
    """POST /v1/entitlements/features"""
    lookup_key = params.required("lookup_key")
    if any(other["lookup_key"] == lookup_key for other in account.store.all("entitlements.feature")):
        raise StripeError.invalid("A feature with this lookup key already exists.", param="lookup_key")
    body = shapes.feature(account.new_id("feat", 24), lookup_key, params.required("name"), params.metadata())
    return account.create(body, None)


def retrieve_feature(account: Account, _params: Params, feature_id: str) -> StripeObject:
    """GET /v1/entitlements/features/:id"""
    return account.find("entitlements.feature", feature_id)


def update_feature(account: Account, params: Params, feature_id: str) -> StripeObject:
    """POST /v1/entitlements/features/:id"""
    before = account.find("entitlements.feature", feature_id)
    active = params.boolean("active")
    after = {
        **before,
        "active": before["active"] if active is None else active,
        "metadata": params.metadata(before["metadata"]),
        "name": params.text("name") or before["name"],
    }
    return account.store.put(after)


def list_features(account: Account, params: Params) -> StripeObject:
    """GET /v1/entitlements/features"""
    archived = params.boolean("archived")
    where = {"lookup_key": params.text("lookup_key"), "active": None if archived is None else not archived}
    return list_of(account, params, "entitlements.feature", "/v1/entitlements/features", where=where, created=False)


def list_active(account: Account, params: Params) -> StripeObject:
    """GET /v1/entitlements/active_entitlements?customer="""
    customer_id = params.required("customer")
    account.find("customer", customer_id, param="customer")
    return list_of(
        account,
        params,
        "entitlements.active_entitlement",
        "/v1/entitlements/active_entitlements",
        parent=customer_id,
        created=False,
    )


def retrieve_active(account: Account, _params: Params, entitlement_id: str) -> StripeObject:
    """GET /v1/entitlements/active_entitlements/:id"""
    return account.find("entitlements.active_entitlement", entitlement_id)


def recompute(account: Account, customer_id: str, *, silent: bool = False) -> None:
    """Bring a customer's active entitlements in line with his subscriptions, and tell what changed."""
    store = account.store
    features: dict[str, Mapping[str, Any]] = {}
    for subscription in store.all("subscription", parent=customer_id):
        if subscription["status"] not in _ENTITLING:
            continue
        for item in subscription["items"]["data"]:
            for attachment in store.all("product_feature", parent=item["price"]["product"]):
                feature = store.get(attachment["entitlement_feature"]["id"]) or attachment["entitlement_feature"]
                features[feature["id"]] = feature
    before = store.all("entitlements.active_entitlement", parent=customer_id)
    held = {entitlement["feature"]: entitlement for entitlement in before}
    if held.keys() == features.keys():
        return
    for feature_id, entitlement in held.items():
        if feature_id not in features:
            store.delete(entitlement["id"])
    for feature_id, feature in features.items():
        if feature_id not in held:
            store.put(shapes.active_entitlement(account.new_id("ent", 24), feature), parent=customer_id)
    if not silent:
        after = store.all("entitlements.active_entitlement", parent=customer_id)
        account.emit(
            "entitlements.active_entitlement_summary.updated",
            _summary(account, customer_id, after),
            {"entitlements": _summary(account, customer_id, before)["entitlements"]},
        )


def _summary(account: Account, customer_id: str, entitlements: list[StripeObject]) -> StripeObject:
    expanded = [
        {**entitlement, "feature": account.store.get(entitlement["feature"]) or entitlement["feature"]}
        for entitlement in entitlements
    ]
    return {
        "object": "entitlements.active_entitlement_summary",
        "customer": customer_id,
        "entitlements": {
            "object": "list",
            "data": expanded[:10],
            "has_more": len(expanded) > 10,
            "url": f"/v1/customer/{customer_id}/entitlements",
        },
        "livemode": False,
    }
