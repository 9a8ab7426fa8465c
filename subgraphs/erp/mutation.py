"""The ERP's writes: checked, sent once, found again by their reference when the outcome is unknown."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import strawberry

from subgraphs.erp.context import ErpContext, Info
from subgraphs.erp.credits import CreditMutation
from subgraphs.erp.orders import OrderMutation
from subgraphs.erp.party_steps import PartyMutation
from subgraphs.erp.port import CreditLine
from subgraphs.erp.product_steps import ProductMutation
from subgraphs.erp.records import CustomerRecord, InvoiceLineRecord, InvoiceRecord, InvoiceStatus
from subgraphs.erp.types.customer import Customer
from subgraphs.erp.types.inputs import (
    CreditLineInput,
    IssueCreditMemoInput,
    RecordPaymentInput,
    SetCreditHoldInput,
    VoidInvoiceInput,
)
from subgraphs.erp.types.invoice import CreditMemo, Invoice, Payment
from subgraphs.kit.current_request import current_request
from subgraphs.kit.global_id import local_id
from subgraphs.kit.minor_unit import digits_in_words, exactly, is_payable
from subgraphs.kit.system_error import (
    BadUserInputError,
    ConflictError,
    NotFoundError,
    Outcome,
    StaleVersionError,
    VendorConflictError,
)
from subgraphs.kit.write_effects import after_write

_MAX_TEXT = 200


@strawberry.type(description="What `setCreditHold` did.")
class SetCreditHoldPayload:
    """What became of the customer."""

    customer: Customer | None = strawberry.field(description="The customer as the ERP has it now.")
    client_mutation_id: str | None


@strawberry.type(description="What `recordPayment` did.")
class RecordPaymentPayload:
    """The payment, and the invoice after it."""

    payment: Payment | None = strawberry.field(description="The payment as it was booked.")
    invoice: Invoice | None = strawberry.field(description="The invoice with what is left to pay now.")
    client_mutation_id: str | None


@strawberry.type(description="What `issueCreditMemo` did.")
class IssueCreditMemoPayload:
    """The credit memo, and the invoice after it."""

    credit_memo: CreditMemo | None = strawberry.field(description="The document as it was posted.")
    invoice: Invoice | None = strawberry.field(description="The invoice with what is left to pay now.")
    client_mutation_id: str | None


@strawberry.type(description="What `voidInvoice` did.")
class VoidInvoicePayload:
    """The invoice as it is now."""

    invoice: Invoice | None = strawberry.field(description="The invoice, voided.")
    client_mutation_id: str | None


@strawberry.type
class Mutation(OrderMutation, PartyMutation, ProductMutation, CreditMutation):
    """Writes."""

    @strawberry.mutation(
        description="Put a customer on credit hold in the ERP, or release it; entitlement decisions follow."
    )
    async def set_credit_hold(self, info: Info, input: SetCreditHoldInput) -> SetCreditHoldPayload | None:  # noqa: A002 - the argument's name
        context = info.context
        local_id(input.customer_id, "Customer")
        versions = input.version.split("+")

        async def read() -> Sequence[CustomerRecord]:
            ids = await context.links.external_ids(input.customer_id)
            found = await context.erp.customers.read(ids) if ids else {}
            return [found[i] for i in ids if i in found]

        async def write() -> Any:
            records = await read()
            if not records:
                raise NotFoundError("The ERP has no record of this customer.", outcome=Outcome.NOT_APPLIED)
            if len(versions) != len(records):
                raise _stale_customer(records)
            wanted = dict(zip((record.id for record in records), versions, strict=True))
            waiting = [record for record in records if record.credit_hold is not input.on_hold]
            # Where some records wait, the others may be what an earlier try did before it failed.
            if not waiting and any(record.version != wanted[record.id] for record in records):
                raise _stale_customer(records)
            try:
                for record in waiting:
                    await context.erp.set_credit_hold(record, on_hold=input.on_hold, version=wanted[record.id])
            except VendorConflictError as error:
                raise _stale_customer(await read()) from error
            return [record.id for record in records]

        async def look_up() -> Any:
            records = await read()
            done = bool(records) and all(record.credit_hold is input.on_hold for record in records)
            return [record.id for record in records] if done else None

        arguments = {"customerId": input.customer_id, "onHold": input.on_hold, "version": input.version}
        ids = await _once(context, "setCreditHold", arguments, input.client_mutation_id, write, look_up)
        return SetCreditHoldPayload(customer=Customer.of(ids), client_mutation_id=input.client_mutation_id)

    @strawberry.mutation(description="Record money received for an invoice in the ERP, which books it.")
    async def record_payment(self, info: Info, input: RecordPaymentInput) -> RecordPaymentPayload | None:  # noqa: A002 - the argument's name
        context = info.context
        invoice_id = local_id(input.invoice_id, "Invoice")
        if input.amount <= 0:
            raise BadUserInputError("`amount` is positive.", outcome=Outcome.NOT_APPLIED)
        received_on = input.received_on or context.today()
        if received_on > context.today():
            raise BadUserInputError("`receivedOn` is in the future.", outcome=Outcome.NOT_APPLIED)
        arguments = {
            "invoiceId": input.invoice_id,
            "amount": str(exactly(input.amount, 2)),
            "receivedOn": str(input.received_on),
            "method": input.method,
            "reference": input.reference,
            "version": input.version,
        }
        reference = (
            _text("reference", input.reference) if input.reference else _own_reference("pay", input.client_mutation_id)
        )

        async def write() -> Any:
            invoice = await _invoice(context, invoice_id, input.version)
            if await context.erp.find_payment(invoice, reference) is not None:
                raise ConflictError(
                    "The invoice has a payment with this reference already.", outcome=Outcome.NOT_APPLIED
                )
            if invoice.status is not InvoiceStatus.POSTED:
                raise ConflictError(f"The invoice is {invoice.status}, not POSTED.", outcome=Outcome.NOT_APPLIED)
            # What is left may be finer than what can be paid, and can be paid off.
            if input.amount != invoice.balance and not is_payable(input.amount, invoice.currency):
                told = f"`amount` has {digits_in_words(invoice.currency)} in {invoice.currency}."
                raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
            if input.amount > invoice.balance:
                raise BadUserInputError(
                    f"`amount` is more than the {invoice.balance} {invoice.currency} left to pay.",
                    outcome=Outcome.NOT_APPLIED,
                )
            return await context.erp.record_payment(
                invoice, amount=input.amount, received_on=received_on, method=input.method, reference=reference
            )

        async def look_up() -> Any:
            return await context.erp.find_payment(await _invoice(context, invoice_id, None), reference)

        payment_id = await _once(context, "recordPayment", arguments, input.client_mutation_id, write, look_up)
        with after_write():
            payment = (await context.erp.payments.read([payment_id])).get(payment_id)
            invoice = await _reread(context, invoice_id)
        return RecordPaymentPayload(
            payment=Payment.of(payment) if payment else None,
            invoice=invoice,
            client_mutation_id=input.client_mutation_id,
        )

    @strawberry.mutation(
        description="Take back an invoice or a part of it by a credit memo, which the ERP posts and applies."
    )
    async def issue_credit_memo(self, info: Info, input: IssueCreditMemoInput) -> IssueCreditMemoPayload | None:  # noqa: A002 - the argument's name
        context = info.context
        invoice_id = local_id(input.invoice_id, "Invoice")
        reason = _text("reason", input.reason)
        if input.lines is not None and not input.lines:
            raise BadUserInputError("`lines` names at least one line.", outcome=Outcome.NOT_APPLIED)
        chosen = None if input.lines is None else [(line.invoice_line_id, str(line.amount)) for line in input.lines]
        arguments = {
            "invoiceId": input.invoice_id,
            "reason": reason,
            "lines": chosen,
            "issuedOn": str(input.issued_on),
            "reference": input.reference,
            "version": input.version,
        }
        reference = (
            _text("reference", input.reference) if input.reference else _own_reference("cm", input.client_mutation_id)
        )

        async def issue(invoice: InvoiceRecord) -> Any:
            lines = (await context.erp.lines_of_invoices.read([invoice_id])).get(invoice_id, ())
            return await context.erp.issue_credit_memo(
                invoice,
                _credit_lines(input.lines, lines),
                issued_on=input.issued_on or context.today(),
                reason=reason,
                reference=reference,
            )

        async def write() -> Any:
            invoice = await _invoice(context, invoice_id, input.version)
            if await context.erp.find_credit_memo(invoice, reference) is not None:
                raise ConflictError("A credit memo has this reference already.", outcome=Outcome.NOT_APPLIED)
            if invoice.status not in {InvoiceStatus.POSTED, InvoiceStatus.PAID}:
                raise ConflictError(
                    f"The invoice is {invoice.status}, not POSTED or PAID.", outcome=Outcome.NOT_APPLIED
                )
            return await issue(invoice)

        async def look_up() -> Any:
            # Issuing goes on where the earlier try stopped, so a memo that is posted but not applied is finished here.
            invoice = await _invoice(context, invoice_id, None)
            if await context.erp.find_credit_memo(invoice, reference) is None:
                return None
            return await issue(invoice)

        memo_id = await _once(context, "issueCreditMemo", arguments, input.client_mutation_id, write, look_up)
        with after_write():
            memo = (await context.erp.invoices.read([memo_id])).get(memo_id)
            credited = await _reread(context, invoice_id)
        return IssueCreditMemoPayload(
            credit_memo=CreditMemo.of(memo) if memo else None,
            invoice=credited,
            client_mutation_id=input.client_mutation_id,
        )

    @strawberry.mutation(description="Void an invoice that was posted by mistake; the ERP takes its entry back.")
    async def void_invoice(self, info: Info, input: VoidInvoiceInput) -> VoidInvoicePayload | None:  # noqa: A002 - the argument's name
        context = info.context
        invoice_id = local_id(input.invoice_id, "Invoice")

        async def write() -> Any:
            invoice = await _invoice(context, invoice_id, input.version)
            if invoice.status not in {InvoiceStatus.DRAFT, InvoiceStatus.POSTED}:
                raise ConflictError(
                    f"The invoice is {invoice.status} and can't be voided.", outcome=Outcome.NOT_APPLIED
                )
            try:
                await context.erp.void_invoice(invoice, version=input.version)
            except VendorConflictError as error:
                raise _stale_invoice(await _invoice(context, invoice_id, None)) from error
            return invoice_id

        async def look_up() -> Any:
            invoice = await _invoice(context, invoice_id, None)
            return invoice_id if invoice.status is InvoiceStatus.VOIDED else None

        arguments = {"invoiceId": input.invoice_id, "version": input.version}
        await _once(context, "voidInvoice", arguments, input.client_mutation_id, write, look_up)
        with after_write():
            voided = await _reread(context, invoice_id)
        return VoidInvoicePayload(invoice=voided, client_mutation_id=input.client_mutation_id)


Work = Callable[[], Awaitable[Any]]


async def _once(
    context: ErpContext,
    mutation: str,
    arguments: dict[str, Any],
    client_mutation_id: str | None,
    write: Work,
    look_up: Work,
) -> Any:
    """Return the write's answer, or the first one's for a key that was used before; then let the change feeds look."""
    message = {"mutation": mutation, "input": arguments}
    answer = await context.writes.run(_key(mutation, client_mutation_id), message, write, look_up=look_up)
    context.changed()
    return answer


def _key(mutation: str, client_mutation_id: str | None) -> str | None:
    request = current_request()
    if request is not None and request.idempotency_key:
        return request.idempotency_key
    return f"{mutation}:{client_mutation_id}" if client_mutation_id else None


def _own_reference(kind: str, client_mutation_id: str | None) -> str:
    """Return the reference a repeated write has again: by its key; without one, a document of its own each time."""
    seed = _key(kind, client_mutation_id) or secrets.token_hex(16)
    return f"concord-{kind}-{hashlib.sha256(seed.encode()).hexdigest()[:20]}"


def _text(name: str, value: str) -> str:
    text = value.strip()
    if not 0 < len(text) <= _MAX_TEXT or any(sign in text for sign in "[]%\n"):
        raise BadUserInputError(
            f"`{name}` has between 1 and {_MAX_TEXT} characters, without brackets, percent signs and line breaks.",
            outcome=Outcome.NOT_APPLIED,
        )
    return text


async def _invoice(context: ErpContext, invoice_id: str, version: str | None) -> InvoiceRecord:
    """Return the invoice as it is now. Raises NotFoundError, ConflictError for a stale version."""
    invoice = (await context.erp.invoices.read([invoice_id])).get(invoice_id)
    if invoice is None or invoice.is_credit_memo:
        raise NotFoundError("The ERP has no such invoice.", outcome=Outcome.NOT_APPLIED)
    if version is not None and invoice.version != version:
        raise _stale_invoice(invoice)
    return invoice


def _stale_invoice(invoice: InvoiceRecord) -> StaleVersionError:
    current = {"version": invoice.version, "status": str(invoice.status), "balance": str(invoice.balance)}
    return StaleVersionError("The invoice has changed since this version was read.", current=current)


def _stale_customer(records: Sequence[CustomerRecord]) -> StaleVersionError:
    version = "+".join(record.version for record in records)
    current: dict[str, str | bool | None] = {
        "version": version,
        "onHold": any(record.credit_hold for record in records),
    }
    return StaleVersionError("The customer has changed since this version was read.", current=current)


async def _reread(context: ErpContext, invoice_id: str) -> Invoice | None:
    record = (await context.erp.invoices.read([invoice_id])).get(invoice_id)
    return Invoice.of(record) if record else None


def _credit_lines(chosen: Sequence[CreditLineInput] | None, lines: Sequence[InvoiceLineRecord]) -> Sequence[CreditLine]:
    """Return what to take back. Raises BadUserInputError for a line of another invoice or too much of one."""
    if chosen is None:
        return [CreditLine(line_id=line.id, quantity=line.quantity, unit_price=line.unit_price) for line in lines]
    by_id = {line.id: line for line in lines}
    found: list[CreditLine] = []
    for item in chosen:
        line = by_id.pop(local_id(item.invoice_line_id, "InvoiceLine"), None)
        if line is None:
            raise BadUserInputError("Each of `lines` is another line of this invoice.", outcome=Outcome.NOT_APPLIED)
        is_whole = item.amount == line.amount
        if not 0 < item.amount <= line.amount or not (is_whole or is_payable(item.amount, line.currency)):
            raise BadUserInputError(
                f"`amount` is positive, has {digits_in_words(line.currency)} and is at most the line's {line.amount}.",
                outcome=Outcome.NOT_APPLIED,
            )
        found.append(CreditLine(line_id=line.id, quantity=Decimal(1), unit_price=item.amount))
    return found
