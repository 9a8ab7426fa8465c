"""`creditContract` in the graph: the beginning of a credit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import strawberry

from gateway.graph.context import GraphInfo
from gateway.graph.entities import Contract, CreditMemo, Invoice
from gateway.graph.global_id import local_id, typename_of
from gateway.graph.guards import MAY_CREDIT
from gateway.graph.refusal import refusal
from gateway.graph.workflow_asking import KEY, DryRun, WaitMs, WorkflowPayload, result_of
from gateway.writes.minor_unit import MOST_DIGITS, decimals, exactly

_TOO_MUCH = Decimal(10) ** 20
_MAX_REASON = 150


@strawberry.input(
    description="What is to be taken back of what a contract was charged: an invoice, an amount, or an amount of an invoice."
)
class CreditContractInput:
    """Input of `creditContract`."""

    contract_id: strawberry.ID = strawberry.field(description="Global id of the contract.")
    invoice_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Global id of one of its posted or paid invoices; left out, the latest that has the amount left to be credited.",
    )
    invoice_version: str | None = strawberry.field(
        default=None,
        description="The invoice's `version` as it was read; a stale one is refused with CONFLICT, left out it is not checked.",
    )
    amount: Decimal | None = strawberry.field(
        default=None,
        description="Before tax, in the invoice's currency, above 0 with at most that one's decimals, two of EUR; by default all that is left of the invoice.",
    )
    reason: str = strawberry.field(
        description="Why, in 1 to 150 characters without [ ] and %; it stands on the document."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="The workflow, and what it came to once it is completed.")
class CreditContractPayload(WorkflowPayload):
    """Answer of `creditContract`."""

    contract: Contract | None = strawberry.field(description="The contract that it was charged for.")

    @strawberry.field(description="The posted credit memo; an error SAGA_… says why there is none yet.")
    def credit_memo(self) -> CreditMemo | None:
        """Return what the ERP posted."""
        result = result_of(self.workflow)
        return None if result is None else CreditMemo(id=strawberry.ID(result["creditMemo"]))

    @strawberry.field(description="The invoice that it takes back; an error SAGA_… says why there is none yet.")
    def invoice(self) -> Invoice | None:
        """Return what was credited."""
        result = result_of(self.workflow)
        return None if result is None else Invoice(known_number=result["invoice"])


@strawberry.type
class CreditContractMutation:
    """Credit."""

    @strawberry.mutation(
        directives=[MAY_CREDIT],
        description="Take back what a contract was charged: a credit memo in the ERP, of which billing and the CRM are told.",
    )
    async def credit_contract(
        self,
        info: GraphInfo,
        input: Annotated[  # noqa: A002 - the argument's name
            CreditContractInput, strawberry.argument(description="What is to be taken back, and why.")
        ],
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> CreditContractPayload | None:
        number = local_id(input.contract_id, "Contract")
        given = _crediting(number, input)
        return await CreditContractPayload.begun(
            info,
            "credit",
            given,
            input.client_mutation_id,
            (dry_run, wait_ms),
            contract=Contract(known_id=str(input.contract_id), known_number=number),
        )


def _crediting(number: str, given: CreditContractInput) -> dict[str, Any]:
    """Return the workflow's input. Raises BAD_USER_INPUT."""
    if given.invoice_id is None and given.amount is None:
        raise refusal("BAD_USER_INPUT", "Say which invoice, or how much, is to be credited.")
    if given.invoice_id is not None and typename_of(given.invoice_id) != "Invoice":
        raise refusal("BAD_USER_INPUT", "The id is of another type than Invoice.")
    amount = given.amount
    if amount is not None and (not 0 < amount < _TOO_MUCH or decimals(amount) > MOST_DIGITS):
        raise refusal(
            "BAD_USER_INPUT", "`amount` is above 0, has at most four decimals, and twenty digits before them."
        )
    reason = given.reason.strip()
    if not 0 < len(reason) <= _MAX_REASON or any(sign in reason for sign in "[]%\n"):
        told = f"`reason` has 1 to {_MAX_REASON} characters, without brackets, percent signs and line breaks."
        raise refusal("BAD_USER_INPUT", told)
    return {
        "number": number,
        "invoiceId": None if given.invoice_id is None else str(given.invoice_id),
        "invoiceVersion": given.invoice_version,
        "amount": None if amount is None else str(exactly(amount, 2)),
        "reason": reason,
    }
