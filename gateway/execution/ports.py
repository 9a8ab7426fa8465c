"""The port between the runtime and the world: how the executor asks a subgraph, and what can come back."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import orjson
from msgspec import Struct
from msgspec.json import Encoder

from gateway.errors import REGISTRY, ErrorCode, Outcome
from gateway.federation.plan import OperationKind

encode = Encoder().encode
"""Writes what a subgraph is told, and deeper values than orjson. Raises RecursionError: see `encode_whole`."""

_DEPTH = 3_000
"""Calls, on top of Python's own limit, for a value of the depth that orjson reads, which is 1,024."""


def encode_whole(value: Any) -> bytes:
    """Write whatever depth was read."""
    try:
        return encode(value)
    except RecursionError:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + _DEPTH)
        try:
            return encode(value)
        finally:
            sys.setrecursionlimit(limit)


Decode = Callable[[bytes], Any]
"""Turns the bytes of a subgraph's answer into `{"data": …, "errors": …}`; raises ValueError on rubbish."""


class CallerView(Protocol):
    """What the runtime needs to know of a caller."""

    @property
    def subject(self) -> str | None:
        """Who asks; None when anonymous."""

    @property
    def tenant(self) -> str | None:
        """The organisation the caller acts for."""

    @property
    def filters(self) -> Mapping[str, tuple[str, ...]]:
        """What the caller's data is confined to, by dimension."""

    @property
    def token(self) -> str | None:
        """The credential to forward where that is configured."""

    @property
    def rights(self) -> str:
        """Equal exactly where two requests may share an answer."""


@dataclass(frozen=True, slots=True)
class WriteKey:
    """The idempotency key of one mutation root field."""

    key: str
    """As the client gave it."""
    field_name: str
    """The schema's name of the mutation field."""
    fingerprint: str
    """Hash of the field's name and coerced arguments: another one under the same key is a misuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reused:
    """A fetch that was answered, in whole or in part, with what had been kept."""

    subgraph: str
    fetch_id: int
    cached: int
    """Entities that were as good as read."""
    stale: int
    """Entities whose time was over, and that stood in because their owner could not be asked."""
    read_at: float
    """When the oldest of them was read, unix seconds."""


class RequestContext(Struct, kw_only=True):
    """What every fetch of one client request shares. A `Struct`, as others that each request makes: it is made in C."""

    correlation_id: str
    deadline: float
    """The event loop's clock (`loop.time()`, seconds) by which the client must be answered."""
    caller: CallerView
    headers: Mapping[str, str] = {}
    """The client's request headers, names in lower case."""
    write_keys: Mapping[str, WriteKey] = {}
    """Response name of a mutation root field → its key; empty for reads and for writes without one."""
    observer: FetchObserver | None = None
    reads_anew: bool = False
    """Whether nothing that was kept will do: after an event, which tells that something changed."""
    reused: list[Reused] | None = None
    """What was reused, told by the policy that kept it. None where nothing was."""
    kept: object | None = None
    """What counts the large answers that the request keeps, until this is let go: the policy's that set it."""
    causes: list[Mapping[str, Any]] | None = None
    """What really happened where clients read the registry's sentence: for the log, in one line with the correlation id."""

    def note(self, **cause: Any) -> None:
        """Note why something failed."""
        if self.causes is None:
            self.causes = []
        self.causes.append(cause)


class SubgraphRequest(Struct, kw_only=True):
    """One operation to send to one subgraph."""

    subgraph: str
    kind: OperationKind
    document: str
    variables: Mapping[str, Any]
    operation_name: str | None = None
    root_fields: tuple[str, ...] = ()
    """Response names of the root fields; of a mutation they name the writes."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers that policies added, names in lower case."""
    entities: int = 0
    """Representations in `variables`; 0 for a root fetch."""
    deadline: float | None = None
    """When this fetch must have ended, where a policy allows it less than the whole request (event loop's clock)."""
    connect_s: float | None = None
    """How long connecting may take, where something else could be asked instead."""
    fetch_id: int = 0
    """The fetch's number in its plan."""
    prefix: bytes = b""
    """Constant bytes of the JSON body up to the variables' value; computed from the document where empty."""
    decode: Decode = orjson.loads
    body_: bytes | None = None
    """The body, where it was made already."""

    @property
    def body(self) -> bytes:
        """The JSON text `{"query": …, "operationName": …, "variables": …}` in UTF-8, made once."""
        if self.body_ is None:
            prefix = self.prefix or body_prefix(self.document, self.operation_name)
            self.body_ = b"%b%b}" % (prefix, encode_whole(self.variables))
        return self.body_


