"""Nobody sees what is not theirs: every type, field, way and caller, and the answers whole."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from contextlib import asynccontextmanager

import httpx2
import pytest
from guarded import Scripted, codes, composed, gate_to, told
from guarded_graph import CUSTOMER, GuardedGraph, Probe, Who, probes
from key_server import AUDIENCE, ISSUER

from gateway.access.settings import AccessSettings, IssuerSettings
from gateway.engine import Engine
from gateway.federation.supergraph import parse_supergraph

DENIED = "UNAUTHORIZED_FIELD_OR_TYPE"
EVERY = int(os.environ.get("CONCORD_ACCESS_EVERY", "17"))
"""Of all probes, each so manyth is made; `make test-access` makes them all."""


@pytest.fixture(scope="module")
async def gate(shared_issuer):
    graph = GuardedGraph()
    access = AccessSettings(
        anonymous=True,
        issuers={
            "login": IssuerSettings(
                issuer=ISSUER, audience=(AUDIENCE,), algorithms=("ES256", "RS256"), jwks_url=shared_issuer.url
            )
        },
    )
    async with gate_to(graph.engine, access) as running:
        running.graph = graph
        running.tokens = {}

        def token(who: Who) -> str | None:
            if not who.is_known:
                return None
            if who not in running.tokens:
                # For as long as all probes take on a busy machine.
                good_until = int(time.time()) + 86_400
                running.tokens[who] = shared_issuer.token(
                    sub=who.name, scope=sorted(who.scopes), roles=sorted(who.roles), exp=good_until
                )
            return running.tokens[who]

        running.token = token
        yield running
    graph.engine.close()


async def ask(gate, document: str, who: Who) -> httpx2.Response:
    return await gate.post(document, gate.token(who))


async def first_event(gate, document: str, who: Who) -> str:
    """Return the first event of a subscription over SSE, or the refusal."""
    token = gate.token(who)
    headers = {"accept": "text/event-stream"} | ({"authorization": f"Bearer {token}"} if token else {})
    async with (
        asyncio.timeout(30),
        gate.client.stream("POST", gate.graphql, json={"query": document}, headers=headers) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                return line.removeprefix("data: ")
    raise AssertionError("no event came")


async def leak(gate, probe: Probe) -> str | None:
    """Return what is wrong with the answer to a probe."""
    gate.graph.forget()
    if probe.way.kind == "subscription":
        text = await first_event(gate, probe.document, probe.who)
    else:
        text = (await ask(gate, probe.document, probe.who)).text
    answer = json.loads(text)
    found = codes(answer)
    if probe.is_allowed:
        others = [each for each in found if each[0] != DENIED]
        if probe.canary not in text or others:
            return f"denied though allowed: {text}"
        return None
    if probe.canary in text:
        return f"leaked: {text}"
    if not any(code == DENIED for code, _ in found):
        return f"not told: {text}"
    if probe.type_name == "Vault" and '"Vault"' in text:
        return f"the type leaked: {text}"
    asked = " ".join(gate.graph.documents)
    if probe.field_name not in ("label", "id") and re.search(rf"\b{probe.field_name}\b", asked):
        return f"fetched: {asked}"
    if probe.way.name == "guarded mutation" and not probe.way.may(probe.who) and gate.graph.touched:
        return "the mutation ran"
    return None


async def test_the_matrix_of_types_fields_ways_and_callers_has_no_leak(gate):
    made = list(probes())
    assert len(made) >= 5_000
    chosen = made[::EVERY]
    leaks = [(probe, found) for probe in chosen if (found := await leak(gate, probe)) is not None]
    print(f"{len(chosen)} probes of {len(made)}, {len(leaks)} leaks")
    assert leaks == [], leaks[:3]
    assert {probe.is_allowed for probe in chosen} == {True, False}


NOBODY, ADA = Who("nobody"), Who("known")


def error(path, code=DENIED, **more):
    return {
        "message": "The caller may not read this field.",
        "path": path,
        "extensions": {"code": code, "class": "AUTH", "system": "gateway", "retryable": False, **more},
    }


async def whole(gate, document, who=NOBODY):
    response = await ask(gate, document, who)
    answer = response.json()
    for each in answer.get("errors", ()):
        assert each["extensions"].pop("correlationId") == response.headers["x-correlation-id"]
    return answer


ANSWERS = {
    "a nullable field is null where it stands": (
        '{ customer(id: "1") { openName margin } }',
        {
            "errors": [error(["customer", "margin"])],
            "data": {"customer": {"openName": "Customer.openName:1", "margin": None}},
        },
    ),
    "each place of a list has its error": (
        "{ customers { id margin } }",
        {
            "errors": [error(["customers", 0, "margin"]), error(["customers", 1, "margin"])],
            "data": {"customers": [{"id": "1", "margin": None}, {"id": "2", "margin": None}]},
        },
    ),
    "a null that may not be takes its parent along": (
        "{ hardly { inner { plain strict } } }",
        {"errors": [error(["hardly", "inner", "strict"])], "data": {"hardly": {"inner": None}}},
    ),
    "nothing but denied fields leaves the object": (
        '{ customer(id: "1") { margin } }',
        {"errors": [error(["customer", "margin"])], "data": {"customer": {"margin": None}}},
    ),
    "nothing but denied root fields asks nobody": (
        "{ rootSecret }",
        {"errors": [error(["rootSecret"])], "data": {"rootSecret": None}},
    ),
    "objects of a guarded type among others are null": (
        "{ nodes { __typename id } }",
        {
            "errors": [error(["nodes", 3])],
            "data": {
                "nodes": [
                    {"__typename": "Customer", "id": "1"},
                    {"__typename": "Customer", "id": "2"},
                    {"__typename": "Note", "id": "n"},
                    None,
                ]
            },
        },
    ),
    "an interface's field is judged by each type": (
        "{ nodes { label } }",
        {
            "errors": [error(["nodes", 2, "label"]), error(["nodes", 3])],
            "data": {"nodes": [{"label": "Customer.label:1"}, {"label": "Customer.label:2"}, {"label": None}, None]},
        },
    ),
    "an object of a guarded type is like none": (
        '{ node(id: "v") { id } safe { id } }',
        {"errors": [error(["node"]), error(["safe"])], "data": {"node": None, "safe": None}},
    ),
    "aliases keep their own places": (
        '{ customer(id: "1") { a: margin openName: debt b: openName } }',
        {
            "errors": [error(["customer", "a"]), error(["customer", "openName"])],
            "data": {"customer": {"a": None, "openName": None, "b": "Customer.openName:1"}},
        },
    ),
    "a guarded mutation is not made": (
        "mutation { touch { id } alter { id } }",
        {"errors": [error(["alter"], outcome="NOT_APPLIED")], "data": {"touch": {"id": "1"}, "alter": None}},
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_the_answer_is_whole(gate, name):
    document, expected = ANSWERS[name]
    gate.graph.forget()
    assert await whole(gate, document) == expected
    assert "alter" not in gate.graph.touched


async def test_what_is_left_out_by_a_condition_is_no_error(gate):
    document = 'query($no: Boolean = false) { customer(id: "1") { id margin @include(if: $no) } }'
    assert await whole(gate, document) == {"data": {"customer": {"id": "1"}}}


async def test_a_guarded_subscription_never_begins(gate):
    gate.graph.forget()
    answer = json.loads(await first_event(gate, "subscription { secretChanges { id } }", NOBODY))
    assert (codes(answer), "data" in answer) == ([(DENIED, "secretChanges")], False)
    assert gate.graph.documents == []
    async with gate.socket({}) as connection:
        assert (await told(connection))["type"] == "connection_ack"
        payload = {"query": "subscription { secretChanges { id } }"}
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        message = await told(connection)
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", DENIED)


async def test_events_are_restricted_like_answers(gate):
    answer = json.loads(await first_event(gate, "subscription { changes { id margin debt } }", NOBODY))
    assert answer["data"] == {"changes": {"id": "1", "margin": None, "debt": None}}
    assert codes(answer) == [(DENIED, "changes.debt"), (DENIED, "changes.margin")]


async def test_introspection_knows_only_what_the_caller_may_see(gate):
    document = """{ __schema { types { name fields { name } possibleTypes { name } } mutationType { fields { name } } }
      __type(name: "Vault") { name } customer: __type(name: "Customer") { fields { name } } }"""
    nobody = (await whole(gate, document))["data"]
    names = {each["name"] for each in nobody["__schema"]["types"]}
    assert "Vault" not in names
    assert "Customer" in names
    assert nobody["__type"] is None
    assert {each["name"] for each in nobody["customer"]["fields"]} == {"id", "label", "openName", "limit", "best"}
    assert [each["name"] for each in nobody["__schema"]["mutationType"]["fields"]] == ["touch"]
    assert "Vault" not in json.dumps(nobody)
    everything = (await whole(gate, document, Who("all", frozenset({"vault", "margin"}))))["data"]
    assert everything["__type"] == {"name": "Vault"}
    assert "margin" in json.dumps(everything)


SECRETS = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@requiresScopes", "@authenticated"])
type Query { secrets: [Secret] mixed: [Mixed] p: P r: R known: Int @authenticated }
interface Secret { id: ID word: String }
interface Mixed { id: ID word: String }
type P implements Secret { id: ID word: String }
type Q implements Secret & Mixed @requiresScopes(scopes: [["q"]]) { id: ID word: String @requiresScopes(scopes: [["w"]]) }
type R implements Mixed { id: ID word: String @requiresScopes(scopes: [["w"], ["r"]]) }
"""


