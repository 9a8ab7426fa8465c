"""The steps of amending a contract that billing takes, and what is read for them: hidden from the public graph.

The mutation that undoes a step names that step's idempotency key in `undoes`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import strawberry

from subgraphs.billing.agreements import BilledPayload, UndoneInBillingPayload, billed_json, payload_of
from subgraphs.billing.amendment_port import Amending, Charge, HeldItem, Restoring, WantedItem
from subgraphs.billing.context import Info
from subgraphs.billing.records import BillingInterval, Contract
from subgraphs.kit.system_error import BadUserInputError, NotFoundError, Outcome
from subgraphs.kit.workflow_step import mark_of

_MAX_ITEMS = 20


@strawberry.federation.type(inaccessible=True)
class TermsItem:
    """An item of a contract, by the vendor's ids."""

    item_ref: str
    price_ref: str
    sku: str
    quantity: int | None
    unit_price: Decimal | None
    interval: str | None
    interval_count: int


@strawberry.federation.type(inaccessible=True)
class TermsLimit:
    """An agreed limit of a feature."""

    feature: str
    limit: int | None


@strawberry.federation.type(inaccessible=True)
class ContractTerms:
    """A contract as the vendor has it at this moment."""

    number: str
    status: str
    version: str
    currency: str
    customer_ref: strawberry.ID
    term_starts_on: dt.date
    ends_on: dt.date | None
    auto_renews: bool
    is_ending: bool
    period_starts_on: dt.date
    period_ends_on: dt.date
    """The last day of the billing cycle."""
    mrr: Decimal
    items: list[TermsItem]
    limits: list[TermsLimit]


@strawberry.federation.input(inaccessible=True)
class AmendedItemInput:
    """A product as the contract is to have it; a quantity of 0 drops it."""

    sku: str
    quantity: int
    interval: str | None = None
    unit_price: Decimal | None = None


@strawberry.federation.input(inaccessible=True)
class AmendmentQuoteInput:
    """A change to be priced."""

    number: str
    items: list[AmendedItemInput]


@strawberry.federation.type(inaccessible=True)
class QuotedItem:
    """A product of the contract as it would be."""

    sku: str
    quantity: int
    unit_price: Decimal | None
    interval: str | None


@strawberry.federation.type(inaccessible=True)
class QuotedCharge:
    """What would be charged at once."""

    sku: str | None
    description: str
    quantity: int
    amount: Decimal
    starts_on: dt.date
    ends_on: dt.date


@strawberry.federation.type(inaccessible=True)
class AmendmentQuote:
    """What billing would charge for a change."""

    at: int
    currency: str
    mrr: Decimal
    items: list[QuotedItem]
    charges: list[QuotedCharge]


@strawberry.federation.input(inaccessible=True)
class ChargeInput:
    """What another pricing authority charges."""

    sku: str | None = None
    description: str
    quantity: int
    amount: Decimal
    starts_on: dt.date
    ends_on: dt.date


@strawberry.federation.input(inaccessible=True)
class AmendItemsInput:
    """A change that was priced."""

    number: str
    version: str
    at: int
    items: list[AmendedItemInput]
    charges: list[ChargeInput] | None = None


@strawberry.federation.input(inaccessible=True)
class HeldItemInput:
    """An item as it was, by the vendor's ids."""

    item_ref: str
    price_ref: str
    quantity: int | None = None


@strawberry.federation.input(inaccessible=True)
class HeldLimitInput:
    """A limit as it was."""

    feature: str
    limit: int | None = None


@strawberry.federation.input(inaccessible=True)
class UndoAmendItemsInput:
    """A change to be taken back."""

    number: str
    at: int
    before: list[HeldItemInput]
    limits: list[HeldLimitInput]
    items: list[AmendedItemInput]
    undoes: str


@strawberry.type
class AmendmentQuery:
    """What workflows read."""

    @strawberry.federation.field(inaccessible=True, description="A contract as the vendor has it now, by number.")
    async def contract_terms(self, info: Info, number: str) -> ContractTerms | None:
        """Read the contract at the vendor."""
        await info.context.books.ensure_current()
        contract = await _visible(info, number)
        return None if contract is None else await terms_of(info, contract)

    @strawberry.federation.field(inaccessible=True, description="What a change would cost, having changed nothing.")
    async def amendment_quote(self, info: Info, input: AmendmentQuoteInput) -> AmendmentQuote | None:  # noqa: A002 - Relay's name
        """Price a change."""
        info.context.agreements.require("amendItems")
        contract = await contract_now(info, input.number)
        quote = await info.context.agreements.amendments.quote(contract, wanted_items(input.items))
        return AmendmentQuote(
            at=quote.at,
            currency=contract.currency,
            mrr=quote.mrr,
            items=[
                QuotedItem(
                    sku=item.sku,
                    quantity=item.quantity,
                    unit_price=item.unit_price,
                    interval=None if item.interval is None else item.interval.value,
                )
                for item in quote.items
            ],
            charges=[
                QuotedCharge(
                    sku=charge.sku,
                    description=charge.description,
                    quantity=charge.quantity,
                    amount=charge.amount,
                    starts_on=charge.starts_on,
                    ends_on=charge.ends_on,
                )
                for charge in quote.charges
            ],
        )


