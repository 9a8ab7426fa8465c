"""Stop working for a client that has gone."""

from __future__ import annotations

import asyncio
from types import TracebackType

from gateway.transport.asgi import Receive
from gateway.transport.request_body import ClientDisconnected

_GRACE_S = 0.005
"""Work that is done by then needs no watcher: making one costs more than most cached answers."""


class CancelOnDisconnect:
    """A block that is cancelled when the client disconnects, and then raises `ClientDisconnected`.

    Enter it after the request's body has been received: what still arrives is thrown away.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_gone = False
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(_GRACE_S, self._begin)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        # The task would else be kept, with its frames, by the traceback of its own cancellation.
        task = self._task
        del self._task
        if self._is_gone and exc_type is asyncio.CancelledError and task.uncancel() == 0:
            raise ClientDisconnected from exc

    def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._task.cancel()
