"""Relay connections: the generic types, the checks of their arguments, and opaque cursors.

    @strawberry.field
    async def contacts(self, info: Info, first: int | None = None, after: str | None = None,
                       last: int | None = None, before: str | None = None) -> Connection[Contact]:
        window = page_window(first=first, after=after, last=last, before=before)
        return connection_of(contacts, window, identity=lambda contact: contact.id)

`Connection[Contact]` is called `ContactConnection` in the schema. https://relay.dev/graphql/connections.htm
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson
import strawberry

from subgraphs.kit.system_error import BadUserInputError

FoundT = TypeVar("FoundT")
NodeT = TypeVar("NodeT")

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200

CursorValue = str | int | bool | None


@strawberry.federation.type(shareable=True, description="Where a page stands in its list.")
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool = strawberry.field(description="Whether items follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether items stand before this page.")
    start_cursor: str | None = strawberry.field(
        description="Cursor of the page's first item, for `before`; null if the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="Cursor of the page's last item, for `after`; null if the page is empty."
    )


@strawberry.federation.type(shareable=True)
class Edge(Generic[NodeT]):
    """One item of a page."""

    node: NodeT = strawberry.field(description="The item itself.")
    cursor: str = strawberry.field(
        description="Opaque position of the item in this list and order, for `after` and `before`."
    )


@strawberry.federation.type(shareable=True)
class Connection(Generic[NodeT]):
    """One page of a list."""

    edges: list[Edge[NodeT]] = strawberry.field(
        description="The items of this page in the list's order, each with its cursor."
    )
    page_info: PageInfo = strawberry.field(
        description="Whether the list goes on before and after this page, and where."
    )
    total_count: int | None = strawberry.field(
        description="How many items the whole list has over all pages, filter applied; null where the owner can't count them."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWindow:
    """Which part of a list is asked for; already checked."""

    size: int
    backward: bool = False
    """True: the last `size` items before `before`."""
    after: tuple[CursorValue, ...] | None = None
    """Values of the decoded cursor, as `encode_cursor` got them."""
    before: tuple[CursorValue, ...] | None = None

    def cut(self, found: Sequence[FoundT]) -> tuple[list[FoundT], bool, bool]:
        """Return the page in the list's order, and whether the list goes on after it and before it.

        `found`: what lies between the cursors from the window's own end on, one more than its size if there are more.
        """
        shown, goes_on = list(found[: self.size]), len(found) > self.size
        if self.backward:
            return shown[::-1], self.before is not None, goes_on
        return shown, goes_on, self.after is not None


def page_window(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> PageWindow:
    """Return the checked window; 50 items unless told. Raises BadUserInputError for sizes beyond 0 to 200, both ends, bad cursors."""
    if first is not None and last is not None:
        raise BadUserInputError("Ask for `first` or for `last`, not both.")
    size = first if first is not None else last if last is not None else DEFAULT_PAGE_SIZE
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise BadUserInputError(f"A page has between 0 and {MAX_PAGE_SIZE} items.")
    return PageWindow(
        size=size,
        backward=last is not None,
        after=None if after is None else parse_cursor(after),
        before=None if before is None else parse_cursor(before),
    )


def encode_cursor(*values: CursorValue) -> str:
    """Return an opaque cursor of the values a list is ordered by: `encode_cursor("Acme", "123")`."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()


def parse_cursor(cursor: str) -> tuple[CursorValue, ...]:
    """Return the values `encode_cursor` got. Raises BadUserInputError for anything else."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = orjson.loads(raw)
    except (binascii.Error, UnicodeError, ValueError):
        values = None
    if not isinstance(values, list) or not all(map(_is_cursor_value, values)):
        raise BadUserInputError("The cursor is not one of this list.")
    return tuple(values)


def _is_cursor_value(value: object) -> bool:
    """Whether it is one of ours, that stores can compare with: they have integers of 64 bits."""
    return -(2**63) <= value < 2**63 if isinstance(value, int) else isinstance(value, str | None)


def connection_of(nodes: Sequence[NodeT], window: PageWindow, *, identity: Callable[[NodeT], str]) -> Connection[NodeT]:
    """Return one page of a whole list that is at hand, in the order given.

    A cursor names its item by type, `identity` and position: when the item has gone, the page goes on from where it was.
    Raises BadUserInputError for a cursor of a list of other things.
    """
    positions: dict[str, int] = {}
    kind = type(nodes[0]).__name__ if nodes else None

    def position(cursor: tuple[CursorValue, ...], *, when_gone: int) -> int:
        match cursor:
            case (str() as name, int() as offset, str() as of) if kind in {None, of}:
                if not positions:
                    positions.update({identity(node): place for place, node in enumerate(nodes)})
                return positions.get(name, offset + when_gone)
            case _:
                raise BadUserInputError("The cursor is not one of this list.")

    start = 0 if window.after is None else max(0, position(window.after, when_gone=-1) + 1)
    stop = len(nodes) if window.before is None else min(len(nodes), max(0, position(window.before, when_gone=0)))
    start = min(start, len(nodes))
    stop = max(start, stop)
    if window.backward:
        start = max(start, stop - window.size)
    else:
        stop = min(stop, start + window.size)
    edges = [
        Edge(node=node, cursor=encode_cursor(identity(node), place, kind))
        for place, node in enumerate(nodes[start:stop], start)
    ]
    return page_of(edges, has_next=stop < len(nodes), has_previous=start > 0, total_count=len(nodes))


def page_of(
    edges: list[Edge[NodeT]], *, has_next: bool, has_previous: bool, total_count: int | None = None
) -> Connection[NodeT]:
    """Return a page of edges already cut, as a store with keyset cursors finds them."""
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        total_count=total_count,
    )
