"""`distributeProduct`, and what mends a product's drift: name and list prices as billing has them, in every catalogue.

| step | system | taken back by |
| --- | --- | --- |
| check | billing, erp, crm | nothing was written |
| product in the ERP | erp | what it said before, where nobody has changed it since; out of use, if made here and in no document |
| product in the CRM | crm, if it keeps a catalogue | what it said before; archived, if made here |

A refusal undoes everything; a system that is down is waited for until the deadline. A copy that somebody changes meanwhile
is refused. How revenue and tax of a product that the ERP lacks are handled is said by whoever asks: no system knows it yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.writes.product_values import PRODUCT, TwoPrices, held_values, owned_values
from gateway.writes.workflows.customer_sync import no_amount
from gateway.writes.workflows.definition import Definition, PlannedWrite, Run, Step, StepContext, refuse
from gateway.writes.workflows.model import Json

_STEPS = {"erp": "product in the ERP", "crm": "product in the CRM"}
_WRITES = {"erp": ("putErpProduct", "undoPutErpProduct"), "crm": ("putCrmProduct", "undoPutCrmProduct")}
_COPIES = {"erp": "erpRecord{fields{name value}}", "crm": "isKeptInCrm crmRecord{fields{name value}}"}


async def _check(context: StepContext) -> Json:
    """Settle what every copy says and is to say, so that every try of every step writes the same."""
    sku = context.input["sku"]
    product = await _read(context, "billing", sku, PRODUCT)
    if product is None:
        raise refuse("NOT_FOUND", "Billing, which owns products, has none of this SKU.", "billing")
    try:
        owned = owned_values(product)
    except TwoPrices as found:
        told = f"Billing has several list prices of the product for the same cycle ({found}); one has to be archived."
        raise refuse("CONFLICT", told, "billing") from found
    copies = {system: await _read(context, system, sku, fields) for system, fields in _COPIES.items()}
    held = {system: held_values(copy and copy[f"{system}Record"]) for system, copy in copies.items()}
    wanted = {"erp": True, "crm": bool(copies["crm"] and copies["crm"]["isKeptInCrm"])}
    writes = {system: _changes(owned, held[system], product["active"]) for system in _STEPS if wanted[system]}
    if held["erp"] is None and writes["erp"] and not (context.input["revenueRule"] and context.input["taxCode"]):
        told = "The ERP lacks the product: say its `revenueRule` and `taxCode`."
        raise refuse("BAD_USER_INPUT", told, "erp")
    return {"sku": sku, "new": [system for system in writes if held[system] is None], "writes": writes}


async def _read(context: StepContext, system: str, sku: str, selection: str) -> Any:
    document = f"query($r:[_Any!]!){{_entities(representations:$r){{...on Product{{{selection}}}}}}}"
    (found,) = await context.read(system, document, {"r": [{"__typename": "Product", "sku": sku}]})
    return found


def _changes(
    owned: Mapping[str, str], held: Mapping[str, str | None] | None, is_active: bool
) -> list[dict[str, str | None]]:
    """Return the fields to be written; a product that is not sold anymore is not brought to who lacks it."""
    if held is None:
        return [{"name": name, "before": None, "after": value} for name, value in owned.items()] if is_active else []
    return [
        {"name": name, "before": held[name], "after": value}
        for name, value in owned.items()
        if name in held and held[name] != value
    ]


def _wanted(context: StepContext, system: str) -> dict[str, Any] | None:
    """Return the input of the mutation and of its undoing; None where there is nothing to write."""
    checked = context.outputs["check"]
    fields = checked["writes"].get(system)
    return {"sku": checked["sku"], "isNew": system in checked["new"], "fields": fields} if fields else None


def _put(system: str) -> Run:
    async def run(context: StepContext) -> Json:
        wanted = _wanted(context, system)
        if wanted is None:
            return None
        if system == "erp":
            wanted |= {name: context.input[name] for name in ("revenueRule", "taxCode")}
        made = await context.write(system, _WRITES[system][0], "externalId wasCreated", wanted)
        return {"externalId": made["externalId"], "wasCreated": made["wasCreated"]}

    return run


def _taken_back(system: str) -> Run:
    async def undo(context: StepContext) -> Json:
        wanted = _wanted(context, system)
        return None if wanted is None else await context.undo(system, _WRITES[system][1], "isUndone", wanted)

    return undo


async def _plan(context: StepContext) -> tuple[PlannedWrite, ...]:
    checked = await _check(context)
    return tuple(
        PlannedWrite(
            step=_STEPS[system],
            system=system,
            action=_WRITES[system][0],
            changes=tuple((each["name"], each["before"], each["after"]) for each in fields),
        )
        for system, fields in checked["writes"].items()
        if fields
    )


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    del outputs
    return None, None


def _result(outputs: Mapping[str, Any]) -> Json:
    return {"sku": outputs["check"]["sku"]}


PRODUCT_DISTRIBUTION = Definition(
    kind="product-distribution",
    steps=(
        Step(name="check", system="billing", run=_check),
        *(
            Step(name=name, system=system, run=_put(system), undo=_taken_back(system))
            for system, name in _STEPS.items()
        ),
    ),
    plan=_plan,
    amount=no_amount,
    subject=_subject,
    result=_result,
)
