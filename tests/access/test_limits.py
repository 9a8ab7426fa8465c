"""What a caller may take: cost, rate, load, and what refusals tell."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from guarded import Scripted, codes, composed, gate_to, told

from gateway.access.load import Load
from gateway.access.persisted import RememberedDocuments
from gateway.access.rate import CallerRates, Rate
from gateway.access.settings import AccessSettings
from gateway.access.trusted import TrustedDocuments, TrustMode, digest_of
from gateway.engine import Engine, EngineLimits
from gateway.execution.message import GraphQLRequest

LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@cost", "@listSize"])
"""
SDL = """
type Query {
  one: Item
  plain: [Item]
  sized(first: Int, filter: Filter): [Item] @listSize(assumedSize: 7, slicingArguments: ["first"], requireOneSlicingArgument: false)
  shop(first: Int, last: Int): ItemConnection
  paged(limit: Int): Page @listSize(slicingArguments: ["limit"], sizedFields: ["items"], requireOneSlicingArgument: false)
  paths(page: Paging): [Item] @listSize(assumedSize: 9, slicingArguments: ["page.first"], requireOneSlicingArgument: false)
  deeper(where: Where): [Item] @listSize(assumedSize: 9, slicingArguments: ["where.page.first"], requireOneSlicingArgument: false)
  dear: Int @cost(weight: 50)
}
type Mutation { make: Item }
type Subscription { made: Item }
input Filter { first: Int }
input Paging { first: Int }
input Where { page: Paging }
type Item { name: String inner: Item }
type ItemConnection { edges: [ItemEdge] total: Int }
type ItemEdge { node: Item }
type Page { items: [Item] }
"""
ITEM = {"name": "x", "inner": {"name": "y"}}


async def made():
    yield {"made": ITEM}


@asynccontextmanager
async def door(*, limits=None, trusted=None, link=LINK, sdl=SDL, **more):
    plain = "directive @cost(weight: Int!) on FIELD_DEFINITION\ndirective @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean) on FIELD_DEFINITION\n"
    root = {
        "one": ITEM,
        "plain": [ITEM] * 2,
        "sized": [ITEM],
        "shop": {"edges": [{"node": ITEM}] * 3},
        "make": ITEM,
        "made": made,
    }
    shop = Scripted(plain + SDL, root)
    engine = Engine(
        composed(shop=link + sdl),
        {"shop": shop},
        limits=limits or EngineLimits(),
        trusted=trusted,
        documents=RememberedDocuments(),
    )
    try:
        async with gate_to(engine, AccessSettings(anonymous=True), **more) as gate:
            gate.shop, gate.engine = shop, engine
            yield gate
    finally:
        engine.close()


COSTS = {
    "{ one { name } }": ({}, 1),
    "{ one { name inner { name } } }": ({}, 2),
    "{ plain { name } }": ({}, 10),
    "{ plain { inner { name } } }": ({}, 20),
    "{ sized { name } }": ({}, 7),
    "{ sized(first: 3) { inner { name } } }": ({}, 6),
    "{ sized(first: -3) { name } }": ({}, 0),
    "{ sized(filter: { first: 1 }, first: 90) { name } }": ({}, 90),
    "{ shop { edges { node { name } } } }": ({}, 101),
    "{ shop(first: 2) { total edges { node { name inner { name } } } } }": ({}, 7),
    "{ shop(last: 4) { edges { node { name } } } }": ({}, 9),
    "{ paged(limit: 5) { items { name } } }": ({}, 6),
    "{ paths(page: { first: 4 }) { name } }": ({}, 4),
    "query($n: Int) { paths(page: { first: $n }) { name } }": ({"n": 3}, 3),
    "query($p: Paging) { paths(page: $p) { name } }": ({"p": {"first": 60}}, 60),
    "query($p: Paging = { first: 2 }) { paths(page: $p) { name } }": ({}, 2),
    "query($p: Paging) { paths(page: $p) { name } }#": ({"p": {}}, 9),
    "query($p: Paging) { deeper(where: { page: $p }) { name } }": ({"p": {"first": 8}}, 8),
    "query($w: Where) { deeper(where: $w) { name } }": ({"w": {"page": {"first": 70}}}, 70),
    "{ dear }": ({}, 50),
    "{ a: dear b: dear ...F } fragment F on Query { c: dear }": ({}, 150),
    "mutation { make { name } }": ({}, 11),
    "query($n: Int) { sized(first: $n) { name } }": ({"n": 40}, 40),
    "query($n: Int = 8) { sized(first: $n) { name } }": ({}, 8),
    "query($m: Int) { shop(first: $m) { edges { node { name } } } }": ({"m": 1}, 3),
}


@pytest.fixture(scope="module")
async def costly():
    async with door(limits=EngineLimits(cost=5)) as gate:
        yield gate


