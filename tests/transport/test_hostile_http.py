"""Hostile HTTP, byte by byte over raw sockets: each is refused with a code, quickly, and the server lives on."""

from __future__ import annotations

import gzip
import json
import selectors
import socket
import zlib
from contextlib import suppress
from typing import Any

import brotli
import pytest

OK = b'{"query":"{__typename}"}'


def post(body: bytes = OK, *headers: bytes, length: bytes | None = None, path: bytes = b"/graphql") -> bytes:
    """Return a POST with the usual headers, and those given."""
    own = [b"POST %b HTTP/1.1" % path, b"host: x"]
    if not any(header.lower().startswith(b"content-type:") for header in headers):
        own.append(b"content-type: application/json")
    if not any(header.lower().startswith(b"transfer-encoding:") for header in headers):
        own.append(b"content-length: " + (str(len(body)).encode() if length is None else length))
    return b"\r\n".join([*own, *headers, b"", body])


def get(query: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET /graphql?%b HTTP/1.1" % query, b"host: x", *headers, b"", b""])


def elsewhere(path: bytes, method: bytes = b"GET") -> bytes:
    """Return a request whose head is larger than the limit and small enough to arrive at once."""
    return b"%b %b HTTP/1.1\r\nhost: x\r\nx-a: %b\r\n\r\n" % (method, path, b"a" * (33 << 10))


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end
    return post(body, b"transfer-encoding: chunked")


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"query":"{__typename}","variables":{"a":%b1%b}}' % (opening * depth, closing * depth)


MIB = 1 << 20
BAD = (400, "BAD_REQUEST")
TYPE = (415, "UNSUPPORTED_MEDIA_TYPE")
LARGE = (413, "PAYLOAD_TOO_LARGE")
HEAD = (431, "HEADERS_TOO_LARGE")
LATE = (408, "REQUEST_TIMEOUT")
METHOD = (405, "METHOD_NOT_ALLOWED")
ACCEPT = (406, "NOT_ACCEPTABLE")

