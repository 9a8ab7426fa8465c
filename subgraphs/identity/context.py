"""What identity's resolvers work with: the store, and loaders that read each customer once per request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry
from aiodataloader import DataLoader

from subgraphs.identity.customers import StoredCustomer, find_owners, load_customers
from subgraphs.identity.history import IdentityEntry, read_history
from subgraphs.kit.database import Database
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.outbox import Outbox

RecordSet: TypeAlias = tuple[str, str]
"""A system and one or more of its external ids, joined by "+"."""


@dataclass(slots=True, kw_only=True)
class IdentityContext:
    """Made once per request, on the event loop."""

    database: Database
    outbox: Outbox
    writes: IdempotentWrites
    customers: DataLoader[str, StoredCustomer | None] = field(init=False)
    """By local id; an id merged away gives the customer it went into."""
    by_records: DataLoader[RecordSet, StoredCustomer | None] = field(init=False)
    history: DataLoader[str, tuple[IdentityEntry, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self.customers = DataLoader(self._load_customers)
        self.by_records = DataLoader(self._load_by_records)
        self.history = DataLoader(self._load_history)

    async def _load_customers(self, ids: list[str]) -> list[StoredCustomer | None]:
        found = await self.database.run(lambda connection: load_customers(connection, ids))
        return [found.get(id_) for id_ in ids]

    async def _load_by_records(self, sets: list[RecordSet]) -> list[StoredCustomer | None]:
        members = {(system, joined): [(system, id_) for id_ in joined.split("+")] for system, joined in sets}
        owners = await self.database.run(
            lambda connection: find_owners(connection, [record for records in members.values() for record in records])
        )
        # A set may be older than a split or merge: its first record that is still known speaks for it.
        first = [next((owners[record] for record in members[key] if record in owners), None) for key in sets]
        found = await self.database.run(
            lambda connection: load_customers(connection, [id_ for id_ in first if id_ is not None])
        )
        return [None if id_ is None else found.get(id_) for id_ in first]

    async def _load_history(self, ids: list[str]) -> list[tuple[IdentityEntry, ...]]:
        found = await self.database.run(lambda connection: read_history(connection, ids))
        return [found.get(id_, ()) for id_ in ids]


IdentityInfo: TypeAlias = strawberry.Info[IdentityContext, None]
