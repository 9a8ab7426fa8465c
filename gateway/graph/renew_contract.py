"""`renewContract` in the graph: the beginning of a renewal."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from gateway.graph.context import GraphInfo
from gateway.graph.entities import Contract, Invoice
from gateway.graph.global_id import local_id
from gateway.graph.guards import MAY_RENEW
from gateway.graph.refusal import refusal
from gateway.graph.workflow_asking import KEY, DryRun, WaitMs, WorkflowPayload, result_of


@strawberry.input(description="Another term of a contract, behind the one that it has.")
class RenewContractInput:
    """Input of `renewContract`."""

    contract_id: strawberry.ID = strawberry.field(description="Global id of an active contract with an agreed term.")
    version: str = strawberry.field(
        description="The contract's `version` as it was read; a stale one is refused with CONFLICT."
    )
    term_months: int | None = strawberry.field(
        default=None, description="Length of the new term, 1 to 120 months; that of the term before by default."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="The workflow, and what it came to once it is completed.")
class RenewContractPayload(WorkflowPayload):
    """Answer of `renewContract`."""

    contract: Contract | None = strawberry.field(description="The contract as billing has it now.")

    @strawberry.field(
        description="The invoice of the new term's first cycle: a draft until that begins, when a workflow `renewal-posting` posts it. An error SAGA_… says why there is none yet."
    )
    def invoice(self) -> Invoice | None:
        """Return what the ERP has."""
        result = result_of(self.workflow)
        return None if result is None or result["invoiceId"] is None else Invoice(known_id=result["invoiceId"])


@strawberry.type
class RenewContractMutation:
    """Renewal."""

    @strawberry.mutation(
        directives=[MAY_RENEW],
        description="Renew a contract for another term: in billing, with its first order in the ERP, and in the CRM.",
    )
    async def renew_contract(
        self,
        info: GraphInfo,
        input: Annotated[  # noqa: A002 - the argument's name
            RenewContractInput, strawberry.argument(description="The contract and its new term.")
        ],
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> RenewContractPayload | None:
        number = local_id(input.contract_id, "Contract")
        if input.term_months is not None and not 0 < input.term_months <= 120:
            raise refusal("BAD_USER_INPUT", "A term has 1 to 120 months.")
        given: dict[str, Any] = {"number": number, "version": input.version, "termMonths": input.term_months}
        return await RenewContractPayload.begun(
            info,
            "renewal",
            given,
            input.client_mutation_id,
            (dry_run, wait_ms),
            contract=Contract(known_id=str(input.contract_id), known_number=number),
        )
