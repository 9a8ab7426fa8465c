"""The port of the store that keeps answered writes by their idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class WriteName:
    """Which write is meant."""

    caller: str
    key: str
    field: str
    """Response name of the mutation's root field."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The write is the claimant's to do."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The write was done; this is the subgraph's answer, JSON."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody else is at it."""


@dataclass(frozen=True, slots=True)
class Misused:
    """The key stands for a write with other arguments."""


Claim: TypeAlias = Claimed | Answered | Running | Misused


class StoreFailed(Exception):  # noqa: N818 - reads as what it is
    """The store can't be used at the moment; what was asked of it was not done."""


class WriteStore(Protocol):
    """Claims and answers of writes. An acknowledged answer survives a crash. All methods raise `StoreFailed`."""

    async def claim(self, name: WriteName, fingerprint: str, *, lease_s: float) -> Claim:
        """Claim a write, or tell what became of it.

        A claim whose lease ran out, because its process died, passes to the next claimant.
        """
        ...

    async def answer(self, name: WriteName, answer: bytes) -> None:
        """Keep the answer of a claimed write."""
        ...

    async def release(self, name: WriteName) -> None:
        """Give a claim back: the write was not done, or may be repeated under the same key."""
        ...

    async def aclose(self) -> None:
        """Close the store."""
        ...
