"""Which of our customer records belong to a canonical customer: what the crosswalk told us when they were pushed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from subgraphs.kit.crosswalk import Crosswalk
from subgraphs.kit.database import Database


class CustomerLinks:
    """Canonical customer → external ids; merges and splits are asked for before they are relied on."""

    SCHEMA = """
        create table if not exists customer_link (external_id text primary key, customer text not null) without rowid;
        create index if not exists customer_link_customer on customer_link (customer);
    """

    def __init__(self, database: Database, crosswalk: Crosswalk) -> None:
        self._database = database
        self._crosswalk = crosswalk

    async def note(self, customers: Mapping[str, str]) -> None:
        """Remember external id → global customer id."""
        await self._database.run(
            lambda c: c.executemany(
                "insert into customer_link values (?, ?)"
                " on conflict (external_id) do update set customer = excluded.customer",
                list(customers.items()),
            )
        )

    async def customer_of(self, external_id: str) -> str | None:
        """Return the global customer id of a record; None when identity does not know it. Raises VendorError."""
        return (await self._crosswalk.resolve([external_id])).get(external_id)

    async def external_ids(self, customer: str) -> Sequence[str]:
        """Return the ids of the customer's records. Raises VendorError.

        All our records are resolved anew, for a merge may have given the customer a record that it did not have.
        """
        known = [row[0] for row in await self._database.run(_all_external_ids)]
        self._crosswalk.forget()
        customers = await self._crosswalk.resolve(known)
        await self.note(customers)
        return sorted((key for key, owner in customers.items() if owner == customer), key=int)


def _all_external_ids(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute("select external_id from customer_link").fetchall()
