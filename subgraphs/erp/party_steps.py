"""The step of workflows that brings an owner's values to the ERP's copy of a customer, and its way back.

Each field is told with the value it had: one that somebody has changed meanwhile is left alone, or refused.
"""

from __future__ import annotations

from typing import Any

import strawberry

from subgraphs.erp.context import Info
from subgraphs.erp.orders import UndonePayload, step, undo_step
from subgraphs.kit.system_error import BadUserInputError, Outcome

_FIELDS = frozenset({"street", "city", "country", "website"})


@strawberry.federation.input(inaccessible=True)
class PartyFieldInput:
    """A field of the party, with the value it had and the one it is to have."""

    name: str
    before: str | None = None
    after: str | None = None


@strawberry.federation.input(inaccessible=True)
class SyncPartyInput:
    """A party whose copies of fields that other systems own are to be as they are there."""

    erp_ref: strawberry.ID
    fields: list[PartyFieldInput]


@strawberry.federation.type(inaccessible=True)
class SyncPartyPayload:
    """Names of the fields that are as they should be."""

    synced: list[str]


@strawberry.federation.input(inaccessible=True)
class UndoSyncPartyInput:
    """The same fields, to be put back where nobody has changed them since."""

    erp_ref: strawberry.ID
    fields: list[PartyFieldInput]
    undoes: str


@strawberry.type
class PartyMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Bring owners' values to the ERP's copies.")
    async def sync_party(self, info: Info, input: SyncPartyInput) -> SyncPartyPayload | None:  # noqa: A002 - the argument's name
        context, party = info.context, str(input.erp_ref).partition("+")[0]
        changes = _changes(input.fields)

        async def write() -> Any:
            await context.orders.change_party_fields(party, changes, refuses=True)
            return sorted(changes)

        arguments = {"party": party, "fields": {name: after for name, (_, after) in changes.items()}}
        return SyncPartyPayload(synced=await step(context, "syncParty", arguments, write))

    @strawberry.federation.mutation(inaccessible=True, description="Put copies back as they were.")
    async def undo_sync_party(self, info: Info, input: UndoSyncPartyInput) -> UndonePayload | None:  # noqa: A002 - the argument's name
        context, party = info.context, str(input.erp_ref).partition("+")[0]
        back = {name: (after, before) for name, (before, after) in _changes(input.fields).items()}

        async def write() -> Any:
            await context.orders.change_party_fields(party, back, refuses=False)
            return True

        return await undo_step(context, "undoSyncParty", input.undoes, write)


def _changes(given: list[PartyFieldInput]) -> dict[str, tuple[str | None, str | None]]:
    unknown = sorted({field.name for field in given} - _FIELDS)
    if unknown or not given:
        raise BadUserInputError(f"These fields are no copies: {', '.join(unknown)}.", outcome=Outcome.NOT_APPLIED)
    return {field.name: (field.before, field.after) for field in given}
