"""The steps by which the ERP takes over what billing has billed: an order, its posting, its number, its revenue.

| step | system | taken back by |
| --- | --- | --- |
| order | erp | cancelled; once posted, by the opposite entry |
| invoice | erp | with the order |
| document | billing | the number taken out |
| revenue | erp | the opposite of each entry |

Where billing gave back more than it charged, the order is posted as a credit memo. Where it billed nothing, nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from gateway.writes.minor_unit import to_minor_unit
from gateway.writes.workflows.definition import PlannedWrite, Step, StepContext
from gateway.writes.workflows.model import Json

BILLED = "contractId number status currency document lines{ref sku description quantity amount startsOn endsOn}"
"""The selection of what billing answers a change of a contract with."""
ORDER = "invoiceId erpId status number net tax total"
"""The selection of an order."""


def _checked_customer(outputs: Mapping[str, Json]) -> str:
    return str(outputs["check"]["customer"]["erpRef"])


def effect_steps(
    billing_step: str, erp_ref: Callable[[Mapping[str, Json]], str] = _checked_customer
) -> tuple[Step, ...]:
    """Return the steps. `billing_step` has returned BILLED; `erp_ref` finds the customer in what steps have returned."""

    async def order(context: StepContext) -> Json:
        billed = context.outputs[billing_step]
        if billed is None or not billed["lines"]:
            return None
        lines = [order_line(line, billed["currency"]) for line in billed["lines"] if Decimal(line["amount"])]
        wanted = {
            "erpRef": erp_ref(context.outputs),
            "contractNumber": billed["number"],
            "currency": billed["currency"],
            "lines": lines,
        }
        return await context.write("erp", "placeOrder", ORDER, wanted) if lines else None

    async def undo_order(context: StepContext) -> Json:
        return await context.undo("erp", "undoOrder", "isUndone", {"order": f"{context.workflow}:order"})

    async def invoice(context: StepContext) -> Json:
        placed = context.outputs["order"]
        return None if placed is None else await context.write("erp", "postOrder", ORDER, {"erpId": placed["erpId"]})

    async def document(context: StepContext) -> Json:
        posted = context.outputs["invoice"]
        if posted is None:
            return None
        wanted = {"document": context.outputs[billing_step]["document"], "number": posted["number"]}
        return await context.write("billing", "nameDocument", "document", wanted)

    async def undo_document(context: StepContext) -> Json:
        billed = context.outputs[billing_step]
        if billed is None or billed["document"] is None or context.outputs.get("invoice") is None:
            return None
        return await context.undo("billing", "undoNameDocument", "isUndone", {"document": billed["document"]})

    async def revenue(context: StepContext) -> Json:
        return await schedule_revenue(context, context.outputs["order"])

    async def undo_revenue(context: StepContext) -> Json:
        return await context.undo("erp", "undoRevenue", "isUndone", {"order": f"{context.workflow}:order"})

    return (
        Step(name="order", system="erp", run=order, undo=undo_order),
        Step(name="invoice", system="erp", run=invoice, undo=undo_order),
        Step(name="document", system="billing", run=document, undo=undo_document),
        Step(name="revenue", system="erp", run=revenue, undo=undo_revenue),
    )


async def schedule_revenue(context: StepContext, order: Json) -> Json:
    """Have the ERP spread an order's revenue, as the ERP told of the order; None where there is none."""
    return (
        None if order is None else await context.write("erp", "scheduleRevenue", "deferrals", {"erpId": order["erpId"]})
    )


def order_line(line: Mapping[str, Any], currency: str) -> Json:
    """Return an order's line for a billed one: by its quantity where a unit's price can be paid, else whole.

    {"quantity": 3, "amount": "10.02"} → 3 x 3.34        {"quantity": 3, "amount": "10.01"} → 1 x 10.01, in EUR
    """
    amount, quantity = Decimal(line["amount"]), max(1, int(line["quantity"] or 1))
    each = to_minor_unit(abs(amount) / quantity, currency)
    if each * quantity != abs(amount):
        each, quantity = abs(amount), 1
    return {
        "sku": line["sku"],
        "description": line["description"],
        "quantity": str(quantity if amount > 0 else -quantity),
        "unitPrice": str(each),
        "billedLine": line["ref"],
        "serviceFrom": line["startsOn"],
        "serviceUntil": line["endsOn"],
    }


def planned_effect(contract: str, due: Decimal | None) -> tuple[PlannedWrite, ...]:
    """Return what a dry run tells of these steps, for an amount to be charged or below 0 given back; None: not known before."""
    if due is not None and not due:
        return ()
    kind = "credit memo" if due is not None and due < 0 else "invoice"
    return (
        PlannedWrite(
            step="order",
            system="erp",
            action="placeOrder",
            changes=(
                ("contract", None, contract),
                ("kind", None, kind),
                ("net", None, None if due is None else str(due)),
            ),
        ),
        PlannedWrite(step="invoice", system="erp", action="postOrder", changes=(("status", "DRAFT", "POSTED"),)),
        PlannedWrite(step="document", system="billing", action="nameDocument"),
        PlannedWrite(step="revenue", system="erp", action="scheduleRevenue"),
    )


def effect_result(outputs: Mapping[str, Any]) -> Json:
    """Return what the ERP posted: an invoice by number, a credit memo by global id, or neither."""
    posted = outputs.get("invoice")
    if posted is None:
        return {"invoice": None, "creditMemo": None}
    is_credit = Decimal(posted["total"]) < 0
    return {
        "invoice": None if is_credit else posted["number"],
        "creditMemo": posted["invoiceId"] if is_credit else None,
    }
