"""What the checks need to know of an adaptor. A factory of yours yields it:

    @asynccontextmanager
    async def tickets() -> AsyncIterator[UnderTest[Ticket]]:
        yield UnderTest(name="zendesk tickets", url="http://127.0.0.1:4200", connect=connect, known=("1", "2"), absent=("77",),
                        cannot={"write": "The adaptor only reads."}, …)

Checks that need what is not given fail, unless `cannot` says why there is none: an inability is declared, never skipped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.webhook import WebhookRequest, WebhookVerifier

RecordT = TypeVar("RecordT")
AdaptorT = TypeVar("AdaptorT")
"""What `connect` gives: an adaptor with methods of its own."""
Mark = str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where and as whom the adaptor is to connect."""

    url: str
    """The vendor's base URL; a fault proxy's in some checks."""
    is_credential_wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Generic[AdaptorT]):
    """One write, done by the adaptor as the subgraph does it."""

    name: str
    carry_out: Callable[[AdaptorT, str], Awaitable[object]]
    """Writes under an idempotency key of the caller's; called again with the same key after a failure."""
    effects: Callable[[AdaptorT, str], Awaitable[int]]
    """How many times the vendor has the effect of that key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll(Generic[AdaptorT]):
    """A feed that is polled."""

    change: Callable[[AdaptorT, int], Awaitable[str]]
    """Makes the n-th change at the vendor, as its own users do; returns the id of what changed."""
    poll: Callable[[AdaptorT, Mark], Awaitable[tuple[Sequence[str], Mark]]]
    """Returns the ids of what changed since the mark, and the next mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A feed that is pushed."""

    verifier: WebhookVerifier
    body: bytes
    """A body as the vendor sends it, with at least one event."""
    sign: Callable[[bytes, float], WebhookRequest]
    """Signs a body as the vendor does at an instant (unix seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderTest(Generic[RecordT]):
    """An adaptor of one kind of record, and how to check it."""

    name: str
    url: str
    """Where the vendor answers."""
    connect: Callable[[Connection], AbstractAsyncContextManager[Adaptor[RecordT]]]
    known: Sequence[str]
    """Ids that exist, at least two; more than the batch size, if batches are to be checked."""
    absent: Sequence[str]
    """Ids that look like the vendor's and name nothing."""
    key_of: Callable[[RecordT], str] = lambda record: str(getattr(record, "id"))  # noqa: B009 - not every record has it
    """The id by which a record was asked for."""
    warm_up: bool = True
    """Read once before requests are counted, for adaptors that learn their vendor's fields first."""
    writes: Sequence[Write[Any]] = ()
    poll: Poll[Any] | None = None
    webhook: Webhook | None = None
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Name of a check, or of a group of them (`write`, `poll`, `webhook`), to why the adaptor can't."""


Check = Callable[[UnderTest[Any], Adaptor[Any]], Awaitable[None]]
"""Raises AssertionError with a sentence if the adaptor does not do what the check's docstring says."""
