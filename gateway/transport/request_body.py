"""Receive a request's body: within its time, within its size, and decompressed within the same size."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from gateway.errors import GatewayError
from gateway.transport.asgi import Receive
from gateway.transport.settings import TransportSettings

_ENCODINGS = "gzip, deflate, br"


class ClientDisconnected(Exception):  # noqa: N818 - nothing went wrong here
    """The client went away: there is nobody left to answer."""


async def receive_body(receive: Receive, headers: Mapping[str, str], settings: TransportSettings) -> bytes:
    """Return the whole body, decompressed.

    Raises `GatewayError` with PAYLOAD_TOO_LARGE (either size), REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE (an encoding that
    isn't known) or BAD_REQUEST (one that is broken), and `ClientDisconnected`.
    """
    limit = settings.max_body_bytes
    announced = headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    try:
        async with asyncio.timeout(settings.receive_timeout_s):
            body = await _receive_all(receive, limit)
    except TimeoutError:
        raise GatewayError("REQUEST_TIMEOUT", headers={"Connection": "close"}) from None
    return _decode(body, headers.get("content-encoding", ""), limit)


async def _receive_all(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()


def _decode(body: bytes, encoding: str, limit: int) -> bytes:
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, zlib.MAX_WBITS | 16, limit)
        case "deflate":
            # RFC 9110 means zlib's format; some clients send the raw one, which can't start with zlib's header.
            is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
            return _inflate(body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS, limit)
        case "br":
            return _unbrotli(body, limit)
        case _:
            raise GatewayError(
                "UNSUPPORTED_MEDIA_TYPE",
                f"Send the body without a content encoding, or in one of: {_ENCODINGS}.",
                headers={"Accept-Encoding": _ENCODINGS},
            )


def _inflate(body: bytes, window_bits: int, limit: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        text = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise _broken() from None
    if len(text) > limit:
        raise _too_large(limit)
    if not inflater.eof or inflater.unused_data:
        raise _broken()
    return text


def _unbrotli(body: bytes, limit: int) -> bytes:
    import brotli  # type: ignore[import-untyped]  # noqa: PLC0415 - it ships no types, and hardly any client sends it

    decompressor = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    try:
        part = decompressor.process(body, output_buffer_limit=limit + 1)
        while True:
            parts.append(part)
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            if decompressor.is_finished() or decompressor.can_accept_more_data():
                break
            part = decompressor.process(b"", output_buffer_limit=limit + 1 - size)
    except brotli.error:
        raise _broken() from None
    if not decompressor.is_finished():
        raise _broken()
    return b"".join(parts)


def _too_large(limit: int) -> GatewayError:
    return GatewayError(
        "PAYLOAD_TOO_LARGE",
        f"The request body is larger than {limit} bytes.",
        headers={"Connection": "close"},
        extensions={"limit": {"name": "body bytes", "value": limit}},
    )


def _broken() -> GatewayError:
    return GatewayError("BAD_REQUEST", "The body is not what its Content-Encoding says.")
