"""The entity cache of a gateway: opened where the ownership table wants one, and told of every lifecycle event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.cache.asked import plain_fields
from gateway.cache.cached_entities import CachedEntities
from gateway.cache.entity_cache import EntityCache
from gateway.cache.tags import ALL, inner_tag, key_tag, type_tag
from gateway.errors import GatewayError
from gateway.events.catalogue import key_typename
from gateway.events.event import Event
from gateway.events.log import EventFilter, EventLog, PositionExpired, StoreUnavailable
from gateway.execution.ports import SubgraphClient
from gateway.federation.ownership import CachePolicy, Ownership
from gateway.federation.supergraph import Supergraph
from gateway.graph.global_id import typename_of
from gateway.settings_tables import EntitiesSettings
from gateway.upstream.crowd import Crowd

_LOG = logging.getLogger("concord.cache")
_PAGE = 500
_RETRY_S = 0.5
_NUMBERED = {"contract": ("Contract", "number"), "invoice": ("Invoice", "number")}
"""Keys of events that are numbers: the type and the field that they are of."""


@dataclass(slots=True)
class EntityCaching:
    """The cache and its policies: subgraph → entity type → policy."""

    cache: EntityCache
    policies: Mapping[str, Mapping[str, CachePolicy]]
    subgraphs_of: Mapping[str, tuple[str, ...]]
    """System → the subgraphs through which it speaks."""
    _supergraph: Supergraph | None = None

    def use(self, supergraph: Supergraph) -> None:
        """Serve this supergraph from here on."""
        self._supergraph = supergraph
        self.cache.use(supergraph)

    def around(
        self, client: SubgraphClient, subgraph: str, *, is_in_process: bool = False, crowd: Crowd | None = None
    ) -> CachedEntities:
        """Return a subgraph's client with the cache around it. The gateway's own graph writes through the others.

        `crowd` are those who wait for the subgraph.
        """
        policies = self.policies.get(subgraph, {})
        return CachedEntities(client, self.cache, policies, writes_everywhere=is_in_process, crowd=crowd)

    async def follow(self, log: EventLog) -> None:
        """Drop what each event changes, as it reaches the log. Runs until cancelled."""
        position = log.bounds().head
        while True:
            try:
                position = await log.wait(position, EventFilter())
                page = await log.read(position, EventFilter(), _PAGE)
                await self.cache.drop(self._changed(recorded.event for recorded in page.events))
                position = page.position
            except (PositionExpired, StoreUnavailable) as error:
                # Events that nobody can tell of may have changed anything.
                _LOG.warning("entity_events_unheard", extra={"reason": str(error)[:200]})
                await self.cache.drop((ALL,))
                await asyncio.sleep(_RETRY_S)
                position = log.bounds().head

    def _changed(self, events: Iterable[Event]) -> set[str]:
        return {tag for event in events for tag in self._tags(event)}

    def _tags(self, event: Event) -> Iterator[str]:
        """Yield what an event drops.

        The entities it names go by their keys. A subgraph that is entered by another key than the event tells loses all
        its entities of that type, and whatever holds such entities inside goes too, of the system that speaks.
        """
        source = event.source.split("/")
        speaking = self.subgraphs_of.get(source[1] if len(source) > 1 else "", ()) or tuple(self.policies)
        for type_name, keys in _named(event).items():
            for field, value in keys:
                yield key_tag(type_name, field, value)
            known = {field for field, _ in keys}
            for subgraph in speaking:
                yield inner_tag(subgraph, type_name)
                if type_name in self.policies.get(subgraph, {}) and not self._is_entered_by(subgraph, type_name, known):
                    yield type_tag(subgraph, type_name)

    def _is_entered_by(self, subgraph: str, type_name: str, fields: set[str]) -> bool:
        """Tell whether every representation of a type that a subgraph gets holds one of these fields."""
        assert self._supergraph is not None
        info = self._supergraph.subgraphs.get(subgraph)
        declared = info.types.get(type_name) if info is not None else None
        if declared is None:
            return True
        return all(plain_fields(key) & fields for key in declared.keys if key.is_resolvable)


def _named(event: Event) -> dict[str, list[tuple[str, str]]]:
    """Return the entities an event names, by type: `{"Customer": [("id", "Q3Vz…")], "Contract": [("number", "CON-1")]}`."""
    named: dict[str, list[tuple[str, str]]] = {}
    ids = [event.subject, *(value for key, value in event.keys.items() if key_typename(key) is not None)]
    ids += [text for each in event.changes if each.field == "mergedFrom" for text in (each.before, each.after) if text]
    for global_id in dict.fromkeys(ids):
        try:
            named.setdefault(typename_of(global_id), []).append(("id", global_id))
        except GatewayError:
            continue  # no id after all: the entity goes when its time is over
    for key, (type_name, field) in _NUMBERED.items():
        if key in event.keys:
            named.setdefault(type_name, []).append((field, event.keys[key]))
    return named


@asynccontextmanager
async def entity_caching(
    settings: EntitiesSettings, ownership: Ownership | None, log: EventLog
) -> AsyncIterator[EntityCaching | None]:
    """Open the entity cache, or none where the ownership table keeps nothing."""
    policies: dict[str, Mapping[str, CachePolicy]] = {
        subgraph: system.cache
        for system in (ownership.systems if ownership is not None else ())
        for subgraph in system.subgraphs
        if system.cache
    }
    if ownership is None or not policies:
        yield None
        return
    longest_s = max(each.ttl_s + each.stale_s for types in policies.values() for each in types.values())
    shared = None
    if settings.redis_url is not None:
        from gateway.cache.shared_entries import SharedEntries  # noqa: PLC0415 - loads Redis's client

        shared = SharedEntries(settings.redis_url, longest_s=longest_s)
    cache = EntityCache(max_bytes=settings.max_bytes, shared=shared)
    caching = EntityCaching(cache, policies, {system.name: system.subgraphs for system in ownership.systems})
    tasks: Sequence[asyncio.Task[None]] = (
        asyncio.create_task(cache.follow(), name="entity drops"),
        asyncio.create_task(caching.follow(log), name="entity events"),
    )
    try:
        yield caching
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cache.aclose()
