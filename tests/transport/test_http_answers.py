"""What the door answers over HTTP, whole: status, media type, headers and body."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import brotli
import httpx2
import pytest

GRAPHQL = "application/graphql-response+json"
JSON = {"content-type": "application/json"}


def error(code: str, message: str, class_: str = "CLIENT", *, correlation_id: str = "test-1", **more: Any) -> Any:
    extensions = {"code": code, "class": class_, "system": "gateway", "retryable": False, **more.pop("extensions", {})}
    return {"message": message, **more, "extensions": {**extensions, "correlationId": correlation_id}}


async def send(http: httpx2.AsyncClient, door: Any, method: str = "POST", **arguments: Any) -> httpx2.Response:
    headers = {"x-correlation-id": "test-1", **arguments.pop("headers", {})}
    return await http.request(method, door.graphql, headers=headers, **arguments)


@pytest.mark.parametrize(
    ("accept", "status", "media_type"),
    [
        (None, 400, "application/json"),
        ("*/*", 400, "application/json"),
        ("application/*", 400, "application/json"),
        ("application/json", 200, "application/json"),
        (GRAPHQL, 400, GRAPHQL),
        (f"{GRAPHQL}, application/json", 400, GRAPHQL),
        (f"application/json;q=0.5, {GRAPHQL};q=0.9", 400, GRAPHQL),
        (f"{GRAPHQL};q=0, application/json", 200, "application/json"),
        (f"{GRAPHQL}; charset=utf-8, application/json; q=0.9", 400, GRAPHQL),
    ],
)
async def test_a_document_that_does_not_parse_has_the_status_its_media_type_asks_for(
    http: httpx2.AsyncClient, door: Any, accept: str | None, status: int, media_type: str
) -> None:
    headers = {} if accept is None else {"accept": accept}
    if accept is None:
        http.headers.pop("accept")
    response = await send(http, door, json={"query": "{"}, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (status, f"{media_type}; charset=utf-8")
    assert response.json() == {
        "errors": [
            error(
                "GRAPHQL_PARSE_FAILED",
                response.json()["errors"][0]["message"],
                locations=[{"line": 1, "column": 2}],
            )
        ]
    }
    assert response.headers["x-correlation-id"] == "test-1"


async def test_data_comes_with_200_and_without_errors(http: httpx2.AsyncClient, door: Any) -> None:
    response = await send(http, door, json={"query": "{ book(id: 1) { title } }"}, headers={"accept": GRAPHQL})
    assert response.status_code == 200
    assert response.json() == {"data": {"book": {"title": "The Left Hand of Darkness"}}}
    assert {
        name: response.headers[name]
        for name in ("cache-control", "content-type", "x-correlation-id", "x-content-type-options")
    } == {
        "cache-control": "no-store",
        "content-type": f"{GRAPHQL}; charset=utf-8",
        "x-correlation-id": "test-1",
        "x-content-type-options": "nosniff",
    }


async def test_a_correlation_id_that_is_not_safe_to_repeat_is_replaced(http: httpx2.AsyncClient, door: Any) -> None:
    response = await send(http, door, json={"query": "{ nope }"}, headers={"x-correlation-id": "a b\tc"})
    replaced = response.headers["x-correlation-id"]
    assert len(replaced) == 32
    assert response.json()["errors"][0]["extensions"]["correlationId"] == replaced


async def test_queries_come_by_get_and_mutations_do_not(http: httpx2.AsyncClient, door: Any) -> None:
    query = "query Q($id: ID!) { book(id: $id) { title } }"
    answered = await send(
        http, door, "GET", params={"query": query, "variables": '{"id": 2}', "operationName": "Q", "other": "ignored"}
    )
    assert (answered.status_code, answered.json()) == (200, {"data": {"book": {"title": "Kindred"}}})
    refused = await send(http, door, "GET", params={"query": 'mutation { addBook(title: "x") { id } }'})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert refused.json() == {"errors": [error("METHOD_NOT_ALLOWED", "Send a mutation by POST.")]}
    headed = await send(http, door, "HEAD", params={"query": "{ __typename }"})
    assert (headed.status_code, headed.content) == (200, b"")
    stream = {"query": "subscription { ticks(count: 1) { number } }"}
    for accept, status in (("text/event-stream, */*;q=0.1", 400), ("text/event-stream", 406)):
        headed = await send(http, door, "HEAD", params=stream, headers={"accept": accept})
        assert (headed.status_code, headed.content) == (status, b"")


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "TRACE", "QUERY"])
async def test_other_methods_are_refused_with_those_that_work(http: httpx2.AsyncClient, door: Any, method: str) -> None:
    response = await send(http, door, method)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST, PUT, DELETE, OPTIONS")
    assert response.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


async def test_options_names_the_methods_and_allows_no_foreign_page(http: httpx2.AsyncClient, door: Any) -> None:
    preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    response = await send(http, door, "OPTIONS", headers=preflight)
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, POST, PUT, DELETE, OPTIONS")
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_an_allowed_origin_may_read_answers(http: httpx2.AsyncClient, start: Any) -> None:
    door = start("--cors", "https://portal.example")
    preflight = {
        "origin": "https://portal.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,authorization",
    }
    response = await send(http, door, "OPTIONS", headers=preflight)
    allowed = {name: value for name, value in response.headers.items() if name.startswith("access-control")}
    assert allowed == {
        "access-control-allow-origin": "https://portal.example",
        "access-control-expose-headers": "X-Correlation-Id, Retry-After",
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-allow-headers": "content-type,authorization",
        "access-control-max-age": "600",
    }
    for origin, expected in (("https://portal.example", "https://portal.example"), ("https://evil.example", None)):
        answered = await send(http, door, json={"query": "{ __typename }"}, headers={"origin": origin})
        assert answered.headers.get("access-control-allow-origin") == expected
        assert answered.headers["vary"] == "origin"


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("br", brotli.compress),
        ("identity", bytes),
    ],
)
async def test_bodies_come_compressed(http: httpx2.AsyncClient, door: Any, encoding: str, encode: Any) -> None:
    body = encode(json.dumps({"query": '{ echo(text: "' + "a" * 5_000 + '") }'}).encode())
    response = await send(http, door, content=body, headers={**JSON, "content-encoding": encoding})
    assert (response.status_code, response.json()) == (200, {"data": {"echo": "a" * 5_000}})
    assert response.headers["content-encoding"] == "gzip"


async def test_strict_csrf_prevention_wants_proof_on_every_get(http: httpx2.AsyncClient, start: Any) -> None:
    door = start("--csrf", "strict")
    refused = await send(http, door, "GET", params={"query": "{ __typename }"})
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (400, "CSRF_PREVENTED")
    for proof in ({"apollo-require-preflight": "1"}, {"x-apollo-operation-name": "Q"}, JSON):
        assert (await send(http, door, "GET", params={"query": "{ __typename }"}, headers=proof)).status_code == 200


async def test_what_the_browser_calls_foreign_is_refused(http: httpx2.AsyncClient, door: Any) -> None:
    for site, status in (("cross-site", 400), ("same-site", 400), ("same-origin", 200), ("none", 200)):
        response = await send(http, door, "GET", params={"query": "{ __typename }"}, headers={"sec-fetch-site": site})
        assert response.status_code == status


async def test_credentials_that_do_not_hold_are_refused(http: httpx2.AsyncClient, door: Any) -> None:
    response = await send(http, door, json={"query": "{ __typename }"}, headers={"authorization": "Bearer bad"})
    assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert response.json() == {"errors": [error("UNAUTHENTICATED", "Credentials are missing or not valid.", "AUTH")]}


async def test_a_persisted_query_is_sent_once(http: httpx2.AsyncClient, door: Any) -> None:
    digest = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"  # of `{__typename}`
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    unknown = await send(http, door, json={"extensions": extensions})
    assert unknown.status_code == 200
    assert unknown.json() == {
        "errors": [
            error("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", extensions={"retryable": True}),
        ]
    }
    expected = (200, {"data": {"__typename": "Query"}})
    sent = await send(http, door, json={"query": "{__typename}", "extensions": extensions})
    assert (sent.status_code, sent.json()) == expected
    known = await send(http, door, json={"extensions": extensions})
    assert (known.status_code, known.json()) == expected
    by_get = await send(http, door, "GET", params={"extensions": json.dumps(extensions)})
    assert (by_get.status_code, by_get.json()) == expected
    poisoned = await send(http, door, json={"query": "{ books { id } }", "extensions": extensions})
    assert (poisoned.status_code, poisoned.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


async def test_a_client_that_leaves_stops_its_work(http: httpx2.AsyncClient, door: Any) -> None:
    async def cancelled() -> int:
        response = await send(http, door, json={"query": "{ cancelled }"})
        count: int = response.json()["data"]["cancelled"]
        return count

    before = await cancelled()
    with pytest.raises(httpx2.ReadTimeout):
        await send(http, door, json={"query": "{ slow(seconds: 20) }"}, timeout=0.3)
    async with asyncio.timeout(15):
        while await cancelled() == before:  # noqa: ASYNC110 - counted in another process
            await asyncio.sleep(0.02)


async def test_people_get_a_page_that_asks_nobody_else(http: httpx2.AsyncClient, door: Any) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    home = await http.get(door.url, headers=browser)
    endpoint = await http.get(door.graphql, headers=browser)
    assert home.text == endpoint.text
    assert (home.status_code, home.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'; script-src 'self'" in home.headers["content-security-policy"]
    assert "query Books { books { id title rating } }" in home.text
    assert "//" not in home.text.replace("<!--", "")
    script = await http.get(f"{door.url}/console/page.js")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    again = await http.get(f"{door.url}/console/page.js", headers={"if-none-match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await http.get(f"{door.url}/console/page.js", headers={"accept-encoding": "identity"})
    assert plain.content == script.content
    assert (await http.get(f"{door.url}/console/../engine.py")).status_code == 404
    assert "MIT License" in (await http.get(f"{door.url}/console/LICENCES.txt")).text


async def test_an_unknown_path_is_refused_in_our_own_shape(http: httpx2.AsyncClient, door: Any) -> None:
    response = await http.get(f"{door.url}/nothing", headers={"x-correlation-id": "test-1"})
    assert (response.status_code, response.json()) == (
        404,
        {"errors": [error("NOT_FOUND", "There is nothing at this path.")]},
    )
    assert (await http.get(f"{door.url}/health")).json() == {"status": "ok"}
