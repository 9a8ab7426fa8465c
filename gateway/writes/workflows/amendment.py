"""`amendContract`: a contract gets other quantities, products or prices within its term, in billing and in the books.

| step | system | taken back by |
| --- | --- | --- |
| check | billing, identity, erp | nothing was written |
| price | billing or cpq, as the policy says | nothing was written |
| amend | billing | the items as they were; the bill void, refunded, or off the balance |
| order, invoice, document, revenue | erp, billing | as `financial_effect.py` says |

The lifecycle event `contract.amended` comes from billing, once, when the items change.

A refusal undoes everything; a system that is down is waited for until the deadline, the pricing service for a minute. A
person decides where our own credential is refused, where the contract was changed again before an undoing, and above the
approval limit: by how much the yearly value changes, or what is charged at once if that is more. What was approved is carried
out at the price that was approved, prorated from when it was asked for; where billing has another price by then, it is
refused with CONFLICT.

With a day to take effect on it is SCHEDULED until then, and is checked and priced on that day: a contract that was changed
meanwhile, or another price than was approved, ends it with CONFLICT.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.writes.workflows.contract_record import read_owner, read_terms, refuse_held
from gateway.writes.workflows.definition import (
    Answered,
    Definition,
    PlannedWrite,
    RetryPolicy,
    Step,
    StepContext,
    beginning_of_day,
    refuse,
)
from gateway.writes.workflows.financial_effect import BILLED, effect_result, effect_steps, planned_effect
from gateway.writes.workflows.model import Json
from gateway.writes.workflows.pricing import Pricing, yearly_change

_QUOTED = "amendmentQuote"
_PRICED = RetryPolicy(
    codes=frozenset(
        {"SYSTEM_UNAVAILABLE", "SYSTEM_TIMEOUT", "SYSTEM_CIRCUIT_OPEN", "SYSTEM_RATE_LIMITED", "OVERLOADED"}
    ),
    give_up_after_s=60.0,
)
"""Nothing was written yet, so a price that can't be had soon, or is none, ends the workflow."""


def due_at(given: Mapping[str, Any]) -> float | None:
    """Return the beginning of the day, in UTC, on which an amendment takes effect; None for one that does at once."""
    return beginning_of_day(given.get("effectiveOn"))


async def _check(context: StepContext) -> Json:
    """Read the contract and whose it is; refuse what could not be carried to the end."""
    given = context.input
    terms = await read_terms(context, given["number"], given["version"], allowed=("ACTIVE",))
    held = _quantities(terms)
    changes = [item for item in given["items"] if held.get(item["sku"], 0) != item["quantity"]]
    if not changes:
        raise refuse("BAD_USER_INPUT", "The amendment changes nothing.", "billing")
    has_use = any(item["quantity"] is None for item in terms["items"])
    if not has_use and not any({**held, **{item["sku"]: item["quantity"] for item in changes}}.values()):
        told = "The amendment leaves nothing of the contract; scheduleCancellation ends one."
        raise refuse("BAD_USER_INPUT", told, "billing")
    customer = await read_owner(context, terms)
    if any(item["quantity"] > held.get(item["sku"], 0) for item in changes):
        await refuse_held(context, customer)
    return {"terms": terms, "customer": customer, "changes": changes}


def _quantities(terms: Json) -> Mapping[str, int]:
    return {item["sku"]: item["quantity"] for item in terms["items"] if item["quantity"] is not None}


def _wanted(checked: Json, quote: Json) -> Sequence[Json]:
    """Return the changed items, with the prices of an authority that is not billing itself."""
    prices = {item["sku"]: item["unitPrice"] for item in quote["items"]}
    is_billings = quote["authority"] == "billing"
    return [
        {**item, "unitPrice": None if is_billings or item["quantity"] == 0 else str(prices[item["sku"]])}
        for item in checked["changes"]
    ]


def _refuse_other_price(terms: Json, approved: Json, quote: Json, *, is_scheduled: bool) -> None:
    """Refuse what would not be carried out as it was approved: others prices by now, or another cycle that was not foreseen."""
    prices, known = ({item["sku"]: item["unitPrice"] for item in each["items"]} for each in (quote, approved))
    priced_on = dt.datetime.fromtimestamp(approved["at"], dt.UTC).date()
    if quote["authority"] != approved["authority"] or prices != known:
        told = "The price is another one than was approved; ask for the amendment again."
        raise refuse("CONFLICT", told, quote["authority"])
    if not is_scheduled and dt.date.fromisoformat(terms["periodStartsOn"]) > priced_on:
        raise refuse("CONFLICT", "Another cycle has begun since it was priced; ask for the amendment again.", "billing")


