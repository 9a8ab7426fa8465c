"""`renewContract`: a contract gets another term in billing, the order of its first cycle in the ERP, and sales knows.

| step | system | taken back by |
| --- | --- | --- |
| check | billing, identity, erp, crm | nothing was written |
| commit | crm | the stage that the renewal had |
| renew | billing | the term that the contract had |
| order | erp | cancelled; once posted, by the opposite entry |
| invoice, revenue | erp | with the order; the opposite of each entry. Only when the term has begun: before, the order waits as a draft, which `renewal_posting.py` posts on the term's first day |
| complete | crm | the stage COMMITTED |

The CRM tells `renewal.stage_changed` and `renewal.completed`, billing `contract.amended` with the new end, once each. A
contract that no deal names is renewed without the two steps in the CRM.

A refusal undoes everything; a system that is down is waited for until the deadline. A person decides where our own
credential is refused, where the contract was renewed again before an undoing, and above the approval limit: what the whole
term is worth.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateway.writes.workflows.contract_record import read_deal, read_owner, read_terms, refuse_held
from gateway.writes.workflows.definition import Definition, Following, PlannedWrite, Step, StepContext, refuse
from gateway.writes.workflows.financial_effect import ORDER, order_line, schedule_revenue
from gateway.writes.workflows.model import Json
from gateway.writes.workflows.months import last_day_of_term, months_of_term
from gateway.writes.workflows.renewal_posting import CHARGES, POSTING, first_cycle

_ONE_DAY = dt.timedelta(days=1)


async def _check(context: StepContext) -> Json:
    """Read the contract, whose it is, and where its renewal stands; refuse what could not be carried to the end."""
    given = context.input
    terms = await read_terms(context, given["number"], given["version"], allowed=("ACTIVE",))
    if terms["endsOn"] is None:
        raise refuse("CONFLICT", "The contract has no agreed term that could be followed by another.", "billing")
    if terms["isEnding"]:
        raise refuse("CONFLICT", "The contract is to end; setAutoRenew withdraws that.", "billing")
    customer = await read_owner(context, terms)
    await refuse_held(context, customer)
    deal = await read_deal(context, given["number"])
    if deal is not None and deal["renewalStage"] == "LOST":
        raise refuse("CONFLICT", "The renewal is lost, the CRM says.", "crm")
    began, ended = (dt.date.fromisoformat(terms[name]) for name in ("termStartsOn", "endsOn"))
    starts_on = ended + _ONE_DAY
    months = given["termMonths"] or months_of_term(began, ended)
    return {
        "terms": terms,
        "customer": customer,
        "deal": deal,
        "months": months,
        "startsOn": starts_on.isoformat(),
        "endsOn": last_day_of_term(starts_on, months).isoformat(),
        "hasBegun": starts_on <= dt.datetime.now(dt.UTC).date(),
    }


async def _move(context: StepContext, stage: str) -> Json:
    deal = context.outputs["check"]["deal"]
    return (
        None if deal is None else await context.write("crm", "moveRenewal", "stage", {"id": deal["id"], "stage": stage})
    )


async def _move_back(context: StepContext, moved: str, stage: str) -> Json:
    deal = context.outputs["check"]["deal"]
    if deal is None:
        return None
    wanted = {"id": deal["id"], "moved": moved, "stage": stage}
    return await context.undo("crm", "undoMoveRenewal", "stage", wanted)


async def _commit(context: StepContext) -> Json:
    return await _move(context, "COMMITTED")


async def _undo_commit(context: StepContext) -> Json:
    deal = context.outputs["check"]["deal"] or {}
    return await _move_back(context, "COMMITTED", deal.get("renewalStage") or "NOT_STARTED")


async def _renew(context: StepContext) -> Json:
    checked = context.outputs["check"]
    wanted = {
        "number": context.input["number"],
        "version": context.input["version"],
        "startsOn": checked["startsOn"],
        "endsOn": checked["endsOn"],
        # A contract that is agreed anew term by term stays one: its end moves.
        "autoRenews": checked["terms"]["autoRenews"],
    }
    return await context.write("billing", "renewTerm", f"terms{{number version}} charges{{{CHARGES}}}", wanted)


async def _undo_renew(context: StepContext) -> Json:
    terms = context.outputs["check"]["terms"]
    wanted = {
        "number": context.input["number"],
        "startsOn": terms["termStartsOn"],
        "endsOn": terms["endsOn"],
        "autoRenews": terms["autoRenews"],
    }
    return await context.undo("billing", "undoRenewTerm", "isUndone", wanted)


async def _order(context: StepContext) -> Json:
    checked, charges = context.outputs["check"], context.outputs["renew"]["charges"]
    # Billing charges the cycle when it begins, so there is no billed line to name yet.
    currency = checked["terms"]["currency"]
    lines = [order_line({**charge, "ref": None}, currency) for charge in charges]
    wanted = {
        "erpRef": checked["customer"]["erpRef"],
        "contractNumber": context.input["number"],
        "currency": currency,
        "issuedOn": None if checked["hasBegun"] else checked["startsOn"],
        "lines": lines,
    }
    return await context.write("erp", "placeOrder", ORDER, wanted) if lines else None


async def _undo_order(context: StepContext) -> Json:
    return await context.undo("erp", "undoOrder", "isUndone", {"order": f"{context.workflow}:order"})


async def _invoice(context: StepContext) -> Json:
    placed = context.outputs["order"]
    if placed is None or not context.outputs["check"]["hasBegun"]:
        return None
    return await context.write("erp", "postOrder", ORDER, {"erpId": placed["erpId"]})


async def _revenue(context: StepContext) -> Json:
    return await schedule_revenue(context, context.outputs["invoice"])


async def _undo_revenue(context: StepContext) -> Json:
    return await context.undo("erp", "undoRevenue", "isUndone", {"order": f"{context.workflow}:order"})


async def _complete(context: StepContext) -> Json:
    return await _move(context, "RENEWED")


async def _undo_complete(context: StepContext) -> Json:
    return await _move_back(context, "RENEWED", "COMMITTED")


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    checked = await _check(context)
    terms, deal, number = checked["terms"], checked["deal"], context.input["number"]
    charges = await first_cycle(context, number, checked["startsOn"], checked["endsOn"])
    stage = None if deal is None else deal["renewalStage"]
    net = str(sum((Decimal(charge["amount"]) for charge in charges), Decimal(0)))
    order = [(f"lines.{charge['description']}", None, str(charge["amount"])) for charge in charges]
    planned = [
        PlannedWrite(
            step="commit", system="crm", action="moveRenewal", changes=(("renewalStage", stage, "COMMITTED"),)
        ),
        PlannedWrite(
            step="renew",
            system="billing",
            action="renewTerm",
            changes=(
                ("startsOn", terms["termStartsOn"], checked["startsOn"]),
                ("endsOn", terms["endsOn"], checked["endsOn"]),
            ),
        ),
        PlannedWrite(
            step="order",
            system="erp",
            action="placeOrder",
            changes=(("contract", None, number), ("issuedOn", None, checked["startsOn"]), *order, ("net", None, net)),
        ),
    ]
    if checked["hasBegun"]:
        planned += [
            PlannedWrite(step="invoice", system="erp", action="postOrder", changes=(("status", "DRAFT", "POSTED"),)),
            PlannedWrite(step="revenue", system="erp", action="scheduleRevenue"),
        ]
    last = (("renewalStage", "COMMITTED", "RENEWED"),)
    planned.append(PlannedWrite(step="complete", system="crm", action="moveRenewal", changes=last))
    return tuple(write for write in planned if (write.system != "crm" or deal) and (write.step != "order" or charges))


async def _amount(context: StepContext) -> Decimal | None:
    checked = await _check(context)
    return Decimal(checked["terms"]["mrr"]) * int(checked["months"])


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    checked = outputs.get("check") or {}
    return (checked.get("customer") or {}).get("id"), (checked.get("terms") or {}).get("number")


def _follow(workflow: str, outputs: Mapping[str, Any]) -> Following | None:
    """Return the posting of an order whose term is yet to begin."""
    checked, order = outputs["check"], outputs["order"]
    if checked["hasBegun"] or order is None:
        return None
    given = {
        "renewal": workflow,
        "number": checked["terms"]["number"],
        "startsOn": checked["startsOn"],
        "endsOn": checked["endsOn"],
        "erpId": order["erpId"],
        "charges": outputs["renew"]["charges"],
    }
    return Following(kind=POSTING, input=given)


def _result(outputs: Mapping[str, Any]) -> Json:
    order = outputs["invoice"] or outputs["order"]
    return {
        "contract": outputs["renew"]["terms"]["number"],
        "invoiceId": None if order is None else order["invoiceId"],
        "endsOn": outputs["check"]["endsOn"],
    }


RENEWAL = Definition(
    kind="renewal",
    steps=(
        Step(name="check", system="billing", run=_check),
        Step(name="commit", system="crm", run=_commit, undo=_undo_commit),
        Step(name="renew", system="billing", run=_renew, undo=_undo_renew),
        Step(name="order", system="erp", run=_order, undo=_undo_order),
        Step(name="invoice", system="erp", run=_invoice, undo=_undo_order),
        Step(name="revenue", system="erp", run=_revenue, undo=_undo_revenue),
        Step(name="complete", system="crm", run=_complete, undo=_undo_complete),
    ),
    plan=_plan,
    amount=_amount,
    subject=_subject,
    result=_result,
    follow=_follow,
)
