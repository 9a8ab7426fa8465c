"""Cursors of lists that are ordered by time and id, and the bounds of their pages. A cursor names its list."""

from __future__ import annotations

import base64
import binascii
import math

from gateway.graph.event_connection import MAX_PAGE_SIZE
from gateway.graph.refusal import refusal

PAGE_SIZE = 50
"""Entries of a page that doesn't say how many."""


def page_size(given: int | None) -> int:
    """Return how many entries a page has. Raises BAD_USER_INPUT."""
    size = PAGE_SIZE if given is None else given
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise refusal("BAD_USER_INPUT", f"A page has between 0 and {MAX_PAGE_SIZE} items.")
    return size


def print_place(of: str, at: float, name: str) -> str:
    """Return the cursor of an entry of a list, by its time in unix seconds and its id."""
    return base64.urlsafe_b64encode(f"{of} {at!r} {name}".encode()).decode().rstrip("=")


def parse_place(of: str, cursor: str | None) -> tuple[float, str] | None:
    """Return the time and id that a cursor of the list names. Raises BAD_USER_INPUT."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        named, at, name = text.split(" ", 2)
        place = float(at), name
    except (binascii.Error, ValueError) as error:
        raise refusal("BAD_USER_INPUT", "This is not a cursor of this list.") from error
    if named != of or not math.isfinite(place[0]) or "\0" in name:
        raise refusal("BAD_USER_INPUT", "This is not a cursor of this list.")
    return place
