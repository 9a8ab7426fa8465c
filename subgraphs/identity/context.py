"""What identity's resolvers work with: the store, and loaders that read each customer once per request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import strawberry
from aiodataloader import DataLoader

from subgraphs.identity.awaited import AwaitedSystems
from subgraphs.identity.bounds import Bounds, Dimensions, bounds_of_caller
from subgraphs.identity.confined import load_confined, read_confined_history
from subgraphs.identity.customers import StoredCustomer, find_owners
from subgraphs.identity.hierarchy import Place, read_children, read_places
from subgraphs.identity.history import IdentityEntry
from subgraphs.kit.current_request import current_request
from subgraphs.kit.database import Database
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.instances import is_region_visible
from subgraphs.kit.outbox import Outbox

RecordSet: TypeAlias = tuple[str, str]
"""A system and one or more of its external ids, joined by "+"."""


@dataclass(slots=True, kw_only=True)
class IdentityContext:
    """Made once per request, on the event loop."""

    database: Database
    outbox: Outbox
    writes: IdempotentWrites
    awaited: AwaitedSystems
    regions: Mapping[str, str] = field(default_factory=dict)
    """System → where its data lives."""
    dimensions: Dimensions = field(default_factory=Dimensions)
    """How claims confine callers to customers."""
    customers: DataLoader[str, StoredCustomer | None] = field(init=False)
    """By local id; an id merged away gives the customer it went into."""
    by_records: DataLoader[RecordSet, StoredCustomer | None] = field(init=False)
    history: DataLoader[str, tuple[IdentityEntry, ...]] = field(init=False)
    places: DataLoader[str, tuple[Place, ...]] = field(init=False)
    """Customer → where each system has it in its hierarchy."""
    children: DataLoader[tuple[str, str], tuple[str, ...]] = field(init=False)
    """Record → the customers that belong to it there."""

    def __post_init__(self) -> None:
        self.customers = DataLoader(self._load_customers)
        self.by_records = DataLoader(self._load_by_records)
        self.history = DataLoader(self._load_history)
        self.places = DataLoader(self._load_places)
        self.children = DataLoader(self._load_children)

    def hidden_systems(self) -> list[str]:
        """The systems whose records the caller may not see."""
        return sorted(system for system, region in self.regions.items() if not is_region_visible(region))

    async def pending_systems(self) -> frozenset[str]:
        """Of the systems that the caller may see, those that have yet to tell their customers."""
        return (await self.awaited.pending()).difference(self.hidden_systems())

    @property
    def bounds(self) -> Bounds:
        """What the caller of the request being served is confined to."""
        current = current_request()
        return bounds_of_caller(self.dimensions, current.caller if current else None)

    async def _load_customers(self, ids: list[str]) -> list[StoredCustomer | None]:
        bounds, hidden = self.bounds, self.hidden_systems()
        found = await self.database.run(lambda connection: load_confined(connection, ids, hidden, bounds))
        return await self._awaiting([found.get(id_) for id_ in ids])

    async def _load_by_records(self, sets: list[RecordSet]) -> list[StoredCustomer | None]:
        hidden = self.hidden_systems()
        members = {
            (system, joined): [record for id_ in joined.split("+") if (record := _record(system, id_))[0] not in hidden]
            for system, joined in sets
        }
        owners = await self.database.run(
            lambda connection: find_owners(connection, [record for records in members.values() for record in records])
        )
        # A set may be older than a split or merge: its first record that is still known speaks for it.
        first = [next((owners[record] for record in members[key] if record in owners), None) for key in sets]
        bounds = self.bounds
        found = await self.database.run(
            lambda connection: load_confined(connection, [id_ for id_ in first if id_ is not None], hidden, bounds)
        )
        return await self._awaiting([None if id_ is None else found.get(id_) for id_ in first])

    async def _awaiting(self, customers: list[StoredCustomer | None]) -> list[StoredCustomer | None]:
        """Note what may be missing of customers."""
        pending = await self.pending_systems()
        return [replace(each, awaited=pending) if each and pending else each for each in customers]

    async def _load_history(self, ids: list[str]) -> list[tuple[IdentityEntry, ...]]:
        hidden = self.hidden_systems()
        found = await self.database.run(lambda connection: read_confined_history(connection, ids, hidden))
        return [found.get(id_, ()) for id_ in ids]

    async def _load_places(self, ids: list[str]) -> list[tuple[Place, ...]]:
        hidden, bounds = self.hidden_systems(), self.bounds
        found = await self.database.run(lambda connection: read_places(connection, ids, hidden, bounds))
        return [tuple(found.get(id_, ())) for id_ in ids]

    async def _load_children(self, records: list[tuple[str, str]]) -> list[tuple[str, ...]]:
        hidden, bounds = self.hidden_systems(), self.bounds
        found = await self.database.run(lambda connection: read_children(connection, records, hidden, bounds))
        return [tuple(found.get(record, ())) for record in records]


def _record(system: str, member: str) -> tuple[str, str]:
    """Return the (system, external id) of a record set's member: `eu:12` of erp is `12` of erp/eu."""
    instance, separator, own = member.partition(":")
    return (f"{system}/{instance}", own) if separator else (system, member)


IdentityInfo: TypeAlias = strawberry.Info[IdentityContext, None]
