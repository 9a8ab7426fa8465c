"""Which of our customer records belong to a canonical customer: what the crosswalk told us when they were pushed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subgraphs.kit.database import Database
from subgraphs.kit.instance_crosswalk import InstanceCrosswalk
from subgraphs.kit.instance_ids import id_order


class CustomerLinks:
    """Canonical customer → the graph's ids of one ERP's records; merges and splits are asked for before they are relied on."""

    SCHEMA = """
        create table if not exists customer_link (external_id text primary key, customer text not null) without rowid;
        create index if not exists customer_link_customer on customer_link (customer);
    """

    def __init__(self, database: Database, crosswalk: InstanceCrosswalk) -> None:
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

    async def known(self) -> Sequence[str]:
        """Return the ids of all records that identity was told."""
        return [row[0] for row in await self._database.run(_all_external_ids)]

    async def forget(self, external_ids: Sequence[str]) -> None:
        """Remember these no more."""
        gone = [(external_id,) for external_id in external_ids]
        await self._database.run(lambda c: c.executemany("delete from customer_link where external_id = ?", gone))

    async def external_ids(self, customer: str) -> Sequence[str]:
        """Return the ids of the customer's records. Raises VendorError.

        All our records are resolved anew, for a merge may have given the customer a record that it did not have.
        """
        known = await self.known()
        self._crosswalk.forget()
        customers = await self._crosswalk.resolve(known)
        await self.note(customers)
        return sorted((key for key, owner in customers.items() if owner == customer), key=id_order)


@dataclass(frozen=True, slots=True)
class AllCustomerLinks:
    """The links of several ERPs."""

    links: Sequence[CustomerLinks]

    async def external_ids(self, customer: str) -> Sequence[str]:
        """Return the ids of the customer's records in all of them, one's own first. Raises VendorError."""
        parts = await asyncio.gather(*(each.external_ids(customer) for each in self.links))
        return [graph_id for part in parts for graph_id in part]


def _all_external_ids(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute("select external_id from customer_link").fetchall()
