"""The messages of graphql-transport-ws. <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from gateway.errors import GatewayError

SUBPROTOCOL = "graphql-transport-ws"

_MAX_ID = 256
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
"""A header's name. <https://www.rfc-editor.org/rfc/rfc9110#name-tokens>"""

_OF_ONE_OPERATION = frozenset({"idempotency-key", "last-event-id"})
"""Headers that mean something for one operation only, and so can't come with a connection."""


class BadMessage(Exception):  # noqa: N818 - reads as what it is
    """The client doesn't speak the protocol; the text goes into the close frame."""


@dataclass(frozen=True, slots=True)
class Init:
    """`connection_init`, with whatever the client says of itself."""

    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """`ping`: answered with the same payload."""

    payload: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """`pong`: nothing to do."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """`subscribe`: run an operation; the payload is a GraphQL request, not yet looked into."""

    id: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Complete:
    """`complete`: the client wants no more of this operation."""

    id: str


ClientMessage: TypeAlias = Init | Ping | Pong | Subscribe | Complete


def parse_message(text: str) -> ClientMessage:
    """Return the message in a text frame. Raises `BadMessage`."""
    try:
        message = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        raise BadMessage("Message is not JSON") from None
    match message:
        case {"type": "connection_init", **rest}:
            return Init(_payload(rest) or {})
        case {"type": "ping", **rest}:
            return Ping(_echoed(rest))
        case {"type": "pong", **rest}:
            _payload(rest)
            return Pong()
        case {"type": "subscribe", "id": str(identity), "payload": dict(payload)} if 0 < len(identity) <= _MAX_ID:
            return Subscribe(identity, payload)
        case {"type": "complete", "id": str(identity)} if 0 < len(identity) <= _MAX_ID:
            return Complete(identity)
        case {"type": "subscribe" | "complete"}:
            raise BadMessage("Message lacks a valid id or payload")
        case _:
            raise BadMessage("Unknown message")


def _payload(message: Mapping[Any, Any]) -> Mapping[str, Any] | None:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise BadMessage("Payload is not an object")
    return payload


def _echoed(message: Mapping[Any, Any]) -> Mapping[str, Any] | None:
    payload = _payload(message)
    try:
        orjson.dumps(payload)
    except TypeError:
        raise BadMessage("Payload is nested too deeply") from None
    return payload


def credentials(payload: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that a `connection_init` payload stands for: its string members, and those of `headers`."""
    inner = payload.get("headers")
    merged = {**payload, **(inner if isinstance(inner, dict) else {})}
    return {
        name.lower(): value
        for name, value in merged.items()
        if isinstance(value, str) and _is_header(name, value) and name.lower() not in _OF_ONE_OPERATION
    }


def _is_header(name: str, value: str) -> bool:
    """Whether these could have come as a header: what a JSON text may hold beyond that must not be passed on as one."""
    return bool(_NAME.match(name)) and value.isprintable() and value.isascii()


def print_message(kind: str, identity: str | None = None, payload: object = None) -> str:
    """Return the text frame of a message; without an id or a payload where there is none."""
    message: dict[str, object] = {"type": kind}
    if identity is not None:
        message["id"] = identity
    if payload is not None:
        message["payload"] = payload
    try:
        return orjson.dumps(message).decode()
    except TypeError as error:
        raise GatewayError("INTERNAL_SERVER_ERROR") from error
