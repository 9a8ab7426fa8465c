"""Who gets in: tokens of known issuers and service keys, and nothing that only looks like one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from guarded import Scripted, composed, gate_to, told
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from key_server import AUDIENCE, ISSUER, encoded
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed

from gateway.access.revocations import Revocations, RevocationsUnreadable
from gateway.access.settings import AccessPolicy, AccessSettings, IssuerSettings, KeySettings
from gateway.engine import Engine


async def eventually(ask, status):
    """Return the first answer with a status."""
    async with asyncio.timeout(20):
        while True:
            response = await ask()
            if response.status_code == status:
                return response
            await asyncio.sleep(0.05)


SDL = "type Query { who: String } type Subscription { ticks: Int! }"


async def ticks():
    number = 0
    while True:
        yield {"ticks": number}
        number += 1
        await asyncio.sleep(0.02)


@asynccontextmanager
async def guarded(access):
    graph = Scripted(SDL, {"who": lambda: "somebody", "ticks": ticks})
    engine = Engine(composed(graph=SDL), {"graph": graph})
    try:
        async with gate_to(engine, access) as gate:
            gate.graph = graph
            yield gate
    finally:
        engine.close()


def issuers(issuer, **changes) -> AccessSettings:
    settings = {"issuer": ISSUER, "audience": (AUDIENCE,), "algorithms": ("ES256", "RS256"), "jwks_url": issuer.url}
    more = {name: changes.pop(name) for name in ("keys", "anonymous", "policy", "revoked") if name in changes}
    return AccessSettings(issuers={"login": IssuerSettings(**{**settings, **changes})}, **more)


@pytest.fixture
async def gate(issuer):
    async with guarded(issuers(issuer)) as running:
        yield running


async def test_a_good_token_of_either_kind_of_key_says_who_asks(gate, issuer):
    for kid in ("first", "second"):
        claims = {"scope": "a b", "roles": ["r"], "tenant": "acme", "regions": ["EU"]}
        response = await gate.post("{ who }", issuer.token(kid, **claims))
        assert (response.status_code, response.json()) == (200, {"data": {"who": "somebody"}})
        caller = gate.graph.callers[-1]
        assert (caller.subject, caller.tenant, caller.scopes, caller.roles, caller.filters, caller.issuer) == (
            "ada",
            "acme",
            {"a", "b"},
            {"r"},
            {"region": ("EU",)},
            "login",
        )
    assert issuer.requests == 1


async def test_without_credentials_nobody_gets_in_and_is_told_how(gate):
    response = await gate.post("{ who }")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="concord"'
    (error,) = response.json()["errors"]
    assert error["extensions"] == {
        "code": "UNAUTHENTICATED",
        "class": "AUTH",
        "system": "gateway",
        "retryable": False,
        "correlationId": response.headers["x-correlation-id"],
    }
    assert gate.graph.documents == []


def unsigned(header, claims, signature=b""):
    return f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}"


def confused(issuer, kid: str) -> str:
    """HS256 with the public key's own text as the secret, which verifiers that trust `alg` take for a signature."""
    public = RSAKey.import_key(issuer.keys["second"].as_dict(private=False)).as_pem(private=False)
    head = encoded({"alg": "HS256", "typ": "JWT", "kid": kid})
    body = encoded({"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": time.time() + 99})
    signature = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{encoded(signature)}"


def resigned(issuer, **header) -> str:
    """A token that brings along the key that signed it."""
    stranger = ECKey.generate_key("P-256")
    issuer.keys["stranger"] = stranger
    token = issuer.token("stranger", header={"jwk": stranger.as_dict(private=False), **header})
    del issuer.keys["stranger"]
    return token


def by_hand(issuer, **header) -> str:
    """A token with headers that no library would write, rightly signed."""
    signed = f"{encoded({'alg': 'ES256', 'kid': 'first', **header})}.{encoded(CLAIMS)}"
    signature = jws.JWSRegistry.algorithms["ES256"].sign(signed.encode(), issuer.keys["first"])
    return f"{signed}.{encoded(signature)}"


