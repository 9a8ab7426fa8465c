"""What follows a renewal that was made ahead: on the new term's first day its order is posted, and its revenue spread.

| step | system | taken back by |
| --- | --- | --- |
| check | billing | nothing was written |
| invoice | erp | by the opposite entry |
| revenue | erp | the opposite of each entry |

It is begun with the end of the renewal, and is SCHEDULED until that day. Where by then the contract is over, or its renewal was
taken back, the order is cancelled instead. A person decides where it is paused, or where its first cycle comes to another amount
than the order has, for it was amended meanwhile; and where a system is still down after a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateway.writes.workflows.definition import (
    Definition,
    OnFailure,
    PlannedWrite,
    RetryPolicy,
    Step,
    StepContext,
    beginning_of_day,
    refuse,
)
from gateway.writes.workflows.financial_effect import ORDER, schedule_revenue
from gateway.writes.workflows.model import Json

POSTING = "renewal-posting"
CHARGES = "sku description quantity amount startsOn endsOn"
"""The selection of what a cycle is charged with."""
_FIRST = (
    "query($number:String!,$startsOn:Date!,$endsOn:Date!)"
    f"{{termCharges(number:$number,startsOn:$startsOn,endsOn:$endsOn){{{CHARGES}}}}}"
)
_CONTRACT = "query($r:[_Any!]!){_entities(representations:$r){...on Contract{status endsOn cancellation{effectiveOn}}}}"
_OVER = frozenset({"CANCELLED", "EXPIRED"})
_IN_THE_BOOKS = frozenset({"POSTED", "PAID"})
_PATIENCE_S = 24 * 3600.0
_PATIENT = RetryPolicy(give_up_after_s=_PATIENCE_S, longest_pause_s=60.0)


async def first_cycle(context: StepContext, number: str, starts_on: str, ends_on: str) -> list[Json]:
    """Return what a term's first cycle is charged with, as billing says now."""
    span = {"number": number, "startsOn": starts_on, "endsOn": ends_on}
    charges: list[Json] = await context.read("billing", _FIRST, span)
    return charges


async def _check(context: StepContext) -> Json:
    """See whether the contract is in the term that the order is for; refuse what a person has to look at."""
    given = context.input
    wanted = {"__typename": "Contract", "number": given["number"]}
    (contract,) = await context.read("billing", _CONTRACT, {"r": [wanted]})
    if contract is None or not _is_in_term(contract, given):
        return {"isRenewed": False}
    if contract["status"] != "ACTIVE":
        raise refuse("CONFLICT", f"The contract is {contract['status']} on the first day of its new term.", "billing")
    charges = await first_cycle(context, given["number"], given["startsOn"], given["endsOn"])
    if _amounts(charges) != _amounts(given["charges"]):
        told = "The first cycle comes to another amount than the renewal's order has: the contract was amended since."
        raise refuse("CONFLICT", told, "billing")
    return {"isRenewed": True}


def _is_in_term(contract: Json, given: Mapping[str, Json]) -> bool:
    """Whether a contract was not ended, or its renewal taken back. Days compare as text."""
    last_day = (contract["cancellation"] or {}).get("effectiveOn")
    is_ended = contract["status"] in _OVER or (last_day is not None and last_day <= given["startsOn"])
    return not is_ended and (contract["endsOn"] is None or contract["endsOn"] >= given["endsOn"])


def _amounts(charges: list[Json]) -> list[tuple[str, Decimal]]:
    return sorted((charge["sku"], Decimal(charge["amount"])) for charge in charges)


async def _invoice(context: StepContext) -> Json:
    given = context.input
    if not context.outputs["check"]["isRenewed"]:
        order = f"{given['renewal']}:order"
        await context.write("erp", "undoOrder", "isUndone", {"order": order, "undoes": order})
        return None
    posted = await context.write("erp", "postOrder", ORDER, {"erpId": given["erpId"]})
    # One that somebody has cancelled in the ERP stays so.
    return posted if posted["status"] in _IN_THE_BOOKS else None


async def _undo_invoice(context: StepContext) -> Json:
    return await context.undo("erp", "undoOrder", "isUndone", {"order": f"{context.input['renewal']}:order"})


async def _revenue(context: StepContext) -> Json:
    return await schedule_revenue(context, context.outputs["invoice"])


async def _undo_revenue(context: StepContext) -> Json:
    return await context.undo("erp", "undoRevenue", "isUndone", {"order": f"{context.input['renewal']}:order"})


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    del context
    return (
        PlannedWrite(step="invoice", system="erp", action="postOrder", changes=(("status", "DRAFT", "POSTED"),)),
        PlannedWrite(step="revenue", system="erp", action="scheduleRevenue"),
    )


async def _amount(context: StepContext) -> Decimal | None:
    """Return nothing: the renewal was approved."""
    del context
    return None


def _result(outputs: Mapping[str, Any]) -> Json:
    posted = outputs["invoice"]
    return {"invoiceId": None if posted is None else posted["invoiceId"]}


def _due_at(given: Mapping[str, Any]) -> float | None:
    """Return the beginning of the term's first day, in UTC."""
    return beginning_of_day(given["startsOn"])


RENEWAL_POSTING = Definition(
    kind=POSTING,
    steps=(
        Step(name="check", system="billing", run=_check, retry=_PATIENT, on_failure=OnFailure.ASK),
        Step(name="invoice", system="erp", run=_invoice, undo=_undo_invoice, retry=_PATIENT, on_failure=OnFailure.ASK),
        Step(name="revenue", system="erp", run=_revenue, undo=_undo_revenue, retry=_PATIENT, on_failure=OnFailure.ASK),
    ),
    plan=_plan,
    amount=_amount,
    subject=lambda _outputs: (None, None),
    result=_result,
    deadline_s=_PATIENCE_S,
    due_at=_due_at,
)
