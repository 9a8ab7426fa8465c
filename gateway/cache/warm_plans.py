"""Plans made before anybody asks for them: when a process starts, and before a new supergraph is swapped in."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from gateway.cache.known_documents import DocumentFile, KnownDocument, listed_documents, shipped_documents

_LOG = logging.getLogger("concord.cache")
_MOST_TRUSTED = 1_000
"""Of a larger manifest, the rest is planned when somebody asks; plans are bounded in number."""


class PlansAhead(Protocol):
    """An engine, as far as warming it goes."""

    async def plan_ahead(self, documents: Sequence[KnownDocument], *, until: float) -> Sequence[KnownDocument]:
        """Plan documents in this order until the event loop's clock says `until`; return those that are left."""

    def known_documents(self) -> Sequence[KnownDocument]:
        """Return the documents whose plans are kept, last used first."""


class WarmPlans:
    """Warms each engine before it serves: with what ships with the graph, what was used last, and trusted documents.

    What takes longer than `warm_s` seconds is planned afterwards, beside the requests: readiness waits for no more.
    """

    def __init__(
        self,
        file: DocumentFile,
        *,
        shipped: Path | None,
        warm_s: float,
        trusted: Iterable[str] = (),
        every_s: float = 30.0,
    ) -> None:
        """`shipped` is a folder of documents and `trusted` the texts of a manifest; the file is written every `every_s` seconds where something changed."""
        self._file = file
        self._shipped = shipped
        self._warm_s = warm_s
        self._trusted = tuple(islice(trusted, _MOST_TRUSTED))
        self._every_s = every_s
        self._left: Sequence[KnownDocument] = ()
        self._written: Sequence[KnownDocument] = ()

    async def warm(self, engine: PlansAhead, before: PlansAhead | None = None) -> None:
        """Plan ahead for an engine that does not serve yet. `before` is the one it replaces, None at the start."""
        until = asyncio.get_running_loop().time() + self._warm_s
        shipped = await asyncio.to_thread(shipped_documents, self._shipped)
        used = before.known_documents() if before is not None else await asyncio.to_thread(self._file.read)
        listed = await asyncio.to_thread(listed_documents, self._trusted)
        self._left = await engine.plan_ahead(tuple(dict.fromkeys((*shipped, *used, *listed))), until=until)
        if self._left:
            _LOG.info("plans_left_cold", extra={"documents": len(self._left), "warm_s": self._warm_s})

    async def keep(self, current: Callable[[], PlansAhead]) -> None:
        """Plan what was left, and write down from time to time what is used. Runs until cancelled."""
        while True:
            left, self._left = self._left, ()
            await current().plan_ahead(left, until=math.inf)
            documents = current().known_documents()
            if documents != self._written:
                await asyncio.to_thread(self._file.write, documents)
                self._written = documents
            await asyncio.sleep(self._every_s)

    def remember(self, engine: PlansAhead) -> None:
        """Write down what is used, as the process ends."""
        documents = engine.known_documents()
        if documents != self._written:
            self._file.write(documents)
