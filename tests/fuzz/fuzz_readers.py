"""Every parser of outside bytes that is a function: what it is given, and the refusals that it may answer with."""

from __future__ import annotations

import asyncio
import gzip
import json
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import brotli
from fuzz_inputs import JSON, bent, bent_text, warped, warped_text
from graphql import GraphQLError
from hypothesis import strategies as st

from gateway.access.claims import caller_of
from gateway.access.classified import Hidden
from gateway.access.csrf import CsrfPolicy, prevent_csrf
from gateway.access.jwks import KeysUnavailable, parse_keys
from gateway.access.persisted import RememberedDocuments, resolve_document
from gateway.access.revocations import Revocations, RevocationsUnreadable
from gateway.access.settings import IssuerSettings
from gateway.access.token import TokenRefused, check_claims, read_token
from gateway.access.trusted import ManifestInvalid, TrustMode, print_manifest, read_manifest
from gateway.cache.known_documents import DocumentFile, shipped_documents
from gateway.cache.shared_entries import _entry
from gateway.errors import GatewayError
from gateway.events.contracts import EventContracts
from gateway.events.cursor import parse_cursor, print_cursor
from gateway.events.dead_letter_desk import dead_letter_id, dead_letter_number
from gateway.events.egress import Egress, EgressRefused
from gateway.events.ingest import _parse_batch, rejected_event
from gateway.events.log import LogBounds
from gateway.events.signature import signature_holds
from gateway.events.webhook import parse_secret
from gateway.execution.correlation import correlation_id
from gateway.execution.message import GraphQLRequest
from gateway.execution.ports import SubgraphFailure, SubgraphRequest
from gateway.federation.composition import SubgraphSource, compose
from gateway.federation.ownership import OwnershipInvalidError, parse_ownership
from gateway.federation.plan import OperationKind
from gateway.graph.dead_letter_connection import _parse_cursor
from gateway.graph.global_id import typename_of
from gateway.graph.place_cursor import parse_place, print_place
from gateway.graph.scalars import SCALARS as OWN_SCALARS
from gateway.records.provenance import wanted
from gateway.reload import read_supergraph
from gateway.settings import SettingsRefused, load_settings
from gateway.transport.asgi import read_headers
from gateway.transport.callback import read_callback
from gateway.transport.cors import CorsSettings, cors_headers, is_foreign_origin, preflight_headers
from gateway.transport.graphql_request import check_content_type, read_get, read_post
from gateway.transport.media_type import negotiate, parse_media_type
from gateway.transport.request_body import receive_body
from gateway.transport.resume import resumed
from gateway.transport.settings import TransportSettings
from gateway.transport.websocket_message import BadMessage, credentials, parse_message
from gateway.upstream.http import read_reply
from gateway.upstream.sse_stream import server_events
from gateway.upstream.transport import HttpReply
from gateway.writes.workflows.cpq import _read as read_quote
from gateway.writes.workflows.definition import CallFailed

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Reader:
    """One parser."""

    covers: str
    """The module that it is, below the repository's root."""
    inputs: st.SearchStrategy[Any]
    read: Callable[[Any], object]
    refusals: tuple[type[Exception], ...] = ()
    """What it may raise. Anything else is a bug."""


READERS: dict[str, Reader] = {}


def reader(
    name: str, covers: str, inputs: st.SearchStrategy[Any], read: Callable[[Any], object], *refusals: type[Exception]
) -> None:
    assert name not in READERS
    READERS[name] = Reader(covers, inputs, read, refusals)


class Folder:
    """A place for files that are read, each once."""

    def __init__(self) -> None:
        self._held = tempfile.TemporaryDirectory()

    def __call__(self, text: bytes, name: str = "") -> Path:
        path = Path(self._held.name) / f"{uuid4().hex}{name}"
        path.write_bytes(text)
        return path


folder = Folder()