@strawberry.type
class AmendmentMutation:
    """Steps."""

    @strawberry.federation.mutation(inaccessible=True, description="Change a contract's items and bill the difference.")
    async def amend_items(self, info: Info, input: AmendItemsInput) -> BilledPayload | None:  # noqa: A002 - Relay's name
        """Change the items."""
        writes = info.context.agreements
        writes.require("amendItems")
        contract = await contract_now(info, input.number)
        items = wanted_items(input.items)
        charges = None if input.charges is None else tuple(_charge(each) for each in input.charges)

        async def write(key: str) -> Any:
            change = Amending(version=input.version, at=input.at, items=items, charges=charges, mark=mark_of(key))
            return await billed_json(info.context, await writes.amendments.amend(contract, change, key=key))

        arguments = {
            "number": input.number,
            "version": input.version,
            "items": [[i.sku, i.quantity, str(i.unit_price)] for i in items],
            "charges": None if charges is None else [str(each.amount) for each in charges],
        }
        return payload_of(await writes.step("amendItems", arguments, write))

    @strawberry.federation.mutation(inaccessible=True, description="Put a contract's items back as they were.")
    async def undo_amend_items(self, info: Info, input: UndoAmendItemsInput) -> UndoneInBillingPayload | None:  # noqa: A002 - Relay's name
        """Restore the items."""
        writes = info.context.agreements
        contract = await contract_now(info, input.number)
        change = Restoring(
            mark=mark_of(input.undoes),
            at=input.at,
            before=tuple(HeldItem(item=i.item_ref, price=i.price_ref, quantity=i.quantity) for i in input.before),
            limits={each.feature: each.limit for each in input.limits},
            wanted=wanted_items(input.items),
        )

        async def write(key: str) -> None:
            await writes.amendments.restore(contract, change, key=key)

        await writes.undo("undoAmendItems", input.undoes, write)
        return UndoneInBillingPayload(is_undone=True)


async def contract_now(info: Info, number: str) -> Contract:
    """Return the contract as the vendor has it. Raises NotFoundError."""
    await info.context.books.ensure_current()
    contract = await _visible(info, number)
    if contract is None:
        raise NotFoundError("There is no such contract in billing.", outcome=Outcome.NOT_APPLIED)
    return contract


async def _visible(info: Info, number: str) -> Contract | None:
    """Return the contract at the vendor, if the caller may know that there is one."""
    info.context.contracts.clear(number)
    known = await info.context.contracts.load(number)
    return None if known is None else await info.context.agreements.amendments.current(number)


def wanted_items(given: list[AmendedItemInput]) -> tuple[WantedItem, ...]:
    """Return the items of an input. Raises BadUserInputError for none, too many, one twice, or what is no quantity."""
    if not 0 < len(given) <= _MAX_ITEMS or any(item.quantity < 0 for item in given):
        told = f"An amendment has 1 to {_MAX_ITEMS} items, each of a quantity of 0 or more."
        raise BadUserInputError(told, outcome=Outcome.NOT_APPLIED)
    if len({item.sku for item in given}) < len(given):
        raise BadUserInputError("An amendment names each product once.", outcome=Outcome.NOT_APPLIED)
    try:
        return tuple(
            WantedItem(
                sku=item.sku,
                quantity=item.quantity,
                interval=None if item.interval is None else BillingInterval(item.interval),
                unit_price=item.unit_price,
            )
            for item in given
        )
    except ValueError as error:
        raise BadUserInputError("There is no such interval.", outcome=Outcome.NOT_APPLIED) from error


def _charge(given: ChargeInput) -> Charge:
    return Charge(
        sku=given.sku,
        description=given.description,
        quantity=given.quantity,
        amount=given.amount,
        starts_on=given.starts_on,
        ends_on=given.ends_on,
    )


async def terms_of(info: Info, contract: Contract) -> ContractTerms:
    """Return the terms of a contract."""
    catalog = await info.context.catalog()
    skus = {product.id: product.sku for product in catalog.products.values()}
    return ContractTerms(
        number=contract.number,
        status=contract.status.value,
        version=contract.version,
        currency=contract.currency,
        customer_ref=strawberry.ID(contract.customer),
        term_starts_on=contract.term_starts_on,
        ends_on=contract.ends_on,
        auto_renews=contract.auto_renews,
        is_ending=contract.cancellation is not None,
        period_starts_on=contract.period[0].date(),
        period_ends_on=(contract.period[1] - dt.timedelta(seconds=1)).date(),
        mrr=contract.mrr,
        items=[
            TermsItem(
                item_ref=item.id,
                price_ref=item.price.id,
                sku=skus.get(item.price.product, item.price.product),
                quantity=item.quantity,
                unit_price=item.price.unit_amount,
                interval=None if item.price.interval is None else item.price.interval.value,
                interval_count=item.price.interval_count,
            )
            for item in contract.items
        ],
        limits=[TermsLimit(feature=feature, limit=limit) for feature, limit in contract.limits.items()],
    )