NOW = time.time()
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": int(NOW) + 300}
ATTACKS = {
    "no signature": lambda i: unsigned({"alg": "none"}, CLAIMS),
    "none in other letters": lambda i: unsigned({"alg": "nOnE", "kid": "first"}, CLAIMS, b"x"),
    "none with a signature": lambda i: unsigned({"alg": "none", "kid": "first"}, CLAIMS, b"x" * 64),
    "empty signature": lambda i: i.token().rpartition(".")[0] + ".",
    "zero signature": lambda i: i.token().rpartition(".")[0] + "." + encoded(bytes(64)),
    "signature of another token": lambda i: i.token(sub="eve").rpartition(".")[0] + "." + i.token().rpartition(".")[2],
    "claims changed": lambda i: ".".join([i.token().split(".")[0], encoded(CLAIMS), i.token().split(".")[2]]),
    "HS256 with the public key": lambda i: confused(i, "second"),
    "HS256 with the other kid": lambda i: confused(i, "first"),
    "RS256 kid under ES256": lambda i: i.token("second", header={"kid": "first"}),
    "ES256 kid under RS256": lambda i: i.token("first", header={"kid": "second"}),
    "unknown kid": lambda i: i.token(header={"kid": "third"}),
    "kid that is a path": lambda i: i.token(header={"kid": "../../../../dev/null"}),
    "kid that is SQL": lambda i: i.token(header={"kid": "' OR 1=1 --"}),
    "kid that is a number": lambda i: unsigned({"alg": "ES256", "kid": 1}, CLAIMS, b"x" * 64),
    "kid that is a list": lambda i: unsigned({"alg": "ES256", "kid": ["first"]}, CLAIMS, b"x" * 64),
    "kid that is empty": lambda i: unsigned({"alg": "ES256", "kid": ""}, CLAIMS, b"x" * 64),
    "kid that is long": lambda i: unsigned({"alg": "ES256", "kid": "k" * 1000}, CLAIMS, b"x" * 64),
    "no kid where there are two": lambda i: unsigned({"alg": "ES256"}, CLAIMS, b"x" * 64),
    "its own key in the header": lambda i: resigned(i, kid="first"),
    "its own key and no kid": lambda i: resigned(i, kid=None),
    "its own key set": lambda i: resigned(i, kid="first", jku="http://127.0.0.1:1/keys"),
    "its own certificate": lambda i: resigned(i, kid="first", x5u="http://127.0.0.1:1/cert"),
    "critical extension": lambda i: by_hand(i, crit=["exp"], exp=1),
    "unencoded payload": lambda i: by_hand(i, b64=True),
    "another kind": lambda i: i.token(header={"typ": "logout+jwt"}),
    "an identity token for another": lambda i: i.token(aud="portal"),
    "no audience": lambda i: i.token(without=("aud",)),
    "audience that is an object": lambda i: i.token(aud={"concord": True}),
    "list of other audiences": lambda i: i.token(aud=["portal", "concord2"]),
    "audience in other letters": lambda i: i.token(aud="Concord"),
    "another issuer": lambda i: i.token(iss="https://login.example.evil/"),
    "issuer without its slash": lambda i: i.token(iss=ISSUER.rstrip("/")),
    "issuer in other letters": lambda i: i.token(iss=ISSUER.upper()),
    "issuer that is a list": lambda i: i.token(iss=[ISSUER]),
    "no issuer": lambda i: i.token(without=("iss",)),
    "expired": lambda i: i.token(exp=int(time.time()) - 31),
    "no expiry": lambda i: i.token(without=("exp",)),
    "expiry that is a text": lambda i: i.token(exp=str(int(time.time()) + 99)),
    "expiry that is true": lambda i: i.token(exp=True),
    "expiry beyond all numbers": lambda i: i.token(exp=1e300),
    "not yet": lambda i: i.token(nbf=int(time.time()) + 60),
    "from the future": lambda i: i.token(iat=int(time.time()) + 60),
    "no subject": lambda i: i.token(without=("sub",)),
    "empty subject": lambda i: i.token(sub=""),
    "subject that is a number": lambda i: i.token(sub=1),
    "subject with a line break": lambda i: i.token(sub="ada\r\nx-a: b"),
    "scopes that are an object": lambda i: i.token(scope={"a": 1}),
    "regions that are a number": lambda i: i.token(regions=7),
    "tenant that is a list": lambda i: i.token(tenant=["acme", "other"]),
    "five parts": lambda i: "a.b.c.d.e",
    "two parts": lambda i: "a.b",
    "empty parts": lambda i: "..",
    "padding": lambda i: i.token() + "==",
    "spaces inside": lambda i: i.token().replace(".", ". "),
    "standard base64": lambda i: i.token()[:-2] + "+/",
    "not base64": lambda i: "!!!.???.***",
    "header that is a list": lambda i: unsigned([], CLAIMS, b"x"),
    "claims that are a text": lambda i: unsigned({"alg": "ES256"}, "claims", b"x"),
    "claims that are no JSON": lambda i: f"{encoded({'alg': 'ES256'})}.{encoded(b'{')}.{encoded(b'x')}",
    "nested without end": lambda i: f"{encoded({'alg': 'ES256'})}.{encoded(b'[' * 4000)}.{encoded(b'x')}",
    "huge": lambda i: i.token(padding="x" * 9000),
    "only a name": lambda i: "ada",
    "trailing rubbish": lambda i: i.token() + "A",
}


