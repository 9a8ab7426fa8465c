"""Replicas: this process among those that serve the same subgraph over one state directory.

    replica = Replica.join(settings.state_dir)
    async with replica.leading(feed.run_forever, outbox.deliver_forever): …    # by one of them at a time

All answer requests, take webhooks and write into the same files. What must not be done twice (polling a vendor and
comparing, working off an inbox, delivering an outbox) is done by the one that holds a lock; the kernel lets go of the lock
in the moment its process dies, and another goes on. So they run on one machine, as SQLite's own locks demand as well.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from subgraphs.kit.background import background

_log = logging.getLogger(__name__)
_MOST = 64
_LOOK_S = 0.25
"""How soon another takes over."""


class Replica:
    """One of up to 64 processes. A number is given again once its process has died."""

    def __init__(self, state_dir: Path, number: int, lock: int) -> None:
        """For `join`: `lock` is the descriptor that holds the number."""
        self._state_dir = state_dir
        self._lock = lock
        self.number = number
        self.is_leader = False
        """Whether the loops of `leading` run here."""

    @classmethod
    def join(cls, state_dir: Path) -> Self:
        """Take the first number that is free. Raises OSError where the folder can't be written, or is full."""
        state_dir.mkdir(parents=True, exist_ok=True)
        for number in range(_MOST):
            lock = _try_lock(_place(state_dir, number))
            if lock is not None:
                return cls(state_dir, number, lock)
        raise OSError(f"More than {_MOST} processes share {state_dir}.")

    def leave(self) -> None:
        """Give the number back."""
        os.close(self._lock)

    def is_alive(self, number: int) -> bool:
        """Say whether a process has this number."""
        if number == self.number:
            return True
        lock = _try_lock(_place(self._state_dir, number))
        if lock is None:
            return True
        os.close(lock)
        return False

    @asynccontextmanager
    async def leading(self, *loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Run the loops within the block once no other process does; one that fails is begun again a second later."""

        async def lead() -> None:
            lock = _try_lock(self._state_dir / "leader.lock")
            while lock is None:
                await asyncio.sleep(_LOOK_S)
                lock = _try_lock(self._state_dir / "leader.lock")
            try:
                self.is_leader = True
                _log.info("This replica (%d) now follows the vendor and delivers events.", self.number)
                async with background(*loops):
                    await asyncio.Event().wait()
            finally:
                # Only now, when the loops have ended, may another begin with them.
                self.is_leader = False
                os.close(lock)

        async with background(lead):
            yield


def _place(state_dir: Path, number: int) -> Path:
    return state_dir / f"replica-{number}.lock"


def _try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the file's lock until it is closed, or None while another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
