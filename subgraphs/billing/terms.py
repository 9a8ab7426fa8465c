"""The steps of renewing and crediting that billing takes: owned here, hidden from the public graph.

The mutation that undoes a step names that step's idempotency key in `undoes`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import strawberry

from subgraphs.billing.agreements import UndoneInBillingPayload
from subgraphs.billing.amendments import ContractTerms, contract_now, terms_of
from subgraphs.billing.context import Info
from subgraphs.billing.derivation import cycle_charges
from subgraphs.billing.records import Contract
from subgraphs.billing.term_port import Credit, Term
from subgraphs.kit.system_error import BadUserInputError, Outcome
from subgraphs.kit.workflow_step import mark_of


@strawberry.federation.input(inaccessible=True)
class RenewTermInput:
    """Another term of a contract."""

    number: str
    version: str
    starts_on: dt.date
    ends_on: dt.date
    auto_renews: bool


@strawberry.federation.type(inaccessible=True)
class TermCharge:
    """What the first cycle of a term will be charged with."""

    sku: str
    description: str
    quantity: int
    amount: Decimal
    starts_on: dt.date
    ends_on: dt.date


@strawberry.federation.type(inaccessible=True)
class RenewTermPayload:
    """The contract, and the first cycle of its new term."""

    terms: ContractTerms
    charges: list[TermCharge]


@strawberry.federation.input(inaccessible=True)
class UndoRenewTermInput:
    """A term to be put back."""

    number: str
    starts_on: dt.date
    ends_on: dt.date
    auto_renews: bool
    undoes: str


@strawberry.federation.input(inaccessible=True)
class CreditDocumentInput:
    """A credit memo of the ERP that billing is to know of."""

    document: str
    amount: Decimal
    memo: str


@strawberry.federation.type(inaccessible=True)
class CreditDocumentPayload:
    """Billing's credit note; null where it has no such document."""

    credit_note: str | None


@strawberry.federation.input(inaccessible=True)
class UndoCreditDocumentInput:
    """A credit to be taken back."""

    document: str
    undoes: str


@strawberry.type
class TermQuery:
    """What workflows read."""

    @strawberry.federation.field(inaccessible=True, description="What a term's first cycle would be charged with.")
    async def term_charges(
        self, info: Info, number: str, starts_on: dt.date, ends_on: dt.date
    ) -> list[TermCharge] | None:
        """Price a term's first cycle."""
        return await _charges(info, await contract_now(info, number), starts_on, ends_on)


@strawberry.type
class TermMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Agree on another term of a contract.")
    async def renew_term(self, info: Info, input: RenewTermInput) -> RenewTermPayload | None:  # noqa: A002 - Relay's name
        """Renew the contract."""
        writes = info.context.agreements
        writes.require("renewTerm")
        contract = await contract_now(info, input.number)
        if input.ends_on <= input.starts_on:
            raise BadUserInputError("A term ends after it starts.", outcome=Outcome.NOT_APPLIED)
        term = Term(starts_on=input.starts_on, ends_on=input.ends_on, auto_renews=input.auto_renews)

        async def write(key: str) -> Any:
            await writes.terms.renew(contract, term, version=input.version, mark=mark_of(key), key=key)
            return True

        arguments = {"number": input.number, "term": [str(term.starts_on), str(term.ends_on), term.auto_renews]}
        await writes.step("renewTerm", arguments, write)
        after = await contract_now(info, input.number)
        return RenewTermPayload(
            terms=await terms_of(info, after), charges=await _charges(info, after, term.starts_on, term.ends_on)
        )

    @strawberry.federation.mutation(inaccessible=True, description="Put back the term that a contract had.")
    async def undo_renew_term(self, info: Info, input: UndoRenewTermInput) -> UndoneInBillingPayload | None:  # noqa: A002 - Relay's name
        """Put the term back."""
        writes = info.context.agreements
        contract = await contract_now(info, input.number)
        term = Term(starts_on=input.starts_on, ends_on=input.ends_on, auto_renews=input.auto_renews)

        async def write(key: str) -> None:
            await writes.terms.unrenew(contract, term, mark=mark_of(input.undoes), key=key)

        await writes.undo("undoRenewTerm", input.undoes, write)
        return UndoneInBillingPayload(is_undone=True)

    @strawberry.federation.mutation(inaccessible=True, description="Credit billing's copy of an invoice.")
    async def credit_document(self, info: Info, input: CreditDocumentInput) -> CreditDocumentPayload | None:  # noqa: A002 - Relay's name
        """Credit the document."""
        writes = info.context.agreements
        writes.require("creditDocument")
        if input.amount <= 0:
            raise BadUserInputError("A credit is above 0.", outcome=Outcome.NOT_APPLIED)

        async def write(key: str) -> Any:
            credit = Credit(document=input.document, amount=input.amount, memo=input.memo, mark=mark_of(key))
            return await writes.terms.credit(credit, key=key)

        arguments = {"document": input.document, "amount": str(input.amount), "memo": input.memo}
        return CreditDocumentPayload(credit_note=await writes.step("creditDocument", arguments, write))

    @strawberry.federation.mutation(inaccessible=True, description="Take a credit of billing's copy back.")
    async def undo_credit_document(self, info: Info, input: UndoCreditDocumentInput) -> UndoneInBillingPayload | None:  # noqa: A002 - Relay's name
        """Take the credit back."""
        writes = info.context.agreements

        async def write(key: str) -> None:
            await writes.terms.uncredit(input.document, mark_of(input.undoes), key=key)

        await writes.undo("undoCreditDocument", input.undoes, write)
        return UndoneInBillingPayload(is_undone=True)


async def _charges(info: Info, contract: Contract, starts_on: dt.date, ends_on: dt.date) -> list[TermCharge]:
    products = (await info.context.catalog()).products
    return [
        TermCharge(
            sku=products[item.price.product].sku,
            description=f"{products[item.price.product].name}, {starts_on} to {until}",
            quantity=item.quantity or 0,
            amount=amount,
            starts_on=starts_on,
            ends_on=until,
        )
        for item, until, amount in cycle_charges(contract, starts_on, ends_on)
        if item.price.product in products
    ]
