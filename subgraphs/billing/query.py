"""Billing's root query fields."""

from __future__ import annotations

from typing import Annotated

import strawberry

from subgraphs.billing.amendments import AmendmentQuery
from subgraphs.billing.context import Info
from subgraphs.billing.contract_quotes import ContractQuoteQuery
from subgraphs.billing.terms import TermQuery
from subgraphs.billing.types.catalog import Product
from subgraphs.billing.types.contract import Contract
from subgraphs.billing.types.contract_filter import ContractFilter, ContractOrder, arranged
from subgraphs.kit.connection import Connection, connection_of, page_window
from subgraphs.kit.global_id import local_id
from subgraphs.kit.record_loader import whole
from subgraphs.kit.system_of_record import SystemOfRecord


@strawberry.type
class Query(AmendmentQuery, ContractQuoteQuery, TermQuery):
    """Billing's root query fields."""

    @strawberry.field(description="The billing system behind the graph: what its adaptor can do.")
    def billing_system(self, info: Info) -> SystemOfRecord | None:
        """The billing system behind the graph."""
        return info.context.system()

    @strawberry.field(description="The contract with that global id; null if there is none.")
    async def contract(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the contract.")],  # noqa: A002 - the argument's name in the graph
    ) -> Contract | None:
        """The contract with that global id."""
        record = await info.context.contracts.load(local_id(id, "Contract"))
        return None if record is None else Contract.of(record)

    @strawberry.field(description="Contracts of all customers, past ones too, by number unless ordered otherwise.")
    async def contracts(
        self,
        info: Info,
        filter: ContractFilter | None = None,  # noqa: A002 - the argument's name in the graph
        order_by: ContractOrder | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Contract] | None:
        """Contracts of all customers."""
        window = page_window(first=first, after=after, last=last, before=before)
        if filter is not None and filter.customer_id is not None:
            local_id(filter.customer_id, "Customer")
            held = whole(await info.context.books.held(await info.context.records_of(filter.customer_id)))
            contracts = [contract for customer in held.values() for contract in customer.contracts]
        else:
            contracts = list(await info.context.books.all_contracts())
        found = arranged(contracts, filter, order_by)
        return connection_of([Contract.of(c) for c in found], window, identity=lambda contract: contract.number)

    @strawberry.field(description="What is sold or was, by SKU.")
    async def products(
        self,
        info: Info,
        active: Annotated[
            bool | None,
            strawberry.argument(description="True: what is still sold; false: what no longer is; without it, both."),
        ] = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Product] | None:
        """What is sold."""
        window = page_window(first=first, after=after, last=last, before=before)
        products = (await info.context.catalog()).products.values()
        found = sorted(
            (p for p in products if active is None or p.is_active is active), key=lambda product: product.sku
        )
        return connection_of([Product.of(product) for product in found], window, identity=lambda product: product.sku)