def in_file(read: Callable[[Path], object], suffix: str = "") -> Callable[[bytes], object]:
    def reading(text: bytes) -> object:
        path = folder(text, suffix)
        try:
            return read(path)
        finally:
            path.unlink()

    return reading


# ── What clients send ───────────────────────────────────────────────────────────────────────────────────────────

REQUEST = {
    "query": "query Q($v: Int) { a(b: $v) }",
    "operationName": "Q",
    "variables": {"v": 1, "w": {"x": [1, {"y": None}]}},
    "extensions": {
        "persistedQuery": {"version": 1, "sha256Hash": "a" * 64},
        "concord": {"cursor": "MS4x", "provenance": True, "plan": True, "cost": True, "document": "d"},
        "subscription": {"callbackUrl": "http://x/", "subscriptionId": "s", "verifier": "v", "heartbeatIntervalMs": 5},
    },
}
SETTINGS = TransportSettings()
reader("body of a POST", "gateway/transport/graphql_request.py", warped_text([REQUEST]),
       lambda body: read_post(body, {}, SETTINGS), GatewayError)  # fmt: skip
EVIDENCE = {"reference": "r", "email": "e@x", "input": {"fields": [{"name": "phone", "value": "+49", "email": ["a", {"b": 1}]}]},
            "changes": [{"field": "contact.email", "from": None, "to": "e@x"}]}  # fmt: skip
HIDDEN = Hidden(frozenset({"email", "phone"}))
reader("texts with classified values", "gateway/access/classified.py",
       warped_text([EVIDENCE]) | bent_text(['{"email": "e@x", "phone": [["+49"]]}'], ["[" * 2000, "{", "\\u0065"]).map(str.encode),
       lambda body: HIDDEN.sentence(HIDDEN.json(body.decode(errors="replace")), EVIDENCE))  # fmt: skip
QUERY_STRING = b"query=%7Ba%7D&operationName=Q&variables=%7B%22v%22%3A1%7D&extensions=%7B%7D"
reader("query string", "gateway/transport/graphql_request.py",
       bent([QUERY_STRING], [b"%", b"%ff", b"%7B" * 50, b"&query=", b"+"]),
       lambda text: read_get(text, {}, SETTINGS), GatewayError)  # fmt: skip
reader("content type", "gateway/transport/graphql_request.py",
       bent_text(['application/json; charset=utf-8; x="a\\"b"']),
       lambda text: check_content_type({"content-type": text}), GatewayError)  # fmt: skip
reader("Accept", "gateway/transport/media_type.py",
       bent_text(["application/graphql-response+json;charset=utf-8;q=0.9, */*;q=0.1, multipart/mixed;boundary=graphql"]),
       lambda text: (parse_media_type(text), negotiate(text)), GatewayError)  # fmt: skip


def receive(given: tuple[bytes, str]) -> object:
    body, encoding = given
    pieces = [{"type": "http.request", "body": body[:9], "more_body": True}, {"type": "http.request", "body": body[9:]}]

    async def next_piece() -> Any:
        return pieces.pop(0)

    return asyncio.run(receive_body(next_piece, {"content-encoding": encoding}, TransportSettings(max_body_bytes=4096)))


GOOD = json.dumps(REQUEST).encode()
PACKED = [gzip.compress(GOOD), zlib.compress(GOOD), zlib.compress(GOOD)[2:-4], brotli.compress(GOOD),
          gzip.compress(b" " * 100_000), brotli.compress(b" " * 100_000)]  # fmt: skip
reader("compressed body", "gateway/transport/request_body.py",
       st.tuples(bent(PACKED), st.sampled_from(["gzip", "deflate", "br", "x-gzip", "GZIP ", "zstd", ""])),
       receive, GatewayError)  # fmt: skip