async def test_what_an_interface_demands_itself_each_of_its_types_does(shared_issuer):
    """Other composers take demands on interfaces, beside those that they repeat there of the types."""
    sdl = composed(house=SECRETS).sdl
    repeated = '@requiresScopes(scopes: [["q"]])\n{\n  id: ID'
    for name, after in (("Secret", f"@authenticated {repeated}"), ("Mixed", f"{repeated} @authenticated")):
        before = f"interface {name}\n  @join__type(graph: HOUSE)\n  {repeated}"
        assert before in sdl
        sdl = sdl.replace(before, f"interface {name} @join__type(graph: HOUSE) {after}")
    plain = re.sub(r"@(requiresScopes\([^)]*\)|authenticated)", "", SECRETS.partition("\n")[2])
    secrets = [{"__typename": name, "id": name, "word": f"{name}'s"} for name in "PQ"]
    mixed = [{"__typename": name, "id": name, "word": f"{name}'s"} for name in "QR"]
    house = Scripted(plain, {"secrets": secrets, "mixed": mixed, "p": secrets[0], "r": mixed[1]})
    engine = Engine(parse_supergraph(sdl), {"house": house})
    issuer = IssuerSettings(issuer=ISSUER, audience=(AUDIENCE,), algorithms=("ES256",), jwks_url=shared_issuer.url)
    document = "{ secrets { id word } mixed { id word } p { id } r { id } }"
    async with gate_to(engine, AccessSettings(anonymous=True, issuers={"login": issuer})) as gate:

        async def shown(token: str | None = None):
            return (await gate.post(document, token)).json()["data"]

        nobody = await shown()
        somebody = await shown(shared_issuer.token(sub="ada"))
        allowed = await shown(shared_issuer.token(sub="ada", scope=["q", "w"]))
    engine.close()
    assert nobody == {
        "secrets": [None, None],
        "mixed": [None, {"id": None, "word": None}],
        "p": None,
        "r": {"id": None},
    }
    assert somebody == {
        "secrets": [{"id": "P", "word": "P's"}, None],
        "mixed": [None, {"id": "R", "word": None}],
        "p": {"id": "P"},
        "r": {"id": "R"},
    }
    assert allowed == {
        "secrets": [{"id": name, "word": f"{name}'s"} for name in "PQ"],
        "mixed": [{"id": name, "word": f"{name}'s"} for name in "QR"],
        "p": {"id": "P"},
        "r": {"id": "R"},
    }


