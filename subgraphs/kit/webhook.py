"""Webhooks of a vendor: checked by its own signature, stored before they are acknowledged, worked off in the background.

    inbox = WebhookInbox(database, work)              # work(events) re-reads the vendor and writes canonical events
    routes = (webhook_route("/webhooks/hubspot", verifier, inbox, system="crm"),)
    async with background(inbox.work_forever): …

A second copy of an event is taken and changes nothing. A wrong signature is 401 `SIGNATURE_INVALID`, a body that is not
the vendor's 400 `BAD_REQUEST`.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from subgraphs.kit.database import Database
from subgraphs.kit.graphql_request import RequestRefusedError, read_body
from subgraphs.kit.signature import SignatureInvalidError
from subgraphs.kit.system_error import FieldError, VendorAuthError

_log = logging.getLogger(__name__)
_MAX_BODY_BYTES = 1_000_000
_REMEMBERED_S = 7 * 24 * 3600
_BATCH = 100
_TRIES = 3
_FIRST_BACKOFF_S = 0.2
_MAX_BACKOFF_S = 30.0
_IDLE_S = 1.0
"""Another replica may have added something, and wakes nobody here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """What the vendor sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorEvent:
    """One event out of a webhook's body, or of a vendor's event list."""

    id: str
    """The vendor's event id: copies of one event share it."""
    payload: Any
    """The vendor's JSON."""


class WebhookVerifier(Protocol):
    """A vendor's way to sign and to pack events."""

    def verify(self, request: WebhookRequest) -> None:
        """Return if the vendor sent this now. Raises SignatureInvalidError for a wrong, missing or old signature."""
        ...

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        """Return the events of a verified body. Raises ValueError if it is not the vendor's."""
        ...


class WebhookInbox:
    """Events received and not yet worked off; survives a crash between the two."""

    SCHEMA = """
        create table if not exists webhook_inbox (
            position integer primary key autoincrement, id text not null unique, payload blob, received real not null
        );
        create table if not exists webhook_given_up (id text primary key, payload blob not null, error text not null);
    """

    def __init__(self, database: Database, work: Callable[[Sequence[VendorEvent]], Awaitable[None]]) -> None:
        """`work` must be repeatable: after a crash it sees the same events again. FieldError from it means: later."""
        self._database = database
        self._work = work
        self._arrived = asyncio.Event()

    async def add(self, events: Sequence[VendorEvent]) -> int:
        """Store the events; returns how many were new."""

        def insert(connection: sqlite3.Connection) -> int:
            received = time.time()
            connection.execute(
                "delete from webhook_inbox where payload is null and received < ?", (received - _REMEMBERED_S,)
            )
            cursor = connection.executemany(
                "insert or ignore into webhook_inbox (id, payload, received) values (?, ?, ?)",
                [(event.id, orjson.dumps(event.payload), received) for event in events],
            )
            return cursor.rowcount

        fresh = await self._database.run(insert)
        self._arrived.set()
        return fresh

    async def work_forever(self) -> None:
        """Work off what arrived, oldest first; failures of a system back off up to 30 s and are tried until they pass.

        An event that our own code can't work off, or about whose record a system refuses every question, is found by going
        one by one, tried three times and then put aside in `webhook_given_up`, so that it does not hold up the others.
        """
        backoff_s, size, tries = _FIRST_BACKOFF_S, _BATCH, 0
        while True:
            self._arrived.clear()
            events = await self._database.run(lambda connection, size=size: _next_events(connection, size))  # type: ignore[misc]  # bound now
            if not events:
                size = _BATCH
                await _wait(self._arrived, _IDLE_S)
                continue
            try:
                await self._work(events)
            except Exception as error:  # noqa: BLE001 - the edge of a background loop: logged, and put aside
                if isinstance(error, FieldError) and _may_pass(error):
                    _log.info("%d events wait: %s", len(events), error.code)
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(backoff_s * 2, _MAX_BACKOFF_S)
                    continue
                _log.exception("Working off %d events failed.", len(events))
                tries = tries + 1 if len(events) == 1 else 0
                size = 1
                if tries == _TRIES:
                    tries = 0
                    await self._give_up(events[0], error)
                else:
                    await asyncio.sleep(_FIRST_BACKOFF_S)
            else:
                backoff_s, tries = _FIRST_BACKOFF_S, 0
                await self._settle(events)

    async def _settle(self, events: Sequence[VendorEvent]) -> None:
        """Forget the payloads; the ids stay, so that late copies are recognised."""
        done = [(event.id,) for event in events]
        await self._database.run(lambda c: c.executemany("update webhook_inbox set payload = null where id = ?", done))

    async def _give_up(self, event: VendorEvent, error: Exception) -> None:
        row = (event.id, orjson.dumps(event.payload), repr(error)[:500])
        await self._database.run(lambda c: c.execute("insert or replace into webhook_given_up values (?, ?, ?)", row))
        await self._settle([event])


def _may_pass(error: FieldError) -> bool:
    """A refused credential is a person's to mend, and says nothing about the event."""
    return error.retryable or isinstance(error, VendorAuthError)


def webhook_route(
    path: str, verifier: WebhookVerifier, inbox: WebhookInbox, *, system: str, public_url: str = ""
) -> Route:
    """Return the route that takes the vendor's webhooks. `public_url`: the address the vendor signs, if a proxy hides it."""

    async def receive(request: Request) -> Response:
        try:
            body = await read_body(request, max_bytes=_MAX_BODY_BYTES)
            message = WebhookRequest(
                method=request.method,
                url=public_url or str(request.url),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
            )
            verifier.verify(message)
            events = verifier.parse(body)
        except SignatureInvalidError as error:
            return _refusal(RequestRefusedError(401, error.code, error.reason), system)
        except RequestRefusedError as refusal:
            return _refusal(refusal, system)
        except ValueError:
            return _refusal(RequestRefusedError(400, "BAD_REQUEST", "The body is not one of this vendor's."), system)
        fresh = await inbox.add(events)
        return JSONResponse({"accepted": fresh, "duplicates": len(events) - fresh})

    return Route(path, receive, methods=["POST"])


def _refusal(refusal: RequestRefusedError, system: str) -> Response:
    return JSONResponse({"errors": [refusal.to_graphql_error(system)]}, status_code=refusal.status)


def _next_events(connection: sqlite3.Connection, limit: int) -> list[VendorEvent]:
    rows = connection.execute(
        "select id, payload from webhook_inbox where payload is not null order by position limit ?", (limit,)
    )
    return [VendorEvent(id=event_id, payload=orjson.loads(payload)) for event_id, payload in rows]


async def _wait(event: asyncio.Event, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return
