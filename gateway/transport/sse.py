"""Server-sent events, as graphql-sse has them.

<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>, <https://html.spec.whatwg.org/multipage/server-sent-events.html>

    id: 42
    event: next
    data: {"data":{"customerEvents":{"type":"…"}}}
"""

from __future__ import annotations

import orjson

from gateway.execution.message import GraphQLResponse, in_form
from gateway.transport.reservations import OperationEvent, Reservation
from gateway.transport.resume import cursor_of


def event(name: str, data: bytes = b"", *, cursor: str | None = None) -> bytes:
    """Return one event; its id, if it has a cursor, is what a browser sends back as Last-Event-ID."""
    identity = b"id: %b\n" % cursor.encode() if cursor is not None else b""
    return b"%bevent: %b\ndata: %b\n\n" % (identity, name.encode(), data)


def _next(response: GraphQLResponse) -> bytes:
    return event("next", response.body(), cursor=cursor_of(response))


class _Events:
    """What both kinds of event stream share."""

    content_type = b"text/event-stream; charset=utf-8"

    def opening(self) -> bytes:
        return b":\n\n"

    def heartbeat(self) -> bytes:
        return b":\n\n"

    def interruption(self, response: GraphQLResponse) -> bytes:  # noqa: ARG002 - ending without `complete` says it all
        return b"retry: 1000\n\n"


class EventStream(_Events):
    """One operation on one connection: distinct connections mode."""

    def answer(self, response: GraphQLResponse) -> bytes:
        return in_form(response, "sse", _next)

    def failure(self, response: GraphQLResponse) -> bytes:
        return event("next", response.body()) + self.completion()

    def completion(self) -> bytes:
        return event("complete")


class SharedEventStream(_Events):
    """Many operations on one connection, each event naming its operation: single connection mode."""

    def __init__(self, reservation: Reservation) -> None:
        """`reservation` knows the operations."""
        self._reservation = reservation

    def answer(self, told: OperationEvent) -> bytes:
        if told.response is None:
            return event("complete", orjson.dumps({"id": told.id}))
        return event("next", orjson.dumps({"id": told.id, "payload": told.response.payload()}))

    def failure(self, response: GraphQLResponse) -> bytes:
        """Tell it to every operation, after what they have said already."""
        said = self._reservation.unsaid()
        for identity, is_told in self._reservation.running().items():
            said += [OperationEvent(identity, end) for end in ((None,) if is_told else (response, None))]
        return b"".join(map(self.answer, said))

    def completion(self) -> bytes:
        return b""
