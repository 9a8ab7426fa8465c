"""Workflows about customers: make one known to all systems, and bring owners' values to the copies."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from gateway.graph.context import GraphInfo
from gateway.graph.entities import Customer
from gateway.graph.global_id import typename_of
from gateway.graph.guards import MAY_ONBOARD
from gateway.graph.refusal import refusal
from gateway.graph.workflow_asking import DryRun, WaitMs, WorkflowPayload, result_of

_LONGEST = 200
_COUNTRY = 2


@strawberry.enum(description="How large a customer is, in the words of sales.")
class OnboardingSegment(Enum):
    """The value of `segment`."""

    ENTERPRISE = strawberry.enum_value("ENTERPRISE", description="The largest ones.")
    MID_MARKET = strawberry.enum_value("MID_MARKET", description="Between the largest and small businesses.")
    SMB = strawberry.enum_value("SMB", description="Small and medium-sized businesses.")
    STARTUP = strawberry.enum_value("STARTUP", description="Young companies.")


@strawberry.input(description="A company that is to be a customer in all systems.")
class OnboardCustomerInput:
    """Input of `onboardCustomer`."""

    name: str = strawberry.field(description="What sales calls it, 1 to 200 characters.")
    legal_name: str | None = strawberry.field(
        default=None, description="The name that invoices are made out to; left out, `name`."
    )
    reference: str | None = strawberry.field(
        default=None,
        description="Business key in all systems; a record that has it already is taken as it is. Made up where left out.",
    )
    domain: str | None = strawberry.field(default=None, description="Web domain, such as `acme.example`.")
    street: str | None = strawberry.field(default=None, description="Street and number.")
    city: str | None = strawberry.field(default=None, description="Town of the head office.")
    country: str | None = strawberry.field(default=None, description="ISO 3166 code of two letters, such as `DE`.")
    tax_id: str | None = strawberry.field(default=None, description="Tax id, as it stands on invoices.")
    email: str | None = strawberry.field(default=None, description="Where invoices are sent to.")
    segment: OnboardingSegment | None = strawberry.field(default=None, description="Size class.")
    client_mutation_id: str | None = None


@strawberry.input(description="A customer whose copies are to say what their owners say.")
class SyncCustomerInput:
    """Input of `syncCustomer`."""

    customer_id: strawberry.ID = strawberry.field(
        description="Global id of the customer; an unknown one ends the workflow with NOT_FOUND."
    )
    client_mutation_id: str | None = None


@strawberry.type(description="What became of `onboardCustomer` or `syncCustomer`.")
class CustomerWorkflowPayload(WorkflowPayload):
    """Answer of workflows about a customer."""

    @strawberry.field(
        description="The customer, once the workflow is completed; an error SAGA_… says why there is none."
    )
    def customer(self) -> Customer | None:
        """Return the customer as identity knows it."""
        result = result_of(self.workflow)
        return None if result is None else Customer(id=strawberry.ID(result["customer"]))


@strawberry.type
class CustomerMutation:
    """Workflows about customers."""

    @strawberry.mutation(
        directives=[MAY_ONBOARD],
        description="Make a company a customer of CRM, ERP and billing, known to identity as one; all of it or nothing.",
    )
    async def onboard_customer(
        self,
        info: GraphInfo,
        input: OnboardCustomerInput,  # noqa: A002 - the argument's name
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> CustomerWorkflowPayload | None:
        """Begin the workflow and wait for it a while, or plan it."""
        waits = (dry_run, wait_ms)
        return await CustomerWorkflowPayload.begun(
            info, "onboarding", _onboarding(input), input.client_mutation_id, waits
        )

    @strawberry.mutation(
        directives=[MAY_ONBOARD],
        description="Bring owners' values to every copy of a customer's fields, and a record to the system that lacks one.",
    )
    async def sync_customer(
        self,
        info: GraphInfo,
        input: SyncCustomerInput,  # noqa: A002 - the argument's name
        dry_run: DryRun = False,
        wait_ms: WaitMs = 10_000,
    ) -> CustomerWorkflowPayload | None:
        """Begin the workflow and wait for it a while, or plan it."""
        if typename_of(input.customer_id) != "Customer":
            raise refusal("BAD_USER_INPUT", "The id is of another type than Customer.")
        given = {"customer": str(input.customer_id)}
        waits = (dry_run, wait_ms)
        return await CustomerWorkflowPayload.begun(info, "customer-sync", given, input.client_mutation_id, waits)


def _onboarding(given: OnboardCustomerInput) -> dict[str, Any]:
    texts = {
        "name": given.name,
        "legalName": given.legal_name,
        "reference": given.reference,
        "domain": given.domain,
        "street": given.street,
        "city": given.city,
        "country": given.country,
        "taxId": given.tax_id,
        "email": given.email,
    }
    for name, text in texts.items():
        if text is not None and not 0 < len(text.strip()) <= _LONGEST:
            raise refusal("BAD_USER_INPUT", f"`{name}` has 1 to {_LONGEST} characters.")
    country = given.country
    if country is not None and not (len(country) == _COUNTRY and country.isascii() and country.isupper()):
        raise refusal("BAD_USER_INPUT", "`country` is an ISO 3166 code of two capital letters.")
    cleaned = {name: None if text is None else text.strip() for name, text in texts.items()}
    return {**cleaned, "segment": None if given.segment is None else given.segment.value}
