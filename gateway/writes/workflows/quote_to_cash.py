"""`closeOpportunity`: a won deal becomes a customer in every system, an active contract, a posted invoice, deferred revenue.

| step | system | taken back by |
| --- | --- | --- |
| check | crm, identity, erp | nothing was written |
| win | crm | the stage it had |
| customer in the ERP, customer in billing | erp, billing | retired, if made here and still without documents |
| contract | billing | withdrawn, its bill void |
| order | erp | cancelled; once posted, by the opposite entry |
| invoice | erp | with the order |
| document | billing | the number taken out |
| revenue | erp | the opposite of each entry |
| tell | crm | the number taken out, the status it had |

A refusal undoes everything; a system that is down is waited for until the deadline. A person decides where our own
credential is refused, where an undoing is refused (a bill that was paid meanwhile), and above the approval limit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gateway.writes.workflows.customer_record import (
    COMPANY,
    Company,
    follow_parents,
    read_company,
    refuse_credit_hold,
)
from gateway.writes.workflows.definition import Definition, PlannedWrite, Step, StepContext, refuse
from gateway.writes.workflows.model import Json
from gateway.writes.workflows.months import last_day_of_term

_OPPORTUNITY = (
    "query($r:[_Any!]!){_entities(representations:$r){...on Opportunity{id name stage version amount{amount currency}"
    f" contract{{number}} customer{{{COMPANY}}}}}}}}}"
)
_ORDER = "invoiceId erpId status number net tax total"


async def _check(context: StepContext) -> Json:
    """Read the deal and who buys; refuse what could not be carried to the end."""
    given = context.input
    representation = {"__typename": "Opportunity", "id": given["opportunityId"]}
    (deal,) = await context.read("crm", _OPPORTUNITY, {"r": [representation]})
    if deal is None:
        raise refuse("NOT_FOUND", "There is no such opportunity.", "crm")
    if deal["contract"] is not None:
        raise refuse("CONFLICT", f"The opportunity has led to {deal['contract']['number']} already.", "crm")
    if deal["stage"] == "LOST":
        raise refuse("CONFLICT", "The opportunity is lost.", "crm")
    if deal["version"] != given["version"]:
        raise refuse("CONFLICT", f"The opportunity has changed: its version is {deal['version']}.", "crm")
    if deal["customer"] is None:
        raise refuse("CONFLICT", "The opportunity has no customer.", "crm")
    company = read_company(deal["customer"])
    above = await follow_parents(context, company)
    identity = await refuse_credit_hold(context, (company, *above))
    amount = deal["amount"] or {}
    return {
        "stage": deal["stage"],
        "currency": given.get("currency") or amount.get("currency") or "EUR",
        "company": company.to_json(),
        "customer": identity,
        "hierarchy": [each.name for each in above],
    }


async def _win(context: StepContext) -> Json:
    given = context.input
    if context.outputs["check"]["stage"] == "WON":
        return {"wasWon": True}
    wanted = {"id": given["opportunityId"], "version": given["version"]}
    won = await context.write("crm", "winOpportunity", "stage version", wanted)
    return {"wasWon": False, "version": won["version"]}


async def _undo_win(context: StepContext) -> Json:
    if context.outputs["check"]["stage"] == "WON":
        return None
    stage = context.outputs["check"]["stage"] or "NEGOTIATION"
    return await context.undo("crm", "undoWin", "stage", {"id": context.input["opportunityId"], "stage": stage})


def _company(context: StepContext) -> Company:
    return Company.from_json(context.outputs["check"]["company"])


async def _erp_customer(context: StepContext) -> Json:
    company = _company(context)
    wanted = {
        "reference": company.reference,
        "name": company.name,
        "website": company.website,
        "street": company.street,
        "city": company.city,
        "country": company.country,
        "currency": context.outputs["check"]["currency"],
        "businessUnit": company.segment,
        "erpRef": (context.outputs["check"]["customer"] or {}).get("erpRef"),
    }
    return await context.write("erp", "ensureParty", "erpRef wasCreated", wanted)


async def _undo_erp_customer(context: StepContext) -> Json:
    return await context.undo("erp", "undoParty", "isUndone", {"reference": _company(context).reference})


async def _billing_customer(context: StepContext) -> Json:
    company = _company(context)
    wanted = {"reference": company.reference, "name": company.name, "city": company.city, "country": company.country}
    return await context.write("billing", "ensureBillingCustomer", "billingRef wasCreated", wanted)


async def _undo_billing_customer(context: StepContext) -> Json:
    wanted = {"reference": _company(context).reference}
    return await context.undo("billing", "undoBillingCustomer", "isUndone", wanted)


def contract_number(workflow: str, starts_on: str) -> str:
    """Return the number a workflow's contract has in every try."""
    return f"CON-{starts_on[:4]}-{workflow[-8:].upper()}"