@pytest.mark.parametrize("document", COSTS)
async def test_the_cost_of_an_operation_is_known_before_it_runs(costly, document):
    variables, cost = COSTS[document]
    costly.shop.documents.clear()
    response = await costly.post(document, variables=variables)
    if cost <= 5:
        assert response.status_code == 200
        return
    (error,) = response.json()["errors"]
    assert response.status_code == 400
    assert error["message"] == f"The operation's cost comes to {cost}; the limit is 5."
    assert error["extensions"]["code"] == "COST_ESTIMATED_TOO_EXPENSIVE"
    assert error["extensions"]["limit"] == {"name": "cost", "value": 5, "figure": cost}
    assert costly.shop.documents == []


async def test_cost_knows_its_directives_by_the_names_they_are_imported_under():
    sdl = SDL.replace("@cost", "@weight").replace("@listSize", "@length")
    imports = '{ name: "@cost", as: "@weight" }, { name: "@listSize", as: "@length" }'
    link = f'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [{imports}])'
    async with door(limits=EngineLimits(cost=5), link=link, sdl=sdl) as gate:
        for document, (variables, cost) in COSTS.items():
            response = await gate.post(document, variables=variables)
            told = response.json().get("errors", [{"extensions": {}}])[0]["extensions"].get("limit", {})
            assert told.get("figure", cost) == cost, document
            assert response.status_code == (200 if cost <= 5 else 400), document


async def test_lists_in_lists_cost_no_more_time_to_estimate_than_fragments_there_are(costly):
    fragments = " ".join(
        f"fragment F{n} on Item {{ a: inner {{ ...F{n + 1} }} b: inner {{ ...F{n + 1} }} }}" for n in range(12)
    )
    response = await costly.post(f"{{ plain {{ ...F0 }} }} {fragments} fragment F12 on Item {{ name }}")
    assert response.status_code == 400
    assert codes(response.json())[0][0] in ("MAX_FIELDS_LIMIT", "COST_ESTIMATED_TOO_EXPENSIVE", "MAX_DEPTH_LIMIT")


async def test_the_limit_holds_on_every_transport(costly):
    headers = {"accept": "text/event-stream"}
    streamed = await costly.client.post(costly.graphql, json={"query": "{ dear }"}, headers=headers)
    assert "COST_ESTIMATED_TOO_EXPENSIVE" in streamed.text
    async with costly.socket() as connection:
        assert (await told(connection))["type"] == "connection_ack"
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "{ dear }"}}))
        message = await told(connection)
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "COST_ESTIMATED_TOO_EXPENSIVE")


async def test_an_answer_tells_what_it_was_estimated_to_cost_and_what_it_did():
    async with door() as gate:
        asked = {"query": "{ shop(first: 10) { edges { node { name } } } }", "extensions": {"concord": {"cost": True}}}
        answer = (await gate.client.post(gate.graphql, json=asked)).json()
    assert answer["extensions"]["concord"]["cost"] == {"estimated": 21, "actual": 7}


# ── rates ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_caller_who_asks_too_often_is_told_when_to_come_back():
    rates = CallerRates(Rate(per_s=0.01, burst=3))
    async with door(rates=rates) as gate:
        responses = [await gate.post("{ one { name } }") for _ in range(5)]
        assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
        refused = responses[-1]
        (error,) = refused.json()["errors"]
        assert error["extensions"]["code"] == "REQUEST_RATE_LIMITED"
        assert int(refused.headers["retry-after"]) == -(-error["extensions"]["retryAfterMs"] // 1000)
        async with gate.socket() as connection:
            assert (await told(connection))["type"] == "connection_ack"
            await connection.send(
                json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "{ one { name } }"}})
            )
            assert (await told(connection))["payload"][0]["extensions"]["code"] == "REQUEST_RATE_LIMITED"


async def test_without_its_redis_each_gateway_counts_for_itself():
    from redis.asyncio import Redis

    gone = CallerRates(Rate(per_s=0.01, burst=2), Redis.from_url("redis://127.0.0.1:1"))
    async with door(rates=gone) as gate:
        statuses = [(await gate.post("{ one { name } }")).status_code for _ in range(4)]
    await gone.aclose()
    assert statuses == [200, 200, 429, 429]


# ── load ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_too_much_at_once_is_refused_and_the_rest_is_answered():
    async with door(load=Load(5)) as gate:
        gate.shop.delay_s = 0.5
        documents = [f"{{ one {{ name n{number}: name }} }}" for number in range(30)]
        responses = await asyncio.gather(*map(gate.post, documents))
        counted = Counter(response.status_code for response in responses)
        assert counted == {200: 5, 503: 25}
        refused = next(response for response in responses if response.status_code == 503)
        assert codes(refused.json()) == [("OVERLOADED", "")]
        assert refused.headers["retry-after"] == "1"
        gate.shop.delay_s = 0
        assert (await gate.post("{ one { name } }")).status_code == 200
        gate.drain.begin()
        assert (await gate.post("{ one { name } }")).status_code == 200
        stream = await gate.client.post(
            gate.graphql, json={"query": "{ one { name } }"}, headers={"accept": "text/event-stream"}
        )
        assert (stream.status_code, codes(stream.json())) == (503, [("SHUTTING_DOWN", "")])


