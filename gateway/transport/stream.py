"""Write a stream of answers into one HTTP response, at the reader's pace."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.execution.message import GraphQLResponse, refusal
from gateway.transport.door import Door
from gateway.transport.ending import End, Ending
from gateway.transport.exchange import Exchange
from gateway.transport.outlet import Outlet, SlowConsumer, connection_of
from gateway.transport.paced import Item, close
from gateway.transport.request_body import ClientDisconnected
from gateway.transport.stream_format import StreamFormat

_LOG = logging.getLogger("concord.transport")


async def stream(
    exchange: Exchange,
    door: Door,
    answers: AsyncIterator[Item],
    wire: StreamFormat[Item],
    *,
    caller: Caller,
) -> None:
    """Send all answers; close them when the client leaves, reads too slowly, or its credentials end.

    The next answer is asked for only when this one has been taken, so a slow reader holds back its source.
    Raises `ClientDisconnected`.
    """
    outlet = Outlet(exchange, door.beats, wire.heartbeat(), timeout_s=door.settings.stream.send_timeout_s)
    ending = Ending(caller, drain=door.drain, connection=connection_of(exchange))

    def refused(code: str, cause: Exception | None = None) -> GraphQLResponse:
        return refusal(GatewayError(code), exchange.correlation_id, cause=cause)

    last = wire.completion()
    try:
        try:
            with ending:
                await _start(exchange, wire)
                await outlet.write(wire.opening())
                with outlet:
                    async for answer in answers:
                        part = wire.answer(answer)
                        del answer  # it may be large, and is kept no longer than what is written of it
                        await outlet.write(part)
        except SlowConsumer:
            raise
        except Exception as error:  # noqa: BLE001 - the response has begun: the client is told in its own format
            last = wire.failure(refused("INTERNAL_SERVER_ERROR", error))
        finally:
            await close(answers)
        match ending.end:
            case End.LEFT:
                raise ClientDisconnected
            case End.DRAINING:
                last = wire.interruption(refused("SHUTTING_DOWN"))
            case End.EXPIRED:
                last = wire.failure(refused("TOKEN_EXPIRED"))
        await outlet.close(last)
    except SlowConsumer:
        _LOG.warning("a stream's client read too slowly", extra={"correlation_id": exchange.correlation_id})
        outlet.drop()


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
