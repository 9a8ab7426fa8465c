"""No way of writing an operation makes it look cheaper than it is."""

from __future__ import annotations

import pytest
from guarded import Scripted, codes, composed, gate_to

from gateway.access.settings import AccessSettings
from gateway.engine import Engine, EngineLimits
from gateway.federation.supergraph import parse_supergraph

LIMIT = 100
LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@cost", "@listSize"])
"""
SDL = """
type Query {
  customers(first: Int): CustomerConnection
  c(first: Int, search: String): CustomerConnection
  top(first: Int = 1000): [P] @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
  paged(page: Paging): [P] @listSize(slicingArguments: ["page.first"], requireOneSlicingArgument: false)
  found(by: By @cost(weight: 30), all: [By], also: String @cost(weight: 7)): P
  i: [I]
  u: [U]
  wide: [W]
  one(first: Int, last: Int): [P] @listSize(slicingArguments: ["first", "last"])
  preset(first: Int = 3, last: Int): [P] @listSize(slicingArguments: ["first", "last"])
  sliced(page: Paging, first: Int): [P] @listSize(slicingArguments: ["page.first", "first"])
}
input Paging { first: Int = 500, after: String }
input By { name: String, text: String @cost(weight: 40), inner: By, sort: Sort }
enum Sort @cost(weight: 5) { UP DOWN }
interface I { x: Int, ps(first: Int): [P] }
type P implements I @cost(weight: 50) { x: Int @cost(weight: 100), ps(first: Int): [P] @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false) }
type Q implements I { x: Int, ps(first: Int): [P] }
union U = P | Q
interface W { x: Int }
type W1 implements W { x: Int @cost(weight: 3) }
type W2 implements W { x: Int y: Int @cost(weight: 90) }
type CustomerConnection { edges: [CustomerEdge] nodes: [P] }
type CustomerEdge { node: Q }
"""
PLAIN = """directive @cost(weight: Int!) on FIELD_DEFINITION | OBJECT | ENUM | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean) on FIELD_DEFINITION
"""

COSTS = {
    "{ a: customers(first: 1) { ...F } b: customers(first: 1) { ...F } c: customers(first: 1000) { ...F } } "
    "fragment F on CustomerConnection { edges { node { x } } }": ({}, 2007),
    "query($f: Int) { customers(first: $f) { edges { node { x } } } }": ({"f": 1000.0}, 2001),
    "query($f: Int = 1000) { customers(first: $f) { edges { node { x } } } }": ({}, 2001),
    '{ c(search: ",first:0") { edges { node { x } } } }': ({}, 101),
    '{ c(search: "{first:0}", first: 200) { edges { node { x } } } }': ({}, 401),
    "{ top { ps { x } } }": ({}, 1000 * (50 + 50 * (50 + 100))),
    "query($n: Int) { top(first: $n) { __typename } }": ({}, 50_000),
    "query($n: Int) { top(first: $n) { __typename } }#": ({"n": 2}, 100),
    "{ paged(page: {}) { __typename } }": ({}, 25_000),
    "query($p: Paging) { paged(page: $p) { __typename } }": ({"p": {"after": "x"}}, 25_000),
    "query($p: Paging) { paged(page: $p) { __typename } }#": ({"p": {"first": 3.0}}, 150),
    "query($a: String) { paged(page: { after: $a, first: 3 }) { __typename } }": ({"a": "x"}, 150),
    "{ found { __typename } }": ({}, 50),
    "{ found(by: null, also: null) { __typename } }": ({}, 50),
    '{ found(by: { name: "x" }) { __typename } }': ({}, 80),
    '{ found(by: { text: "x", inner: { text: "y", sort: UP } }) { __typename } }': ({}, 165),
    '{ found(all: [{ text: "x" }, { text: "y" }], also: "z") { __typename } }': ({}, 137),
    "query($b: By) { found(by: $b) { __typename } }": ({"b": {"text": "x", "inner": {"sort": "UP"}}}, 125),
    "query($t: String) { found(by: { text: $t }) { __typename } }": ({"t": "x"}, 120),
    "query($t: String) { found(by: { text: $t }) { __typename } }#": ({}, 80),
    "{ i { x } }": ({}, 1500),
    "{ i { ... on Q { x } } }": ({}, 500),
    "{ i { ps(first: 2) { __typename } } }": ({}, 1500),
    "query($n: Int) { i { ps(first: $n) { __typename } } }": ({"n": 3}, 2000),
    "{ u { __typename ... on P { x } } }": ({}, 1500),
    "{ u { ... on I { x } } }": ({}, 1500),
    "{ wide { x } }": ({}, 40),
    "{ wide { x ... on W2 { y } } }": ({}, 910),
    "{ wide { ... on W1 { x } ... on W2 { y } } }": ({}, 910),
}


@pytest.fixture(scope="module")
async def gate():
    engine = Engine(composed(shop=LINK + SDL), {"shop": Scripted(PLAIN + SDL, {})}, limits=EngineLimits(cost=LIMIT))
    async with gate_to(engine, AccessSettings(anonymous=True)) as running:
        running.engine = engine
        yield running
    engine.close()


@pytest.mark.parametrize("document", COSTS)
async def test_an_operation_costs_what_its_types_arguments_and_variables_say(gate, document):
    variables, cost = COSTS[document]
    response = await gate.post(document, variables=variables)
    if cost <= LIMIT:
        assert (response.status_code, codes(response.json())) == (200, [])
        return
    (error,) = response.json()["errors"]
    assert response.status_code == 400
    assert error["extensions"]["code"] == "COST_ESTIMATED_TOO_EXPENSIVE"
    assert error["extensions"]["limit"] == {"name": "cost", "value": LIMIT, "figure": cost}


SLICED = {
    "{ one { __typename } }": ({}, "`Query.one` takes exactly one of `first`, `last`; none is given."),
    "{ one(first: null) { __typename } }": ({}, "`Query.one` takes exactly one of `first`, `last`; none is given."),
    "{ one(first: 1) { __typename } }": ({}, None),
    "{ one(first: 1, last: 1) { __typename } }": (
        {},
        "`Query.one` takes exactly one of `first`, `last`; 2 are given.",
    ),
    "query($a: Int, $b: Int) { one(first: $a, last: $b) { __typename } }": (
        {},
        "`Query.one` takes exactly one of `first`, `last`; none is given.",
    ),
    "query($a: Int, $b: Int) { one(first: $a, last: $b) { __typename } }#": ({"a": None, "b": 1}, None),
    "query($a: Int, $b: Int = 1) { one(first: $a, last: $b) { __typename } }": ({}, None),
    "query($a: Int, $b: Int = 1) { one(first: $a, last: $b) { __typename } }#": (
        {"a": 1},
        "`Query.one` takes exactly one of `first`, `last`; 2 are given.",
    ),
    "{ preset { __typename } }#3": ({}, "The operation's cost comes to 150; the limit is 100."),
    # The field gets its default all the same.
    "{ preset(last: 1) { __typename } }": ({}, "The operation's cost comes to 150; the limit is 100."),
    "{ sliced(first: 1) { __typename } }": ({}, None),
    "{ sliced(page: { first: 1 }) { __typename } }": ({}, None),
    "{ sliced(page: { first: 1 }, first: 1) { __typename } }": (
        {},
        "`Query.sliced` takes exactly one of `page.first`, `first`; 2 are given.",
    ),
}


@pytest.mark.parametrize("document", SLICED)
async def test_a_field_that_has_to_be_told_how_long_its_list_may_be_is_told(gate, document):
    variables, sentence = SLICED[document]
    response = await gate.post(document, variables=variables)
    if sentence is None:
        assert (response.status_code, codes(response.json())) == (200, [])
        return
    (error,) = response.json()["errors"]
    assert (response.status_code, error["message"]) == (400, sentence)
    code = "COST_ESTIMATED_TOO_EXPENSIVE" if "cost" in sentence else "SLICING_ARGUMENT_REQUIRED"
    assert error["extensions"]["code"] == code


async def test_a_refusal_names_no_argument_where_the_schema_is_not_told():
    limits = EngineLimits(cost=LIMIT, explains_documents=False)
    engine = Engine(composed(shop=LINK + SDL), {"shop": Scripted(PLAIN + SDL, {})}, limits=limits)
    async with gate_to(engine, AccessSettings(anonymous=True)) as gate:
        response = await gate.post("{ one { __typename } }")
    engine.close()
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "SLICING_ARGUMENT_REQUIRED"
    assert "first" not in response.text


async def test_weights_of_another_composer_may_be_texts():
    """IBM's specification writes them so."""
    sdl = composed(shop=LINK + SDL).sdl.replace("@cost(weight: 50)", '@cost(weight: "49.5")')
    engine = Engine(parse_supergraph(sdl), {"shop": Scripted(PLAIN + SDL, {})}, limits=EngineLimits(cost=1))
    async with gate_to(engine, AccessSettings(anonymous=True)) as gate:
        response = await gate.post("{ found { __typename } }")
    engine.close()
    assert response.json()["errors"][0]["extensions"]["limit"]["figure"] == 50