@pytest.fixture(scope="session")
async def shared_gate(shared_issuer):
    async with guarded(issuers(shared_issuer)) as running:
        yield running


@pytest.mark.parametrize("attack", ATTACKS)
async def test_every_attack_on_a_token_is_refused_and_nothing_is_fetched(shared_gate, shared_issuer, attack):
    gate = shared_gate
    response = await gate.post("{ who }", ATTACKS[attack](shared_issuer))
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == 'Bearer realm="concord", error="invalid_token"'
    assert gate.graph.documents == []


HEADERS = {
    "another scheme": {"authorization": "Basic YWRhOmFkYQ=="},
    "no scheme": {"authorization": "abc"},
    "nothing after it": {"authorization": "Bearer"},
    "two kinds": {"authorization": "Bearer x", "x_api_key": "y"},
    "unknown key": {"x_api_key": "0" * 43},
    "empty key": {"x_api_key": ""},
    "a hash for a key": {"x_api_key": hashlib.sha256(b"the key").hexdigest()},
    "an identity of its own": {"x_concord_caller": "eyJhbGciOiJub25lIn0.e30."},
}


@pytest.mark.parametrize("headers", HEADERS)
async def test_other_headers_are_no_credentials(issuer, headers):
    access = issuers(issuer, keys={"export": KeySettings(sha256=hashlib.sha256(b"the key").hexdigest())})
    async with guarded(access) as gate:
        response = await gate.post("{ who }", **HEADERS[headers])
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_a_key_set_with_a_secret_a_weak_key_or_doubled_names_gives_no_key(issuer):
    secret = OctKey.import_key(b"s" * 32)
    first = issuer.keys["first"].as_dict(private=False)
    other = ECKey.generate_key("P-256").as_dict(private=False)
    issuer.published = [
        {"kty": "oct", "k": encoded(b"s" * 32), "kid": "secret", "use": "sig"},
        {**first, "kid": "twice"},
        {**other, "kid": "twice"},
        {**first, "kid": "for encryption", "use": "enc"},
        {**first, "kid": "other algorithm", "alg": "ES384"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "no point"},
        "not even an object",
    ]
    issuer.keys |= {
        "secret": secret,
        **dict.fromkeys(("twice", "for encryption", "other algorithm", "no point"), issuer.keys["first"]),
    }
    async with guarded(issuers(issuer)) as gate:
        for kid in ("secret", "twice", "for encryption", "other algorithm", "no point"):
            response = await gate.post("{ who }", issuer.token(kid))
            assert response.status_code == 401, kid


async def test_clocks_may_differ_by_the_leeway(gate, issuer):
    now = int(time.time())
    for token in (issuer.token(exp=now - 10), issuer.token(nbf=now + 20), issuer.token(iat=now + 20)):
        assert (await gate.post("{ who }", token)).status_code == 200


async def test_a_token_is_refused_once_it_expires_though_it_was_verified_before(issuer):
    async with guarded(issuers(issuer, leeway_s=0)) as gate:
        token = issuer.token(exp=time.time() + 1)
        assert (await gate.post("{ who }", token)).status_code == 200
        await eventually(lambda: gate.post("{ who }", token), 401)
        assert (await gate.post("{ who }", token)).json()["errors"][0]["message"] == "The token has expired."


