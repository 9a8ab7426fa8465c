"""The steps of workflows that billing takes: owned here, hidden from the public graph, each with its way back.

The mutation that undoes a step names that step's idempotency key in `undoes`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import strawberry

from subgraphs.billing.context import BillingContext, Info
from subgraphs.billing.port import Billed, NewContract, NewCustomer, NewItem
from subgraphs.billing.records import BillingInterval
from subgraphs.kit.global_id import encode_global_id
from subgraphs.kit.system_error import BadUserInputError, Outcome
from subgraphs.kit.workflow_step import mark_of

_MAX_ITEMS = 20


@strawberry.federation.input(inaccessible=True)
class EnsureBillingCustomerInput:
    """A customer to be known to billing."""

    reference: str
    name: str
    email: str | None = None
    city: str | None = None
    country: str | None = None
    tax_id: str | None = None


@strawberry.federation.type(inaccessible=True)
class EnsureBillingCustomerPayload:
    """The customer's record."""

    billing_ref: strawberry.ID
    was_created: bool


@strawberry.federation.input(inaccessible=True)
class UndoBillingCustomerInput:
    """A customer that a workflow made and does not need anymore."""

    reference: str
    undoes: str


@strawberry.federation.input(inaccessible=True)
class ContractItemInput:
    """A product and how much of it."""

    sku: str
    quantity: int
    interval: str | None = None
    price_ref: str | None = None
    """The list price that was agreed on, by the vendor's id; another one by now is refused."""


@strawberry.federation.input(inaccessible=True)
class ActivateContractInput:
    """An agreement that was won."""

    billing_ref: strawberry.ID
    number: str
    currency: str
    items: list[ContractItemInput]
    starts_on: dt.date
    ends_on: dt.date
    notice_days: int = 30
    days_until_due: int = 30


@strawberry.federation.type(inaccessible=True)
class BilledChargeLine:
    """A charge of the bill."""

    ref: str
    sku: str | None
    description: str
    quantity: int
    amount: Decimal
    starts_on: dt.date
    ends_on: dt.date


@strawberry.federation.type(inaccessible=True)
class BilledPayload:
    """The contract, and what was billed for it at once."""

    contract_id: strawberry.ID
    number: str
    status: str
    currency: str
    document: str | None
    lines: list[BilledChargeLine]


@strawberry.federation.input(inaccessible=True)
class UndoContractInput:
    """A contract to be withdrawn."""

    billing_ref: strawberry.ID
    number: str
    undoes: str


@strawberry.federation.input(inaccessible=True)
class NameDocumentInput:
    """The number that the ERP posted a bill under."""

    document: str
    number: str


@strawberry.federation.input(inaccessible=True)
class UndoNameDocumentInput:
    """A bill whose number is to be taken out again."""

    document: str
    undoes: str


@strawberry.federation.type(inaccessible=True)
class NameDocumentPayload:
    """The bill's copy."""

    document: str


@strawberry.federation.type(inaccessible=True)
class UndoneInBillingPayload:
    """Nothing of the step is left."""

    is_undone: bool