FRAMING: dict[str, tuple[bytes, tuple[int, str]]] = {
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", BAD),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", BAD),
    "HTTP/2 without asking": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD),
    "HTTP/3": (b"GET /graphql HTTP/3.0\r\nhost: x\r\n\r\n", BAD),
    "HTTP/0.9": (b"GET /graphql\r\n\r\n", BAD),
    "no version": (b"GET /graphql \r\nhost: x\r\n\r\n", BAD),
    "unknown method": (b"HACK /graphql HTTP/1.1\r\nhost: x\r\n\r\n", BAD),
    "method in lower case": (b"post /graphql HTTP/1.1\r\nhost: x\r\n\r\n", BAD),
    "CONNECT": (b"CONNECT internal:80 HTTP/1.1\r\nhost: x\r\n\r\n", BAD),
    "NUL in the path": (b"GET /graph\x00ql HTTP/1.1\r\nhost: x\r\n\r\n", BAD),
    "raw UTF-8 in the path": ("GET /gräphql HTTP/1.1\r\nhost: x\r\n\r\n".encode(), BAD),
    "NUL in a header": (b"GET /graphql HTTP/1.1\r\nhost: x\r\nx-a: b\x00c\r\n\r\n", BAD),
    "space before a colon": (b"GET /graphql HTTP/1.1\r\nhost : x\r\n\r\n", BAD),
    "header without a name": (b"GET /graphql HTTP/1.1\r\n: x\r\n\r\n", BAD),
    "header without a colon": (b"GET /graphql HTTP/1.1\r\nhost\r\n\r\n", BAD),
    "folded header": (b"GET /graphql HTTP/1.1\r\nhost: x\r\nx-a: b\r\n c\r\n\r\n", BAD),
    "bare carriage return in a header": (b"GET /graphql HTTP/1.1\r\nhost: x\r\nx-a: b\rc\r\n\r\n", BAD),
    "two lengths that differ": (post(OK, b"content-length: 5"), BAD),
    "two lengths that agree": (post(OK, b"content-length: %d" % len(OK)), BAD),
    "a list of lengths": (post(OK, length=b"24, 24"), BAD),
    "negative length": (post(OK, length=b"-1"), BAD),
    "length with a plus": (post(OK, length=b"+24"), BAD),
    "length in hexadecimal": (post(OK, length=b"0x18"), BAD),
    "length that is no number": (post(OK, length=b"many"), BAD),
    "length beyond 64 bits": (post(OK, length=b"184467440737095516160"), BAD),
    "no host": (b"GET /graphql?query={__typename} HTTP/1.1\r\n\r\n", BAD),
    "two hosts": (get(b"query={__typename}", b"host: y"), BAD),
    "a list of hosts": (b"GET /graphql?query={__typename} HTTP/1.1\r\nhost: x, y\r\n\r\n", BAD),
    "length and chunks": (post(b"0\r\n\r\n", b"transfer-encoding: chunked", b"content-length: 5"), BAD),
    "chunks and length": (post(b"0\r\n\r\n", b"content-length: 5", b"transfer-encoding: chunked"), BAD),
    "chunks, obfuscated": (post(b"0\r\n\r\n", b"transfer-encoding: xchunked"), BAD),
    "chunks that are not last": (post(b"0\r\n\r\n", b"transfer-encoding: chunked, identity"), BAD),
    "chunk size that is no number": (post(b"zz\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked"), BAD),
    "chunk size below zero": (post(b"-1\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked"), BAD),
    "chunk size beyond 64 bits": (post(b"f" * 17 + b"\r\n{}\r\n", b"transfer-encoding: chunked"), BAD),
    "chunk longer than it says": (post(b"1\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked"), BAD),
    "no chunks": (chunked(), BAD),
    "too many header bytes": (get(b"query={a}", b"x-a: " + b"a" * (33 << 10)), HEAD),
    "endless header": (b"GET /graphql HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * (200 << 10), HEAD),
    "endless path": (b"GET /graphql?query=" + b"a" * (200 << 10), HEAD),
    "too many headers": (get(b"query={a}", *(b"x-%d: 1" % each for each in range(120))), HEAD),
    "very many headers": (get(b"query={a}", *(b"x-%d: 1" % each for each in range(4000))), HEAD),
    "long query string": (get(b"query=" + b"a" * (33 << 10)), HEAD),
    "large head in one piece, for health": (elsewhere(b"/health"), HEAD),
    "large head in one piece, for events": (elsewhere(b"/events", b"POST"), HEAD),
    "large head in one piece, for nobody": (elsewhere(b"/nowhere"), HEAD),
    "long path in one piece": (b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"a" * (33 << 10)), HEAD),
    "long query string in one piece, for health": (elsewhere(b"/health?" + b"a" * (33 << 10)), HEAD),
    "too many headers for health": (
        b"GET /health HTTP/1.1\r\nhost: x\r\n%b\r\n" % b"".join(b"x-%d: 1\r\n" % each for each in range(120)),
        HEAD,
    ),
    "head that never ends": (b"GET /graphql HTTP/1.1\r\nhost: x\r\n", LATE),
    "nothing at all": (b"", LATE),
    "one byte": (b"G", LATE),
    "body that never comes": (post(b"", length=b"24"), LATE),
    "body that stops": (post(OK[:5], length=b"24"), LATE),
    "chunks that stop": (chunked(OK, end=b""), LATE),
    "body said to be too long": (post(b"", length=b"1048577"), LARGE),
    "body too long": (post(b" " * (MIB + 1)), LARGE),
    "body far too long": (post(b"", length=b"99999999999"), LARGE),
    "chunks too long": (chunked(*[b" " * 65_536] * 17), LARGE),
    "many tiny chunks": (chunked(*[b" "] * 5_000), BAD),
    "unknown expectation met by a bad body": (post(b"x", b"expect: 100-continue"), BAD),
    "upgrade to something": (get(b"query={", b"connection: upgrade", b"upgrade: h2c"), (400, "GRAPHQL_PARSE_FAILED")),
    "half a WebSocket": (get(b"", b"connection: upgrade", b"upgrade: websocket"), (400, "")),
    "absolute path elsewhere": (b"GET http://evil.example/x HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "path that climbs": (b"GET /console/../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "path that climbs, encoded": (b"GET /console/%2e%2e%2fengine.py HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "path with encoded NUL": (b"GET /console/page.js%00 HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "path that is not UTF-8": (b"GET /%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "double slash": (b"GET //graphql?query={a} HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "PUT under a token that isn't": (b"PUT /graphql?token=x HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "GET under a token that isn't": (get(b"token=x", b"accept: text/event-stream"), (404, "NOT_FOUND")),
    "POST under a token that isn't": (post(OK, b"x-graphql-event-stream-token: x"), (404, "NOT_FOUND")),
    "DELETE under a token that isn't": (b"DELETE /graphql?token=x HTTP/1.1\r\nhost: x\r\n\r\n", (404, "NOT_FOUND")),
    "token that is not UTF-8": (get(b"token=%ff"), BAD),
    "DELETE": (post().replace(b"POST", b"DELETE", 1), METHOD),
    "PATCH": (post().replace(b"POST", b"PATCH", 1), METHOD),
    "TRACE": (b"TRACE /graphql HTTP/1.1\r\nhost: x\r\n\r\n", METHOD),
    "PROPFIND": (b"PROPFIND /graphql HTTP/1.1\r\nhost: x\r\n\r\n", METHOD),
}

BODIES: dict[str, tuple[bytes, tuple[int, str]]] = {
    "no body": (post(b""), BAD),
    "spaces": (post(b"   "), BAD),
    "not JSON": (post(b"query {a}"), BAD),
    "half of it": (post(b'{"query":"{__typen'), BAD),
    "two values": (post(OK + OK), BAD),
    "single quotes": (post(b"{'query':'{a}'}"), BAD),
    "trailing comma": (post(b'{"query":"{a}",}'), BAD),
    "comment": (post(b'{"query":"{a}"} // x'), BAD),
    "NaN": (post(b'{"query":"{a}","variables":{"a":NaN}}'), BAD),
    "Infinity": (post(b'{"query":"{a}","variables":{"a":Infinity}}'), BAD),
    "byte order mark": (post(b"\xef\xbb\xbf" + OK), BAD),
    "UTF-16": (post(OK.decode().encode("utf-16")), BAD),
    "UTF-32": (post(OK.decode().encode("utf-32")), BAD),
    "Latin-1": (post('{"query":"{a(b:\\"é\\")}"}'.encode("latin-1")), BAD),
    "overlong UTF-8": (post(b'{"query":"{a}\xc0\xaf"}'), BAD),
    "UTF-8 surrogate": (post(b'{"query":"\xed\xa0\x80"}'), BAD),
    "escaped lone surrogate": (post(b'{"query":"\\ud800"}'), BAD),
    "raw control character": (post(b'{"query":"{a}\x01"}'), BAD),
    "NUL": (post(b'{"query":"{a}\x00"}'), BAD),
    "null": (post(b"null"), BAD),
    "true": (post(b"true"), BAD),
    "a number": (post(b"1"), BAD),
    "a string": (post(b'"{a}"'), BAD),
    "an empty object": (post(b"{}"), BAD),
    "an empty list": (post(b"[]"), (400, "BATCHING_NOT_SUPPORTED")),
    "a batch": (post(b"[%b,%b]" % (OK, OK)), (400, "BATCHING_NOT_SUPPORTED")),
    "a batch of a thousand": (post(b"[%b]" % b",".join([OK] * 1000)), (400, "BATCHING_NOT_SUPPORTED")),
    "a batch of rubbish": (post(b"[1,null,[]]"), (400, "BATCHING_NOT_SUPPORTED")),
    "query is null": (post(b'{"query":null}'), BAD),
    "query is a number": (post(b'{"query":1}'), BAD),
    "query is an object": (post(b'{"query":{}}'), BAD),
    "query is a list": (post(b'{"query":["{a}"]}'), BAD),
    "query is empty": (post(b'{"query":""}'), BAD),
    "query is misspelt": (post(b'{"qeury":"{a}"}'), BAD),
    "operationName is a number": (post(b'{"query":"{a}","operationName":1}'), BAD),
    "operationName is a list": (post(b'{"query":"{a}","operationName":["a"]}'), BAD),
    "operationName is endless": (post(b'{"query":"{a}","operationName":"%b"}' % (b"a" * 300)), BAD),
    "variables are a string": (post(b'{"query":"{a}","variables":"{}"}'), BAD),
    "variables are a list": (post(b'{"query":"{a}","variables":[1]}'), BAD),
    "variables are true": (post(b'{"query":"{a}","variables":true}'), BAD),
    "extensions are a list": (post(b'{"query":"{a}","extensions":[]}'), BAD),
    "extensions are a number": (post(b'{"query":"{a}","extensions":7}'), BAD),
    "lists 101 deep": (post(nested(101)), BAD),
    "lists 900 deep": (post(nested(900)), BAD),
    "lists 100,000 deep": (post(nested(100_000)), BAD),
    "objects 101 deep": (post(nested(101, b'{"a":', b"}")), BAD),
    "objects 100,000 deep": (post(nested(100_000, b'{"a":', b"}")), BAD),
    "lists that never close": (post(b"[" * 500_000), BAD),
    "extensions 200 deep": (post(b'{"query":"{a}","extensions":{"a":%b1%b}}' % (b"[" * 200, b"]" * 200)), BAD),
    "persisted query without a hash": (post(b'{"extensions":{"persistedQuery":{"version":1}}}'), BAD),
    "persisted query of version 2": (
        post(b'{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"%b"}}}' % (b"a" * 64)),
        BAD,
    ),
    "persisted query with a short hash": (
        post(b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"abc"}}}'),
        BAD,
    ),
    "persisted query under another's hash": (
        post(b'{"query":"{a}","extensions":{"persistedQuery":{"version":1,"sha256Hash":"%b"}}}' % (b"a" * 64)),
        BAD,
    ),
    "persisted query is a list": (post(b'{"extensions":{"persistedQuery":[1]}}'), BAD),
    "other extensions, no query": (post(b'{"extensions":{"a":1}}'), BAD),
    "gzip that is not": (post(OK, b"content-encoding: gzip"), BAD),
    "gzip cut short": (post(gzip.compress(OK)[:-5], b"content-encoding: gzip"), BAD),
    "gzip with a wrong sum": (post(gzip.compress(OK)[:-8] + b"\0" * 8, b"content-encoding: gzip"), BAD),
    "gzip with something after it": (post(gzip.compress(OK) + b"x", b"content-encoding: gzip"), BAD),
    "gzip, twice": (post(gzip.compress(OK) * 2, b"content-encoding: gzip"), BAD),
    "gzip bomb": (post(gzip.compress(b" " * (300 * MIB), 9), b"content-encoding: gzip"), LARGE),
    "deflate bomb": (post(zlib.compress(b" " * (300 * MIB), 9), b"content-encoding: deflate"), LARGE),
    "deflate that is not": (post(OK, b"content-encoding: deflate"), BAD),
    "brotli bomb": (post(brotli.compress(b" " * (100 * MIB), quality=5), b"content-encoding: br"), LARGE),
    "brotli that is not": (post(OK, b"content-encoding: br"), BAD),
    "brotli cut short": (post(brotli.compress(OK)[:-3], b"content-encoding: br"), BAD),
    "bomb in a bomb": (post(gzip.compress(gzip.compress(b" " * MIB)), b"content-encoding: gzip, gzip"), TYPE),
    "unknown encoding": (post(OK, b"content-encoding: zstd"), TYPE),
    "encoding that is no word": (post(OK, b"content-encoding: \xff"), TYPE),
}

