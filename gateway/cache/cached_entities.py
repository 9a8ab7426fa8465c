"""Entities are read from their owner once for a while, where the ownership table allows it. A client around a client.

What was kept is answered with at once; only the rest is asked for, by a smaller request. What others are reading just
now is waited for. Where the owner can't be asked, what was known last may stand in, and is told to be stale.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson
from msgspec import structs

from gateway.cache.asked import AskedInput
from gateway.cache.entity_cache import EntityCache, Flight, Landed, Refused
from gateway.cache.local_entries import Entry
from gateway.cache.tags import EVERY_SUBGRAPH, writer_tag
from gateway.cache.told import is_outage, put_together, take_apart
from gateway.cache.wanted import CREDENTIALS, Want, wants_of
from gateway.cache.written import changed_tags
from gateway.execution.begin import Fetch
from gateway.execution.ports import (
    RequestContext,
    Reused,
    SourceEvent,
    SubgraphAnswer,
    SubgraphClient,
    SubgraphFailure,
    SubgraphRequest,
)
from gateway.federation.ownership import CachePolicy
from gateway.federation.plan import OperationKind
from gateway.upstream.coalesce import SLACK_S, deadline_passed
from gateway.upstream.crowd import Crowd

_LOG = logging.getLogger("concord.cache")
_NS = 1_000_000_000


@dataclass(slots=True)
class _Read:
    """One fetch while its entities are gathered."""

    request: SubgraphRequest
    context: RequestContext
    inputs: tuple[AskedInput, ...]
    wants: Sequence[Want]
    looks: bool
    """Whether what was kept will do."""
    born_us: int | None = None
    """Redis's clock when the fetch began; None where it was not asked."""
    others: Sequence[Mapping[str, Any]] = ()
    """Errors of the subgraph that are not of one entity."""
    extensions: Any = None
    failure: SubgraphFailure | None = None
    whole: SubgraphAnswer | None = field(default=None)
    """The subgraph's own answer, where it was asked for everything."""