reader("WebSocket message", "gateway/transport/websocket_message.py",
       warped_text([{"type": "subscribe", "id": "1", "payload": REQUEST},
                    {"type": "connection_init", "payload": {"authorization": "Bearer x", "headers": {"a": "b"}}},
                    {"type": "complete", "id": "1"}, {"type": "ping", "payload": {}}]).map(lambda text: text.decode(errors="replace")),
       parse_message, BadMessage)  # fmt: skip
reader("what connection_init brings", "gateway/transport/websocket_message.py",
       warped([{"authorization": "Bearer x", "headers": {"x-tenant": "a", "a\r\nb": "c"}}]).filter(lambda v: isinstance(v, dict)),
       credentials)  # fmt: skip


def as_request(value: Any) -> GraphQLRequest:
    return GraphQLRequest(query="{ a }", extensions=value, headers={"last-event-id": "x"})


EXTENSIONS = warped([REQUEST["extensions"]]).filter(lambda value: isinstance(value, dict))
reader("resumption", "gateway/transport/resume.py", EXTENSIONS, lambda value: resumed(as_request(value)), GatewayError)
reader(
    "callback",
    "gateway/transport/callback.py",
    EXTENSIONS,
    lambda value: read_callback(as_request(value)),
    GatewayError,
)
reader("what is to be told", "gateway/records/provenance.py", EXTENSIONS, lambda value: wanted(as_request(value)))
reader("persisted document", "gateway/access/persisted.py", EXTENSIONS,
       lambda value: asyncio.run(resolve_document("{ a }", value, RememberedDocuments())), GatewayError)  # fmt: skip
reader("trusted document", "gateway/access/trusted.py", EXTENSIONS,
       lambda value: read_manifest(None, TrustMode.OFF).find(value), GatewayError)  # fmt: skip
reader("correlation id", "gateway/execution/correlation.py", bent_text(["a-b.c:d"]), correlation_id)
HEADERS = st.dictionaries(
    st.sampled_from(["origin", "host", "sec-fetch-site", "content-type", "access-control-request-method",
                     "access-control-request-headers", "apollo-require-preflight"]),
    bent_text(["https://a.example:443", "same-origin", "application/json", "POST, x-a"]), max_size=6)  # fmt: skip
CORS = CorsSettings(origins=frozenset({"https://a.example"}))
reader("headers of browsers", "gateway/transport/cors.py", HEADERS,
       lambda headers: (cors_headers(headers, CORS), preflight_headers(headers, CORS), is_foreign_origin(headers, CORS)))  # fmt: skip
reader("headers against forgery", "gateway/access/csrf.py", HEADERS,
       lambda headers: [prevent_csrf(headers, each) for each in CsrfPolicy], GatewayError)  # fmt: skip
reader("headers", "gateway/transport/asgi.py",
       st.lists(st.tuples(bent([b"host", b"Cookie"]), bent([b"x", b"a=b; c"])), max_size=8), read_headers)  # fmt: skip

# ── Credentials ─────────────────────────────────────────────────────────────────────────────────────────────────

ISSUER = IssuerSettings(issuer="i", audience=("a",), algorithms=("ES256",), jwks_url="https://i/keys")
TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJpIiwiYXVkIjoiYSIsInN1YiI6InMiLCJleHAiOjk5OTk5OTk5OTl9.AAAA"
reader("token", "gateway/access/token.py", bent_text([TOKEN]), read_token, TokenRefused)
CLAIMS = {"iss": "i", "aud": ["a"], "sub": "ada", "exp": time.time() + 9999, "nbf": 1, "iat": 1, "jti": "t", "scope": "a b",
          "roles": ["finance"], "tenant": "acme", "contract": "partner", "regions": ["EU"], "business_units": ["SMB"]}  # fmt: skip


def caller(claims: Any) -> object:
    expires_at = check_claims(claims, ISSUER, time.time())
    found = caller_of(claims, "login", ISSUER, token="t", expires_at=expires_at, lease=None)
    assert not found.is_unrestricted
    return found


