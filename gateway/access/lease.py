"""How long credentials hold once they were accepted: until they expire or are revoked, whichever comes first."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Lease(Protocol):
    """What can end before its time."""

    @property
    def is_revoked(self) -> bool:
        """Whether it has ended."""

    async def revoked(self) -> None:
        """Wait until it ends."""


class Holder(Protocol):
    """Whoever was let in by credentials."""

    @property
    def expires_at(self) -> float | None:
        """Unix seconds at which they expire; None: never."""

    @property
    def lease(self) -> Lease | None:
        """Tells when they are revoked; None where they can't be."""


def can_end(holder: Holder) -> bool:
    """Whether the credentials can end at all."""
    return holder.expires_at is not None or holder.lease is not None


async def credentials_end(holder: Holder) -> None:
    """Return once the credentials have expired or are revoked; never where they can't end."""
    left_s = None if holder.expires_at is None else max(0.0, holder.expires_at - time.time())
    try:
        async with asyncio.timeout(left_s):
            if holder.lease is not None:
                await holder.lease.revoked()
            else:
                await asyncio.get_running_loop().create_future()
    except TimeoutError:
        pass
