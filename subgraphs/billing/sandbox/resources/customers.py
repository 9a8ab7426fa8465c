"""Customers and their payment methods."""

from __future__ import annotations

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import customer as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources.listing import list_of, search
from subgraphs.billing.sandbox.store import StripeObject

_TEXTS = ("description", "email", "name", "phone")


def _fill(account: Account, params: Params, body: StripeObject) -> StripeObject:
    filled = {**body, "metadata": params.metadata(body["metadata"])}
    for name in _TEXTS:
        if name in params:
            filled[name] = params.text(name)
    if "address" in params:
        filled["address"] = params.address("address")
    filled["tax_exempt"] = params.choice("tax_exempt", ("none", "exempt", "reverse")) or body["tax_exempt"]
    settings = params.nested("invoice_settings")
    if settings is not None:
        chosen = settings.text("default_payment_method")
        if chosen is not None:
            method = account.find("payment_method", chosen, param="invoice_settings[default_payment_method]")
            if method["customer"] != body["id"]:
                raise StripeError.invalid(
                    f"The customer does not have a payment method with the ID {chosen}. The payment method must be attached to the customer.",
                    code="resource_missing",
                    param="invoice_settings[default_payment_method]",
                )
        filled["invoice_settings"] = {**body["invoice_settings"], "default_payment_method": chosen}
    return filled


def create(account: Account, params: Params) -> StripeObject:
    """POST /v1/customers"""
    empty = shapes.customer(account.new_id("cus", 14), account.now())
    return account.create(_fill(account, params, empty), "customer.created")


def retrieve(account: Account, _params: Params, customer_id: str) -> StripeObject:
    """GET /v1/customers/:id; a deleted customer answers with its tombstone."""
    return account.find("customer", customer_id)


def update(account: Account, params: Params, customer_id: str) -> StripeObject:
    """POST /v1/customers/:id"""
    before = account.find("customer", customer_id)
    if before.get("deleted"):
        raise StripeError.no_such("customer", customer_id)
    return account.change(before, _fill(account, params, before), "customer.updated")


def delete(account: Account, _params: Params, customer_id: str) -> StripeObject:
    """DELETE /v1/customers/:id; cancels nothing here, as subscriptions must be cancelled first."""
    before = account.find("customer", customer_id)
    open_ones = [s for s in account.store.all("subscription", parent=customer_id) if s["status"] != "canceled"]
    if open_ones:
        raise StripeError.invalid("This customer has active subscriptions; cancel them first.")
    account.emit("customer.deleted", before)
    gone: StripeObject = {"id": customer_id, "object": "customer", "deleted": True}
    account.store.put(gone)
    return gone


def list_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/customers"""
    found = list_of(account, params, "customer", "/v1/customers", where={"email": params.text("email")})
    return {**found, "data": [body for body in found["data"] if not body.get("deleted")]}


def search_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/customers/search"""
    return search(account, params, "customer", "/v1/customers/search")


def create_payment_method(account: Account, params: Params) -> StripeObject:
    """POST /v1/payment_methods"""
    kind = params.choice("type", ("card", "sepa_debit"))
    if kind is None:
        raise StripeError.missing_param("type")
    given = params.nested(kind)
    if kind == "card":
        number = (given.text("number") if given else None) or "4242424242424242"
        month = (given.integer("exp_month", low=1, high=12) if given else None) or 12
        year = (given.integer("exp_year", low=2000, high=2100) if given else None) or 2032
        if given:
            given.text("cvc")
        brand = "mastercard" if number.startswith("5") else "amex" if number.startswith("3") else "visa"
        details = shapes.card(brand, number[-4:], month, year)
    else:
        iban = (given.text("iban") if given else None) or "DE89370400440532013000"
        details = shapes.sepa_debit(iban[4:12], iban[:2], iban[-4:])
    billing = params.nested("billing_details")
    body = shapes.payment_method(
        account.new_id("pm_1", 23),
        account.now(),
        kind=kind,
        details=details,
        name=billing.text("name") if billing else None,
        email=billing.text("email") if billing else None,
    )
    return account.create({**body, "metadata": params.metadata()}, None)


def retrieve_payment_method(account: Account, _params: Params, method_id: str) -> StripeObject:
    """GET /v1/payment_methods/:id"""
    return account.find("payment_method", method_id)


def list_payment_methods(account: Account, params: Params) -> StripeObject:
    """GET /v1/payment_methods?customer="""
    customer_id = params.required("customer")
    account.find("customer", customer_id, param="customer")
    where = {"type": params.text("type"), "customer": customer_id}
    return list_of(account, params, "payment_method", "/v1/payment_methods", where=where, created=False)


def list_of_customer(account: Account, params: Params, customer_id: str) -> StripeObject:
    """GET /v1/customers/:id/payment_methods"""
    account.find("customer", customer_id)
    url = f"/v1/customers/{customer_id}/payment_methods"
    where = {"type": params.text("type"), "customer": customer_id}
    return list_of(account, params, "payment_method", url, where=where, created=False)


def attach(account: Account, params: Params, method_id: str) -> StripeObject:
    """POST /v1/payment_methods/:id/attach"""
    before = account.find("payment_method", method_id)
    customer_id = account.find("customer", params.required("customer"), param="customer")["id"]
    after = {**before, "customer": customer_id}
    account.store.put(after)
    account.emit("payment_method.attached", after)
    return after


def detach(account: Account, _params: Params, method_id: str) -> StripeObject:
    """POST /v1/payment_methods/:id/detach"""
    before = account.find("payment_method", method_id)
    if before["customer"] is None:
        raise StripeError.invalid("The payment method you provided is not attached to a customer.")
    after = {**before, "customer": None}
    account.store.put(after)
    account.emit("payment_method.detached", after, {"customer": before["customer"]})
    return after


def change_balance(
    account: Account,
    customer_id: str,
    amount: int,
    *,
    kind: str = "adjustment",
    description: str | None = None,
    credit_note: str | None = None,
    metadata: dict[str, str] | None = None,
) -> StripeObject:
    """Add to what a customer owes, or below 0 has in credit, and return the transaction."""
    before = account.find("customer", customer_id)
    after = {**before, "balance": before["balance"] + amount}
    account.change(before, after, "customer.updated")
    body: StripeObject = {
        "id": account.new_id("cbtxn_1", 23),
        "object": "customer_balance_transaction",
        "amount": amount,
        "created": account.now(),
        "credit_note": credit_note,
        "currency": before["currency"] or "eur",
        "customer": customer_id,
        "description": description,
        "ending_balance": after["balance"],
        "invoice": None,
        "livemode": False,
        "metadata": dict(metadata or {}),
        "type": kind,
    }
    return account.create(body, None, parent=customer_id)


def create_balance_transaction(account: Account, params: Params, customer_id: str) -> StripeObject:
    """POST /v1/customers/:id/balance_transactions"""
    amount = params.integer("amount")
    if amount is None:
        raise StripeError.missing_param("amount")
    params.required("currency")
    description = params.text("description")
    return change_balance(account, customer_id, amount, description=description, metadata=params.metadata())


def list_balance_transactions(account: Account, params: Params, customer_id: str) -> StripeObject:
    """GET /v1/customers/:id/balance_transactions"""
    account.find("customer", customer_id)
    url = f"/v1/customers/{customer_id}/balance_transactions"
    return list_of(account, params, "customer_balance_transaction", url, parent=customer_id)