async def _contract(context: StepContext) -> Json:
    given = context.input
    starts_on = dt.date.fromisoformat(given["startsOn"])
    wanted = {
        "billingRef": context.outputs["customer in billing"]["billingRef"],
        "number": contract_number(context.workflow, given["startsOn"]),
        "currency": context.outputs["check"]["currency"],
        "items": given["items"],
        "startsOn": given["startsOn"],
        "endsOn": last_day_of_term(starts_on, given["termMonths"]).isoformat(),
        "noticeDays": given["noticeDays"],
        "daysUntilDue": given["daysUntilDue"],
    }
    selection = "contractId number status currency document lines{ref sku description quantity amount startsOn endsOn}"
    return await context.write("billing", "activateContract", selection, wanted)


async def _undo_contract(context: StepContext) -> Json:
    wanted = {
        "billingRef": context.outputs["customer in billing"]["billingRef"],
        "number": contract_number(context.workflow, context.input["startsOn"]),
    }
    return await context.undo("billing", "undoContract", "isUndone", wanted)


async def _order(context: StepContext) -> Json:
    contract = context.outputs["contract"]
    lines = [
        {
            "sku": line["sku"],
            "description": line["description"],
            "quantity": str(line["quantity"]),
            "unitPrice": str(Decimal(line["amount"]) / line["quantity"]),
            "billedLine": line["ref"],
            "serviceFrom": line["startsOn"],
            "serviceUntil": line["endsOn"],
        }
        for line in contract["lines"]
    ]
    wanted = {
        "erpRef": context.outputs["customer in the ERP"]["erpRef"],
        "contractNumber": contract["number"],
        "currency": contract["currency"],
        "lines": lines,
    }
    return await context.write("erp", "placeOrder", _ORDER, wanted)


async def _undo_order(context: StepContext) -> Json:
    return await context.undo("erp", "undoOrder", "isUndone", {"order": f"{context.workflow}:order"})


async def _invoice(context: StepContext) -> Json:
    return await context.write("erp", "postOrder", _ORDER, {"erpId": context.outputs["order"]["erpId"]})


async def _document(context: StepContext) -> Json:
    document, number = context.outputs["contract"]["document"], context.outputs["invoice"]["number"]
    if document is None:
        return None
    return await context.write("billing", "nameDocument", "document", {"document": document, "number": number})


async def _undo_document(context: StepContext) -> Json:
    document = context.outputs["contract"]["document"]
    if document is None:
        return None
    return await context.undo("billing", "undoNameDocument", "isUndone", {"document": document})


async def _revenue(context: StepContext) -> Json:
    return await context.write("erp", "scheduleRevenue", "deferrals", {"erpId": context.outputs["order"]["erpId"]})


async def _undo_revenue(context: StepContext) -> Json:
    return await context.undo("erp", "undoRevenue", "isUndone", {"order": f"{context.workflow}:order"})