HEADERS: dict[str, tuple[bytes, tuple[int, str]]] = {
    "no content type": (post(OK, b"content-type:"), TYPE),
    "form": (post(b"query={a}", b"content-type: application/x-www-form-urlencoded"), TYPE),
    "multipart form": (post(OK, b"content-type: multipart/form-data; boundary=x"), TYPE),
    "plain text": (post(OK, b"content-type: text/plain"), TYPE),
    "graphql": (post(b"{a}", b"content-type: application/graphql"), TYPE),
    "almost JSON": (post(OK, b"content-type: application/jsonx"), TYPE),
    "JSON in Latin-1": (post(OK, b"content-type: application/json; charset=latin-1"), TYPE),
    "JSON in UTF-7": (post(OK, b"content-type: application/json; charset=utf-7"), TYPE),
    "two content types": (post(OK, b"content-type: application/json", b"content-type: text/plain"), TYPE),
    "accepts images": (post(OK, b"accept: image/png"), ACCEPT),
    "accepts nothing": (post(OK, b"accept: application/json;q=0"), ACCEPT),
    "accepts rubbish": (post(OK, b"accept: \xff\xfe"), ACCEPT),
    "accepts a bad quality": (post(OK, b"accept: application/json;q=high"), ACCEPT),
    "accepts another charset": (post(OK, b"accept: application/json;charset=utf-16"), ACCEPT),
    "accepts another multipart": (post(OK, b"accept: multipart/mixed;subscriptionSpec=2.0"), ACCEPT),
    "accepts 5,000 nothings": (post(OK, b"accept: " + b"," * 5_000), ACCEPT),
    "accepts a page by POST": (post(OK, b"accept: text/html"), ACCEPT),
    "bad token": (post(OK, b"authorization: Bearer bad"), (401, "UNAUTHENTICATED")),
    "another scheme": (post(OK, b"authorization: Basic YTpi"), (401, "UNAUTHENTICATED")),
    "two tokens": (post(OK, b"authorization: Bearer good", b"authorization: Bearer good"), (401, "UNAUTHENTICATED")),
    "token that is not ASCII": (post(OK, b"authorization: Bearer \xff\xff"), (401, "UNAUTHENTICATED")),
    "deadline that is no number": (post(OK, b"x-request-timeout-ms: soon"), BAD),
    "deadline below zero": (post(OK, b"x-request-timeout-ms: -1"), BAD),
    "deadline of zero": (post(OK, b"x-request-timeout-ms: 0"), BAD),
    "deadline in Unicode digits": (post(OK, "x-request-timeout-ms: ²".encode("latin-1")), BAD),
    "foreign page": (get(b"query={__typename}", b"sec-fetch-site: cross-site"), (400, "CSRF_PREVENTED")),
}

