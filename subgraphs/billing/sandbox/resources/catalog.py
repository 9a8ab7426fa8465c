"""Products, their features, and prices."""

from __future__ import annotations

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import catalog as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources.listing import list_of, search
from subgraphs.billing.sandbox.store import StripeObject

_INTERVALS = ("day", "week", "month", "year")


def create_product(account: Account, params: Params) -> StripeObject:
    """POST /v1/products"""
    object_id = params.text("id") or account.new_id("prod", 14)
    if account.store.get(object_id) is not None:
        raise StripeError.invalid("Product already exists.", code="resource_already_exists")
    body = shapes.product(
        object_id,
        params.required("name"),
        account.now(),
        active=params.boolean("active") is not False,
        description=params.text("description"),
        unit_label=params.text("unit_label"),
        metadata=params.metadata(),
    )
    params.choice("type", ("service", "good"))
    return account.create(body, "product.created")


def retrieve_product(account: Account, _params: Params, product_id: str) -> StripeObject:
    """GET /v1/products/:id"""
    return account.find("product", product_id)


def update_product(account: Account, params: Params, product_id: str) -> StripeObject:
    """POST /v1/products/:id"""
    before = account.find("product", product_id)
    after = {**before, "metadata": params.metadata(before["metadata"])}
    for name in ("name", "description", "unit_label"):
        if name in params:
            after[name] = params.text(name)
    active = params.boolean("active")
    after["active"] = before["active"] if active is None else active
    chosen = params.text("default_price")
    if chosen is not None:
        after["default_price"] = account.find("price", chosen, param="default_price")["id"]
    if after != before:
        after["updated"] = account.now()
    return account.change(before, after, "product.updated")


def list_products(account: Account, params: Params) -> StripeObject:
    """GET /v1/products"""
    where = {"active": params.boolean("active"), "id": params.strings("ids") or None}
    return list_of(account, params, "product", "/v1/products", where=where)


def search_products(account: Account, params: Params) -> StripeObject:
    """GET /v1/products/search"""
    return search(account, params, "product", "/v1/products/search")


def create_price(account: Account, params: Params) -> StripeObject:
    """POST /v1/prices; `product` or `product_data[name]`."""
    currency = params.required("currency").lower()
    data = params.nested("product_data")
    if data is not None:
        product_id = account.create(
            shapes.product(account.new_id("prod", 14), data.required("name"), account.now(), metadata=data.metadata()),
            "product.created",
        )["id"]
    else:
        product_id = account.find("product", params.required("product"), param="product")["id"]
    recurring = params.nested("recurring")
    settled = None
    if recurring is not None:
        meter = recurring.text("meter")
        if meter is not None:
            account.find("billing.meter", meter, param="recurring[meter]")
        interval = recurring.choice("interval", _INTERVALS)
        if interval is None:
            raise StripeError.missing_param("recurring[interval]")
        usage_type = recurring.choice("usage_type", ("licensed", "metered")) or "licensed"
        if usage_type == "metered" and meter is None:
            raise StripeError.missing_param("recurring[meter]")
        settled = {
            "interval": interval,
            "interval_count": recurring.integer("interval_count", low=1, high=36) or 1,
            "meter": meter,
            "usage_type": usage_type,
        }
    amount = params.integer("unit_amount", low=0, high=99_999_999_999)
    exact = params.text("unit_amount_decimal")
    if amount is None and exact is None:
        raise StripeError.missing_param("unit_amount")
    body = shapes.price(
        account.new_id("price_1", 23),
        product_id,
        currency,
        amount,
        account.now(),
        recurring=settled,
        nickname=params.text("nickname"),
        lookup_key=params.text("lookup_key"),
        metadata=params.metadata(),
        tax_behavior=params.choice("tax_behavior", ("exclusive", "inclusive", "unspecified")) or "unspecified",
    )
    if exact is not None:
        body["unit_amount_decimal"] = exact
    return account.create(body, "price.created", parent=product_id)


def retrieve_price(account: Account, _params: Params, price_id: str) -> StripeObject:
    """GET /v1/prices/:id"""
    return account.find("price", price_id)


def update_price(account: Account, params: Params, price_id: str) -> StripeObject:
    """POST /v1/prices/:id; amounts never change."""
    before = account.find("price", price_id)
    active = params.boolean("active")
    after = {
        **before,
        "active": before["active"] if active is None else active,
        "metadata": params.metadata(before["metadata"]),
        "nickname": params.text("nickname") if "nickname" in params else before["nickname"],
        "lookup_key": params.text("lookup_key") if "lookup_key" in params else before["lookup_key"],
    }
    return account.change(before, after, "price.updated")


def list_prices(account: Account, params: Params) -> StripeObject:
    """GET /v1/prices"""
    where = {
        "active": params.boolean("active"),
        "currency": params.text("currency"),
        "type": params.choice("type", ("one_time", "recurring")),
        "lookup_key": params.strings("lookup_keys") or None,
    }
    return list_of(account, params, "price", "/v1/prices", parent=params.text("product"), where=where)


def search_prices(account: Account, params: Params) -> StripeObject:
    """GET /v1/prices/search"""
    return search(account, params, "price", "/v1/prices/search")


def list_product_features(account: Account, params: Params, product_id: str) -> StripeObject:
    """GET /v1/products/:id/features"""
    account.find("product", product_id)
    url = f"/v1/products/{product_id}/features"
    return list_of(account, params, "product_feature", url, parent=product_id, created=False)


def attach_feature(account: Account, params: Params, product_id: str) -> StripeObject:
    """POST /v1/products/:id/features"""
    account.find("product", product_id)
    feature = account.find("entitlements.feature", params.required("entitlement_feature"), param="entitlement_feature")
    attached = account.store.all("product_feature", parent=product_id)
    if any(entry["entitlement_feature"]["id"] == feature["id"] for entry in attached):
        raise StripeError.invalid("This feature is already attached to the product.", param="entitlement_feature")
    return account.create(shapes.product_feature(account.new_id("prodft", 14), feature), None, parent=product_id)


def detach_feature(account: Account, _params: Params, product_id: str, attachment_id: str) -> StripeObject:
    """DELETE /v1/products/:id/features/:feature"""
    account.find("product", product_id)
    account.find("product_feature", attachment_id)
    account.store.delete(attachment_id)
    return {"id": attachment_id, "object": "product_feature", "deleted": True}
