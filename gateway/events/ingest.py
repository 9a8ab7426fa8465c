"""`POST /events`: signed CloudEvents batches from the subgraphs, checked against their contracts and kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import orjson

from gateway.errors import GatewayError
from gateway.events.contracts import BrokenContract, EventContracts
from gateway.events.dead_letter_event import dead_letter_created
from gateway.events.dead_letters import DeadLetters, RejectedEvent
from gateway.events.event import Event
from gateway.events.log import EventLog, StoreUnavailable
from gateway.events.refusal import json_response, refusal_response
from gateway.events.signature import SIGNATURE_HEADER, signature_holds

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "application/cloudevents-batch+json"
_CHECKED_AT_ONCE = 25
"""Events validated before other tasks get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestLimits:
    """What one request may bring."""

    max_bytes: int = 1_000_000
    max_events: int = 500
    receive_timeout_s: float = 10


class EventIngest:
    """The ASGI application behind /events.

    200 `{"accepted": 2, "duplicates": 0, "rejected": [{"id": "…", "code": "EVENT_CONTRACT_BROKEN", "message": "…"}]}`
    means that every event is kept, as an event or as a dead letter; any other status that nothing may be forgotten.
    """

    def __init__(
        self,
        log: EventLog,
        dead_letters: DeadLetters,
        contracts: EventContracts,
        *,
        secret: str,
        limits: IngestLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives unix seconds for the signature's window."""
        self._log = log
        self._dead_letters = dead_letters
        self._contracts = contracts
        self._secret = secret
        self._limits = limits or IngestLimits()
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.requests import ClientDisconnect, Request  # noqa: PLC0415 - loaded for the first batch

        request = Request(scope, receive)
        try:
            response = json_response(200, await self._take(request))
        except GatewayError as error:
            response = refusal_response(error, request)
        except StoreUnavailable:
            response = refusal_response(GatewayError("STORE_UNAVAILABLE", headers={"Retry-After": "1"}), request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _take(self, request: Request) -> dict[str, Any]:
        if request.method != "POST":
            raise GatewayError("METHOD_NOT_ALLOWED", "Use POST.", headers={"Allow": "POST"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise GatewayError("UNSUPPORTED_MEDIA_TYPE", f"Send the body as {MEDIA_TYPE}.")
        body = await self._receive(request)
        if not signature_holds(request.headers.get(SIGNATURE_HEADER), body, secret=self._secret, now=self._clock()):
            raise GatewayError("SIGNATURE_INVALID")
        events, rejected = await self._check(_parse_batch(body, self._limits.max_events))
        # Dead letters first: should the log fail afterwards, the publisher sends all again and they are only counted.
        if rejected:
            numbers = await self._dead_letters.add(rejected)
            await self._log.append(
                [dead_letter_created(letter, number) for letter, number in zip(rejected, numbers, strict=True)]
            )
        appended = await self._log.append(events)
        return {
            "accepted": appended.accepted,
            "duplicates": appended.duplicates,
            "rejected": [
                {"id": letter.event_id, "code": "EVENT_CONTRACT_BROKEN", "message": letter.broken.message}
                for letter in rejected
            ],
        }

    async def _receive(self, request: Request) -> bytes:
        limit = self._limits.max_bytes
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.receive_timeout_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise GatewayError("PAYLOAD_TOO_LARGE", f"A batch has at most {limit} bytes.")
        except TimeoutError as error:
            raise GatewayError("REQUEST_TIMEOUT") from error
        return bytes(body)

    async def _check(self, batch: Sequence[object]) -> tuple[list[Event], list[RejectedEvent]]:
        events: list[Event] = []
        rejected: list[RejectedEvent] = []
        for number, envelope in enumerate(batch, start=1):
            match self._contracts.parse(envelope):
                case Event() as event:
                    events.append(event)
                case BrokenContract() as broken:
                    rejected.append(rejected_event(envelope, broken))
                case other:
                    assert_never(other)
            if number % _CHECKED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return events, rejected


def events_route(ingest: EventIngest, path: str = "/events") -> Route:
    """Return the route for a Starlette or FastAPI application's `routes`."""
    from starlette.routing import Route  # noqa: PLC0415 - see above

    return Route(path, endpoint=ingest, methods=None)


def _parse_batch(body: bytes, max_events: int) -> list[object]:
    try:
        batch = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise GatewayError("BAD_REQUEST", "The body is not JSON.") from error
    if not isinstance(batch, list):
        raise GatewayError("BAD_REQUEST", "The body is not a list of CloudEvents.")
    if len(batch) > max_events:
        raise GatewayError("PAYLOAD_TOO_LARGE", f"A batch has at most {max_events} events; this one has {len(batch)}.")
    return batch


def rejected_event(envelope: object, broken: BrokenContract) -> RejectedEvent:
    """Return what can be told of a batch's element that breaks its contract."""
    fields = envelope if isinstance(envelope, dict) else {}
    return RejectedEvent(
        event_id=_text(fields.get("id")),
        event_type=_text(fields.get("type")),
        source=_text(fields.get("source")),
        broken=broken,
        body=_kept(envelope),
    )


def _kept(envelope: object) -> bytes:
    """Return an element of a batch as text to keep; of one that is nested too deeply to be written, what names it."""
    try:
        return orjson.dumps(envelope)
    except orjson.JSONEncodeError:
        fields = envelope if isinstance(envelope, dict) else {}
        return orjson.dumps({name: _text(fields.get(name)) for name in ("id", "type", "source")})


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None
