"""Opaque cursors: a place in one log, meaningless to clients and checked when it comes back."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from gateway.errors import GatewayError
from gateway.events.log import LogBounds

_VERSION = "1"
_MAX_LENGTH = 120


@lru_cache(maxsize=4_096)
def print_cursor(log_id: str, position: int) -> str:
    """Return the cursor of a position; reading after it gives what came later."""
    return base64.urlsafe_b64encode(f"{_VERSION}.{log_id}.{position}".encode()).decode().rstrip("=")


def parse_cursor(cursor: str, bounds: LogBounds) -> int:
    """Return the position of a cursor. Raises EVENT_CURSOR_INVALID or EVENT_CURSOR_EXPIRED."""
    position = _decode(cursor, bounds.log_id)
    if position is None or position > bounds.head + bounds.ahead:
        raise GatewayError("EVENT_CURSOR_INVALID")
    if position < bounds.trimmed:
        raise GatewayError("EVENT_CURSOR_EXPIRED")
    return position


def _decode(cursor: str, log_id: str) -> int | None:
    if len(cursor) > _MAX_LENGTH:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    match text.split("."):
        case [version, log, digits] if version == _VERSION and log == log_id and digits.isascii() and digits.isdigit():
            position = int(digits)
        case _:
            return None
    # One cursor per position: another spelling of the same number is not ours.
    return position if print_cursor(log_id, position) == cursor else None


def log_of(cursor: str) -> str:
    """Return the log that one of our own cursors belongs to."""
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(".")[1]
