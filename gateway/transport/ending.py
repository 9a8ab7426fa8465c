"""What ends a stream from outside: its client leaves, the process stops, or the caller's credentials end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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


class Ends:
    """Tells of each end that comes while the block lasts. Only credentials that can end are waited for in a task."""

    def __init__(
        self,
        tell: Callable[[End], None],
        caller: Caller,
        *,
        drain: Drain | None = None,
        connection: Connection | None = None,
    ) -> None:
        """`tell` is called by the event loop, with EXPIRED and, where they are given, `drain`'s and `connection`'s end."""
        self._tell = tell
        self._caller = caller
        self._drain = drain
        self._connection = connection
        self._expiring: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        if self._connection is not None:
            self._connection.on_lost(partial(self._tell, End.LEFT))
        if self._drain is not None:
            self._unwatch = self._drain.watch(partial(self._tell, End.DRAINING))
        if can_end(self._caller):
            self._expiring = asyncio.create_task(credentials_end(self._caller))
            self._expiring.add_done_callback(self._expired)
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.on_lost(None)
        if self._unwatch is not None:
            self._unwatch()
        if self._expiring is not None:
            self._expiring.remove_done_callback(self._expired)
            self._expiring.cancel()

    def _expired(self, _task: asyncio.Task[None]) -> None:
        self._tell(End.EXPIRED)


class Ending:
    """A block that the first end stops, wherever it waits; afterwards `end` says which."""

    def __init__(self, caller: Caller, *, drain: Drain | None = None, connection: Connection | None = None) -> None:
        """As for `Ends`."""
        self._ends = Ends(self._stop, caller, drain=drain, connection=connection)
        self.end: End | None = None
        """None where the block ended by itself."""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._ends.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._ends.__exit__()
        if self.end is None:
            return False
        is_ours = self._task.uncancel() == 0
        return is_ours and kind is asyncio.CancelledError

    def _stop(self, end: End) -> None:
        """Called by the event loop, so that the task is waiting for something."""
        if self.end is None:
            self.end = end
            self._task.cancel()
