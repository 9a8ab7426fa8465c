"""Server-sent events, as graphql-sse's distinct connections mode has them.

<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>, <https://html.spec.whatwg.org/multipage/server-sent-events.html>

    id: 42
    event: next
    data: {"data":{"customerEvents":{"type":"…"}}}
"""

from __future__ import annotations

from gateway.execution.message import GraphQLResponse
from gateway.transport.resume import cursor_of


def event(name: str, data: bytes = b"", *, cursor: str | None = None) -> bytes:
    """Return one event; its id, if it has a cursor, is what a browser sends back as Last-Event-ID."""
    identity = b"id: %b\n" % cursor.encode() if cursor is not None else b""
    return b"%bevent: %b\ndata: %b\n\n" % (identity, name.encode(), data)


class EventStream:
    """One operation on one connection."""

    content_type = b"text/event-stream; charset=utf-8"

    def opening(self) -> bytes:
        return b":\n\n"

    def answer(self, response: GraphQLResponse) -> bytes:
        return event("next", response.body(), cursor=cursor_of(response))

    def heartbeat(self) -> bytes:
        return b":\n\n"

    def failure(self, response: GraphQLResponse) -> bytes:
        return event("next", response.body()) + self.completion()

    def completion(self) -> bytes:
        return event("complete")

    def interruption(self, response: GraphQLResponse) -> bytes:  # noqa: ARG002 - ending without `complete` says it all
        return b"retry: 1000\n\n"
