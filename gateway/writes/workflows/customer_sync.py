"""`syncCustomer`, and what mends a customer's drift: every copy says what its owner says, and no system lacks the record.

| step | system | taken back by |
| --- | --- | --- |
| check | identity, crm, billing, erp | nothing was written |
| record in the CRM, in the ERP, in billing | each | taken away, if made here and still without documents |
| fields in the ERP, in billing | each | what it said before, where nobody has changed it since |
| identity | identity | nothing was written |

A refusal undoes everything; a system that is down is waited for until the deadline. A copy that somebody changes meanwhile
is refused. A person decides where identity takes a new record for somebody else's, and where our own credential is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.writes.workflows.customer_copies import Copies, identity_step, read_copies, wait_for_identity
from gateway.writes.workflows.definition import (
    Definition,
    PlannedWrite,
    Run,
    Step,
    StepContext,
)
from gateway.writes.workflows.model import Json

_RECORD = {"crm": "record in the CRM", "erp": "record in the ERP", "billing": "record in billing"}
_CREATE = {"crm": "ensureCompany", "erp": "ensureParty", "billing": "ensureBillingCustomer"}
_REMOVE = {"crm": "undoCompany", "erp": "undoParty", "billing": "undoBillingCustomer"}
_WRITE = {"erp": ("syncParty", "undoSyncParty"), "billing": ("syncBillingCustomer", "undoSyncBillingCustomer")}


async def _check(context: StepContext) -> Json:
    return (await read_copies(context, context.input["customer"])).to_json()


def _copies(context: StepContext) -> Copies:
    return Copies.from_json(context.outputs["check"])


def new_record(copies: Copies, system: str) -> dict[str, Any]:
    """Return the input of the mutation that makes a system's record."""
    owned = copies.owned
    wanted = {"reference": copies.reference, "name": copies.name, "city": owned["city"], "country": owned["country"]}
    match system:
        case "crm":
            website = owned["website"]
            domain = None if website is None else website.removeprefix("https://")
            return {**wanted, "domain": domain, "street": owned["street"], "status": "ACTIVE"}
        case "erp":
            more = {name: owned[name] for name in ("street", "website", "taxId")}
            return {**wanted, **more, "businessUnit": copies.segment}
        case _:
            return {**wanted, "taxId": owned["taxId"]}


def _made(system: str) -> Run:
    async def run(context: StepContext) -> Json:
        copies = _copies(context)
        if system not in copies.lacking:
            return None
        made = await context.write(system, _CREATE[system], f"{system}Ref wasCreated", new_record(copies, system))
        return {"ref": made[f"{system}Ref"]}

    return run


def _unmade(system: str) -> Run:
    async def undo(context: StepContext) -> Json:
        copies = _copies(context)
        if system not in copies.lacking:
            return None
        return await context.undo(system, _REMOVE[system], "isUndone", {"reference": copies.reference})

    return undo


def _wrote(system: str) -> Run:
    async def run(context: StepContext) -> Json:
        copies = _copies(context)
        changes = copies.changes(system)
        if not changes:
            return None
        wanted = {f"{system}Ref": copies.refs[system], "fields": changes}
        return await context.write(system, _WRITE[system][0], "synced", wanted)

    return run


def _unwrote(system: str) -> Run:
    async def undo(context: StepContext) -> Json:
        copies = _copies(context)
        changes = copies.changes(system)
        if not changes:
            return None
        wanted = {f"{system}Ref": copies.refs[system], "fields": changes}
        return await context.undo(system, _WRITE[system][1], "isUndone", wanted)

    return undo


async def _identity(context: StepContext) -> Json:
    made = {system: context.outputs[step]["ref"] for system, step in _RECORD.items() if context.outputs[step]}
    copies = _copies(context)
    return await wait_for_identity(context, {**copies.refs, **made}) if made else {"customer": copies.customer}


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    copies = await read_copies(context, context.input["customer"])
    planned = [
        PlannedWrite(
            step=_RECORD[system],
            system=system,
            action=_CREATE[system],
            changes=tuple((name, None, value) for name, value in new_record(copies, system).items() if value),
        )
        for system in _RECORD
        if system in copies.lacking
    ]
    for system, (action, _) in _WRITE.items():
        changes = tuple((each["name"] or "", each["before"], each["after"]) for each in copies.changes(system))
        if changes:
            planned.append(PlannedWrite(step=_fields_step(system), system=system, action=action, changes=changes))
    return tuple(planned)


def _fields_step(system: str) -> str:
    return "fields in the ERP" if system == "erp" else f"fields in {system}"


async def no_amount(context: StepContext) -> None:
    """Nothing is sold, so nobody has to approve."""
    del context


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    return (outputs.get("check") or {}).get("customer"), None


def _result(outputs: Mapping[str, Any]) -> Json:
    return {"customer": outputs["identity"]["customer"]}


CUSTOMER_SYNC = Definition(
    kind="customer-sync",
    steps=(
        Step(name="check", system="identity", run=_check),
        *(Step(name=name, system=system, run=_made(system), undo=_unmade(system)) for system, name in _RECORD.items()),
        *(
            Step(name=_fields_step(system), system=system, run=_wrote(system), undo=_unwrote(system))
            for system in _WRITE
        ),
        identity_step(_identity),
    ),
    plan=_plan,
    amount=no_amount,
    subject=_subject,
    result=_result,
)