async def test_introspection_leaves_out_what_only_denied_fields_lead_to():
    sdl = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@authenticated"])
type Query { pub(by: By): Pub audit(where: Where): Audit @authenticated found: [Found] @authenticated }
interface Node { id: ID }
interface Found { word: String }
type Pub implements Node { id: ID word: String }
type Audit implements Node { id: ID secretField: String kind: Kind }
type Hit implements Found { word: String }
enum Kind { A }
input Where { secretArgument: Int }
input By { name: String }
"""
    engine = Engine(composed(house=sdl), {"house": Scripted("type Query { a: Int }", {})})
    async with gate_to(engine, AccessSettings(anonymous=True)) as gate:
        shown = (await gate.post("{ __schema { types { name possibleTypes { name } } } }")).json()["data"]["__schema"]
    engine.close()
    assert {each["name"] for each in shown["types"] if not each["name"].startswith("__")} == {
        *("Query", "Pub", "Node", "By", "ID", "String", "Boolean")
    }
    (node,) = (each for each in shown["types"] if each["name"] == "Node")
    assert node["possibleTypes"] == [{"name": "Pub"}]


async def test_plans_of_callers_with_other_rights_are_never_mixed_up(gate):
    """Hundreds of requests of all kinds of callers at once for one document: each gets what it may see, no more."""
    document = '{ customer(id: "1") { margin debt eitherOf ruled onlyKnown rating } }'
    found = {probe.who for probe in probes()}
    who = [each for each in sorted(found, key=lambda each: each.name) for _ in range(12)]
    answers = await asyncio.gather(*(ask(gate, document, each) for each in who))
    for each, response in zip(who, answers, strict=True):
        shown = response.json()["data"]["customer"]
        assert {name for name, value in shown.items() if value is not None} == {
            name for name in shown if CUSTOMER[name](each)
        }, each


@asynccontextmanager
async def with_policies(policies):
    graph = GuardedGraph()
    graph.engine.close()
    graph.engine = Engine(graph.engine.supergraph, {"people": graph.people, "money": graph.money}, policies=policies)
    async with gate_to(graph.engine, AccessSettings(anonymous=True)) as gate:
        yield gate
    graph.engine.close()


async def test_a_policy_port_of_ones_own_decides_and_one_that_breaks_denies():
    asked = []

    class Granted:
        async def grant(self, caller, names):
            asked.append((caller.subject, names))
            return {"finance", "something else"}

    class Broken:
        async def grant(self, caller, names):
            raise RuntimeError("the directory is down")

    document = '{ customer(id: "1") { ruled } }'
    policies = Granted()
    async with with_policies(policies) as gate:
        for _ in range(3):
            assert (await gate.post(document)).json() == {"data": {"customer": {"ruled": "Customer.ruled:1"}}}
    assert asked == [(None, {"finance", "audit", "legal"})]
    async with with_policies(Broken()) as gate:
        assert codes((await gate.post(document)).json()) == [(DENIED, "customer.ruled")]
