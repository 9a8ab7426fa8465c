"""The clients that people use work unchanged."""

from __future__ import annotations

from typing import Any

from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

KINDRED = {"title": "Kindred", "rating": 2.5}
FIRST = {"title": "The Left Hand of Darkness", "rating": 1.5}


def ticks(count: int) -> list[Any]:
    return [
        {"data": {"ticks": {"number": each, "book": FIRST}}, "extensions": {"concord": {"cursor": str(each)}}}
        for each in range(count)
    ]


def test_the_graphql_over_http_audit_finds_nothing(library: str, node: Any) -> None:
    assert node("audit.mjs", f"{library}/graphql") == {"total": 61, "ok": 61, "failed": []}


def test_graphql_ws(library: str, node: Any) -> None:
    assert node("graphql-ws.mjs", f"{library}/graphql") == {
        "query": [{"data": {"book": KINDRED}}],
        "mutation": [{"data": {"addBook": {"title": "Roadside Picnic"}}}],
        "subscription": ticks(3),
        "resumed": [{"data": {"ticks": {"number": 3}}, "extensions": {"concord": {"cursor": "3"}}}],
        "refused": ["GRAPHQL_VALIDATION_FAILED"],
        "stopped": [0, 1],
        "closed": {"code": 4401, "reason": "UNAUTHENTICATED: Credentials are missing or not valid."},
    }


def test_graphql_sse(library: str, node: Any) -> None:
    expected = {
        "query": [{"data": {"book": KINDRED}}],
        "mutation": [{"data": {"addBook": {"title": "Dhalgren"}}}],
        "subscription": ticks(3),
        "together": [1, 2, 3],
        "refused": ["GRAPHQL_VALIDATION_FAILED"],
        "stopped": [0, 1],
    }
    told = node("graphql-sse.mjs", f"{library}/graphql", f"{library}/graphql/stream")
    assert told == {
        "distinct": expected,
        "single": {**expected, "refused": "NetworkError: Server responded with 400: Bad Request"},
    }


def test_apollo_client(library: str, node: Any) -> None:
    assert node("apollo.mjs", f"{library}/graphql") == {
        "query": {"book": {"__typename": "Book", "id": "2", **KINDRED}},
        "mutation": {"addBook": {"__typename": "Book", "title": "Babel-17"}},
        "refused": ["GRAPHQL_VALIDATION_FAILED"],
        "persisted": ["hash", "document", "hash"],
        "multipart": [0, 1, 2],
        "webSocket": [0, 1, 2],
    }


def test_urql(library: str, node: Any) -> None:
    assert node("urql.mjs", f"{library}/graphql") == {
        "query": {"book": KINDRED},
        "get": {"book": {"title": "Solaris", "rating": 3.5}},
        "mutation": {"addBook": {"title": "Nova"}},
        "refused": ["GRAPHQL_VALIDATION_FAILED"],
        "webSocket": [0, 1, 2],
        "fetch": [0, 1, 2],
    }


async def test_python_gql(library: str) -> None:
    transport = HTTPXAsyncTransport(url=f"{library}/graphql")
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        request = gql("query ($id: ID!) { book(id: $id) { title rating } }")
        request.variable_values = {"id": "2"}
        assert await session.execute(request) == {"book": KINDRED}
    async with Client(transport=HTTPXAsyncTransport(url=f"{library}/graphql")) as session:
        try:
            await session.execute(gql("{ nope }"))
        except TransportQueryError as refused:
            assert refused.errors is not None
            assert refused.errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        else:
            raise AssertionError("the document was not refused")
    url = library.replace("http", "ws") + "/graphql"
    async with Client(transport=WebsocketsTransport(url=url, subprotocols=["graphql-transport-ws"])) as session:
        stream = session.subscribe(gql("subscription { ticks(count: 3) { number } }"))
        assert [each["ticks"]["number"] async for each in stream] == [0, 1, 2]