async def test_two_issuers_are_told_apart_with_their_own_keys_and_grants(issuer):
    other = IssuerSettings(
        issuer="https://partner.example",
        audience=("concord",),
        algorithms=("RS256",),
        jwks_url=issuer.url,
        scopes=("read",),
    )
    access = AccessSettings(issuers={**issuers(issuer).issuers, "partner": other})
    async with guarded(access) as gate:
        mine = issuer.token(scope="read write")
        theirs = issuer.token("second", iss="https://partner.example", scope="read write")
        for token in (mine, theirs):
            assert (await gate.post("{ who }", token)).status_code == 200
        ours, foreign = gate.graph.callers
        assert (ours.scopes, foreign.scopes) == ({"read", "write"}, {"read"})
        assert ours.rights != foreign.rights
        # What the other issuer does not sign with, though its key set has the key.
        refused = await gate.post("{ who }", issuer.token("first", iss="https://partner.example"))
        assert refused.status_code == 401


# ── the key server ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_hundred_first_callers_cost_one_reading_of_the_keys(gate, issuer):
    tokens = [issuer.token(sub=f"user{number}") for number in range(100)]
    responses = await asyncio.gather(*(gate.post("{ who }", token) for token in tokens))
    assert {response.status_code for response in responses} == {200}
    assert issuer.requests == 1


async def test_keys_that_are_not_known_make_nobody_ask_more_than_once_in_a_while(gate, issuer):
    for number in range(20):
        assert (await gate.post("{ who }", issuer.token(header={"kid": f"made up {number}"}))).status_code == 401
    assert issuer.requests <= 2


async def test_a_new_key_is_found_and_one_that_is_gone_lets_nobody_in(issuer):
    async with guarded(issuers(issuer, cool_down_s=0.05, refresh_s=0.2)) as gate:
        old = issuer.token("first")
        assert (await gate.post("{ who }", old)).status_code == 200
        issuer.add("third")
        del issuer.keys["first"]
        await asyncio.sleep(0.06)
        assert (await gate.post("{ who }", issuer.token("third"))).status_code == 200
        # The old one was verified and is remembered; that ends with its key.
        await eventually(lambda: gate.post("{ who }", old), 401)
        assert (await gate.post("{ who }", old)).status_code == 401


@pytest.mark.parametrize("mode", ["down", "rubbish", "redirect", "huge"])
async def test_without_keys_nobody_is_let_in_and_it_heals(issuer, mode):
    issuer.mode = mode
    async with guarded(issuers(issuer, cool_down_s=0.05)) as gate:
        response = await gate.post("{ who }", issuer.token())
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (503, "AUTH_UNAVAILABLE")
        assert int(response.headers["retry-after"]) >= 1
        assert gate.graph.documents == []
        issuer.mode = "well"
        await asyncio.sleep(0.06)
        assert (await gate.post("{ who }", issuer.token())).status_code == 200


async def test_known_keys_serve_while_the_key_server_is_down_until_they_are_stale(issuer):
    async with guarded(issuers(issuer, cool_down_s=0.02, refresh_s=0.05, stale_s=1.5)) as gate:
        token = issuer.token()
        assert (await gate.post("{ who }", token)).status_code == 200
        issuer.mode = "down"
        fresh = await gate.post("{ who }", issuer.token(sub="bob"))
        assert fresh.status_code == 200
        response = await eventually(lambda: gate.post("{ who }", token), 503)
        assert response.json()["errors"][0]["extensions"]["code"] == "AUTH_UNAVAILABLE"
        issuer.mode = "well"
        await eventually(lambda: gate.post("{ who }", token), 200)


async def test_a_key_server_that_hangs_holds_up_only_those_who_need_it(issuer):
    async with guarded(issuers(issuer, cool_down_s=0.02, refresh_s=0.05)) as gate:
        token = issuer.token()
        assert (await gate.post("{ who }", token)).status_code == 200
        issuer.mode = "hang"
        await asyncio.sleep(0.1)
        responses = await asyncio.wait_for(asyncio.gather(*(gate.post("{ who }", token) for _ in range(20))), 4)
        assert {response.status_code for response in responses} == {200}


