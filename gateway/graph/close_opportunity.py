"""`closeOpportunity` in the graph: the beginning of quote-to-cash."""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import Annotated, Any

import strawberry

from gateway.graph.context import GraphInfo
from gateway.graph.entities import Contract, Invoice, Opportunity
from gateway.graph.global_id import typename_of
from gateway.graph.guards import MAY_CLOSE
from gateway.graph.refusal import refusal
from gateway.graph.workflow_asking import KEY, DryRun, WaitMs, WorkflowPayload, result_of

_MAX_ITEMS = 20
_MOST_DAYS_AHEAD = 366


@strawberry.enum(description="How often a price is charged.")
class ContractBillingInterval(Enum):
    """The value of `interval`."""

    MONTH = strawberry.enum_value("MONTH", description="Every month, ahead.")
    YEAR = strawberry.enum_value("YEAR", description="Every year, ahead.")


@strawberry.input(description="A product and how much of it.")
class SoldItemInput:
    """An entry of `items`."""

    sku: str = strawberry.field(description="The product, as billing and the ERP both know it.")
    quantity: int = strawberry.field(description="How many units; above 0.")
    interval: ContractBillingInterval | None = strawberry.field(
        default=None, description="Which of the product's list prices; the monthly one by default."
    )


@strawberry.input(description="A won opportunity, and the contract that it leads to.")
class CloseOpportunityInput:
    """Input of `closeOpportunity`."""

    opportunity_id: strawberry.ID = strawberry.field(description="The opportunity to be won.")
    version: str = strawberry.field(description="The opportunity's `version` as it was read.")
    items: list[SoldItemInput] = strawberry.field(
        description="What the contract consists of, at list prices; each product once."
    )
    starts_on: dt.date | None = strawberry.field(
        default=None,
        description="First day of the contract, in UTC, on which all of it is carried out: at once if left out, or today; until a later one the workflow is SCHEDULED. A day that is past, or more than a year ahead, is refused.",
    )
    term_months: int = strawberry.field(default=12, description="Length of the first term, in months.")
    notice_days: int = strawberry.field(default=30, description="Days of notice before the term ends.")
    days_until_due: int = strawberry.field(default=30, description="Days that the customer has to pay the first bill.")
    currency: str | None = strawberry.field(
        default=None, description="ISO 4217 code of the prices; the opportunity's currency by default."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="The workflow, and what it came to once it is completed.")
class CloseOpportunityPayload(WorkflowPayload):
    """Answer of `closeOpportunity`."""

    opportunity: Opportunity | None = strawberry.field(description="The opportunity as the CRM has it now.")

    @strawberry.field(description="The contract; an error SAGA_… says why there is none.")
    def contract(self) -> Contract | None:
        """Return what billing made."""
        result = result_of(self.workflow)
        return None if result is None else Contract(known_number=result["contract"])

    @strawberry.field(
        description="The posted invoice; null where nothing was charged. An error SAGA_… says why there is none yet."
    )
    def invoice(self) -> Invoice | None:
        """Return what the ERP posted."""
        result = result_of(self.workflow)
        return None if result is None or result["invoice"] is None else Invoice(known_number=result["invoice"])


@strawberry.type
class CloseOpportunityMutation:
    """Quote-to-cash."""

    @strawberry.mutation(
        directives=[MAY_CLOSE],
        description="Carry a won opportunity through to contract, invoice and revenue in all systems.",
    )
    async def close_opportunity(
        self,
        info: GraphInfo,
        input: Annotated[  # noqa: A002 - the argument's name
            CloseOpportunityInput, strawberry.argument(description="The opportunity and the contract.")
        ],
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> CloseOpportunityPayload | None:
        if typename_of(input.opportunity_id) != "Opportunity":
            raise refusal("BAD_USER_INPUT", "The id is of another type than Opportunity.")
        given = _closing(input)
        return await CloseOpportunityPayload.begun(
            info,
            "quote-to-cash",
            given,
            input.client_mutation_id,
            (dry_run, wait_ms),
            opportunity=Opportunity(id=input.opportunity_id),
        )


def _closing(given: CloseOpportunityInput) -> dict[str, Any]:
    if not 0 < len(given.items) <= _MAX_ITEMS or any(not 0 < item.quantity <= 1_000_000 for item in given.items):
        raise refusal("BAD_USER_INPUT", f"A contract has 1 to {_MAX_ITEMS} items, each of a quantity above 0.")
    if len({item.sku for item in given.items}) < len(given.items):
        raise refusal("BAD_USER_INPUT", "A contract names each product once.")
    today, day = dt.datetime.now(dt.UTC).date(), given.starts_on
    if day is not None and not 0 <= (day - today).days <= _MOST_DAYS_AHEAD:
        told = "A contract starts today, or within a year. For one that has begun already, leave `startsOn` out, and have billing charge what was delivered before."
        raise refusal("BAD_USER_INPUT", told)
    if not 0 < given.term_months <= 120:
        raise refusal("BAD_USER_INPUT", "A term has 1 to 120 months.")
    if not 0 <= given.notice_days <= 365 or not 0 < given.days_until_due <= 365:
        raise refusal("BAD_USER_INPUT", "`noticeDays` and `daysUntilDue` are at most 365 days.")
    return {
        "opportunityId": str(given.opportunity_id),
        "version": given.version,
        "items": [
            {
                "sku": item.sku,
                "quantity": item.quantity,
                "interval": None if item.interval is None else item.interval.value,
            }
            for item in given.items
        ],
        "startsOn": None if day is None else day.isoformat(),
        "termMonths": given.term_months,
        "noticeDays": given.notice_days,
        "daysUntilDue": given.days_until_due,
        "currency": given.currency,
    }
