"""What a contract that is to be made would cost: read by workflows, hidden from the public graph."""

from __future__ import annotations

from decimal import Decimal

import strawberry

from subgraphs.billing.agreements import ContractItemInput, items_of
from subgraphs.billing.context import Info
from subgraphs.billing.derivation import cycle_amount
from subgraphs.billing.records import ContractItem, monthly_value, term_value


@strawberry.federation.input(inaccessible=True)
class ContractQuoteInput:
    """A contract to be priced."""

    currency: str
    term_months: int
    items: list[ContractItemInput]


@strawberry.federation.type(inaccessible=True)
class ListPricedItem:
    """A product at its list price."""

    sku: str
    quantity: int
    price_ref: str
    unit_price: Decimal | None
    interval: str | None
    interval_count: int


@strawberry.federation.type(inaccessible=True)
class ContractQuote:
    """What billing would charge; null what prices by tiers don't tell in advance."""

    currency: str
    mrr: Decimal
    due: Decimal | None
    """With the first bill."""
    total_value: Decimal | None
    """Over the term."""
    items: list[ListPricedItem]


@strawberry.type
class ContractQuoteQuery:
    """What workflows read."""

    @strawberry.federation.field(inaccessible=True, description="What a contract would cost, having made none.")
    async def contract_quote(self, info: Info, input: ContractQuoteInput) -> ContractQuote | None:  # noqa: A002 - Relay's name
        """Price a contract at list prices, in the order of its items."""
        await info.context.books.ensure_current()
        wanted = items_of(input.items)
        prices = await info.context.agreements.agreements.list_prices(wanted, input.currency)
        items = tuple(
            ContractItem(id=item.sku, price=price, quantity=item.quantity)
            for item, price in zip(wanted, prices, strict=True)
        )
        is_known = all(price.unit_amount is not None for price in prices)
        due = (cycle_amount(item.price, item.quantity or 0) for item in items)
        return ContractQuote(
            currency=input.currency,
            mrr=monthly_value(items, input.currency),
            due=sum(due, Decimal(0)) if is_known else None,
            total_value=term_value(items, input.term_months, input.currency) if is_known else None,
            items=[
                ListPricedItem(
                    sku=item.id,
                    quantity=item.quantity or 0,
                    price_ref=item.price.id,
                    unit_price=item.price.unit_amount,
                    interval=None if item.price.interval is None else item.price.interval.value,
                    interval_count=item.price.interval_count,
                )
                for item in items
            ],
        )
