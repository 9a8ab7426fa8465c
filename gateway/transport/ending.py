"""What ends a stream from outside: its client leaves, the process stops, or the caller's credentials end."""

from __future__ import annotations

import asyncio
from enum import Enum
from functools import partial
from types import TracebackType
from typing import Self

from gateway.access.caller import Caller
from gateway.access.lease import can_end, credentials_end
from gateway.transport.drain import Drain
from gateway.transport.outlet import Connection


class End(Enum):
    """Why."""

    LEFT = "left"
    DRAINING = "draining"
    EXPIRED = "expired"


class Ending:
    """A block that the first of these stops, wherever it waits; afterwards `end` says which. It needs no task for that.

    Only credentials that can end are waited for in one.
    """

    def __init__(self, connection: Connection, drain: Drain, caller: Caller) -> None:
        self._connection = connection
        self._drain = drain
        self._caller = caller
        self._expiring: asyncio.Task[None] | None = None
        self.end: End | None = None
        """None where the block ended by itself."""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._connection.on_lost(partial(self._stop, End.LEFT))
        self._unwatch = self._drain.watch(partial(self._stop, End.DRAINING))
        if can_end(self._caller):
            self._expiring = asyncio.create_task(credentials_end(self._caller))
            self._expiring.add_done_callback(self._expired)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._connection.on_lost(None)
        self._unwatch()
        if self._expiring is not None:
            self._expiring.remove_done_callback(self._expired)
            self._expiring.cancel()
        if self.end is None:
            return False
        is_ours = self._task.uncancel() == 0
        return is_ours and kind is asyncio.CancelledError

    def _expired(self, _task: asyncio.Task[None]) -> None:
        self._stop(End.EXPIRED)

    def _stop(self, end: End) -> None:
        """Called by the event loop, so that the task is waiting for something."""
        if self.end is None:
            self.end = end
            self._task.cancel()
