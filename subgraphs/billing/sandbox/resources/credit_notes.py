"""Credit notes: what is taken back of an invoice that was issued."""

from __future__ import annotations

from subgraphs.billing.sandbox.account import Account
from subgraphs.billing.sandbox.errors import StripeError
from subgraphs.billing.sandbox.objects import invoice as shapes
from subgraphs.billing.sandbox.params import Params
from subgraphs.billing.sandbox.resources.customers import change_balance
from subgraphs.billing.sandbox.resources.invoices import paid
from subgraphs.billing.sandbox.resources.listing import list_of
from subgraphs.billing.sandbox.store import StripeObject

_REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")


def create(account: Account, params: Params) -> StripeObject:
    """POST /v1/credit_notes"""
    before = account.find("invoice", params.required("invoice"), param="invoice")
    if before["status"] not in {"open", "paid", "uncollectible"}:
        raise StripeError.invalid("You can only create a credit note for an open or paid invoice.", param="invoice")
    amount = params.integer("amount", low=1)
    if amount is None:
        raise StripeError.missing_param("amount")
    credited = before["post_payment_credit_notes_amount"] + before["pre_payment_credit_notes_amount"]
    if amount > before["total"] - credited:
        raise StripeError.invalid("The credit note amount exceeds what is left of the invoice.", param="amount")
    memo = params.text("memo")
    count = len(account.store.all("credit_note", parent=before["id"])) + 1
    note = shapes.credit_note(
        account.new_id("cn_1", 23),
        before,
        amount,
        f"{before['number']}-CN-{count:02d}",
        account.now(),
        reason=params.choice("reason", _REASONS),
        memo=memo,
        line=(account.new_id("cnli_1", 23), memo or "Credit"),
        metadata=params.metadata(),
    )
    back = {name: params.integer(f"{name}_amount", low=0) or 0 for name in ("credit", "refund", "out_of_band")}
    if before["status"] == "paid" and sum(back.values()) != amount:
        raise StripeError.invalid(
            "The sum of credit amount, refund amount and out of band amount must equal the credit note amount of a paid invoice.",
            param="credit_amount",
        )
    if before["status"] != "paid" and any(back.values()):
        raise StripeError.invalid("An open invoice is credited before it is paid.", param="credit_amount")
    if back["credit"]:
        moved = change_balance(account, before["customer"], -back["credit"], kind="credit_note", credit_note=note["id"])
        note["customer_balance_transaction"] = moved["id"]
    field = "post_payment_credit_notes_amount" if before["status"] == "paid" else "pre_payment_credit_notes_amount"
    after = {**before, field: before[field] + amount}
    if before["status"] != "paid":
        after |= {"amount_due": before["amount_due"] - amount, "amount_remaining": before["amount_remaining"] - amount}
    account.create(note, "credit_note.created", parent=before["id"])
    account.change(before, after, "invoice.updated")
    if after["status"] == "open" and after["amount_remaining"] <= 0:
        paid(account, after)
    return note


def retrieve(account: Account, _params: Params, note_id: str) -> StripeObject:
    """GET /v1/credit_notes/:id"""
    return account.find("credit_note", note_id)


def list_all(account: Account, params: Params) -> StripeObject:
    """GET /v1/credit_notes"""
    where = {"customer": params.text("customer")}
    return list_of(account, params, "credit_note", "/v1/credit_notes", parent=params.text("invoice"), where=where)


def void(account: Account, _params: Params, note_id: str) -> StripeObject:
    """POST /v1/credit_notes/:id/void"""
    before = account.find("credit_note", note_id)
    if before["status"] == "void":
        raise StripeError.invalid("This credit note has already been voided.")
    invoice = account.find("invoice", before["invoice"])
    if invoice["status"] != "open" or before["type"] == "post_payment":
        raise StripeError.invalid("You can only void a credit note on an open invoice.")
    after = {**before, "status": "void", "voided_at": account.now()}
    account.store.put(after)
    account.emit("credit_note.voided", after, {"status": "issued"})
    amount, taken = before["amount"], invoice["pre_payment_credit_notes_amount"]
    restored = {name: invoice[name] + amount for name in ("amount_due", "amount_remaining")}
    restored["pre_payment_credit_notes_amount"] = taken - amount
    account.change(invoice, {**invoice, **restored}, "invoice.updated")
    return after
