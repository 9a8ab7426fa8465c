"""Write a stream of answers into one HTTP response, at the reader's pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.execution.message import GraphQLResponse, refusal
from gateway.transport.asgi import abort
from gateway.transport.disconnect import CancelOnDisconnect
from gateway.transport.door import Door
from gateway.transport.exchange import Exchange
from gateway.transport.paced import Item, Signal, paced
from gateway.transport.request_body import ClientDisconnected
from gateway.transport.stream_format import StreamFormat

_LOG = logging.getLogger("concord.transport")


class SlowConsumer(Exception):  # noqa: N818 - reads as what it is
    """The client read nothing for too long."""


async def stream(
    exchange: Exchange,
    door: Door,
    answers: AsyncIterator[Item],
    wire: StreamFormat[Item],
    *,
    caller: Caller,
) -> None:
    """Send all answers; close them when the client leaves, reads too slowly, or its credentials end.

    Raises `ClientDisconnected`.
    """

    async def write(part: bytes) -> None:
        try:
            async with asyncio.timeout(door.settings.stream.send_timeout_s):
                await exchange.send({"type": "http.response.body", "body": part, "more_body": True})
        except TimeoutError:
            raise SlowConsumer from None

    def refused(code: str) -> GraphQLResponse:
        return refusal(GatewayError(code), exchange.correlation_id)

    parts = paced(answers, heartbeat_s=door.settings.stream.heartbeat_s, drain=door.drain, caller=caller)
    last = wire.completion()
    try:
        async with CancelOnDisconnect(exchange.receive), aclosing(parts):
            await _start(exchange, wire)
            await write(wire.opening())
            async for part in parts:
                match part:
                    case Signal.HEARTBEAT:
                        await write(wire.heartbeat())
                    case Signal.DRAINING:
                        last = wire.interruption(refused("SHUTTING_DOWN"))
                    case Signal.EXPIRED:
                        last = wire.failure(refused("TOKEN_EXPIRED"))
                    case answer:
                        await write(wire.answer(answer))
    except ClientDisconnected:
        raise
    except SlowConsumer:
        _LOG.warning("a stream's client read too slowly", extra={"correlation_id": exchange.correlation_id})
        abort(exchange.scope)
        return
    except Exception:  # noqa: BLE001 - the response has begun: the client is told in its own format
        _LOG.exception("a stream broke", extra={"correlation_id": exchange.correlation_id})
        last = wire.failure(refused("INTERNAL_SERVER_ERROR"))
    await exchange.send({"type": "http.response.body", "body": last})


async def _start(exchange: Exchange, wire: StreamFormat[Item]) -> None:
    await exchange.send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", wire.content_type),
                (b"cache-control", b"no-cache"),
                (b"x-accel-buffering", b"no"),
                (b"x-content-type-options", b"nosniff"),
                (b"x-correlation-id", exchange.correlation_id.encode()),
                *exchange.cors,
            ],
        }
    )