reader(
    "claims",
    "gateway/access/claims.py",
    warped([CLAIMS]).filter(lambda value: isinstance(value, dict)),
    caller,
    TokenRefused,
)
KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256",
                  "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
                 {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
                 {"kty": "RSA", "n": "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri", "e": "AQAB", "key_ops": ["verify"]}]}  # fmt: skip
reader("key set", "gateway/access/jwks.py", warped_text([KEYS]), parse_keys, KeysUnavailable)
reader("revocations", "gateway/access/revocations.py",
       bent([b"# one\ntoken a\nkey b\nsubject ada\nsubject ada of home before 2026-01-31T09:30:00Z\n"],
            [b"0001-01-01T00:00:00+23:59", b"2026-01-31T09:30:00", b"before", b"of"]),
       in_file(lambda path: Revocations(path, issuers=("home",))), RevocationsUnreadable)  # fmt: skip
MANIFEST = print_manifest([("one", "{ a }"), ("two", "{ b }")]).encode()
reader("manifest of trusted documents", "gateway/access/trusted.py",
       bent([MANIFEST]) | warped_text([json.loads(MANIFEST)]),
       in_file(lambda path: read_manifest(path, TrustMode.ENFORCE)), ManifestInvalid)  # fmt: skip

# ── Ids and cursors ─────────────────────────────────────────────────────────────────────────────────────────────

BOUNDS = LogBounds(log_id="log", trimmed=5, head=90)
CURSORS = [print_cursor("log", 7), print_cursor("other", 7), print_place("drift", 1.5, "a"), dead_letter_id(7),
           "bGV0dGVyLjc", "bmFuIHg", "aW5mIHg", "Q3VzdG9tZXI6MDE5MmY"]  # fmt: skip
for name, module, read, refusals in (
    ("cursor of events", "gateway/events/cursor.py", lambda text: parse_cursor(text, BOUNDS), (GatewayError,)),
    ("cursor of a list", "gateway/graph/place_cursor.py", lambda text: parse_place("drift", text), (GraphQLError,)),
    ("cursor of dead letters", "gateway/graph/dead_letter_connection.py", _parse_cursor, (GraphQLError,)),
    ("id of a dead letter", "gateway/events/dead_letter_desk.py", dead_letter_number, ()),
    ("global id", "gateway/graph/global_id.py", typename_of, (GraphQLError,)),
):
    reader(name, module, bent_text(CURSORS), read, *refusals)
for scalar, definition in OWN_SCALARS.items():
    reader(f"scalar {definition.name}" if hasattr(definition, "name") else f"scalar {scalar}", "gateway/graph/scalars.py",
           JSON | bent_text(["12.50", "2026-01-31", "2026-01-31T09:30:00Z"]),
           (definition._scalar_definition if hasattr(definition, "_scalar_definition") else definition).parse_value,
           GraphQLError, ValueError)  # fmt: skip

# ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────

CONTRACTS = EventContracts.load(ROOT / "schema" / "events")
EVENT = {"specversion": "1.0", "id": "e1", "source": "concord/billing", "type": "concord.contract.activated.v1",
         "subject": "Q29udHJhY3Q6Q09OLTE", "time": "2026-03-01T09:30:00Z", "datacontenttype": "application/json",
         "correlationid": "c", "causationid": "d",
         "data": {"keys": {"customer": "Q3VzdG9tZXI6MDE5MmY", "contract": "CON-2025-0001"}, "version": "1",
                  "changes": [{"field": "status", "from": None, "to": "ACTIVE"}]}}  # fmt: skip


def take_event(envelope: object) -> None:
    parsed = CONTRACTS.parse(envelope)
    if hasattr(parsed, "rule"):
        assert len(parsed.message) <= 400
        rejected_event(envelope, parsed)


