"""The step of crediting that the ERP takes: owned here, hidden from the public graph, with its way back.

The step's idempotency key is also the credit memo's external reference. What undoes it names that key in `undoes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import strawberry

from subgraphs.erp.context import Info
from subgraphs.erp.orders import UndonePayload, read_document, undo_step
from subgraphs.erp.port import CreditLine
from subgraphs.erp.records import InvoiceLineRecord, InvoiceStatus
from subgraphs.kit.global_id import encode_global_id, local_id
from subgraphs.kit.minor_unit import is_payable
from subgraphs.kit.system_error import BadUserInputError, ConflictError, NotFoundError, Outcome
from subgraphs.kit.workflow_step import mark_of, own_key


@strawberry.federation.input(inaccessible=True)
class CreditInvoiceInput:
    """What is to be taken back of an invoice, before tax."""

    invoice_id: strawberry.ID
    amount: Decimal
    reason: str


@strawberry.federation.type(inaccessible=True)
class CreditInvoicePayload:
    """The posted credit memo."""

    memo_id: strawberry.ID
    """Global id."""
    number: str | None
    net: Decimal
    tax: Decimal
    total: Decimal


@strawberry.federation.input(inaccessible=True)
class UndoCreditInvoiceInput:
    """A credit memo to be taken back."""

    invoice_id: strawberry.ID
    undoes: str


@strawberry.type
class CreditMutation:
    """Steps."""

    @strawberry.federation.mutation(
        inaccessible=True, description="Take back an amount of an invoice by a credit memo."
    )
    async def credit_invoice(self, info: Info, input: CreditInvoiceInput) -> CreditInvoicePayload | None:  # noqa: A002 - the argument's name
        context, invoice_id, reference = info.context, local_id(input.invoice_id, "Invoice"), mark_of(own_key())

        async def write() -> Any:
            invoice = (await context.erp.invoices.read([invoice_id])).get(invoice_id)
            if invoice is None or invoice.is_credit_memo:
                raise NotFoundError("The ERP has no such invoice.", outcome=Outcome.NOT_APPLIED)
            if invoice.status not in {InvoiceStatus.POSTED, InvoiceStatus.PAID}:
                told = f"The invoice is {invoice.status}, not POSTED or PAID."
                raise ConflictError(told, outcome=Outcome.NOT_APPLIED)
            lines = (await context.erp.lines_of_invoices.read([invoice_id])).get(invoice_id, ())
            # Goes on where an earlier try with this reference stopped.
            return await context.erp.issue_credit_memo(
                invoice,
                _spread(input.amount, lines, invoice.currency),
                issued_on=context.today(),
                reason=input.reason,
                reference=reference,
            )

        arguments = {"invoice": invoice_id, "amount": str(input.amount), "reason": input.reason}
        message = {"mutation": "creditInvoice", "input": arguments}
        memo_id = await context.writes.run(own_key(), message, write)
        context.changed()
        memo = await read_document(context, memo_id)
        return CreditInvoicePayload(
            memo_id=strawberry.ID(encode_global_id("CreditMemo", memo.id)),
            number=memo.number,
            net=memo.net,
            tax=memo.tax,
            total=memo.total,
        )

    @strawberry.federation.mutation(inaccessible=True, description="Take a credit memo of a workflow back.")
    async def undo_credit_invoice(self, info: Info, input: UndoCreditInvoiceInput) -> UndonePayload | None:  # noqa: A002 - the argument's name
        context, invoice_id = info.context, local_id(input.invoice_id, "Invoice")

        async def write() -> Any:
            await context.orders.take_back_credit_memo(invoice_id, mark_of(input.undoes))
            return True

        return await undo_step(context, "undoCreditInvoice", input.undoes, write)


def _spread(amount: Decimal, lines: Sequence[InvoiceLineRecord], currency: str) -> list[CreditLine]:
    """Return what to take back of which lines, from the first on. Raises BadUserInputError for too much."""
    found: list[CreditLine] = []
    left = amount
    for line in lines:
        if left <= 0 or line.amount <= 0:
            continue
        if line.amount <= left:
            found.append(CreditLine(line_id=line.id, quantity=line.quantity, unit_price=line.unit_price))
        else:
            found.append(CreditLine(line_id=line.id, quantity=Decimal(1), unit_price=left))
        left -= min(left, line.amount)
    is_all = amount == sum((line.amount for line in lines if line.amount > 0), Decimal(0))
    if left > 0 or amount <= 0 or not (is_all or is_payable(amount, currency)):
        raise BadUserInputError("The invoice has not so much to take back.", outcome=Outcome.NOT_APPLIED)
    return found
