"""What resolvers work with during one request: loaders over the books, and the writes."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import strawberry

from subgraphs.billing.agreement_writes import AgreementWrites
from subgraphs.billing.port import Books, Catalog, Held
from subgraphs.billing.records import Amendment, BilledLine, BillingCustomer, BillingDocument, Contract
from subgraphs.billing.writes import ContractWrites
from subgraphs.kit.record_loader import RecordLoader, relation_loader
from subgraphs.kit.system_of_record import SystemOfRecord

_IDS_PER_CALL = 500
"""The books answer from our own file: one call takes what a page needs."""


@dataclass(slots=True, kw_only=True)
class BillingContext:
    """One request's loaders."""

    books: Books
    writes: ContractWrites
    agreements: AgreementWrites
    records_of: Callable[[str], Awaitable[Sequence[str]]]
    """Global customer id → the vendor's ids of his records."""
    system: Callable[[], SystemOfRecord]
    """The billing system as the graph shows it."""
    today: dt.date
    customers: RecordLoader[BillingCustomer, None]
    held: RecordLoader[Held, None]
    contracts: RecordLoader[Contract, None]
    contracts_by_id: RecordLoader[Contract, None]
    documents: RecordLoader[BillingDocument, None]
    lines: RecordLoader[BilledLine, None]
    lines_of: RecordLoader[Sequence[BilledLine], tuple[()]]
    amendments: RecordLoader[Sequence[Amendment], tuple[()]]
    _catalog: Awaitable[Catalog] | None = None

    async def catalog(self) -> Catalog:
        """What is sold, read once a request."""
        if self._catalog is None:
            self._catalog = asyncio.ensure_future(self.books.catalog())
        return await self._catalog


Info: TypeAlias = strawberry.Info[BillingContext, None]


def billing_context(
    books: Books,
    writes: ContractWrites,
    agreements: AgreementWrites,
    records_of: Callable[[str], Awaitable[Sequence[str]]],
    system: Callable[[], SystemOfRecord],
) -> BillingContext:
    """Return a request's context; call it on the event loop."""
    return BillingContext(
        books=books,
        writes=writes,
        agreements=agreements,
        records_of=records_of,
        system=system,
        today=dt.datetime.now(dt.UTC).date(),
        customers=RecordLoader(books.customers, max_ids_per_call=_IDS_PER_CALL, absent=None),
        held=RecordLoader(books.held, max_ids_per_call=_IDS_PER_CALL, absent=None),
        contracts=RecordLoader(books.contracts, max_ids_per_call=_IDS_PER_CALL, absent=None),
        contracts_by_id=RecordLoader(books.contracts_by_id, max_ids_per_call=_IDS_PER_CALL, absent=None),
        documents=RecordLoader(books.documents, max_ids_per_call=_IDS_PER_CALL, absent=None),
        lines=RecordLoader(books.lines, max_ids_per_call=_IDS_PER_CALL, absent=None),
        lines_of=relation_loader(books.lines_of, max_ids_per_call=_IDS_PER_CALL),
        amendments=relation_loader(books.amendments, max_ids_per_call=_IDS_PER_CALL),
    )
