"""`amendContract` in the graph: the beginning of an amendment."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import strawberry

from gateway.graph.close_opportunity import ContractBillingInterval
from gateway.graph.context import GraphInfo
from gateway.graph.entities import Contract, CreditMemo, Invoice
from gateway.graph.global_id import local_id
from gateway.graph.guards import MAY_AMEND
from gateway.graph.refusal import refusal
from gateway.graph.workflow_asking import KEY, DryRun, PlannedWrite, WaitMs, WorkflowPayload, result_of

_MAX_ITEMS = 20
_MOST_DAYS_AHEAD = 366


@strawberry.input(description="A product as the contract is to have it.")
class ContractItemChangeInput:
    """An entry of `items`."""

    sku: str = strawberry.field(description="The product, as billing and the ERP both know it; each once.")
    quantity: int = strawberry.field(
        description="How many units from now on; 0 drops the product. What is not named stays."
    )
    interval: ContractBillingInterval | None = strawberry.field(
        default=None,
        description="For a product that is new to the contract: which of its list prices; the monthly one by default.",
    )


@strawberry.input(description="A change of a contract within its term.")
class AmendContractInput:
    """Input of `amendContract`."""

    contract_id: strawberry.ID = strawberry.field(description="Global id of an active contract.")
    version: str = strawberry.field(
        description="The contract's `version` as it was read; a stale one is refused with CONFLICT."
    )
    items: list[ContractItemChangeInput] = strawberry.field(description="The products that change, 1 to 20.")
    effective_on: dt.date | None = strawberry.field(
        default=None,
        description="The day, in UTC, on which it takes effect: at once if left out, or today; a day that is past, or more than a year ahead, is refused.",
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="The workflow, and what it came to once it is completed.")
class AmendContractPayload(WorkflowPayload):
    """Answer of `amendContract`."""

    plan: list[PlannedWrite] | None = strawberry.field(
        description="What would be written, with prices and proration as their authority says; only in a dry run."
    )
    contract: Contract | None = strawberry.field(description="The contract as billing has it now.")

    @strawberry.field(
        description="The posted invoice over the rest of the cycle; null where nothing was charged. An error SAGA_… says why there is none yet."
    )
    def invoice(self) -> Invoice | None:
        """Return what the ERP posted."""
        result = result_of(self.workflow)
        return None if result is None or result["invoice"] is None else Invoice(known_number=result["invoice"])

    @strawberry.field(
        description="The posted credit memo, where more was given back than charged. An error SAGA_… says why there is none yet."
    )
    def credit_memo(self) -> CreditMemo | None:
        """Return what the ERP posted."""
        result = result_of(self.workflow)
        has_one = result is not None and result["creditMemo"] is not None
        return CreditMemo(id=strawberry.ID(result["creditMemo"])) if has_one else None


@strawberry.type
class AmendContractMutation:
    """Amendment."""

    @strawberry.mutation(
        directives=[MAY_AMEND],
        description="Change a contract's products and quantities from now on: priced, prorated, billed and posted.",
    )
    async def amend_contract(
        self,
        info: GraphInfo,
        input: Annotated[  # noqa: A002 - the argument's name
            AmendContractInput, strawberry.argument(description="The contract and what is to change.")
        ],
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> AmendContractPayload | None:
        number = local_id(input.contract_id, "Contract")
        given = _amending(number, input)
        return await AmendContractPayload.begun(
            info,
            "amendment",
            given,
            input.client_mutation_id,
            (dry_run, wait_ms),
            contract=Contract(known_id=str(input.contract_id), known_number=number),
        )


def _amending(number: str, given: AmendContractInput) -> dict[str, Any]:
    """Return the workflow's input. Raises BAD_USER_INPUT."""
    if not 0 < len(given.items) <= _MAX_ITEMS or any(not 0 <= item.quantity <= 1_000_000 for item in given.items):
        raise refusal("BAD_USER_INPUT", f"An amendment has 1 to {_MAX_ITEMS} items, each of a quantity of 0 or more.")
    if len({item.sku for item in given.items}) < len(given.items):
        raise refusal("BAD_USER_INPUT", "An amendment names each product once.")
    today, day = dt.datetime.now(dt.UTC).date(), given.effective_on
    if day is not None and not 0 <= (day - today).days <= _MOST_DAYS_AHEAD:
        raise refusal("BAD_USER_INPUT", "An amendment takes effect today, or within a year.")
    scheduled = {} if day is None else {"effectiveOn": day.isoformat()}
    return {
        **scheduled,
        "number": number,
        "version": given.version,
        "items": [
            {
                "sku": item.sku,
                "quantity": item.quantity,
                "interval": None if item.interval is None else item.interval.value,
            }
            for item in given.items
        ],
    }
