"""Subscriptions over HTTP callbacks: each event is posted to an address that the client named.

A router in front of this gateway, or any server of the client's, needs no connection that stays open. Addresses are
confined to `events.egress_hosts`; what one takes it answers with 204, and 404 means that it wants no more.
<https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/callback-protocol>
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.events.egress import Egress, EgressRefused
from gateway.execution.message import GraphQLRequest, GraphQLResponse, refusal
from gateway.transport.drain import Drain
from gateway.transport.ending import End
from gateway.transport.paced import Silence, paced

if TYPE_CHECKING:
    import httpx2

_LOG = logging.getLogger("concord.transport")
PROTOCOL = "subscription-protocol"
_DEFAULT_HEARTBEAT_MS = 5_000
_LEAST_HEARTBEAT_MS = 1_000
_MAX_TEXT = 512
_NO_HEARTBEAT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettings:
    """What subscriptions over callbacks may take."""

    most: int = 10_000
    """Subscriptions of this process that post to callbacks."""
    timeout_s: float = 10.0
    """Time for one callback's answer."""
    tries: int = 5
    first_pause_s: float = 0.2
    """Pause after a failed try; it doubles with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where one subscription's events go."""

    url: str
    id: str
    verifier: str
    heartbeat_s: float


class _Unwanted(Exception):  # noqa: N818 - reads as what it is
    """The receiver wants no more, or can't be reached."""


class _NotTaken(Exception):  # noqa: N818 - as above
    """A message did not arrive; it may be sent once more."""


def read_callback(request: GraphQLRequest) -> Callback:
    """Return `extensions.subscription` of a request. Raises BAD_REQUEST."""
    given = request.extensions.get("subscription")
    match given:
        case {"callbackUrl": str(url), "subscriptionId": str(identity), "verifier": str(verifier), **more} if (
            identity and max(len(url), len(identity), len(verifier)) <= _MAX_TEXT
        ):
            heartbeat_ms = more.get("heartbeatIntervalMs", _DEFAULT_HEARTBEAT_MS)
        case _:
            raise GatewayError(
                "BAD_REQUEST", "`extensions.subscription` names `callbackUrl`, `subscriptionId` and `verifier`."
            )
    if not isinstance(heartbeat_ms, int) or isinstance(heartbeat_ms, bool) or heartbeat_ms < 0:
        raise GatewayError("BAD_REQUEST", "`heartbeatIntervalMs` is a whole number of milliseconds; 0 is for none.")
    heartbeat_s = max(heartbeat_ms, _LEAST_HEARTBEAT_MS) / 1000 if heartbeat_ms else _NO_HEARTBEAT_S
    return Callback(url=url, id=identity, verifier=verifier, heartbeat_s=heartbeat_s)


class Callbacks:
    """The subscriptions of this process whose events are posted."""

    def __init__(self, egress: Egress, drain: Drain, settings: CallbackSettings | None = None) -> None:
        self._egress = egress
        self._drain = drain
        self._settings = settings or CallbackSettings()
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx2.AsyncClient | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Post until the end of the block; receivers of what is open then are told to come back."""
        try:
            yield
        finally:
            if self._tasks:
                # They end by themselves once the process drains; what hangs is cut off.
                await asyncio.wait(self._tasks, timeout=2.0)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._http is not None:
                await self._http.aclose()
                self._http = None

    async def confirm(self, callback: Callback) -> None:
        """Ask the receiver whether it wants the subscription. Raises FORBIDDEN, SUBSCRIPTION_LIMIT, BAD_REQUEST."""
        try:
            self._egress.check(callback.url)
        except EgressRefused as refused:
            raise GatewayError("FORBIDDEN", f"`callbackUrl`: {refused}") from refused
        if len(self._tasks) >= self._settings.most:
            raise GatewayError("SUBSCRIPTION_LIMIT", retry_after_ms=1_000)
        try:
            await self._post(callback, "check")
        except (_Unwanted, _NotTaken) as error:
            raise GatewayError("BAD_REQUEST", "The callback did not confirm the subscription.") from error

    def begin(
        self, callback: Callback, answers: AsyncIterator[GraphQLResponse], caller: Caller, correlation_id: str
    ) -> None:
        """Post the answers as they come, until they end, the receiver wants no more or the process stops."""
        task = asyncio.create_task(self._run(callback, answers, caller, correlation_id), name="callback subscription")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(
        self, callback: Callback, answers: AsyncIterator[GraphQLResponse], caller: Caller, correlation_id: str
    ) -> None:
        parts = paced(answers, heartbeat_s=callback.heartbeat_s, drain=self._drain, caller=caller)
        errors: Any = None
        try:
            async with aclosing(parts):
                async for part in parts:
                    match part:
                        case Silence.HEARTBEAT:
                            await self._send(callback, "check")
                        case End():
                            code = "TOKEN_EXPIRED" if part is End.EXPIRED else "SHUTTING_DOWN"
                            errors = refusal(GatewayError(code), correlation_id).errors
                        case answer:
                            await self._send(callback, "next", payload=answer.payload())
            await self._send(callback, "complete", **({} if errors is None else {"errors": errors}))
        except _Unwanted as ended:
            _LOG.info("callback_ended", extra={"correlation_id": correlation_id, "reason": str(ended)})
        except Exception:  # noqa: BLE001 - a subscription's edge: a bug of ours is logged whole
            _LOG.exception("a callback subscription broke", extra={"correlation_id": correlation_id})

    async def _send(self, callback: Callback, action: str, **more: Any) -> None:
        """Post a message until it is taken. The next one waits, so that they arrive in order."""
        pause_s = self._settings.first_pause_s
        for attempt in range(1, self._settings.tries + 1):
            try:
                await self._post(callback, action, **more)
                return
            except _NotTaken as error:
                if attempt == self._settings.tries:
                    raise _Unwanted(f"the callback can't be reached: {error}") from error
                await asyncio.sleep(pause_s)
                pause_s *= 2

    async def _post(self, callback: Callback, action: str, **more: Any) -> None:
        import httpx2  # noqa: PLC0415 - hardly any process posts to callbacks

        from gateway.events.outbound import outbound_client  # noqa: PLC0415 - as above

        http = self._http = self._http or outbound_client(self._egress, timeout_s=self._settings.timeout_s)
        message = {"kind": "subscription", "action": action, "id": callback.id, "verifier": callback.verifier, **more}
        headers = {"content-type": "application/json", PROTOCOL: "callback"}
        request = http.build_request("POST", callback.url, content=orjson.dumps(message), headers=headers)
        try:
            reply = await http.send(request, stream=True)
            await reply.aclose()
        except httpx2.HTTPError as error:
            raise _NotTaken(type(error).__name__) from error
        if reply.status_code >= 500 or reply.status_code == 429:
            raise _NotTaken(f"status {reply.status_code}")
        if not reply.is_success:
            raise _Unwanted(f"the callback answered {reply.status_code}")
