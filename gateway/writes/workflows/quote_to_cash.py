"""`closeOpportunity`: a won deal becomes a customer in every system, an active contract, a posted invoice, deferred revenue.

| step | system | taken back by |
| --- | --- | --- |
| check | crm, identity, erp | nothing was written |
| win | crm | the stage it had |
| customer in the ERP, customer in billing | erp, billing | retired, if made here and still without documents |
| contract | billing | withdrawn, its bill void |
| order, invoice, document, revenue | erp, billing | as `financial_effect.py` says |
| tell | crm | the number taken out, the status it had |

A refusal undoes everything; a system that is down is waited for until the deadline. A person decides where our own
credential is refused, where an undoing is refused (a bill that was paid meanwhile), and above the approval limit: what the
deal is worth, or what the items come to over the term, or are billed at once, at list prices, if that is more. What was approved
is carried out at the list prices that were approved; where billing has others by then, it is refused with CONFLICT.

The contract begins on the day on which it is carried out: with a first day that is to come it is SCHEDULED until then.
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
from gateway.writes.workflows.definition import (
    Answered,
    Definition,
    PlannedWrite,
    Step,
    StepContext,
    beginning_of_day,
    refuse,
)
from gateway.writes.workflows.financial_effect import BILLED, effect_result, effect_steps, planned_effect
from gateway.writes.workflows.model import Json
from gateway.writes.workflows.months import last_day_of_term

_OPPORTUNITY = (
    "query($r:[_Any!]!){_entities(representations:$r){...on Opportunity{id name stage version amount{amount currency}"
    f" contract{{number}} customer{{{COMPANY}}}}}}}}}"
)
_QUOTED = "contractQuote"
_QUOTE = (
    f"query($input:ContractQuoteInput!){{{_QUOTED}(input:$input)"
    "{currency mrr due totalValue items{sku quantity priceRef unitPrice interval intervalCount}}}"
)
_UNKNOWN = Decimal("Infinity")
"""What prices by tiers come to is known to nobody in advance: somebody has to agree to that."""


def due_at(given: Mapping[str, Any]) -> float | None:
    """Return the beginning of the contract's first day, in UTC; None for one that begins at once."""
    return beginning_of_day(given["startsOn"])


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
        "amount": amount.get("amount"),
        "number": contract_number(context.workflow, _today().isoformat()),
        "currency": given.get("currency") or amount.get("currency") or "EUR",
        "company": company.to_json(),
        "customer": identity,
        "hierarchy": [each.name for each in above],
    }


async def _quoted(context: StepContext, checked: Json) -> Json:
    """Return what billing would charge for the items at its list prices, noted for the evidence."""
    given = context.input
    question = {"currency": checked["currency"], "termMonths": given["termMonths"], "items": given["items"]}
    quote = await context.read("billing", _QUOTE, {"input": question})
    context.exchanges.append(Answered(system="billing", action=_QUOTED, question=question, answer=quote))
    return quote


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


def _number(context: StepContext) -> str:
    # One that was begun before an upgrade has only its input to make it of.
    return context.outputs["check"].get("number") or contract_number(context.workflow, context.input["startsOn"])


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


async def _contract(context: StepContext) -> Json:
    # Billing begins when it is told to, and so does the term: some days after the check, where a person had to look first.
    given, starts_on = context.input, _today()
    approved = context.agreed.get(_QUOTED)
    prices = [None] * len(given["items"]) if approved is None else [item["priceRef"] for item in approved["items"]]
    wanted = {
        "billingRef": context.outputs["customer in billing"]["billingRef"],
        "number": _number(context),
        "currency": context.outputs["check"]["currency"],
        "items": [{**item, "priceRef": price} for item, price in zip(given["items"], prices, strict=True)],
        "startsOn": starts_on.isoformat(),
        "endsOn": last_day_of_term(starts_on, given["termMonths"]).isoformat(),
        "noticeDays": given["noticeDays"],
        "daysUntilDue": given["daysUntilDue"],
    }
    return await context.write("billing", "activateContract", BILLED, wanted)


async def _undo_contract(context: StepContext) -> Json:
    wanted = {
        "billingRef": context.outputs["customer in billing"]["billingRef"],
        "number": _number(context),
    }
    return await context.undo("billing", "undoContract", "isUndone", wanted)


def _erp_ref(outputs: Mapping[str, Json]) -> str:
    return str(outputs["customer in the ERP"]["erpRef"])


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
        "contractNumber": _number(context),
        "crmRef": company.crm_ref,
        "status": company.status,
    }
    return await context.undo("crm", "undoTellContract", "stage", wanted)


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    found = await _check(context)
    quote = await _quoted(context, found)
    company, given = Company.from_json(found["company"]), context.input
    known = {identity["system"] for identity in found["customer"]["identities"]} if found["customer"] else set()
    starts_on = given["startsOn"] or _today().isoformat()
    number = contract_number(context.workflow, starts_on)
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
                *((f"items.{item['sku']}.unitPrice", None, item["unitPrice"]) for item in quote["items"]),
                ("startsOn", None, starts_on),
                ("currency", None, found["currency"]),
                ("mrr", None, quote["mrr"]),
                ("bill.net", None, quote["due"]),
            ),
        ),
        *planned_effect(number, None if quote["due"] is None else Decimal(quote["due"])),
        PlannedWrite(step="tell", system="crm", action="tellContract", changes=(("contract", None, number),)),
    ]
    return tuple(write for write in planned if not (write.step == "win" and found["stage"] == "WON"))


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    customer = (outputs.get("check") or {}).get("customer") or {}
    return customer.get("id"), (outputs.get("contract") or {}).get("number")


def _result(outputs: Mapping[str, Any]) -> Json:
    return {"contract": outputs["contract"]["number"], **effect_result(outputs)}


async def _amount(context: StepContext) -> Decimal | None:
    checked = await _check(context)
    quote = await _quoted(context, checked)
    if quote["totalValue"] is None or quote["due"] is None:
        return _UNKNOWN
    return max(Decimal(known) for known in (checked["amount"] or 0, quote["totalValue"], quote["due"]))


QUOTE_TO_CASH = Definition(
    kind="quote-to-cash",
    steps=(
        Step(name="check", system="crm", run=_check),
        Step(name="win", system="crm", run=_win, undo=_undo_win),
        Step(name="customer in the ERP", system="erp", run=_erp_customer, undo=_undo_erp_customer),
        Step(name="customer in billing", system="billing", run=_billing_customer, undo=_undo_billing_customer),
        Step(name="contract", system="billing", run=_contract, undo=_undo_contract),
        *effect_steps("contract", _erp_ref),
        Step(name="tell", system="crm", run=_tell, undo=_undo_tell),
    ),
    plan=_plan,
    amount=_amount,
    subject=_subject,
    result=_result,
    due_at=due_at,
)