async def _amend(context: StepContext) -> Json:
    checked, quote = context.outputs["check"], context.outputs["price"]
    wanted = {
        "number": context.input["number"],
        "version": context.input["version"],
        "at": quote["at"],
        "items": _wanted(checked, quote),
        "charges": None if quote["authority"] == "billing" else quote["charges"],
    }
    return await context.write("billing", "amendItems", BILLED, wanted)


async def _undo_amend(context: StepContext) -> Json:
    checked, quote = context.outputs["check"], context.outputs["price"]
    terms = checked["terms"]
    wanted = {
        "number": context.input["number"],
        "at": quote["at"],
        "before": [{name: item[name] for name in ("itemRef", "priceRef", "quantity")} for item in terms["items"]],
        "limits": terms["limits"],
        "items": _wanted(checked, quote),
    }
    return await context.undo("billing", "undoAmendItems", "isUndone", wanted)


def amendment(pricing: Pricing) -> Definition:
    """Return the workflow under a pricing policy."""

    async def price(context: StepContext) -> Json:
        checked = context.outputs["check"]
        return await quoted(context, checked)

    async def quoted(context: StepContext, checked: Json) -> Json:
        """Return the quote, noted for the evidence; the one that was approved where somebody had to."""
        approved: Json = context.agreed.get(_QUOTED)
        if approved is None:
            quote = await pricing.quote(context, checked["terms"], checked["changes"])
        else:
            quote, is_scheduled = approved, due_at(context.input) is not None
            now = approved
            if is_scheduled or approved["authority"] == "billing":
                now = await pricing.quote(context, checked["terms"], checked["changes"])
            _refuse_other_price(checked["terms"], approved, now, is_scheduled=is_scheduled)
            # What takes effect later is prorated from then on.
            quote = now if is_scheduled else approved
        question = {"contract": context.input["number"], "items": checked["changes"]}
        context.exchanges.append(Answered(system=quote["authority"], action=_QUOTED, question=question, answer=quote))
        return quote

    async def plan(context: StepContext) -> tuple[PlannedWrite, ...]:
        checked = await _check(context)
        quote = await quoted(context, checked)
        before = {item["sku"]: item for item in checked["terms"]["items"]}
        after = {item["sku"]: item for item in quote["items"]}
        changes: list[tuple[str, str | None, str | None]] = [("pricedBy", None, quote["authority"])]
        for item in checked["changes"]:
            old, new = before.get(item["sku"], {}), after.get(item["sku"], {})
            for name in ("quantity", "unitPrice"):
                values = [None if each.get(name) is None else str(each[name]) for each in (old, new)]
                if values[0] != values[1]:
                    changes.append((f"items.{item['sku']}.{name}", values[0], values[1]))
        changes.append(("mrr", quote["mrrBefore"], quote["mrr"]))
        changes += [(f"bill.{line['description']}", None, str(line["amount"])) for line in quote["charges"]]
        changes.append(("bill.net", None, quote["due"]))
        amend = PlannedWrite(step="amend", system="billing", action="amendItems", changes=tuple(changes))
        return (amend, *planned_effect(context.input["number"], Decimal(quote["due"])))

    async def amount(context: StepContext) -> Decimal | None:
        return yearly_change(await quoted(context, await _check(context)))

    asked = "cpq" if pricing.policy.may_ask_cpq else "billing"
    return Definition(
        kind="amendment",
        steps=(
            Step(name="check", system="billing", run=_check),
            Step(name="price", system=asked, run=price, retry=_PRICED),
            Step(name="amend", system="billing", run=_amend, undo=_undo_amend),
            *effect_steps("amend"),
        ),
        plan=plan,
        amount=amount,
        subject=_subject,
        result=_result,
        due_at=due_at,
    )


def _subject(outputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    checked = outputs.get("check") or {}
    return (checked.get("customer") or {}).get("id"), (checked.get("terms") or {}).get("number")


def _result(outputs: Mapping[str, Any]) -> Json:
    return {"contract": outputs["amend"]["number"], "due": outputs["price"]["due"], **effect_result(outputs)}
