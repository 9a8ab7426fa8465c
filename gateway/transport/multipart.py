"""Multipart subscriptions, as Apollo Client reads them.

<https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol>

A part is over at the boundary after it, and clients hand it on no earlier: so each is sent with that boundary, not the one
before. What ends the response then only closes the boundary that is there.
"""

from __future__ import annotations

import orjson

from gateway.execution.message import GraphQLResponse, in_form

_BOUNDARY = b"\r\n--graphql"
_HEADERS = b"\r\ncontent-type: application/json\r\n\r\n"
_END = b"--\r\n"


def _part(response: GraphQLResponse) -> bytes:
    return _HEADERS + orjson.dumps({"payload": response.payload()}) + _BOUNDARY


class MultipartStream:
    """One operation as a multipart response that goes on."""

    content_type = b'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'

    def opening(self) -> bytes:
        return _BOUNDARY + self.heartbeat()

    def answer(self, response: GraphQLResponse) -> bytes:
        return in_form(response, "multipart", _part)

    def heartbeat(self) -> bytes:
        return _HEADERS + b"{}" + _BOUNDARY

    def failure(self, response: GraphQLResponse) -> bytes:
        return _HEADERS + orjson.dumps({"payload": None, "errors": response.errors}) + _BOUNDARY + _END

    def completion(self) -> bytes:
        return _END

    def interruption(self, response: GraphQLResponse) -> bytes:
        return self.failure(response)