reader("event", "gateway/events/contracts.py", warped([EVENT]), take_event)
reader(
    "batch of events",
    "gateway/events/ingest.py",
    warped_text([[EVENT]]),
    lambda body: _parse_batch(body, 500),
    GatewayError,
)
reader("signature of our processes", "gateway/events/signature.py",
       bent_text([f"t={int(time.time())},v1={'a' * 64}"]),
       lambda text: signature_holds(text, b"x", secret="s", now=time.time()))  # fmt: skip
reader("secret of a webhook", "gateway/events/webhook.py", bent_text(["whsec_" + "QUJD" * 8]), parse_secret, ValueError)
reader("folder of contracts", "gateway/events/contracts.py",
       bent([(ROOT / "schema/events/concord.contract.activated.v1.json").read_bytes()]),
       lambda text: EventContracts({"concord.contract.activated.v1": text}).parse(EVENT), ValueError)  # fmt: skip

EGRESS = Egress(["hooks.example", "*.example.org", "127.0.0.1:9"])


def call_out(url: str) -> None:
    EGRESS.check(url)
    host = (urlsplit(url).hostname or "").lower()
    assert host in {"hooks.example", "127.0.0.1"} or host.endswith(".example.org")


reader("address to call", "gateway/events/egress.py",
       bent_text(["https://hooks.example/in?x=1", "http://a.example.org:80/", "http://127.0.0.1:9/"],
                 ["@", "\\", "//", "[::1]", "%2e", "#", "evil.test", "https:", "\t", ".example.org", ":99999"]),
       call_out, EgressRefused)  # fmt: skip

# ── What subgraphs and stores answer ────────────────────────────────────────────────────────────────────────────

ASKED = SubgraphRequest(subgraph="s", kind=OperationKind.QUERY, document="{ a }", variables={})
REPLY_HEADERS = st.fixed_dictionaries(
    {"content-type": bent_text(["application/json", "application/graphql-response+json; charset=utf-8"])},
    optional={"retry-after": bent_text(["7", "Wed, 21 Oct 2026 07:28:00 GMT"])})  # fmt: skip
reader("answer of a subgraph", "gateway/upstream/http.py",
       st.builds(HttpReply, st.sampled_from([200, 200, 200, 204, 302, 400, 401, 404, 409, 429, 500, 503, 504, 999]), REPLY_HEADERS,
                 warped_text([{"data": {"a": 1}, "errors": [{"message": "m", "path": ["a"], "extensions": {"code": "NOT_FOUND"}}]}])),
       lambda reply: read_reply(reply, ASKED), SubgraphFailure)  # fmt: skip


def events_of(pieces: list[bytes]) -> object:
    async def arriving() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def all_of() -> object:
        return [each async for each in server_events(arriving(), 4096)]

    return asyncio.run(all_of())


STREAM = b': hello\r\nevent: next\ndata: {"data":{"a":1}}\nid: 7\nretry: 3\n\nevent: complete\ndata\n\n'
reader("stream of server-sent events", "gateway/upstream/sse_stream.py",
       st.lists(bent([STREAM, STREAM[:20], STREAM[20:]]), max_size=4), events_of, SubgraphFailure)  # fmt: skip
reader("quote of a price service", "gateway/writes/workflows/cpq.py",
       st.builds(HttpReply, st.sampled_from([200, 200, 200, 422, 429, 503, 302]), st.just({}),
                 warped_text([{"reference": "r", "currency": "EUR",
                               "items": [{"sku": "s", "quantity": 1, "unitPrice": "1.50", "interval": "MONTH"}],
                               "charges": [{"sku": "s", "description": "d", "quantity": 1, "amount": "1.00",
                                            "startsOn": "2026-01-01", "endsOn": "2026-01-31"}]}])),
       read_quote, CallFailed)  # fmt: skip
