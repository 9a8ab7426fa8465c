"""Multipart subscriptions, as Apollo Client reads them.

<https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol>
"""

from __future__ import annotations

import orjson

from gateway.execution.message import GraphQLResponse

_PART = b"\r\n--graphql\r\ncontent-type: application/json\r\n\r\n"
_END = b"\r\n--graphql--\r\n"


class MultipartStream:
    """One operation as a multipart response that goes on."""

    content_type = b'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'

    def opening(self) -> bytes:
        return self.heartbeat()

    def answer(self, response: GraphQLResponse) -> bytes:
        return _PART + orjson.dumps({"payload": response.payload()})

    def heartbeat(self) -> bytes:
        return _PART + b"{}"

    def failure(self, response: GraphQLResponse) -> bytes:
        return _PART + orjson.dumps({"payload": None, "errors": response.errors}) + _END

    def completion(self) -> bytes:
        return _END

    def interruption(self, response: GraphQLResponse) -> bytes:
        return self.failure(response)
