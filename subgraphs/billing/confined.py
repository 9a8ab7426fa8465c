"""The books as a caller sees them whose claims confine it to some customers: what is of others is not there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Mapping, Sequence

from subgraphs.billing.port import Books, Catalog, Held
from subgraphs.billing.records import Amendment, BilledLine, BillingCustomer, BillingDocument, Contract
from subgraphs.kit.confinement import Confinement


class ConfinedBooks:
    """The books, for the caller of the request being served."""

    def __init__(self, books: Books, confinement: Confinement) -> None:
        self._books = books
        self._confinement = confinement

    def ensure_current(self) -> Awaitable[None]:
        """As the books'."""
        return self._books.ensure_current()

    def read_at(self) -> dt.datetime | None:
        """As the books'."""
        return self._books.read_at()

    async def catalog(self) -> Catalog:
        """As the books': what is sold is nobody's."""
        return await self._books.catalog()

    async def customers(self, ids: Sequence[str]) -> Mapping[str, BillingCustomer]:
        """Return visible customers by id."""
        return await self._books.customers(await self._confinement.own(ids))

    async def held(self, ids: Sequence[str]) -> Mapping[str, Held]:
        """Return what visible customers hold."""
        return await self._books.held(await self._confinement.own(ids))

    async def contracts(self, numbers: Sequence[str]) -> Mapping[str, Contract]:
        """Return visible customers' contracts by number."""
        return await self._confinement.keep(await self._books.contracts(numbers), _customer_of)

    async def contracts_by_id(self, ids: Sequence[str]) -> Mapping[str, Contract]:
        """Return visible customers' contracts by the vendor's id."""
        return await self._confinement.keep(await self._books.contracts_by_id(ids), _customer_of)

    async def all_contracts(self) -> Sequence[Contract]:
        """Return every contract of visible customers, without grants."""
        contracts = await self._books.all_contracts()
        visible = await self._confinement.visible()
        return contracts if visible is None else [each for each in contracts if each.customer in visible]

    async def amendments(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Amendment]]:
        """Return visible customers' contract number → its amendments."""
        if await self._confinement.visible() is None:
            return await self._books.amendments(numbers)
        return await self._books.amendments(list(await self.contracts(numbers)))

    async def documents(self, numbers: Sequence[str]) -> Mapping[str, BillingDocument]:
        """Return billing's documents for visible customers by invoice number."""
        return await self._confinement.keep(await self._books.documents(numbers), lambda document: document.customer)

    async def lines_of(self, contract_ids: Sequence[str]) -> Mapping[str, Sequence[BilledLine]]:
        """Return visible customers' contract id → its billed lines."""
        if await self._confinement.visible() is None:
            return await self._books.lines_of(contract_ids)
        return await self._books.lines_of(list(await self.contracts_by_id(contract_ids)))

    async def lines(self, refs: Sequence[str]) -> Mapping[str, BilledLine]:
        """Return visible customers' billed lines by ref."""
        found = await self._books.lines(refs)
        if await self._confinement.visible() is None:
            return found
        contracts = await self.contracts_by_id(
            sorted({line.contract for line in found.values() if line.contract is not None})
        )
        return {ref: line for ref, line in found.items() if line.contract in contracts}


def _customer_of(contract: Contract) -> str:
    return contract.customer