@strawberry.type
class AgreementMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Find or make billing's record of a customer.")
    async def ensure_billing_customer(
        self,
        info: Info,
        input: EnsureBillingCustomerInput,  # noqa: A002 - Relay's name
    ) -> EnsureBillingCustomerPayload | None:
        """Find or make the customer."""
        if not input.reference.strip() or not input.name.strip():
            raise BadUserInputError("A customer has a reference and a name.", outcome=Outcome.NOT_APPLIED)
        given = {name: getattr(input, name) for name in ("reference", "name", "email", "city", "country", "tax_id")}
        writes = info.context.agreements

        async def write(key: str) -> Any:
            return list(await writes.agreements.ensure_customer(NewCustomer(**given, mark=mark_of(key)), key=key))

        customer, was_created = await writes.step("ensureBillingCustomer", given, write)
        return EnsureBillingCustomerPayload(billing_ref=strawberry.ID(customer), was_created=was_created)

    @strawberry.federation.mutation(inaccessible=True, description="Delete a customer that a workflow made.")
    async def undo_billing_customer(self, info: Info, input: UndoBillingCustomerInput) -> UndoneInBillingPayload | None:  # noqa: A002 - Relay's name
        """Delete the customer."""
        writes = info.context.agreements

        async def write(key: str) -> None:
            await writes.agreements.retire_customer(input.reference, mark_of(input.undoes), key=key)

        await writes.undo("undoBillingCustomer", input.undoes, write)
        return UndoneInBillingPayload(is_undone=True)

    @strawberry.federation.mutation(inaccessible=True, description="Create a contract, activate it, bill it.")
    async def activate_contract(self, info: Info, input: ActivateContractInput) -> BilledPayload | None:  # noqa: A002 - Relay's name
        """Create and activate the contract."""
        writes = info.context.agreements
        contract = NewContract(
            number=input.number,
            customer=str(input.billing_ref),
            currency=input.currency,
            items=items_of(input.items),
            starts_on=input.starts_on,
            ends_on=input.ends_on,
            notice_days=input.notice_days,
            days_until_due=input.days_until_due,
        )

        async def write(key: str) -> Any:
            return await billed_json(info.context, await writes.agreements.activate(contract, key=key))

        arguments = {
            "number": input.number,
            "customer": contract.customer,
            "items": [[i.sku, i.quantity] for i in contract.items],
        }
        return payload_of(await writes.step("activateContract", arguments, write))

    @strawberry.federation.mutation(inaccessible=True, description="Withdraw a contract and void its open bills.")
    async def undo_contract(self, info: Info, input: UndoContractInput) -> UndoneInBillingPayload | None:  # noqa: A002 - Relay's name
        """Withdraw the contract."""
        writes = info.context.agreements

        async def write(key: str) -> None:
            await writes.agreements.withdraw(str(input.billing_ref), input.number, key=key)

        await writes.undo("undoContract", input.undoes, write)
        return UndoneInBillingPayload(is_undone=True)

    @strawberry.federation.mutation(inaccessible=True, description="Note the number that the ERP posted a bill under.")
    async def name_document(self, info: Info, input: NameDocumentInput) -> NameDocumentPayload | None:  # noqa: A002 - Relay's name
        """Note the number."""
        writes = info.context.agreements

        async def write(key: str) -> Any:
            await writes.agreements.name_document(input.document, input.number, key=key)
            return input.document

        arguments = {"document": input.document, "number": input.number}
        return NameDocumentPayload(document=await writes.step("nameDocument", arguments, write))

    @strawberry.federation.mutation(inaccessible=True, description="Take the ERP's number out of a bill again.")
    async def undo_name_document(self, info: Info, input: UndoNameDocumentInput) -> UndoneInBillingPayload | None:  # noqa: A002 - Relay's name
        """Forget the number."""
        writes = info.context.agreements

        async def write(key: str) -> None:
            await writes.agreements.name_document(input.document, None, key=key)

        await writes.undo("undoNameDocument", input.undoes, write)
        return UndoneInBillingPayload(is_undone=True)


def items_of(given: list[ContractItemInput]) -> tuple[NewItem, ...]:
    """Return the items of an input. Raises BadUserInputError for none, too many, or a quantity that is none."""
    if not 0 < len(given) <= _MAX_ITEMS or any(item.quantity < 1 for item in given):
        told = f"A contract has 1 to {_MAX_ITEMS} items, each of a quantity above 0."
        raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
    try:
        return tuple(
            NewItem(
                sku=item.sku,
                quantity=item.quantity,
                interval=None if item.interval is None else BillingInterval(item.interval),
                price=item.price_ref,
            )
            for item in given
        )
    except ValueError as error:
        raise BadUserInputError("There is no such interval.", outcome=Outcome.NOT_APPLIED) from error


async def billed_json(context: BillingContext, billed: Billed) -> dict[str, Any]:
    """Return what the payload shows, as JSON."""
    catalog = await context.books.catalog()
    skus = {product.id: product.sku for product in catalog.products.values()}
    lines = billed.document.lines if billed.document is not None else ()
    return {
        "number": billed.contract.number,
        "status": billed.contract.status.value,
        "currency": billed.contract.currency,
        "document": billed.document.id if billed.document is not None else None,
        "lines": [
            {
                "ref": line.ref,
                "sku": skus.get(line.product) if line.product else None,
                "description": line.description,
                "quantity": line.quantity or 1,
                "amount": str(line.amount),
                "starts_on": line.starts_on.isoformat(),
                "ends_on": line.ends_on.isoformat(),
            }
            for line in lines
        ],
    }


def payload_of(billed: dict[str, Any]) -> BilledPayload:
    """Return the payload that the kept JSON shows."""
    return BilledPayload(
        contract_id=strawberry.ID(encode_global_id("Contract", billed["number"])),
        number=billed["number"],
        status=billed["status"],
        currency=billed["currency"],
        document=billed["document"],
        lines=[
            BilledChargeLine(
                ref=line["ref"],
                sku=line["sku"],
                description=line["description"],
                quantity=line["quantity"],
                amount=Decimal(line["amount"]),
                starts_on=dt.date.fromisoformat(line["starts_on"]),
                ends_on=dt.date.fromisoformat(line["ends_on"]),
            )
            for line in billed["lines"]
        ],
    )
