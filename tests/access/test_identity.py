"""Subgraphs learn for whom they are asked from a header that only the gateway can sign."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import httpx2
import pytest
import strawberry
from joserfc import jws
from joserfc.jwk import OctKey
from key_server import encoded, listening
from pydantic import SecretStr

from gateway.access.caller import ANONYMOUS, DEVELOPER, Caller
from gateway.access.identity import CallerSigner
from gateway.execution.ports import RequestContext, SubgraphRequest
from gateway.federation.plan import OperationKind
from gateway.upstream.headers import Headered
from gateway.upstream.remote import remote_subgraph
from subgraphs.kit.current_request import current_request
from subgraphs.kit.settings import SubgraphSettings
from subgraphs.kit.subgraph_app import Running, create_app
from subgraphs.kit.subgraph_schema import subgraph_schema

SECRET = "a secret between our processes"


@strawberry.type
class Query:
    @strawberry.field
    def asked_for(self) -> str:
        caller = current_request().caller
        if caller is None:
            return "nobody said"
        regions = caller.allowed("region")
        return f"{caller.subject} of {caller.tenant}, {sorted(caller.scopes)}, {sorted(caller.roles)}, {regions and sorted(regions)}"


@asynccontextmanager
async def start(_settings):
    yield Running(context=lambda: None)


@asynccontextmanager
async def subgraph(*, required=True):
    settings = SubgraphSettings(signing_secret=SecretStr(SECRET), require_caller=required)
    app = create_app("erp", subgraph_schema(query=Query), settings, start)
    async with listening(app, lifespan="on") as url:
        yield f"{url}/graphql"


async def ask(url, caller, *, secret=SECRET, name="erp", headers=None, forwarded=()):
    client = Headered(remote_subgraph(url, identify=CallerSigner(secret, name)), fixed={}, forwarded=forwarded)
    context = RequestContext(
        correlation_id="c", deadline=asyncio.get_running_loop().time() + 10, caller=caller, headers=headers or {}
    )
    request = SubgraphRequest(subgraph="erp", kind=OperationKind.QUERY, document="{ askedFor }", variables={})
    try:
        return (await client.fetch(request, context)).value
    finally:
        await client.aclose()


ADA = Caller(
    subject="ada", tenant="acme", scopes=frozenset({"b", "a"}), roles=frozenset({"r"}), filters={"region": ("EU", "US")}
)


async def test_the_subgraph_knows_for_whom_it_is_asked():
    async with subgraph() as url:
        said = [(await ask(url, caller))["data"]["askedFor"] for caller in (ADA, ANONYMOUS, DEVELOPER)]
    assert said == [
        "ada of acme, ['a', 'b'], ['r'], ['EU', 'US']",
        "None of None, [], [], None",
        "None of None, [], [], None",
    ]


async def test_what_a_client_says_it_is_reaches_no_subgraph():
    async with subgraph() as url:
        forged = CallerSigner(SECRET, "erp")(Caller(subject="eve"))[1]
        answer = await ask(url, ADA, headers={"x-concord-caller": forged}, forwarded=("X-Concord-Caller",))
    assert answer["data"]["askedFor"].startswith("ada of acme")


def signed(claims, key=None, **header):
    from hashlib import sha256

    key = key or OctKey.import_key(sha256(b"concord caller\0" + SECRET.encode()).digest())
    return jws.serialize_compact({"alg": "HS256", **header}, __import__("orjson").dumps(claims), key)


GOOD = {"iss": "concord", "aud": "erp", "exp": int(time.time()) + 600, "sub": "eve"}
FORGED = {
    "missing": None,
    "rubbish": "eve",
    "unsigned": f"{encoded({'alg': 'none'})}.{encoded(GOOD)}.",
    "signed with the bare secret": lambda: signed(GOOD, OctKey.import_key(SECRET)),
    "for another subgraph": lambda: signed({**GOOD, "aud": "crm"}),
    "for any subgraph": lambda: signed({**GOOD, "aud": ["crm", "erp"]}),
    "by another": lambda: signed({**GOOD, "iss": "eve"}),
    "expired": lambda: signed({**GOOD, "exp": int(time.time()) - 1}),
    "without an end": lambda: signed({name: value for name, value in GOOD.items() if name != "exp"}),
    "huge": "x" * 70_000,
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_subgraph_refuses_whatever_the_gateway_did_not_sign_for_it(forged):
    header = FORGED[forged]
    given = header() if callable(header) else header
    async with subgraph() as url, httpx2.AsyncClient(trust_env=False) as client:
        headers = {} if given is None else {"x-concord-caller": given}
        response = await client.post(url, json={"query": "{ askedFor }"}, headers=headers)
    if forged == "huge" and response.status_code in (400, 431):
        return  # the server itself reads no such head
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_a_header_that_is_not_required_must_be_right_where_it_is_there():
    async with subgraph(required=False) as url, httpx2.AsyncClient(trust_env=False) as client:
        plain = await client.post(url, json={"query": "{ askedFor }"})
        wrong = await client.post(url, json={"query": "{ askedFor }"}, headers={"x-concord-caller": "eve"})
    assert plain.json()["data"] == {"askedFor": "nobody said"}
    assert wrong.status_code == 401


def test_the_command_makes_keys_that_the_configuration_takes(tmp_path):
    made = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "access", "key", "nightly", "--scope", "a:read"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    import tomllib
    from hashlib import sha256

    from gateway.access.settings import KeySettings
    from gateway.table import read_table

    key = made.stderr.partition("X-Api-Key: ")[2].partition("`")[0]
    settings = read_table(KeySettings, tomllib.loads(made.stdout)["access"]["keys"]["nightly"])
    assert (settings.sha256, settings.scopes) == (sha256(key.encode()).hexdigest(), ("a:read",))
    assert key not in made.stdout
