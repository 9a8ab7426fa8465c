"""Steps of workflows about a contract that the CRM takes, on the deal that the contract came from: its renewal, and notes.

Owned here, hidden from the public graph, each with its way back, which names the step's idempotency key in `undoes`.
"""

from __future__ import annotations

import hashlib

import strawberry

from subgraphs.crm import terms
from subgraphs.crm.closing import ClosingPayload, closing_payload, deal_now, undo_step
from subgraphs.crm.context import Info
from subgraphs.crm.port import DealChange
from subgraphs.kit.global_id import local_id
from subgraphs.kit.system_error import BadUserInputError, ConflictError, Outcome
from subgraphs.kit.workflow_step import own_key

_MAX_NOTE = 500


@strawberry.federation.input(inaccessible=True)
class MoveRenewalInput:
    """A renewal that is to stand at a stage."""

    id: strawberry.ID
    stage: terms.RenewalStage


@strawberry.federation.input(inaccessible=True)
class UndoMoveRenewalInput:
    """A renewal to be put back, if it still stands where the step put it."""

    id: strawberry.ID
    moved: terms.RenewalStage
    stage: terms.RenewalStage
    undoes: str


@strawberry.federation.input(inaccessible=True)
class NoteContractInput:
    """A line for whoever reads the deal."""

    id: strawberry.ID
    text: str


@strawberry.federation.input(inaccessible=True)
class UndoNoteContractInput:
    """A line to be taken out again."""

    id: strawberry.ID
    undoes: str


@strawberry.type
class ContractStepMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Say how far the renewal of a contract has come.")
    async def move_renewal(self, info: Info, input: MoveRenewalInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Write the stage, unless it is there."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")

        async def write() -> bool:
            deal = await deal_now(context, deal_id)
            if deal.renewal_stage is terms.RenewalStage.LOST:
                raise ConflictError("The renewal is lost.", outcome=Outcome.NOT_APPLIED, retryable=False)
            if deal.renewal_stage is not input.stage:
                await context.crm.change_deal(deal_id, DealChange(renewal_stage=input.stage), version=None)
            return True

        arguments = {"write": ["moveRenewal", deal_id], "stage": input.stage.value}
        await context.writes.run(own_key(), arguments, write)
        return closing_payload(input.id, await deal_now(context, deal_id))

    @strawberry.federation.mutation(inaccessible=True, description="Put the renewal of a contract back.")
    async def undo_move_renewal(self, info: Info, input: UndoMoveRenewalInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Put the stage back, unless somebody has moved it on since."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")

        async def write() -> bool:
            deal = await deal_now(context, deal_id)
            if deal.renewal_stage is input.moved and input.moved is not input.stage:
                await context.crm.change_deal(deal_id, DealChange(renewal_stage=input.stage), version=None)
            return True

        await undo_step(context, "undoMoveRenewal", deal_id, input.undoes, write)
        return closing_payload(input.id, await deal_now(context, deal_id))

    @strawberry.federation.mutation(inaccessible=True, description="Note something on a contract's deal.")
    async def note_contract(self, info: Info, input: NoteContractInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Add a line to the deal's description, once."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")
        if not 0 < len(input.text) <= _MAX_NOTE or "\n" in input.text:
            raise BadUserInputError(f"A note is one line of 1 to {_MAX_NOTE} characters.", outcome=Outcome.NOT_APPLIED)
        mark = _mark(own_key())

        async def write() -> bool:
            said = (await deal_now(context, deal_id)).description or ""
            if mark not in said:
                lines = [*said.splitlines(), f"{input.text} {mark}"]
                await context.crm.change_deal(deal_id, DealChange(description="\n".join(lines)), version=None)
            return True

        arguments = {"write": ["noteContract", deal_id], "text": input.text}
        await context.writes.run(own_key(), arguments, write)
        return closing_payload(input.id, await deal_now(context, deal_id))

    @strawberry.federation.mutation(inaccessible=True, description="Take a note out of a contract's deal.")
    async def undo_note_contract(self, info: Info, input: UndoNoteContractInput) -> ClosingPayload | None:  # noqa: A002 - the argument's name
        """Take the line out, and leave what others wrote."""
        context, deal_id = info.context, local_id(input.id, "Opportunity")
        mark = _mark(input.undoes)

        async def write() -> bool:
            said = (await deal_now(context, deal_id)).description or ""
            if mark in said:
                kept = "\n".join(line for line in said.splitlines() if mark not in line)
                await context.crm.change_deal(deal_id, DealChange(description=kept), version=None)
            return True

        await undo_step(context, "undoNoteContract", deal_id, input.undoes, write)
        return closing_payload(input.id, await deal_now(context, deal_id))


def _mark(key: str) -> str:
    return f"[concord-{hashlib.sha256(key.encode()).hexdigest()[:16]}]"
