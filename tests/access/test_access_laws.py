"""Laws of what reads outside bytes for access: whatever comes, it is refused in the one way that was foreseen, or it is good."""

from __future__ import annotations

import contextlib
import json
import string
import time

from hypothesis import example, given, settings
from hypothesis import strategies as st
from key_server import encoded

from gateway.access.claims import caller_of
from gateway.access.jwks import KeysUnavailable, parse_keys
from gateway.access.settings import IssuerSettings
from gateway.access.token import MAX_CHARACTERS, TokenRefused, check_claims, read_token
from gateway.access.trusted import ManifestInvalid, TrustMode, digest_of, print_manifest, read_manifest
from gateway.transport.websocket_message import credentials
from subgraphs.kit.caller import CallerInvalidError, CallerReader

ISSUER = IssuerSettings(issuer="i", audience=("a",), algorithms=("ES256",), jwks_url="https://i/keys")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = (
    "iss",
    "aud",
    "sub",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "roles",
    "tenant",
    "contract",
    "regions",
    "business_units",
)
CLAIMS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=len(NAMES))
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku"]), JSON, max_size=5)
PARTS = st.text(string.ascii_letters + string.digits + "-_=+/.", max_size=40) | st.builds(encoded, JSON)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(PARTS, max_size=5).map(".".join)
    | st.text(max_size=200)
    | st.builds(lambda h, c: f"{encoded(h)}.{encoded(c)}.AA", HEADERS, CLAIMS)
)
@example("." * MAX_CHARACTERS)
@example("A" * (MAX_CHARACTERS + 1))
def test_a_token_is_read_or_refused(text):
    try:
        token = read_token(text)
    except TokenRefused as refused:
        assert text not in str(refused) or len(text) < 20
    else:
        assert text == token.text
        assert len(text.split(".")) == 3


@settings(max_examples=100, deadline=None)
@given(CLAIMS)
def test_claims_make_a_caller_or_are_refused(claims):
    now = time.time()
    try:
        expires_at = check_claims(claims, ISSUER, now)
        token = ".".join((encoded({"alg": "ES256"}), encoded(claims), "c2ln"))
        caller = caller_of(claims, "login", ISSUER, token=token, expires_at=expires_at, lease=None)
    except TokenRefused:
        return
    assert caller.subject == claims["sub"]
    assert expires_at > now
    assert not caller.is_unrestricted
    assert caller.claims == claims
    # A filter that was named confines, whatever its values.
    assert ("region" in caller.filters) == (claims.get("regions") is not None)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps({"keys": value}).encode()))
def test_a_key_set_is_read_or_refused(text):
    with contextlib.suppress(KeysUnavailable):
        parse_keys(text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.lists(PARTS, min_size=3, max_size=3).map(".".join))
def test_nobody_but_the_gateway_names_a_caller(text):
    try:
        CallerReader("a secret of sixteen", "erp").read(text)
    except CallerInvalidError:
        return
    raise AssertionError("it was not signed")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12) | JSON, max_size=6))
def test_what_a_socket_brings_can_be_a_header(payload):
    for name, value in credentials(payload).items():
        assert name.isascii()
        assert value.isascii()
        assert not set(name + value) & set("\r\n\0")


@settings(max_examples=100, deadline=None)
@given(
    documents=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=30), max_size=5),
    rubbish=st.binary(max_size=60),
)
def test_a_manifest_is_what_was_written_or_refused(tmp_path_factory, documents, rubbish):
    texts = {text: name for name, text in documents.items()}
    path = tmp_path_factory.mktemp("manifest") / "manifest.json"
    path.write_text(
        print_manifest((name, text) for text, name in texts.items()), encoding="utf-8", errors="surrogatepass"
    )
    trusted = read_manifest(path, TrustMode.ENFORCE)
    assert {name: trusted.names[name] for name in texts.values()} == {name: text for text, name in texts.items()}
    assert all(trusted.texts[digest_of(text)] == text for text in texts)
    path.write_bytes(rubbish)
    with contextlib.suppress(ManifestInvalid):
        read_manifest(path, TrustMode.OFF)