async def _tell(context: StepContext) -> Json:
    company = _company(context)
    wanted = {
        "id": context.input["opportunityId"],
        "contractNumber": context.outputs["contract"]["number"],
        "crmRef": company.crm_ref,
        "reference": company.reference,
    }
    return await context.write("crm", "tellContract", "stage version", wanted)


async def _undo_tell(context: StepContext) -> Json:
    company = _company(context)
    wanted = {
        "id": context.input["opportunityId"],
        "contractNumber": contract_number(context.workflow, context.input["startsOn"]),
        "crmRef": company.crm_ref,
        "status": company.status,
    }
    return await context.undo("crm", "undoTellContract", "stage", wanted)


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    found = await _check(context)
    company, given = Company.from_json(found["company"]), context.input
    known = {identity["system"] for identity in found["customer"]["identities"]} if found["customer"] else set()
    number = contract_number(context.workflow, given["startsOn"])
    items = ", ".join(f"{item['quantity']} x {item['sku']}" for item in given["items"])

    def reference_in(system: str) -> tuple[tuple[str, str | None, str | None], ...]:
        return (("reference", company.reference if system in known else None, company.reference),)

    planned = [
        PlannedWrite(step="win", system="crm", action="winOpportunity", changes=(("stage", found["stage"], "WON"),)),
        PlannedWrite(step="customer in the ERP", system="erp", action="ensureParty", changes=reference_in("erp")),
        PlannedWrite(
            step="customer in billing",
            system="billing",
            action="ensureBillingCustomer",
            changes=reference_in("billing"),
        ),
        PlannedWrite(
            step="contract",
            system="billing",
            action="activateContract",
            changes=(
                ("number", None, number),
                ("items", None, items),
                ("startsOn", None, given["startsOn"]),
                ("currency", None, found["currency"]),
            ),
        ),
        PlannedWrite(step="order", system="erp", action="placeOrder", changes=(("contract", None, number),)),
        PlannedWrite(step="invoice", system="erp", action="postOrder", changes=(("status", "DRAFT", "POSTED"),)),
        PlannedWrite(step="document", system="billing", action="nameDocument"),
        PlannedWrite(step="revenue", system="erp", action="scheduleRevenue"),
        PlannedWrite(step="tell", system="crm", action="tellContract", changes=(("contract", None, number),)),
    ]
    return tuple(write for write in planned if not (write.step == "win" and found["stage"] == "WON"))


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    customer = (outputs.get("check") or {}).get("customer") or {}
    return customer.get("id"), (outputs.get("contract") or {}).get("number")


def _result(outputs: Mapping[str, Any]) -> Json:
    return {
        "contract": outputs["contract"]["number"],
        "invoice": outputs["invoice"]["number"],
        "total": outputs["invoice"]["total"],
    }


async def _amount(context: StepContext) -> Decimal | None:
    representation = {"__typename": "Opportunity", "id": context.input["opportunityId"]}
    (deal,) = await context.read("crm", _OPPORTUNITY, {"r": [representation]})
    return Decimal(deal["amount"]["amount"]) if deal is not None and deal["amount"] is not None else None


QUOTE_TO_CASH = Definition(
    kind="quote-to-cash",
    steps=(
        Step(name="check", system="crm", run=_check),
        Step(name="win", system="crm", run=_win, undo=_undo_win),
        Step(name="customer in the ERP", system="erp", run=_erp_customer, undo=_undo_erp_customer),
        Step(name="customer in billing", system="billing", run=_billing_customer, undo=_undo_billing_customer),
        Step(name="contract", system="billing", run=_contract, undo=_undo_contract),
        Step(name="order", system="erp", run=_order, undo=_undo_order),
        Step(name="invoice", system="erp", run=_invoice, undo=_undo_order),
        Step(name="document", system="billing", run=_document, undo=_undo_document),
        Step(name="revenue", system="erp", run=_revenue, undo=_undo_revenue),
        Step(name="tell", system="crm", run=_tell, undo=_undo_tell),
    ),
    plan=_plan,
    amount=_amount,
    subject=_subject,
    result=_result,
)