def body_prefix(document: str, operation_name: str | None) -> bytes:
    """Return the constant part of a request body: everything but the variables and the closing brace."""
    name = b',"operationName":' + orjson.dumps(operation_name) if operation_name is not None else b""
    return b'{"query":%b%b,"variables":' % (orjson.dumps(document), name)


class SubgraphAnswer(Struct):
    """What a subgraph said: any JSON value, not yet checked to be a GraphQL response."""

    value: Any
    """`{"data": …, "errors": […], "extensions": {…}}` if the subgraph is well-behaved. The receiver owns it and changes it."""
    body: bytes | None = None
    """The bytes it was decoded from, for those who share or keep the answer. None where there never were any."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An event of a source stream whose answer is made when somebody needs it."""

    key: Hashable | None
    """Equal where two streams of the same operation announce the same; None where it is this stream's alone."""
    cursor: str | None
    """A place from which the client can go on after this event; None where there is none."""
    answer: Callable[[SubgraphRequest], Awaitable[SubgraphAnswer]]
    """Answers by the selection of a request, whichever the stream was begun with."""


SourceEvent: TypeAlias = SubgraphAnswer | Announced


def cursor_of(value: Any) -> str | None:
    """Return `extensions.concord.cursor` of a subgraph's answer, with which a client can go on after it."""
    match value:
        case {"extensions": {"concord": {"cursor": str(cursor)}}}:
            return cursor
        case _:
            return None


class SubgraphFailure(Exception):  # noqa: N818 - reads as what it is
    """An expected failure of a whole fetch, with a code of the registry. Never a bug of ours."""

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        is_sent: bool,
        outcome: Outcome | None = None,
        retryable: bool | None = None,
        retry_after_ms: int | None = None,
        trips_breaker: bool = True,
        message: str = "",
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        """For logs only; clients see the registry's sentence."""
        self.is_sent = is_sent
        """False only if the subgraph certainly never received the request."""
        self.outcome = outcome or (Outcome.UNKNOWN if is_sent else Outcome.NOT_APPLIED)
        """What became of it, if it was a write."""
        self.retryable = retryable
        """None: as the registry says."""
        self.retry_after_ms = retry_after_ms
        self.trips_breaker = trips_breaker
        self.message = message
        """Safe to show in place of the registry's sentence; empty for none."""
        self.workflow: str | None = None
        """Global id of the workflow that settles a write whose outcome is unknown."""

    @property
    def row(self) -> ErrorCode:
        """The registry's row of the code."""
        return REGISTRY[self.code]


class Flight(Protocol):
    """A fetch under way that nobody awaits."""

    def cancel(self) -> object:
        """Stop it; its end is told to nobody."""


Landing = Callable[["SubgraphAnswer | Exception"], None]
"""Is told how a fetch ended: SubgraphFailure where that was expected, any other exception for a bug."""

Begin = Callable[[SubgraphRequest, RequestContext, Landing], "Flight | None"]
"""Starts a fetch and returns it, unless it ended at once. What `SubgraphClient.fetch` is for those who can wait."""


class SubgraphClient(Protocol):
    """One subgraph, reached somehow. Policies are clients around a client."""

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        """Send a query or mutation and return the answer.

        Raises SubgraphFailure when there is no usable answer, no later than `context.deadline`.
        Cancelling closes what is in flight.
        """

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> AsyncGenerator[SourceEvent, None]:
        """Start a subscription and yield an answer per event, or what announces one, until the stream completes.

        Raises SubgraphFailure when the stream can't start or breaks. `context.deadline` does not apply.
        """

    async def aclose(self) -> None:
        """Release connections; the client is not used afterwards."""


class FetchObserver(Protocol):
    """Sees every fetch of a request: for logs, metrics, spans and provenance."""

    def clock(self) -> float:
        """Return the time that `started` is told in."""

    def fetch_done(self, request: SubgraphRequest, started: float, value: Any, failure: SubgraphFailure | None) -> None:
        """Take note of a fetch that just ended. `value` is the whole answer, not to be changed; None on failure."""
