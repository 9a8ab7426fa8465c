"""`distributeProduct` in the graph: the beginning of a product's distribution."""

from __future__ import annotations

import strawberry

from gateway.graph.context import GraphInfo
from gateway.graph.entities import Product
from gateway.graph.guards import MAY_DISTRIBUTE
from gateway.graph.refusal import refusal
from gateway.graph.workflow_asking import KEY, DryRun, WaitMs, WorkflowPayload, result_of

_LONGEST = 100


@strawberry.input(description="A product whose copies are to say what billing says.")
class DistributeProductInput:
    """Input of `distributeProduct`."""

    sku: str = strawberry.field(
        description="The product; one that billing does not have ends the workflow with NOT_FOUND."
    )
    revenue_rule: str | None = strawberry.field(
        default=None,
        description="How revenue of it is recognised, such as `RATABLE_MONTHLY`; needed where the ERP lacks it.",
    )
    tax_code: str | None = strawberry.field(
        default=None, description="What tax rules call it, such as `SAAS`; needed where the ERP lacks it."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="The workflow, and what it came to once it is completed.")
class DistributeProductPayload(WorkflowPayload):
    """Answer of `distributeProduct`."""

    @strawberry.field(
        description="The product, once the workflow is completed; an error SAGA_… says why there is none."
    )
    def product(self) -> Product | None:
        """Return the product as every system has it now."""
        result = result_of(self.workflow)
        return None if result is None else Product(sku=result["sku"])


@strawberry.type
class DistributeProductMutation:
    """Distribution of what is sold."""

    @strawberry.mutation(
        directives=[MAY_DISTRIBUTE],
        description="Bring a product's name and list prices, as billing has them, to the ERP's and the CRM's catalogue.",
    )
    async def distribute_product(
        self,
        info: GraphInfo,
        input: DistributeProductInput,  # noqa: A002 - the argument's name
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> DistributeProductPayload | None:
        """Begin the workflow and wait for it a while, or plan it."""
        texts = {"sku": input.sku, "revenueRule": input.revenue_rule, "taxCode": input.tax_code}
        for name, text in texts.items():
            if text is not None and not 0 < len(text.strip()) <= _LONGEST:
                raise refusal("BAD_USER_INPUT", f"`{name}` has 1 to {_LONGEST} characters.")
        given = {name: None if text is None else text.strip() for name, text in texts.items()}
        return await DistributeProductPayload.begun(
            info,
            "product-distribution",
            given,
            input.client_mutation_id,
            (dry_run, wait_ms),
        )