# ── trusted documents ───────────────────────────────────────────────────────────────────────────────────────────

KNOWN = "query Known { one { name } }"


def manifest(mode: TrustMode) -> TrustedDocuments:
    return TrustedDocuments(mode, {digest_of(KNOWN): KNOWN}, {"known": KNOWN})


async def ask(gate, **request):
    response = await gate.client.post(gate.graphql, json=request)
    return response.status_code, (codes(response.json()) or [("", "")])[0][0]


def by_hash(text: str) -> dict:
    return {"persistedQuery": {"version": 1, "sha256Hash": digest_of(text)}}


async def test_only_documents_of_the_manifest_are_answered_where_that_is_enforced(caplog):
    other = "{ one { name inner { name } } }"
    async with door(trusted=manifest(TrustMode.ENFORCE), limits=EngineLimits(cost=1)) as gate:
        assert await ask(gate, query=KNOWN) == (200, "")
        assert await ask(gate, extensions=by_hash(KNOWN)) == (200, "")
        assert await ask(gate, extensions={"concord": {"document": "known"}}) == (200, "")
        assert await ask(gate, extensions={"concord": {"document": "unknown"}}) == (200, "PERSISTED_QUERY_NOT_FOUND")
        assert await ask(gate, query=other) == (400, "QUERY_NOT_IN_SAFELIST")
        assert await ask(gate, query=KNOWN + " ") == (400, "QUERY_NOT_IN_SAFELIST")
        assert await ask(gate, query=other, extensions=by_hash(other)) == (400, "QUERY_NOT_IN_SAFELIST")
        assert await ask(gate, extensions=by_hash(other)) == (400, "QUERY_NOT_IN_SAFELIST")
        assert await ask(gate, query="{ __schema { types { name } } }") == (400, "QUERY_NOT_IN_SAFELIST")
        assert await ask(gate, query=other, extensions={"concord": {"document": "known"}}) == (
            400,
            "QUERY_NOT_IN_SAFELIST",
        )
    async with door(trusted=manifest(TrustMode.AUDIT)) as gate:
        for _ in range(3):
            assert await ask(gate, query=other) == (200, "")
        assert [record.getMessage() for record in caplog.records if record.name == "concord.access"] == [
            "document_not_trusted"
        ]
        assert await ask(gate, query=other, extensions=by_hash(other)) == (200, "")
        assert await ask(gate, extensions=by_hash(other)) == (200, "")


# ── what refusals tell ──────────────────────────────────────────────────────────────────────────────────────────

GUESSES = (
    "{ on }",
    "{ ones }",
    "{ one }",
    "{ one { nam } }",
    "{ dear { x } }",
    "{ sized(frst: 1) { name } }",
    "{ __typenam }",
    "{ sized(filter: { frist: 1 }) { name } }",
    "query($a: Filte) { sized(filter: $a) { name } }",
    "{ ... on Itm { name } }",
    "{ ... on Item { name } }",
    "mutation { mak }",
    "{ one { ...F } } fragment F on Items { name }",
    "{ one @includ(if: true) { name } }",
)


async def test_refusals_tell_nothing_of_the_schema_where_they_shall_not():
    async with door(limits=EngineLimits(explains_documents=False)) as gate:
        for guess in GUESSES:
            response = await gate.post(guess)
            (error,) = response.json()["errors"]
            assert (error["message"], error["extensions"]["code"]) == (
                "The document does not fit the schema; correct the named fields.",
                "GRAPHQL_VALIDATION_FAILED",
            )
            assert "locations" not in error
        document = "query($filter: Filter) { sized(filter: $filter) { name } }"
        wrong = await gate.post(document, variables={"filter": {"frst": 1}})
        assert codes(wrong.json()) == [("BAD_USER_INPUT", "")]
        assert "Did you mean" not in wrong.text
        planned = {"query": "{ one { name } }", "extensions": {"concord": {"plan": True}}}
        answer = (await gate.client.post(gate.graphql, json=planned)).json()
        assert "plan" not in answer["extensions"]["concord"]
    async with door() as gate:
        assert "Did you mean" in (await gate.post("{ ones { name } }")).text


async def test_an_engine_is_asked_directly_as_through_its_door():
    async with door(limits=EngineLimits(cost=5)) as gate:
        response = await gate.engine.execute(GraphQLRequest(query="{ dear }"))
    assert response.errors[0]["extensions"]["code"] == "COST_ESTIMATED_TOO_EXPENSIVE"
