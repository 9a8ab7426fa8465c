"""`onboardCustomer`: a company becomes a customer that the CRM, the ERP and billing all know, and identity as one.

| step | system | taken back by |
| --- | --- | --- |
| check | none | nothing was written |
| company | crm | archived, if made here and without deals |
| customer in the ERP, customer in billing | erp, billing | retired, if made here and still without documents |
| identity | identity | nothing was written |

The business key makes it repeatable: a record that has it already, in any of the systems, is taken as it is. A refusal
undoes everything; a system that is down is waited for until the deadline. A person decides where identity takes one of the
records for another customer's, and where our own credential is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.writes.workflows.customer_copies import identity_step, wait_for_identity
from gateway.writes.workflows.customer_sync import no_amount
from gateway.writes.workflows.definition import Definition, PlannedWrite, Run, Step, StepContext
from gateway.writes.workflows.model import Json

_STEPS = {"crm": "company", "erp": "customer in the ERP", "billing": "customer in billing"}
_WRITES = {
    "crm": ("ensureCompany", "undoCompany"),
    "erp": ("ensureParty", "undoParty"),
    "billing": ("ensureBillingCustomer", "undoBillingCustomer"),
}


async def _check(context: StepContext) -> Json:
    """Settle the business key, so that every try of every step has the same."""
    return {"reference": _reference(context)}


def _reference(context: StepContext) -> str:
    return context.input["reference"] or f"CUST-{context.workflow[-10:].upper()}"


def _record(context: StepContext, system: str) -> dict[str, Any]:
    given = context.input
    wanted = {name: given[name] for name in ("name", "city", "country")} | {"reference": _reference(context)}
    match system:
        case "crm":
            return {**wanted, **{name: given[name] for name in ("domain", "street", "segment")}, "status": "ACTIVE"}
        case "erp":
            website = None if given["domain"] is None else f"https://{given['domain']}"
            more = {name: given[name] for name in ("street", "taxId", "email")}
            named = {"name": given["legalName"] or given["name"], "website": website, "businessUnit": given["segment"]}
            return {**wanted, **more, **named}
        case _:
            return {**wanted, "email": given["email"], "taxId": given["taxId"]}


def _made(system: str) -> Run:
    async def run(context: StepContext) -> Json:
        selection = f"{system}Ref wasCreated"
        made = await context.write(system, _WRITES[system][0], selection, _record(context, system))
        return {"ref": made[f"{system}Ref"], "wasCreated": made["wasCreated"]}

    return run


def _unmade(system: str) -> Run:
    async def undo(context: StepContext) -> Json:
        known = context.outputs.get(_STEPS[system])
        if system == "crm" and known is not None and not known["wasCreated"]:
            return None  # it was there before
        return await context.undo(system, _WRITES[system][1], "isUndone", {"reference": _reference(context)})

    return undo


async def _identity(context: StepContext) -> Json:
    return await wait_for_identity(context, {system: context.outputs[step]["ref"] for system, step in _STEPS.items()})


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    return tuple(
        PlannedWrite(
            step=step,
            system=system,
            action=_WRITES[system][0],
            changes=tuple((name, None, value) for name, value in sorted(_record(context, system).items()) if value),
        )
        for system, step in _STEPS.items()
    )


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    return (outputs.get("identity") or {}).get("customer"), None


def _result(outputs: Mapping[str, Any]) -> Json:
    return {"customer": outputs["identity"]["customer"], "reference": outputs["check"]["reference"]}


ONBOARDING = Definition(
    kind="onboarding",
    steps=(
        Step(name="check", system="gateway", run=_check),
        *(Step(name=name, system=system, run=_made(system), undo=_unmade(system)) for system, name in _STEPS.items()),
        identity_step(_identity),
    ),
    plan=_plan,
    amount=no_amount,
    subject=_subject,
    result=_result,
)