QUERY_STRINGS: dict[str, tuple[bytes, tuple[int, str]]] = {
    "no query": (get(b""), BAD),
    "empty query": (get(b"query="), BAD),
    "query twice": (get(b"query={a}&query={b}"), BAD),
    "variables twice": (get(b"query={a}&variables={}&variables={}"), BAD),
    "not UTF-8": (get(b"query=%ff%fe"), BAD),
    "overlong UTF-8": (get(b"query=%c0%af"), BAD),
    "variables are not JSON": (get(b"query={a}&variables={"), BAD),
    "variables are a list": (get(b"query={a}&variables=[]"), BAD),
    "variables are text": (get(b"query={a}&variables=%22a%22"), BAD),
    "extensions are not JSON": (get(b"query={a}&extensions=x"), BAD),
    "a hundred parameters": (get(b"&".join(b"a%d=1" % each for each in range(100))), BAD),
    "mutation": (get(b"query=mutation{addBook(title:%22x%22){id}}"), METHOD),
    "mutation under a name": (get(b"query=query+Q{__typename}mutation+M{__typename}&operationName=M"), METHOD),
    "endless operation name": (get(b"query={a}&operationName=" + b"a" * 300), BAD),
    "deep variables": (get(b"query={a}&variables={%22a%22:" + b"[" * 200 + b"]" * 200 + b"}"), BAD),
}

