"""The steps of workflows that the ERP takes: owned here, hidden from the public graph, each with its way back.

A step's idempotency key is also its external reference in the ERP. The mutation that undoes it names that key in `undoes`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import strawberry

from subgraphs.erp.context import ErpContext, Info
from subgraphs.erp.port import NewOrder, NewParty, OrderLine
from subgraphs.erp.records import InvoiceRecord
from subgraphs.kit.global_id import encode_global_id
from subgraphs.kit.system_error import BadUserInputError, ConflictError, Outcome
from subgraphs.kit.workflow_step import mark_of, own_key

Work = Callable[[], Awaitable[Any]]


@strawberry.federation.input(inaccessible=True)
class EnsurePartyInput:
    """A customer to be known to the ERP."""

    reference: str
    name: str
    tax_id: str | None = None
    website: str | None = None
    email: str | None = None
    street: str | None = None
    city: str | None = None
    country: str | None = None
    currency: str | None = None
    """What the first order is in."""
    business_unit: str | None = None
    erp_ref: strawberry.ID | None = None
    """Where identity has the customer in the ERP already."""


@strawberry.federation.type(inaccessible=True)
class EnsurePartyPayload:
    """The customer's record."""

    erp_ref: strawberry.ID
    was_created: bool


@strawberry.federation.input(inaccessible=True)
class UndoPartyInput:
    """A customer that a workflow made and does not need anymore."""

    reference: str
    undoes: str


@strawberry.federation.input(inaccessible=True)
class OrderLineInput:
    """One line of an order."""

    sku: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    billed_line: str | None = None
    service_from: dt.date
    service_until: dt.date


@strawberry.federation.input(inaccessible=True)
class PlaceOrderInput:
    """What is to be invoiced for a contract."""

    erp_ref: strawberry.ID
    contract_number: str
    currency: str
    issued_on: dt.date | None = None
    lines: list[OrderLineInput]


@strawberry.federation.type(inaccessible=True)
class OrderPayload:
    """The order as it is now."""

    invoice_id: strawberry.ID
    """Global id; of a credit memo where more is taken back than charged."""
    erp_id: strawberry.ID
    status: str
    number: str | None
    net: Decimal
    tax: Decimal
    total: Decimal


@strawberry.federation.input(inaccessible=True)
class PostOrderInput:
    """An order to be posted."""

    erp_id: strawberry.ID


@strawberry.federation.input(inaccessible=True)
class ScheduleRevenueInput:
    """An order whose revenue is to be spread."""

    erp_id: strawberry.ID


@strawberry.federation.type(inaccessible=True)
class ScheduleRevenuePayload:
    """The deferrals that spread the order's revenue; none where all of it is due at once."""

    deferrals: list[strawberry.ID]


@strawberry.federation.input(inaccessible=True)
class UndoOrderInput:
    """A step of an order to be taken back; `order` is the key that the order was placed under."""

    order: str
    undoes: str


@strawberry.federation.input(inaccessible=True)
class UndoRevenueInput:
    """The revenue entries of an order to be reversed; `order` is the key that it was placed under."""

    order: str
    undoes: str


@strawberry.federation.type(inaccessible=True)
class UndonePayload:
    """Nothing of the step is left."""

    is_undone: bool


