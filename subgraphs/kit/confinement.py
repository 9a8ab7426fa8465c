"""Whose records the caller of a request may see: a filter that every system of record puts on what it reads and writes.

The claims of a caller (tenant, business unit) confine it to customers, and only the crosswalk knows whose a record is. So the
caller's claims are turned, by the crosswalk, into ids of a system's own customer records; what belongs to no such record is
not there. Where the crosswalk can't say, a confined caller gets its error and nothing else.

    async def read(self, ids):
        found = await self._crm.companies.read(ids)
        return await self._confinement.keep(found, lambda company: company.id)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from cachetools import TTLCache

from subgraphs.kit.adaptor import Capabilities
from subgraphs.kit.caller import Caller
from subgraphs.kit.current_request import current_request
from subgraphs.kit.instance_ids import InstanceIds

RecordT = TypeVar("RecordT")
RecordT_co = TypeVar("RecordT_co", covariant=True)
Claims: TypeAlias = tuple[str | None, tuple[tuple[str, tuple[str, ...]], ...]]
"""Tenant, and (dimension, values): all that says what a caller may see."""

_REGION = "region"
_BELIEVED_S = 10.0
"""How long an answer is believed: until then a customer that was moved is seen by those who saw it."""
_MOST_KEPT = 1_000


class Confines(Protocol):
    """Who turns claims into ids: the crosswalk of one system."""

    async def confine(self, tenant: str | None, filters: Mapping[str, Sequence[str]]) -> frozenset[str] | None:
        """Return the ids that are left to see; None where nothing confines. Raises VendorError."""
        ...


class Confinement:
    """What the callers of one subgraph may see. One for each process."""

    def __init__(self, systems: Sequence[tuple[Confines, InstanceIds]]) -> None:
        """`systems`: the crosswalk of each instance, and what its ids begin with in the graph."""
        self._systems = systems
        self._kept: TTLCache[Claims, asyncio.Task[frozenset[str] | None]] = TTLCache(_MOST_KEPT, _BELIEVED_S)

    async def visible(self) -> frozenset[str] | None:
        """Return the graph's ids of the customer records that the caller may see; None: all. Raises VendorError."""
        current = current_request()
        claims = _claims(current.caller if current else None)
        if claims is None:
            return None
        asking = self._kept.get(claims)
        if asking is None or (asking.done() and (asking.cancelled() or asking.exception() is not None)):
            asking = self._kept[claims] = asyncio.create_task(self._ask(claims))
        return await asyncio.shield(asking)  # whoever leaves halfway leaves it to the others

    async def keep(
        self, found: Mapping[str, RecordT], customer_of: Callable[[RecordT], str | None]
    ) -> Mapping[str, RecordT]:
        """Return what of records, or errors in their place, the caller may see; what is nobody's is seen by the unconfined."""
        visible = await self.visible()
        if visible is None:
            return found
        return {
            key: record
            for key, record in found.items()
            if isinstance(record, Exception) or customer_of(record) in visible
        }

    async def own(self, ids: Sequence[str]) -> Sequence[str]:
        """Return those of customer records' ids that the caller may see."""
        visible = await self.visible()
        return ids if visible is None else [each for each in ids if each in visible]

    async def _ask(self, claims: Claims) -> frozenset[str] | None:
        tenant, filters = claims
        parts = await asyncio.gather(*(system.confine(tenant, dict(filters)) for system, _ in self._systems))
        if all(part is None for part in parts):
            return None
        return frozenset(
            instance.add(own) for part, (_, instance) in zip(parts, self._systems, strict=True) for own in part or ()
        )


def _claims(caller: Caller | None) -> Claims | None:
    """Return what may confine a caller by customer; None where nothing can: regions confine instances."""
    if caller is None or caller.is_unrestricted:
        return None
    filters = tuple(sorted((name, values) for name, values in caller.filters.items() if name != _REGION))
    return None if caller.tenant is None and not filters else (caller.tenant, filters)


async def _all(ids: Sequence[str]) -> Sequence[str]:
    return ids


class Readable(Protocol[RecordT_co]):
    """Records by the id they have or belong to: an adaptor, or what is related to others."""

    @property
    def capabilities(self) -> Capabilities:
        """What the adaptor can do."""
        ...

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT_co]:
        """Return the records that exist."""
        ...


@dataclass(frozen=True, slots=True)
class Confined(Generic[RecordT]):
    """One kind of record, of what the caller may see: of some ids, or of some of what is found by them."""

    whole: Readable[RecordT]
    ids: Callable[[Sequence[str]], Awaitable[Sequence[str]]] = _all
    """Returns those of the ids that the caller may ask for."""
    records: Callable[[Mapping[str, RecordT]], Awaitable[Mapping[str, RecordT]]] | None = None
    """Returns those of the records that the caller may see."""

    @property
    def capabilities(self) -> Capabilities:
        """Those of the whole."""
        return self.whole.capabilities

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT]:
        """Return the records that exist for the caller, by id."""
        asked = await self.ids(ids)
        found = await self.whole.read(asked) if asked else {}
        return found if self.records is None else await self.records(found)