CORPUS = {
    f"{kind}: {name}": case
    for kind, cases in (
        ("framing", FRAMING),
        ("body", BODIES),
        ("header", HEADERS),
        ("query string", QUERY_STRINGS),
    )
    for name, case in cases.items()
}


def exchange(port: int, request: bytes) -> bytes:
    """Send the bytes and return what comes back until the answer is whole or the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer is there
            connection.sendall(request)
        received = b""
        while not is_whole(received):
            try:
                part = connection.recv(65_536)
            except ConnectionResetError:
                break
            if not part:
                break
            received = (received + part).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        return received


def is_whole(received: bytes) -> bool:
    head, ends, body = received.partition(b"\r\n\r\n")
    if not ends:
        return False
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0].partition(b":")[2])


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_request_costs_the_sender_a_coded_refusal(door: Any, name: str) -> None:
    request, expected = CORPUS[name]
    received = exchange(door.port, request)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head, "there was no answer"
    status = int(head.split()[1])
    code = json.loads(body)["errors"][0]["extensions"]["code"] if body.startswith(b"{") else ""
    assert (status, code) == expected, received[:2000]
    assert b"Traceback" not in received
    assert (b"x-correlation-id:" in head.lower()) or not code
    alive = exchange(door.port, post())
    assert alive.startswith(b"HTTP/1.1 200") and alive.endswith(b'{"data":{"__typename":"Query"}}')


def test_the_corpus_is_wide_and_left_no_memory_behind(door: Any) -> None:
    assert len(CORPUS) >= 150
    assert door.memory_bytes() < 350 << 20


def test_a_second_request_is_not_smuggled_inside_a_first(door: Any) -> None:
    inner = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    received = exchange(door.port, post(OK + inner, length=b"%d" % len(OK)))
    assert received.count(b"HTTP/1.1 200") <= 2  # two framed requests: no more, no less, in order
    smuggled = exchange(door.port, post(b"0\r\n\r\n" + inner, b"transfer-encoding: chunked", b"content-length: 5"))
    assert smuggled.count(b"HTTP/1.1") == 1
    assert smuggled.startswith(b"HTTP/1.1 400")


def test_many_slow_senders_hold_nobody_up(door: Any) -> None:
    slow = [socket.create_connection(("127.0.0.1", door.port), timeout=30) for _ in range(200)]
    for place, connection in enumerate(slow):
        connection.sendall((b"GET /graphql?que", post(OK[:9], length=b"24"))[place % 2])
    assert exchange(door.port, post()).startswith(b"HTTP/1.1 200")
    with selectors.DefaultSelector() as told:
        for connection in slow:
            told.register(connection, selectors.EVENT_READ)
        assert told.select(0) == []  # they are all still waited for
    for connection in slow:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")
        connection.close()
