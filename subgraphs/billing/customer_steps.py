"""The step of workflows that brings an owner's values to billing's copy of a customer, and its way back.

Each field is told with the value it had: one that somebody has changed meanwhile is left alone, or refused.
"""

from __future__ import annotations

from typing import Any

import strawberry

from subgraphs.billing.agreements import UndoneInBillingPayload
from subgraphs.billing.context import Info
from subgraphs.kit.system_error import BadUserInputError, Outcome

_FIELDS = frozenset({"name", "city", "country", "taxId"})


@strawberry.federation.input(inaccessible=True)
class BillingCustomerFieldInput:
    """A field of the customer, with the value it had and the one it is to have."""

    name: str
    before: str | None = None
    after: str | None = None


@strawberry.federation.input(inaccessible=True)
class SyncBillingCustomerInput:
    """A customer whose copies of fields that other systems own are to be as they are there."""

    billing_ref: strawberry.ID
    fields: list[BillingCustomerFieldInput]


@strawberry.federation.type(inaccessible=True)
class SyncBillingCustomerPayload:
    """Names of the fields that are as they should be."""

    synced: list[str]


@strawberry.federation.input(inaccessible=True)
class UndoSyncBillingCustomerInput:
    """The same fields, to be put back where nobody has changed them since."""

    billing_ref: strawberry.ID
    fields: list[BillingCustomerFieldInput]
    undoes: str


@strawberry.type
class CustomerStepMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Bring owners' values to billing's copies.")
    async def sync_billing_customer(
        self,
        info: Info,
        input: SyncBillingCustomerInput,  # noqa: A002 - Relay's name
    ) -> SyncBillingCustomerPayload | None:
        """Write the fields."""
        writes, customer = info.context.agreements, str(input.billing_ref).partition("+")[0]
        changes = _changes(input.fields)

        async def write(key: str) -> Any:
            await writes.agreements.change_customer_fields(customer, changes, refuses=True, key=key)
            return sorted(changes)

        arguments = {"customer": customer, "fields": {name: after for name, (_, after) in changes.items()}}
        return SyncBillingCustomerPayload(synced=await writes.step("syncBillingCustomer", arguments, write))

    @strawberry.federation.mutation(inaccessible=True, description="Put copies back as they were.")
    async def undo_sync_billing_customer(
        self,
        info: Info,
        input: UndoSyncBillingCustomerInput,  # noqa: A002 - Relay's name
    ) -> UndoneInBillingPayload | None:
        """Put the fields back."""
        writes, customer = info.context.agreements, str(input.billing_ref).partition("+")[0]
        back = {name: (after, before) for name, (before, after) in _changes(input.fields).items()}

        async def write(key: str) -> None:
            await writes.agreements.change_customer_fields(customer, back, refuses=False, key=key)

        await writes.undo("undoSyncBillingCustomer", input.undoes, write)
        return UndoneInBillingPayload(is_undone=True)


def _changes(given: list[BillingCustomerFieldInput]) -> dict[str, tuple[str | None, str | None]]:
    unknown = sorted({field.name for field in given} - _FIELDS)
    if unknown or not given:
        raise BadUserInputError(f"These fields are no copies: {', '.join(unknown)}.", outcome=Outcome.NOT_APPLIED)
    return {field.name: (field.before, field.after) for field in given}
