"""`creditContract`: what was charged for a contract is taken back by a credit memo, of which billing and sales are told.

| step | system | taken back by |
| --- | --- | --- |
| check | billing, identity, erp, crm | nothing was written |
| memo | erp | cancelled while it is a draft; once posted, an invoice that charges the same again |
| credit | billing | the credit note void; once its invoice is settled, the amount put back on the customer's balance |
| note | crm | the line taken out |

The ERP tells `credit_memo.issued`, once. Where billing has no copy of the invoice it has nothing to credit, and where no
deal names the contract there is nowhere to note it.

A refusal undoes everything; a system that is down is waited for until the deadline. A person decides where our own
credential is refused, and above the approval limit: the amount, before tax. Where another amount is left by then, or another
invoice would be credited, than was approved, it is refused with CONFLICT.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from decimal import Decimal
from typing import Any

from gateway.writes.minor_unit import digits_in_words, is_payable, to_minor_unit
from gateway.writes.workflows.contract_record import read_deal, read_owner, read_terms
from gateway.writes.workflows.definition import Answered, Definition, PlannedWrite, Step, StepContext, refuse
from gateway.writes.workflows.model import Json

_PAGE = "pageInfo{hasNextPage endCursor}"
_MEMO_PAGE = f"{{edges{{node{{net{{amount}}}}}}{_PAGE}}}"
_INVOICE = (
    "id number status version currency contract{number} net{amount} total{amount}"
    f" creditMemos(first:100){_MEMO_PAGE}"
)
_BY_ID = f"query($r:[_Any!]!){{_entities(representations:$r){{...on Invoice{{{_INVOICE}}}}}}}"
_OF_CONTRACT = (
    "query($number:String!,$after:String)"
    "{invoices(first:100,after:$after,filter:{contractNumber:$number,status:[POSTED,PAID]})"
    f"{{edges{{node{{{_INVOICE}}}}}{_PAGE}}}}}"
)
_MORE_MEMOS = (
    "query($r:[_Any!]!,$after:String){_entities(representations:$r)"
    f"{{...on Invoice{{creditMemos(first:100,after:$after){_MEMO_PAGE}}}}}}}"
)
_COPY = "query($r:[_Any!]!){_entities(representations:$r){...on Invoice{billingDocument{total{amount}}}}}"
_FOUND = "creditableInvoice"
_ANY_STATUS = ("ACTIVE", "PAUSED", "TRIAL", "CANCELLED", "EXPIRED")


async def _left(context: StepContext, invoice: Json) -> Decimal:
    """Return what of an invoice was not credited yet, before tax."""
    known = invoice["creditMemos"]
    memos = [edge["node"] for edge in known["edges"]]
    if known["pageInfo"]["hasNextPage"]:
        wanted = {"r": [{"__typename": "Invoice", "id": invoice["id"]}]}
        memos += [memo async for memo in context.pages("erp", _MORE_MEMOS, wanted, known["pageInfo"]["endCursor"])]
    return Decimal(invoice["net"]["amount"]) - sum((abs(Decimal(memo["net"]["amount"])) for memo in memos), Decimal(0))


async def _check(context: StepContext) -> Json:
    """Find the invoice and what of it is to be taken back; refuse what could not be carried to the end."""
    given = context.input
    amount = None if given["amount"] is None else Decimal(given["amount"])
    terms = await read_terms(context, given["number"], None, allowed=_ANY_STATUS)
    customer = await read_owner(context, terms)
    invoice, left = await _find_invoice(context, amount)
    currency = invoice["currency"]
    if amount is not None and not is_payable(amount, currency):
        raise refuse("BAD_USER_INPUT", f"`amount` has {digits_in_words(currency)} in {currency}.", "erp")
    wanted = to_minor_unit(left if amount is None else amount, currency)
    if wanted > left or wanted <= 0:
        told = f"Of invoice {invoice['number']}, {left} {currency} before tax are left to be credited."
        raise refuse("CONFLICT", told, "erp")
    approved = context.agreed.get(_FOUND)
    if approved is not None and (approved["invoice"], approved["amount"]) != (invoice["number"], str(wanted)):
        told = "It would credit another amount, or another invoice, than was approved; ask for the credit again."
        raise refuse("CONFLICT", told, "erp")
    (copy,) = await context.read("billing", _COPY, {"r": [{"__typename": "Invoice", "number": invoice["number"]}]})
    document = None if copy is None else copy["billingDocument"]
    return {
        "terms": terms,
        "customer": customer,
        "deal": await read_deal(context, given["number"]),
        "invoice": {name: invoice[name] for name in ("id", "number", "version", "currency")},
        "amount": str(wanted),
        # Billing's copy is with tax only where billing itself charges it.
        "copy": None
        if document is None
        else {"isGross": Decimal(document["total"]["amount"]) == Decimal(invoice["total"]["amount"])},
    }


async def _find_invoice(context: StepContext, amount: Decimal | None) -> tuple[Json, Decimal]:
    """Return an invoice, and what of it is left to be credited."""
    given = context.input
    if given["invoiceId"] is not None:
        (invoice,) = await context.read("erp", _BY_ID, {"r": [{"__typename": "Invoice", "id": given["invoiceId"]}]})
        if invoice is None:
            raise refuse("NOT_FOUND", "There is no such invoice in the ERP.", "erp")
        if (invoice["contract"] or {}).get("number") != given["number"]:
            raise refuse("CONFLICT", "The invoice is for another contract.", "erp")
        if given["invoiceVersion"] is not None and invoice["version"] != given["invoiceVersion"]:
            raise refuse("CONFLICT", f"The invoice has changed: its version is {invoice['version']}.", "erp")
        if invoice["status"] not in ("POSTED", "PAID"):
            raise refuse("CONFLICT", f"The invoice is {invoice['status']}, not POSTED or PAID.", "erp")
        return invoice, await _left(context, invoice)
    async with aclosing(context.pages("erp", _OF_CONTRACT, {"number": given["number"]})) as invoices:
        async for invoice in invoices:
            if amount is not None and (left := await _left(context, invoice)) >= amount:
                return invoice, left
    raise refuse("CONFLICT", "No invoice of the contract has so much left to be credited.", "erp")


async def _memo(context: StepContext) -> Json:
    checked = context.outputs["check"]
    wanted = {"invoiceId": checked["invoice"]["id"], "amount": checked["amount"], "reason": context.input["reason"]}
    return await context.write("erp", "creditInvoice", "memoId number net tax total", wanted)


async def _undo_memo(context: StepContext) -> Json:
    wanted = {"invoiceId": context.outputs["check"]["invoice"]["id"]}
    return await context.undo("erp", "undoCreditInvoice", "isUndone", wanted)


async def _credit(context: StepContext) -> Json:
    checked, memo = context.outputs["check"], context.outputs["memo"]
    if checked["copy"] is None:
        return None
    amount = abs(Decimal(memo["total" if checked["copy"]["isGross"] else "net"]))
    wanted = {"document": checked["invoice"]["number"], "amount": str(amount), "memo": memo["number"]}
    return await context.write("billing", "creditDocument", "creditNote", wanted)


async def _undo_credit(context: StepContext) -> Json:
    checked = context.outputs["check"]
    if checked["copy"] is None:
        return None
    wanted = {"document": checked["invoice"]["number"]}
    return await context.undo("billing", "undoCreditDocument", "isUndone", wanted)


async def _note(context: StepContext) -> Json:
    checked, memo = context.outputs["check"], context.outputs["memo"]
    if checked["deal"] is None:
        return None
    amount = f"{abs(Decimal(memo['net']))} {checked['invoice']['currency']}"
    text = f"{memo['number']} credits {amount} of {checked['invoice']['number']}: {context.input['reason']}"
    return await context.write("crm", "noteContract", "version", {"id": checked["deal"]["id"], "text": text})


async def _undo_note(context: StepContext) -> Json:
    deal = context.outputs["check"]["deal"]
    return None if deal is None else await context.undo("crm", "undoNoteContract", "version", {"id": deal["id"]})


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    checked = await _check(context)
    number, amount = checked["invoice"]["number"], checked["amount"]
    planned = [
        PlannedWrite(
            step="memo",
            system="erp",
            action="creditInvoice",
            changes=(("invoice", None, number), ("net", None, amount), ("reason", None, context.input["reason"])),
        )
    ]
    if checked["copy"] is not None:
        credited = (("document", None, number),)
        planned.append(PlannedWrite(step="credit", system="billing", action="creditDocument", changes=credited))
    if checked["deal"] is not None:
        planned.append(PlannedWrite(step="note", system="crm", action="noteContract"))
    return tuple(planned)


async def _amount(context: StepContext) -> Decimal | None:
    checked = await _check(context)
    answer = {"invoice": checked["invoice"]["number"], "amount": checked["amount"]}
    context.exchanges.append(Answered(system="erp", action=_FOUND, question=dict(context.input), answer=answer))
    return Decimal(checked["amount"])


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    checked = outputs.get("check") or {}
    return (checked.get("customer") or {}).get("id"), (checked.get("terms") or {}).get("number")


def _result(outputs: Mapping[str, Any]) -> Json:
    return {
        "contract": outputs["check"]["terms"]["number"],
        "invoice": outputs["check"]["invoice"]["number"],
        "creditMemo": outputs["memo"]["memoId"],
    }


CREDIT = Definition(
    kind="credit",
    steps=(
        Step(name="check", system="erp", run=_check),
        Step(name="memo", system="erp", run=_memo, undo=_undo_memo),
        Step(name="credit", system="billing", run=_credit, undo=_undo_credit),
        Step(name="note", system="crm", run=_note, undo=_undo_note),
    ),
    plan=_plan,
    amount=_amount,
    subject=_subject,
    result=_result,
)
