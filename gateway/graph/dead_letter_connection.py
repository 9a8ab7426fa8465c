"""`deadLetters` as a Relay connection, and what of them a caller may see who is confined to some customers.

https://relay.dev/graphql/connections.htm
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from itertools import compress
from typing import Annotated

import orjson
import strawberry

from gateway.errors import GatewayError
from gateway.events.dead_letters import DeadLetter as Letter
from gateway.events.dead_letters import DeadLetterFilter, DeadLetterState
from gateway.events.log import StoreUnavailable
from gateway.events.sight import Named, Sight
from gateway.graph.context import GraphInfo
from gateway.graph.dead_letter import DeadLetter, DeadLetterCause
from gateway.graph.page_info import PageInfo
from gateway.graph.refusal import refusal, to_graphql_error

_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 200
_CHUNK = 200


@strawberry.type
class DeadLetterEdge:
    """One letter of a page."""

    node: DeadLetter
    cursor: str


@strawberry.type
class DeadLetterConnection:
    """One page of dead letters, oldest first."""

    edges: list[DeadLetterEdge]
    page_info: PageInfo
    wanted: strawberry.Private[DeadLetterFilter]

    @strawberry.field
    async def total_count(self, info: GraphInfo) -> int | None:
        """How many letters there are that the arguments let through; null for callers who may not see all of them."""
        if info.context.sight is not None:
            return None
        try:
            return await info.context.desk.letters.count(self.wanted)
        except StoreUnavailable as error:
            raise refusal("STORE_UNAVAILABLE") from error


async def resolve_dead_letters(
    info: GraphInfo,
    state: Annotated[
        DeadLetterState | None, strawberry.argument(description="Those in this state; null: in any.")
    ] = DeadLetterState.WAITING,
    event_type: Annotated[
        str | None,
        strawberry.argument(description="Only events of this type, such as `concord.renewal.due.v1`; without it, all."),
    ] = None,
    rule: Annotated[
        str | None, strawberry.argument(description="Only those that broke this rule, exactly as `rule` has it.")
    ] = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> DeadLetterConnection:
    """Return a page from the front or from the back. Raises BAD_USER_INPUT, STORE_UNAVAILABLE, SYSTEM_*."""
    backward = last is not None or (before is not None and first is None)
    if first is not None and last is not None:
        raise refusal("BAD_USER_INPUT", "Ask for `first` or for `last`, not both.")
    given = last if backward else first
    size = _DEFAULT_PAGE_SIZE if given is None else given
    if not 0 <= size <= _MAX_PAGE_SIZE:
        raise refusal("BAD_USER_INPUT", f"A page has between 0 and {_MAX_PAGE_SIZE} items.")
    wanted = DeadLetterFilter(state=state, event_type=event_type, rule=rule)
    lower = 0 if after is None else _parse_cursor(after)
    upper = None if before is None else _parse_cursor(before)
    try:
        # One more than asked for tells whether the list goes on.
        letters = await _read(info, wanted, lower, upper, size + 1, backward=backward)
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error
    except GatewayError as error:
        raise to_graphql_error(error) from error
    goes_on = len(letters) > size
    shown = letters[:size][::-1] if backward else letters[:size]
    edges = [DeadLetterEdge(node=DeadLetter.of(letter), cursor=_print_cursor(letter.number)) for letter in shown]
    return DeadLetterConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=before is not None if backward else goes_on,
            has_previous_page=goes_on if backward else after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        wanted=wanted,
    )


async def _read(
    info: GraphInfo, wanted: DeadLetterFilter, lower: int, upper: int | None, limit: int, *, backward: bool
) -> list[Letter]:
    """Return up to `limit` letters between two numbers that the caller sees, in the order of reading."""
    store, sight = info.context.desk.letters, info.context.sight
    size = limit if sight is None else _CHUNK
    found: list[Letter] = []
    place = upper if backward else lower
    while True:
        if backward:
            page = await store.read_back(place, size, wanted)
        else:
            page = await store.read(place or 0, size, wanted)
        inside = [letter for letter in page if letter.number > lower and (upper is None or letter.number < upper)]
        found += inside if sight is None else await _visible(inside, sight)
        if len(found) >= limit or len(page) < size or len(inside) < len(page):
            return found[:limit]
        place = page[-1].number


async def resolve_dead_letter_causes(info: GraphInfo) -> list[DeadLetterCause]:
    """Return the waiting letters by cause, the most frequent first. Raises STORE_UNAVAILABLE, FORBIDDEN."""
    see_all_letters(info)
    try:
        return [DeadLetterCause.of(cause) for cause in await info.context.desk.letters.causes()]
    except StoreUnavailable as error:
        raise refusal("STORE_UNAVAILABLE") from error


def see_all_letters(info: GraphInfo) -> None:
    """Return if the caller sees every letter. Raises FORBIDDEN."""
    if info.context.sight is not None:
        raise refusal("FORBIDDEN", "This is about every customer's dead letters, and you may see those of some only.")


async def may_see_letter(info: GraphInfo, letter: Letter) -> bool:
    """Say whether the caller sees a letter. Raises SYSTEM_* while that can't be told."""
    sight = info.context.sight
    try:
        return sight is None or bool(await _visible([letter], sight))
    except GatewayError as error:
        raise to_graphql_error(error) from error


async def _visible(letters: Sequence[Letter], sight: Sight) -> list[Letter]:
    return list(compress(letters, await sight.sees([_named(letter) for letter in letters])))


def _named(letter: Letter) -> Named:
    """Return what a letter names, as far as its body can be read."""
    system = (letter.rejected.source or "").partition("/")[2]
    match orjson.loads(letter.rejected.body):
        case {"data": {"keys": {"customer": str() as customer}}}:
            return Named(system, customer)
        case _:
            return Named(system, None)


def _print_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"letter.{number}".encode()).decode().rstrip("=")


def _parse_cursor(cursor: str) -> int:
    try:
        padded = cursor[:100] + "=" * (-len(cursor[:100]) % 4)
        word, _, digits = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(".")
    except (binascii.Error, ValueError):
        word, digits = "", ""
    if word != "letter" or not (digits.isdigit() and len(digits) <= 18):
        raise refusal("BAD_USER_INPUT", "This is not a cursor of this list.")
    return int(digits)