# ── machines, and those without credentials ─────────────────────────────────────────────────────────────────────


async def test_a_service_key_gives_what_its_entry_says_until_it_expires(issuer):
    digest = hashlib.sha256(b"s3cret-key").hexdigest()
    granted = KeySettings(
        sha256=digest, scopes=("export",), roles=("machine",), tenant="acme", filters={"region": ("EU",)}
    )
    gone = KeySettings(sha256=hashlib.sha256(b"old").hexdigest(), expires_at=time.time() - 1)
    async with guarded(AccessSettings(keys={"nightly": granted, "old": gone})) as gate:
        assert (await gate.post("{ who }", x_api_key="s3cret-key")).status_code == 200
        caller = gate.graph.callers[-1]
        assert (caller.subject, caller.scopes, caller.tenant, caller.filters) == (
            "nightly",
            {"export"},
            "acme",
            {"region": ("EU",)},
        )
        assert (await gate.post("{ who }", x_api_key="old")).status_code == 401


async def test_anonymous_callers_are_let_in_only_where_that_is_said(issuer):
    async with guarded(issuers(issuer, anonymous=True)) as gate:
        assert (await gate.post("{ who }")).status_code == 200
        assert (gate.graph.callers[-1].subject, gate.graph.callers[-1].is_unrestricted) == (None, False)
        assert (await gate.post("{ who }", "not.a.token")).status_code == 401
    async with guarded(AccessSettings(policy=AccessPolicy.DEVELOPMENT)) as gate:
        assert (await gate.post("{ who }")).status_code == 200
        assert gate.graph.callers[-1].is_unrestricted
        assert (await gate.post("{ who }", "not.a.token")).status_code == 401


# ── connections that last ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_socket_brings_its_token_in_connection_init(gate, issuer):
    async with gate.socket({"authorization": f"Bearer {issuer.token()}"}) as connection:
        assert (await told(connection))["type"] == "connection_ack"
    async with gate.socket({"headers": {"Authorization": f"Bearer {issuer.token()}"}}) as connection:
        assert (await told(connection))["type"] == "connection_ack"
    async with gate.socket({"authorization": "Bearer nonsense"}) as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await told(connection)
        assert closed.value.rcvd.code == 4401


async def subscribed(gate, token):
    """Read events of a subscription over SSE until it ends; return their texts."""
    texts: list[str] = []
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {token}"}
    async with (
        asyncio.timeout(30),
        gate.client.stream("POST", gate.graphql, json={"query": "subscription { ticks }"}, headers=headers) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                texts.append(line.removeprefix("data: "))
    return texts


async def test_expiry_ends_open_streams_and_sockets(issuer):
    async with guarded(issuers(issuer, leeway_s=0)) as gate:
        texts = await subscribed(gate, issuer.token(exp=time.time() + 1.5))
        assert json.loads(texts[0]) == {"data": {"ticks": 0}}
        assert json.loads(texts[-1])["errors"][0]["extensions"]["code"] == "TOKEN_EXPIRED"
        async with gate.socket({"authorization": f"Bearer {issuer.token(exp=time.time() + 1.5)}"}) as connection:
            assert (await told(connection))["type"] == "connection_ack"
            subscribe = {"type": "subscribe", "id": "1", "payload": {"query": "subscription { ticks }"}}
            await connection.send(json.dumps(subscribe))
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    assert (await told(connection))["type"] == "next"
            reason = "TOKEN_EXPIRED: The credentials expired; connect again with new ones."
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, reason)


