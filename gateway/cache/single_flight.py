"""A bounded cache whose misses are computed once, off the event loop, however many ask at the same time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Generic, TypeVar

from gateway.errors import GatewayError

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class SingleFlightCache(Generic[KeyT, ValueT]):
    """Values by key, the least recently used forgotten first.

    `make` must be pure: it runs in the executor's thread, so that a hard miss slows other requests but doesn't stop them.
    What it raises is raised to everybody who waited, and is not remembered.
    """

    def __init__(
        self, make: Callable[[KeyT], ValueT], *, most: int, executor: Executor, most_waiting: int = 200
    ) -> None:
        """`most` values are kept; `most_waiting` keys may be under way or queued at once."""
        self._make = make
        self._most_waiting = most_waiting
        self._most = most
        self._executor = executor
        self._values: OrderedDict[KeyT, ValueT] = OrderedDict()
        self._flights: dict[KeyT, asyncio.Future[ValueT]] = {}

    def __len__(self) -> int:
        return len(self._values)

    @property
    def waiting(self) -> int:
        """Keys whose values are under way or queued."""
        return len(self._flights)

    def keys(self) -> list[KeyT]:
        """Return the keys whose values are kept, last used first."""
        return list(reversed(self._values))

    def get(self, key: KeyT) -> ValueT | None:
        """Return the value if it is there."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def peek(self, key: KeyT) -> ValueT | None:
        """Return the value if it is there, without counting that as a use. For any thread."""
        return self._values.get(key)

    async def make(self, key: KeyT) -> ValueT:
        """Compute and keep the value, or wait for whoever computes it. Cancelling one waiter leaves the others alone.

        Raises GatewayError with OVERLOADED where too many keys wait already.
        """
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= self._most_waiting:
                raise GatewayError("OVERLOADED", retry_after_ms=1_000)
            loop = asyncio.get_running_loop()
            try:
                flight = loop.run_in_executor(self._executor, self._make, key)
            except RuntimeError:
                # The executor was shut down as this engine was swapped out; its last requests are still answered.
                flight = loop.run_in_executor(None, self._make, key)
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    def _land(self, key: KeyT, done: asyncio.Future[ValueT]) -> None:
        del self._flights[key]
        if done.cancelled() or done.exception() is not None:
            return
        self._values[key] = done.result()
        if len(self._values) > self._most:
            self._values.popitem(last=False)