reader("kept entity", "gateway/cache/shared_entries.py", st.none() | bent([b"\x01" * 8 + b'{"a":1}']), _entry)
DOCUMENTS = {"format": 1, "documents": [{"query": "{ a }", "operationName": None, "labels": ["x"]}]}
reader("documents of the last stop", "gateway/cache/known_documents.py", warped_text([DOCUMENTS]),
       in_file(lambda path: DocumentFile(path).read()))  # fmt: skip
reader("documents that ship", "gateway/cache/known_documents.py", bent([b"query Q { a }"]),
       in_file(lambda path: shipped_documents(_alone(path)), ".graphql"))  # fmt: skip


def _alone(path: Path) -> Path:
    place = path.with_suffix(".d")
    place.mkdir(exist_ok=True)
    (place / "one.graphql").write_bytes(path.read_bytes())
    return place


# ── What operators write ────────────────────────────────────────────────────────────────────────────────────────

TOML = (ROOT / "schema" / "concord.toml").read_bytes()
reader("configuration", "gateway/settings.py",
       bent([TOML, b'[access]\npolicy = "development"\n[server]\nport = 1\n'],
            [b"[access", b"[[subgraphs]]", b"port = true\n", b'x = """', b"[a.b.c.d]\n", b"inf", b"1979-05-27"]),
       in_file(lambda path: load_settings(path, {})), SettingsRefused)  # fmt: skip
reader("configuration in the environment", "gateway/settings.py",
       st.dictionaries(bent_text(["CONCORD_SERVER__PORT", "CONCORD_ACCESS__KEYS__A__SHA256", "CONCORD_SUBGRAPHS__CRM__URL"]).map(
           lambda text: text.replace("_FROM_FILE", "")), bent_text(["4100", "true", '["a"]', '{"a":1}']), max_size=4),
       lambda environment: load_settings(ROOT / "schema" / "concord.toml", environment), SettingsRefused)  # fmt: skip
OWNERSHIP = min((ROOT / "schema").glob("ownership*")).read_bytes()
reader("ownership", "gateway/federation/ownership/parse.py", bent([OWNERSHIP]).map(lambda text: text.decode(errors="replace")),
       parse_ownership, OwnershipInvalidError)  # fmt: skip
SMALL = [SubgraphSource(name="a", url="http://a/", sdl='extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@cost", "@listSize", "@requires", "@external"])\ntype Query { a(first: Int): [A] @listSize(slicingArguments: ["first"]) } type A @key(fields: "id") { id: ID! n: Int @cost(weight: 3) }'),
         SubgraphSource(name="b", url="http://b/", sdl='extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires"])\ntype A @key(fields: "id") { id: ID! n: Int @external m: Int @requires(fields: "n") }')]  # fmt: skip
SUPERGRAPH = compose(SMALL).supergraph_sdl
assert SUPERGRAPH is not None
SDL_WORDS = [b"@join__type(graph: A)", b'@join__field(graph: B, requires: "x {")', b"type A { a: A! }", b"interface I { id: ID }",
             b"union U = A | U", b"enum E { A A }", b"input I { i: I! }", b"directive @key on OBJECT", b'@key(fields: "id {")',
             b"extend ", b"!", b"implements A", b'@listSize(slicingArguments: ["first.second", "", "$x"], sizedFields: ["a.b"])']  # fmt: skip
reader("supergraph", "gateway/federation/supergraph/parse.py", bent([SUPERGRAPH.encode()], SDL_WORDS),
       in_file(read_supergraph), SettingsRefused)  # fmt: skip


def composed(sdl: bytes) -> None:
    result = compose([SubgraphSource(name="a", url="http://a/", sdl=sdl.decode(errors="replace")), SMALL[1]])
    assert (result.supergraph_sdl is None) == bool(result.errors)
    assert all(each.code.isupper() and each.message for each in result.errors)


reader(
    "SDL of a subgraph", "gateway/federation/composition/compose.py", bent([SMALL[0].sdl.encode()], SDL_WORDS), composed
)