class CachedEntities:
    """Keeps what one subgraph says of entities whose types have a policy, and notices what is written through it."""

    def __init__(
        self,
        inner: SubgraphClient,
        cache: EntityCache,
        policies: Mapping[str, CachePolicy],
        *,
        writes_everywhere: bool = False,
        crowd: Crowd | None = None,
    ) -> None:
        """`policies` by entity type. `writes_everywhere`: a mutation of this subgraph may change any other's entities.

        Those who wait for what others read are among `crowd`.
        """
        self._inner = inner
        self._cache = cache
        self._policies = policies
        self._writes_everywhere = writes_everywhere
        self._crowd = crowd or Crowd()
        self._has_private = any(each.is_private for each in policies.values())
        self.kept = self.stale = self.read = 0
        """Entities that were kept, that stood in for an owner who can't be asked, and that were asked of him to be kept."""

    def fetch(self, request: SubgraphRequest, context: RequestContext) -> Coroutine[Any, Any, SubgraphAnswer]:
        """Fetch, or answer with what was kept. Hands the inner client's coroutine on where nothing can be kept."""
        if request.kind is OperationKind.MUTATION:
            return self._write(request, context)
        if not request.entities or not self._policies or not self._cache.is_heard:
            return self._inner.fetch(request, context)
        return self._read(request, context)

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return bool(self._policies)

    def find(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer | Fetch | None:
        """Return the answer to a query where all of it is kept here, else what fetches the rest; None as in `fetch`."""
        if not self._cache.is_heard:
            return None
        own = frozenset((writer_tag(context.caller, request.subgraph), writer_tag(context.caller, EVERY_SUBGRAPH)))
        key = self._whole_key(request, context)
        if not (context.reads_anew or "cache-control" in context.headers):
            whole = self._cache.wholes.find(key, own)
            if whole is not None:
                self._note(request, context, len(whole.entries), whole.read_at)
                return SubgraphAnswer(request.decode(whole.body), whole.body)
        read = self._begin(request, context)
        if read is None:
            return None
        if any(want.entry is None for want in read.wants):
            return partial(self._go_on, read)
        self._tell(read, stale=0)
        answer = put_together(read.inputs, read.wants, (), None, request)
        if answer.body is not None:
            kept = [(want.key, want.entry) for want in read.wants if want.entry is not None]
            tags = (tag for want in read.wants for tag in want.tags if tag not in own)
            self._cache.wholes.keep(key, answer.body, kept, tags)
        return answer

    def _whole_key(self, request: SubgraphRequest, context: RequestContext) -> Hashable:
        """Return what an answer to a whole fetch depends on: all that the keys of its entities do, or more."""
        caller, body = context.caller, request.body_ or request.body
        if self._has_private:
            return request.subgraph, body, request.headers, caller.rights
        headers = tuple(pair for pair in request.headers if pair[0] not in CREDENTIALS)
        return request.subgraph, body, headers, caller.tenant, tuple(sorted(caller.filters.items()))

    def _begin(self, request: SubgraphRequest, context: RequestContext) -> _Read | None:
        """Look for what this process keeps; None where nothing of it may be kept."""
        cache = self._cache
        asked = context.headers.get("cache-control", "").lower()
        if "no-store" in asked:
            return None
        inputs = cache.inputs(request.document)
        wants = wants_of(inputs, request, context, self._policies, cache.known, cache.local) if inputs else ()
        if not wants:
            return None
        read = _Read(request, context, inputs, wants, "no-cache" not in asked and not context.reads_anew)
        if read.looks:
            self._look(wants)
        return read

    async def _read(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        read = self._begin(request, context)
        return await (self._inner.fetch(request, context) if read is None else self._go_on(read))

    async def _go_on(self, read: _Read) -> SubgraphAnswer:
        """Find, or fetch, what this process doesn't keep."""
        cache, request, context, wants = self._cache, read.request, read.context, read.wants
        if cache.shared is not None and any(want.is_open for want in wants):
            await self._look_further(read)
        while waiting := [want for want in wants if want.is_open]:
            lead, follow = self._divide(waiting, context.deadline) if read.looks else (waiting, [])
            if lead:
                await self._lead(read, lead)
            for want, flight in follow:
                await self._follow(want, flight, context)
        self._stand_in(read)
        if read.whole is not None and all(want.entry is None for want in wants):
            return read.whole
        if read.failure is not None and all(want.entry is None and not want.is_told for want in wants):
            raise read.failure
        return put_together(read.inputs, wants, read.others, read.extensions, request)

    def _look(self, wants: Iterable[Want]) -> None:
        """Find what this process keeps."""
        now = time.monotonic_ns()
        for want in wants:
            if want.policy is None or want.entry is not None:
                continue
            entry = self._cache.local.find(want.key, want.newest)
            if entry is None:
                continue
            if now < entry.fresh_until:
                want.entry = entry
            elif now < entry.keep_until:
                want.stale = entry

    async def _look_further(self, read: _Read) -> None:
        """Find what the gateways keep together, and learn the time by their clock."""
        shared = self._cache.shared
        assert shared is not None
        wants = [want for want in read.wants if want.is_open and want.policy is not None] if read.looks else []
        tags = {tag: number for number, tag in enumerate(dict.fromkeys(tag for want in wants for tag in want.tags))}
        born, now = time.monotonic_ns(), time.time()
        look = await shared.look([want.key for want in wants], list(tags))
        if look is None:
            return
        read.born_us = look.now_us
        for want, entry in zip(wants, look.entries, strict=True):
            assert want.policy is not None
            if entry is None or entry.born_us <= max(look.dropped_us[tags[tag]] for tag in want.tags):
                continue
            age_ns = (look.now_us - entry.born_us) * 1_000
            found = _entry(entry.value, want.policy, born, now - age_ns / _NS, age_ns)
            if born < found.fresh_until:
                want.entry = found
                self._cache.local.keep(want.key, found)
            elif born < found.keep_until:
                want.stale = found
        # Somebody may have read it meanwhile.
        self._look(wants)

    def _divide(self, wants: Iterable[Want], deadline: float) -> tuple[list[Want], list[tuple[Want, Flight]]]:
        """Return what is to be read, and what others are reading in a way that will do."""
        lead: list[Want] = []
        follow: list[tuple[Want, Flight]] = []
        for want in wants:
            flight = self._cache.flights.get(want.key) if want.policy is not None else None
            # A read that began before the caller's own write would bring what was there before.
            if flight is not None and flight.born > want.newest and flight.deadline >= deadline - SLACK_S:
                follow.append((want, flight))
            else:
                lead.append(want)
        return lead, follow

    async def _lead(self, read: _Read, wants: list[Want]) -> None:
        """Ask the subgraph, and let those who wait know."""
        loop, flights = asyncio.get_running_loop(), self._cache.flights
        born, now = time.monotonic_ns(), time.time()
        flight = Flight(born, read.context.deadline, loop.create_future())
        mine = [want.key for want in wants if want.policy is not None]
        flights.update(dict.fromkeys(mine, flight))
        landed: dict[bytes, Landed] = {}
        try:
            await self._ask(read, wants)
            landed = self._landed(read, wants, born, now)
        finally:
            for key in mine:
                if flights.get(key) is flight:
                    del flights[key]
            flight.landed.set_result(landed)
        if read.born_us is not None and self._cache.shared is not None:
            await self._share(read.born_us, wants, landed)

    async def _ask(self, read: _Read, wants: list[Want]) -> None:
        request = read.request
        self.read += sum(want.policy is not None for want in wants)
        is_whole = len(wants) == len(read.wants)
        if not is_whole:
            variables = dict(request.variables)
            for each in read.wants:
                variables[each.input.variable] = []
            for want in wants:
                variables[want.input.variable].append(want.representation)
            request = structs.replace(request, variables=variables, entities=len(wants), body_=None)
        try:
            answer = await self._inner.fetch(request, read.context)
        except SubgraphFailure as failed:
            read.failure = failed
            for want in wants:
                want.trouble = failed
            return
        others = take_apart(answer.value, wants)
        read.others = (*read.others, *others)
        read.extensions = answer.value.get("extensions") if isinstance(answer.value, dict) else None
        if is_whole:
            read.whole = answer
        for want in wants:
            if not want.is_told and want.trouble is None:
                want.trouble = Refused(tuple({**entry, "path": []} for entry in others[:1])) if others else _RUBBISH

    def _landed(self, read: _Read, wants: Iterable[Want], born: int, now: float) -> dict[bytes, Landed]:
        """Return what became of each want that may be kept, and keep it."""
        landed: dict[bytes, Landed] = {}
        for want in wants:
            if want.policy is None:
                continue
            if want.trouble is not None and not isinstance(want.trouble, Refused):
                landed[want.key] = want.trouble
                continue
            try:
                text = orjson.dumps(want.value)
            except TypeError:
                continue  # nested deeper than it writes: whoever waits has to ask himself
            if want.trouble is not None:
                landed[want.key] = replace(want.trouble, value=text)
            elif not read.others and (want.value is None or want.value.__class__ is dict):
                entry = landed[want.key] = _entry(text, want.policy, born, now, 0)
                if self._cache.is_heard:
                    self._cache.local.keep(want.key, entry)
        return landed

    async def _share(self, born_us: int, wants: Iterable[Want], landed: Mapping[bytes, Landed]) -> None:
        from gateway.cache.shared_entries import SharedEntry  # noqa: PLC0415 - loads Redis's client

        entries = [
            (want.key, SharedEntry(entry.value, born_us), (entry.keep_until - entry.born) // 1_000_000)
            for want in wants
            if isinstance(entry := landed.get(want.key), Entry)
        ]
        if entries and self._cache.shared is not None:
            await self._cache.shared.keep(entries)

    async def _follow(self, want: Want, flight: Flight, context: RequestContext) -> None:
        """Wait for whoever reads an entity; leaves the want open where that one was called off."""
        crowd = self._crowd
        try:
            until = crowd.enter(context.deadline)
        except SubgraphFailure as failed:
            want.trouble = failed
            return
        landed: Landed | None
        try:
            async with asyncio.timeout_at(until):
                landed = (await asyncio.shield(flight.landed)).get(want.key)
            crowd.was_served()
        except TimeoutError:
            landed = crowd.in_vain(until, context.deadline) or deadline_passed()
        finally:
            crowd.leave()
        match landed:
            case Entry():
                want.entry = landed
            case Refused():
                want.trouble, want.is_told, want.value = landed, True, orjson.loads(landed.value)
            case SubgraphFailure():
                want.trouble = landed
            case None:
                want.newest = max(want.newest, flight.born)

    def _stand_in(self, read: _Read) -> None:
        """Let stale entities stand in for those whose owner can't be asked, and tell what was reused."""
        stale = 0
        for want in read.wants:
            if want.stale is not None and want.entry is None and is_outage(want.trouble):
                want.entry, want.trouble, want.is_told = want.stale, None, False
                stale += 1
        self._tell(read, stale)

    def _tell(self, read: _Read, stale: int) -> None:
        """Tell what was reused, so many of it stale."""
        reused = [want.entry for want in read.wants if want.entry is not None]
        if not reused:
            return
        read_at = min(entry.read_at for entry in reused)
        self._note(read.request, read.context, len(reused) - stale, read_at, stale=stale)
        if stale:
            details = {
                "subgraph": read.request.subgraph,
                "entities": stale,
                "correlation_id": read.context.correlation_id,
            }
            _LOG.warning("stale_entities", extra=details)

    def _note(
        self, request: SubgraphRequest, context: RequestContext, cached: int, read_at: float, *, stale: int = 0
    ) -> None:
        self.kept += cached
        self.stale += stale
        told = Reused(subgraph=request.subgraph, fetch_id=request.fetch_id, cached=cached, stale=stale, read_at=read_at)
        context.reused = [*(context.reused or ()), told]

    async def _write(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Write, and drop what that may have changed, whatever became of it."""
        value: Any = None
        try:
            answer = await self._inner.fetch(request, context)
            value = answer.value
            return answer
        finally:
            subgraph = EVERY_SUBGRAPH if self._writes_everywhere else request.subgraph
            # The writer himself: nothing read earlier will do for him. Everybody: the entities that the answer names.
            await self._cache.drop([writer_tag(context.caller, subgraph), *changed_tags(self._cache, request, value)])

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Streams pass."""
        return self._inner.subscribe(request, context)

    async def aclose(self) -> None:
        """Close the client inside; the cache belongs to whoever made it."""
        await self._inner.aclose()


_RUBBISH = Refused(({"message": "", "path": [], "extensions": {"code": "SYSTEM_BAD_RESPONSE"}},))
"""The answer has another shape than was asked for."""


def _entry(value: bytes, policy: CachePolicy, born: int, read_at: float, age_ns: int) -> Entry:
    is_absent = value == b"null"
    fresh_ns = int((policy.null_ttl_s if is_absent else policy.ttl_s) * _NS)
    stale_ns = 0 if is_absent else int(policy.stale_s * _NS)
    return Entry(
        value=value,
        born=born,
        fresh_until=born - age_ns + fresh_ns,
        keep_until=born - age_ns + fresh_ns + stale_ns,
        read_at=read_at,
    )