@strawberry.type
class OrderMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Find or make the ERP's record of a customer.")
    async def ensure_party(self, info: Info, input: EnsurePartyInput) -> EnsurePartyPayload | None:  # noqa: A002 - the argument's name
        context = info.context
        if not input.reference.strip() or not input.name.strip():
            raise BadUserInputError("A customer has a reference and a name.", outcome=Outcome.NOT_APPLIED)
        given = {
            name: getattr(input, name)
            for name in (
                "reference", "name", "tax_id", "website", "email", "street", "city", "country", "currency", "business_unit",
            )
        }  # fmt: skip
        known_as = tuple(input.erp_ref.split("+")) if input.erp_ref else ()

        async def write() -> Any:
            return list(
                await context.orders.ensure_party(NewParty(**given, known_as=known_as, mark=mark_of(own_key())))
            )

        party_id, was_created = await step(context, "ensureParty", given, write)
        return EnsurePartyPayload(erp_ref=strawberry.ID(party_id), was_created=was_created)

    @strawberry.federation.mutation(inaccessible=True, description="Retire a customer that a workflow made.")
    async def undo_party(self, info: Info, input: UndoPartyInput) -> UndonePayload | None:  # noqa: A002 - the argument's name
        context = info.context

        async def write() -> Any:
            await context.orders.retire_party(input.reference, mark_of(input.undoes))
            return True

        return await undo_step(context, "undoParty", input.undoes, write)

    @strawberry.federation.mutation(inaccessible=True, description="Draw up the invoice of a contract, with its taxes.")
    async def place_order(self, info: Info, input: PlaceOrderInput) -> OrderPayload | None:  # noqa: A002 - the argument's name
        context = info.context
        if not input.lines or any(line.quantity == 0 for line in input.lines):
            told = "An order has lines, each of a quantity: below 0 where it takes back."
            raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
        order = NewOrder(
            customer_id=str(input.erp_ref),
            contract=input.contract_number,
            currency=input.currency,
            issued_on=input.issued_on or context.today(),
            reference=mark_of(own_key()),
            lines=tuple(
                OrderLine(
                    sku=line.sku,
                    description=line.description,
                    quantity=line.quantity,
                    unit_price=line.unit_price,
                    billed_line=line.billed_line,
                    service_from=line.service_from,
                    service_until=line.service_until,
                )
                for line in input.lines
            ),
        )

        async def write() -> Any:
            return await context.orders.place_order(order)

        arguments = {"contract": order.contract, "customer": order.customer_id, "lines": len(order.lines)}
        return _payload(await read_document(context, await step(context, "placeOrder", arguments, write)))

    @strawberry.federation.mutation(inaccessible=True, description="Post an order's invoice.")
    async def post_order(self, info: Info, input: PostOrderInput) -> OrderPayload | None:  # noqa: A002 - the argument's name
        context, erp_id = info.context, str(input.erp_id)

        async def write() -> Any:
            await context.orders.post_order(erp_id)
            return erp_id

        return _payload(await read_document(context, await step(context, "postOrder", {"id": erp_id}, write)))

    @strawberry.federation.mutation(inaccessible=True, description="Spread an order's revenue over its service period.")
    async def schedule_revenue(self, info: Info, input: ScheduleRevenueInput) -> ScheduleRevenuePayload | None:  # noqa: A002 - the argument's name
        context, erp_id = info.context, str(input.erp_id)

        async def write() -> Any:
            return list(await context.orders.schedule_revenue(erp_id))

        deferrals = await step(context, "scheduleRevenue", {"id": erp_id}, write)
        return ScheduleRevenuePayload(deferrals=[strawberry.ID(each) for each in deferrals])

    @strawberry.federation.mutation(inaccessible=True, description="Reverse the revenue entries of an order.")
    async def undo_revenue(self, info: Info, input: UndoRevenueInput) -> UndonePayload | None:  # noqa: A002 - the argument's name
        context = info.context

        async def write() -> Any:
            invoice_id = await context.orders.find_order(mark_of(input.order))
            if invoice_id is not None:
                await context.orders.reverse_revenue(invoice_id)
            return True

        return await undo_step(context, "undoRevenue", input.undoes, write)

    @strawberry.federation.mutation(inaccessible=True, description="Cancel an order, posted or not.")
    async def undo_order(self, info: Info, input: UndoOrderInput) -> UndonePayload | None:  # noqa: A002 - the argument's name
        context = info.context

        async def write() -> Any:
            invoice_id = await context.orders.find_order(mark_of(input.order))
            if invoice_id is not None:
                await context.orders.cancel_order(invoice_id)
            return True

        return await undo_step(context, "undoOrder", input.undoes, write)


async def step(context: ErpContext, name: str, arguments: dict[str, Any], write: Work) -> Any:
    """Carry a step out once; what an earlier try did is found by `write` itself."""
    answer = await context.writes.run(own_key(), {"mutation": name, "input": arguments}, write)
    context.changed()
    return answer


async def undo_step(context: ErpContext, name: str, undoes: str, write: Work) -> UndonePayload:
    """Take a step back once; from now on a late try of it is refused."""
    await context.writes.run(own_key(), {"mutation": name, "undoes": undoes}, write, undoes=undoes)
    context.changed()
    return UndonePayload(is_undone=True)


async def read_document(context: ErpContext, invoice_id: str) -> InvoiceRecord:
    """Return an invoice or credit memo as it is now. Raises ConflictError for one that is gone."""
    record = (await context.erp.invoices.read([invoice_id])).get(invoice_id)
    if record is None:
        raise ConflictError("The order is not in the ERP anymore.", outcome=Outcome.APPLIED)
    return record


def _payload(record: InvoiceRecord) -> OrderPayload:
    return OrderPayload(
        invoice_id=strawberry.ID(encode_global_id("CreditMemo" if record.is_credit_memo else "Invoice", record.id)),
        erp_id=strawberry.ID(record.id),
        status=record.status.value,
        number=record.number,
        net=record.net,
        tax=record.tax,
        total=record.total,
    )
