"""A contract as billing has it at the moment, and whose it is."""

from __future__ import annotations

from gateway.writes.workflows.definition import StepContext, refuse
from gateway.writes.workflows.model import Json
from gateway.writes.workflows.pricing import TERMS

_TERMS = f"query($number:String!){{contractTerms(number:$number){{{TERMS}}}}}"
_OWNER = (
    "query($r:[_Any!]!){_entities(representations:$r){...on Customer{id crmRef erpRef identities{system externalId}}}}"
)
_DEAL = (
    "query($r:[_Any!]!){_entities(representations:$r){...on Contract{number renewalStage renewalRisk opportunity{id}}}}"
)
_HOLD = "query($r:[_Any!]!){_entities(representations:$r){...on Customer{erpRef creditHold}}}"


async def read_terms(context: StepContext, number: str, version: str | None, *, allowed: tuple[str, ...]) -> Json:
    """Return a contract's terms. Raises `CallFailed`: NOT_FOUND, CONFLICT for another version or status."""
    terms = await context.read("billing", _TERMS, {"number": number})
    if terms is None:
        raise refuse("NOT_FOUND", "There is no such contract in billing.", "billing")
    if terms["status"] not in allowed:
        raise refuse("CONFLICT", f"The contract is {terms['status']}.", "billing")
    if version is not None and terms["version"] != version:
        raise refuse("CONFLICT", f"The contract has changed: its version is {terms['version']}.", "billing")
    return terms


async def read_owner(context: StepContext, terms: Json) -> Json:
    """Return `id`, `crmRef` and `erpRef` of the contract's customer. Raises `CallFailed` for one that the ERP lacks."""
    wanted = {"__typename": "Customer", "billingRef": terms["customerRef"]}
    (customer,) = await context.read("identity", _OWNER, {"r": [wanted]})
    if customer is None or not customer["erpRef"]:
        raise refuse("CONFLICT", "The ERP has no record of the contract's customer.", "identity")
    return {
        "id": customer["id"],
        "crmRef": customer["crmRef"],
        # Of several records of one customer, documents go to the first.
        "erpRef": customer["erpRef"].partition("+")[0],
        "erpRefs": customer["erpRef"],
    }


async def refuse_held(context: StepContext, customer: Json) -> None:
    """Raises `CallFailed` where the ERP has the customer on credit hold."""
    held = await context.read("erp", _HOLD, {"r": [{"__typename": "Customer", "erpRef": customer["erpRefs"]}]})
    if any(each is not None and each["creditHold"] for each in held):
        raise refuse("CONFLICT", "The customer is on credit hold.", "erp")


async def read_deal(context: StepContext, number: str) -> Json:
    """Return `id` and `renewalStage` of the deal that a contract came from; None where the CRM has none."""
    (found,) = await context.read("crm", _DEAL, {"r": [{"__typename": "Contract", "number": number}]})
    if found is None or found["opportunity"] is None:
        return None
    return {"id": found["opportunity"]["id"], "renewalStage": found["renewalStage"]}
