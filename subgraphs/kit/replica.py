"""Replicas: this process among those that serve the same subgraph over one state directory.

    replica = await join_replicas(settings, "crm")
    database = await open_database(settings, "crm", SCHEMAS)
    async with replica.leading(feed.run_forever, outbox.deliver_forever): …    # by one of them at a time

All answer requests, take webhooks and write into the same store. What must not be done twice (polling a vendor and
comparing, working off an inbox, delivering an outbox) is done by one of them.

On one machine they share files, and the one that leads holds a lock; the kernel lets go of the lock in the moment its
process dies, and another goes on. Where they share no disk, `store_redis_url` names a Redis: each has a copy of the store,
kept equal by it (`shared_database.py`), and the lead is a lease (`leased_replica.py`).
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from subgraphs.kit.background import background
from subgraphs.kit.database import Database

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from subgraphs.kit.settings import SubgraphSettings

_log = logging.getLogger(__name__)
_MOST = 64
_LOOK_S = 0.25
"""How soon another takes over."""


class Peer(Protocol):
    """A process among its replicas."""

    number: int
    """Unique among those that are alive."""
    is_leader: bool
    """Whether the loops of `leading` run here."""

    async def leave(self) -> None:
        """Give the number back."""

    async def is_alive(self, number: int) -> bool:
        """Say whether a process has this number."""

    def leading(self, *loops: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Run the loops within the block while no other process does; one that fails is begun again a second later."""


async def join_replicas(settings: SubgraphSettings, name: str) -> Peer:
    """Join the replicas of a subgraph: those of its state directory, or those of its Redis."""
    if not settings.store_redis_url:
        return Replica.join(settings.state_dir)
    from subgraphs.kit.leased_replica import LeasedReplica  # noqa: PLC0415 - loads Redis's client

    return await LeasedReplica.join(settings.store_redis_url, name)


async def open_database(settings: SubgraphSettings, name: str, schemas: Sequence[str]) -> Database:
    """Open a database of a subgraph, which its replicas share: `name`.sqlite of the state directory."""
    path = settings.state_dir / f"{name}.sqlite"
    if not settings.store_redis_url:
        return await Database.open(path, schemas)
    from subgraphs.kit.shared_database import SharedDatabase  # noqa: PLC0415 - as above

    return await SharedDatabase.open_shared(path, schemas, redis_url=settings.store_redis_url, name=name)


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

    async def leave(self) -> None:
        """Give the number back."""
        os.close(self._lock)

    async def is_alive(self, number: int) -> bool:
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