@pytest.mark.parametrize("line", ["token t1", "subject ada", "subject ada before 2100-01-01T00:00:00Z"])
async def test_revocation_ends_what_is_open_and_refuses_what_comes(issuer, tmp_path, line):
    revoked = tmp_path / "revoked"
    async with guarded(issuers(issuer, revoked=revoked)) as gate:
        token, other = issuer.token(jti="t1"), issuer.token(jti="t2", sub="bob")
        assert (await gate.post("{ who }", token)).status_code == 200
        streaming = asyncio.create_task(subscribed(gate, token))
        async with (
            gate.socket({"authorization": f"Bearer {token}"}) as theirs,
            gate.socket({"authorization": f"Bearer {other}"}) as others,
        ):
            assert (await told(theirs))["type"] == (await told(others))["type"] == "connection_ack"
            revoked.write_text(f"# taken back\n{line}\n")
            assert json.loads((await streaming)[-1])["errors"][0]["extensions"]["code"] == "TOKEN_EXPIRED"
            with pytest.raises(ConnectionClosed):
                await told(theirs)
            await others.send(json.dumps({"type": "ping"}))
            assert (await told(others))["type"] == "pong"
        response = await gate.post("{ who }", token)
        assert (response.status_code, response.json()["errors"][0]["message"]) == (401, "The token was revoked.")
        assert (await gate.post("{ who }", other)).status_code == 200
        # A slip of the pen lets nobody in again.
        revoked.write_text("sbject ada\n")
        await asyncio.sleep(0.2)
        assert (await gate.post("{ who }", token)).status_code == 401
        # Nor does a file that somebody moved away; only one that says so.
        revoked.unlink()
        await asyncio.sleep(0.2)
        assert (await gate.post("{ who }", token)).status_code == 401
        revoked.write_text("# nobody\n")
        for _ in range(1_000):
            response = await gate.post("{ who }", token)
            if response.status_code == 200:
                break
            await asyncio.sleep(0.05)
        assert response.status_code == 200


async def test_a_subject_is_revoked_of_the_issuer_that_is_named_or_of_all(issuer, tmp_path):
    revoked = tmp_path / "revoked"
    access = issuers(issuer, revoked=revoked)
    partner = replace(access.issuers["login"], issuer="https://partner.example/")
    access = replace(access, issuers={**access.issuers, "partner": partner})
    moment = time.time()
    async with guarded(access) as gate:
        ours, theirs = issuer.token(), issuer.token(iss=partner.issuer)
        older = issuer.token(iss=partner.issuer, iat=int(moment) - 100)

        async def are_refused(*expected):
            """Wait until these of the tokens are refused, and no other."""
            async with asyncio.timeout(20):
                while True:
                    found = [(await gate.post("{ who }", each)).status_code for each in (ours, theirs, older)]
                    if [each for each, status in zip((ours, theirs, older), found, strict=True) if status == 401] == [
                        *expected
                    ]:
                        return
                    await asyncio.sleep(0.02)

        await are_refused()
        before = datetime.fromtimestamp(moment - 50, UTC).isoformat()
        for lines, expected in (
            ("subject ada of login", (ours,)),
            (f"subject ada of partner before {before}", (older,)),
            (f"subject ada of login\nsubject ada of partner before {before}", (ours, older)),
            (f"subject ada before {before}", (older,)),
            ("subject ada of partner", (theirs, older)),
            ("subject ada", (ours, theirs, older)),
            ("subject bob of login", ()),
        ):
            revoked.write_text(lines + "\n")
            await are_refused(*expected)
        revoked.write_text("subject ada of login\n")
        await are_refused(ours)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("subject ada of logn", "1: no issuer is called 'logn'; known: login"),
        ("subject ada of", "after a subject there may be"),
        ("subject ada before", "after a subject there may be"),
        ("subject ada of login since 2026-01-31T09:30:00Z", "after a subject there may be"),
    ],
)
def test_a_revocation_that_can_not_be_meant_is_refused(tmp_path, line, words):
    revoked = tmp_path / "revoked"
    revoked.write_text(f"{line}\n")
    with pytest.raises(RevocationsUnreadable, match=re.escape(words)):
        Revocations(revoked, issuers={"login"})


async def test_a_single_connection_belongs_to_whoever_reserved_it(gate, issuer):
    ada, eve = ({"authorization": f"Bearer {issuer.token(sub=name)}"} for name in ("ada", "eve"))
    reserved = await gate.client.put(gate.graphql, headers=ada)
    assert reserved.status_code == 201
    stream = {"x-graphql-event-stream-token": reserved.text}
    body = {"query": "{ who }", "extensions": {"operationId": "1"}}
    foreign = await gate.client.post(gate.graphql, json=body, headers={**eve, **stream})
    absent = await gate.client.post(gate.graphql, json=body, headers={**eve, "x-graphql-event-stream-token": "none"})
    assert (foreign.status_code, foreign.json()["errors"][0]["message"]) == (404, absent.json()["errors"][0]["message"])
    assert absent.status_code == 404
