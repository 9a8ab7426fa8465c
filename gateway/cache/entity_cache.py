"""What all subgraphs' entity caches share: the entries, the drops, the reads under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway.cache.asked import AskedInput, KnownEntities, asked_inputs, known_entities, mentioned_types
from gateway.cache.local_entries import Entry, LocalEntries
from gateway.cache.tags import ALL
from gateway.cache.whole_answers import WholeAnswers
from gateway.execution.ports import SubgraphFailure
from gateway.federation.supergraph import Supergraph

if TYPE_CHECKING:
    from gateway.cache.shared_entries import SharedEntries

_DOCUMENTS = 4_000
"""Fetch documents whose reading is remembered; about two for each plan kept."""
_WHOLE = 4
"""Part of the memory for whole answers, one over this; the rest is for entities."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An entity that its subgraph answered with errors."""

    errors: tuple[Mapping[str, Any], ...]
    """Entries of the answer, with the path below the entity."""
    value: bytes = b"null"
    """What there was of it nevertheless, JSON."""


Landed: TypeAlias = Entry | Refused | SubgraphFailure
"""What became of a read. Nothing at all where whoever read was called off, so that another one has to."""


@dataclass(frozen=True, slots=True)
class Flight:
    """Entities being read for the first who wanted them, and for all who come later."""

    born: int
    deadline: float
    """Event loop's clock; one who has much more time reads for himself."""
    landed: asyncio.Future[Mapping[bytes, Landed]]


class EntityCache:
    """Entries in this process and, where several gateways share a Redis, in that."""

    def __init__(self, *, max_bytes: int, shared: SharedEntries | None = None) -> None:
        """`max_bytes` bounds what this process keeps; Redis has a bound of its own (`maxmemory`)."""
        self.local = LocalEntries(max_bytes=max_bytes - max_bytes // _WHOLE)
        self.wholes = WholeAnswers(self.local, max_bytes=max_bytes // _WHOLE)
        self.shared = shared
        self.flights: dict[bytes, Flight] = {}
        self.is_heard = shared is None
        """Whether other gateways' drops are heard; while they aren't, nothing in this process is used or kept."""
        self._known: KnownEntities | None = None
        self._inputs = lru_cache(_DOCUMENTS)(asked_inputs)
        self._mentioned = lru_cache(_DOCUMENTS)(mentioned_types)

    def use(self, supergraph: Supergraph) -> None:
        """Read documents by this supergraph from here on."""
        self._known = known_entities(supergraph)
        self.wholes.clear()
        self._inputs.cache_clear()
        self._mentioned.cache_clear()

    @property
    def known(self) -> KnownEntities:
        """What the supergraph of the moment knows of entities."""
        assert self._known is not None, "`use` comes first"
        return self._known

    def inputs(self, document: str) -> tuple[AskedInput, ...]:
        """Return what a fetch's document asks of entities."""
        return self._inputs(document, self.known)

    def mentioned(self, document: str, root: str) -> frozenset[str]:
        """Return the entity types that an answer to a document may hold."""
        return self._mentioned(document, root, self.known)

    async def drop(self, tags: Iterable[str]) -> None:
        """Make all that depends on these tags useless, for all gateways; here at once, even where Redis is gone."""
        told = tuple(tags)
        self.local.drop(told)
        if self.shared is not None:
            await asyncio.shield(self.shared.drop(told))

    async def follow(self) -> None:
        """Hear what other gateways drop, until cancelled; nothing to do where there are none."""
        if self.shared is not None:
            await self.shared.follow(self._hear, self._line)

    def _hear(self, tags: Sequence[str]) -> None:
        if ALL in tags:
            self.local.clear()
        self.local.drop(tags)

    def _line(self, holds: bool) -> None:
        # What was dropped while nobody listened is not known: everything is forgotten.
        self.local.clear()
        self.is_heard = holds

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        if self.shared is not None:
            await self.shared.aclose()
