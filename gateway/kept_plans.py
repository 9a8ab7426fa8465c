"""The plans that an engine keeps: documents that are ready to run, made in a thread of their own, on demand or ahead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway.access.demand import NO_DEMANDS
from gateway.cache.known_documents import KnownDocument
from gateway.cache.single_flight import SingleFlightCache
from gateway.compile import DocumentKey
from gateway.errors import GatewayError, RequestRefused
from gateway.execution.answer import CompiledOperation

_LOG = logging.getLogger("concord.engine")


class KeptPlans:
    """Compiled operations of one supergraph, by document."""

    def __init__(
        self, make: Callable[[DocumentKey], CompiledOperation], *, most: int, override_labels: frozenset[str]
    ) -> None:
        """`make` compiles a document, and must be pure; `most` are kept. `override_labels` are those that the graph has."""
        # One thread: however many unknown documents arrive, planning takes one core's share and not the event loop.
        self._planning = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
        self.operations: SingleFlightCache[DocumentKey, CompiledOperation] = SingleFlightCache(
            make, most=most, executor=self._planning
        )
        self._most = most
        self._labels = override_labels

    def close(self) -> None:
        """End the planning thread once what waits for it is planned."""
        self._planning.shutdown(wait=False)

    async def plan_ahead(self, documents: Sequence[KnownDocument], *, until: float) -> Sequence[KnownDocument]:
        """Plan documents, one at a time and in this order, so that those who ask for them later need not wait.

        Returns those that were left at `until` (event loop's clock). Documents that this graph refuses are passed by; where as
        many plans are kept as may be, the rest is left for whoever asks.
        """
        clock = asyncio.get_running_loop().time
        planned: list[DocumentKey] = []
        stale = 0
        for number, each in enumerate(documents):
            if clock() >= until:
                return documents[number:]
            key = (each.text, each.operation_name, each.labels & self._labels, NO_DEMANDS)
            try:
                if self.operations.get(key) is None:
                    if len(self.operations) >= self._most:
                        break
                    await self.operations.make(key)
                planned.append(key)
            except (GatewayError, RequestRefused):
                stale += 1
            except Exception as error:  # noqa: BLE001 - a bug that one document wakes must not keep the process from starting
                _LOG.error("document_not_planned", exc_info=error)
        for key in reversed(planned):
            self.operations.get(key)  # the first of them counts as used last
        if documents:
            _LOG.info("planned_ahead", extra={"documents": len(planned), "refused": stale})
        return ()

    @property
    def counts(self) -> tuple[int, int]:
        """How many plans are kept, and how many documents wait to be planned."""
        return len(self.operations), self.operations.waiting

    def known_documents(self) -> Sequence[KnownDocument]:
        """Return the documents whose plans are kept, last used first."""
        keys = (key[:3] for key in self.operations.keys())  # noqa: SIM118 - a cache, no dictionary
        return [KnownDocument(*key) for key in dict.fromkeys(keys)]
