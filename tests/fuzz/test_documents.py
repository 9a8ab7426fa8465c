"""Whatever document and variables a caller sends, the engine answers in the shape of the error standard, and soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fuzz_inputs import bent_text, fuzzed, warped
from guarded import Scripted, composed
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.persisted import RememberedDocuments
from gateway.engine import Engine, EngineLimits, GraphQLRequest

TYPES = """
interface Named { name: String }
enum Kind { BIG SMALL }
input Filter { name: String = "x" kinds: [Kind!] and: [Filter!] page: Page }
input Page { first: Int after: ID }
type Item implements Named { id: ID! name: String inner: Item items(first: Int, filter: Filter): [Item!] }
type Box implements Named { name: String size: Float }
union Thing = Item | Box
type Mutation { make(filter: Filter!): Item }
type Query { item(id: ID!): Item items(first: Int = 3, filter: Filter): [Item] things: [Thing] named: Named text(a: String, b: Boolean): String }
"""
ITEM = {"__typename": "Item", "id": "1", "name": "n", "inner": {"id": "2"}, "items": lambda **_: [{"id": "3"}]}
ROOT = {"item": lambda **_: ITEM, "items": lambda **_: [ITEM, None], "things": [ITEM, {"__typename": "Box", "size": 1.5}],
        "named": {"__typename": "Box"}, "text": lambda **given: str(given), "make": lambda **_: ITEM}  # fmt: skip
DOCUMENTS = [
    ("query Q($id: ID!, $on: Boolean = true, $f: Filter) { item(id: $id) { ...F @include(if: $on) } items(filter: $f) { id } }\n"
    "fragment F on Item { id name inner { ...G } } fragment G on Item { items(first: 2, filter: {kinds: [BIG], page: {first: 3}}) { id } }"),
    '{ things { __typename ... on Named { name } ... on Box @skip(if: false) { size } } named { name } a: text(a: """block""", b: null) }',
    'mutation M { make(filter: {and: [{name: "\\u00e9"}]}) { id } } query N { text(a: "\\"") }',
    '{ __schema { queryType { name } types { name fields { args { defaultValue } } } } __type(name: "Item") { name } }',
]  # fmt: skip
WORDS = ["{", "}", "...F", "... on Box", "@skip(if: $on)", "@include(if: null)", "$f", "__typename", "fragment F on Item { ...F }", "{name: $f}",
         "query ", "subscription S { x }", "1e999", "-0", '"""', "[", "]", "!", "a: a: ", "items { " * 20, " id" * 200, "#\n", "\ufeff"]  # fmt: skip
VARIABLES = [
    {"id": "1", "on": True, "f": {"name": "x", "kinds": ["BIG"], "and": [{"page": {"first": 1, "after": "a"}}]}}
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    limits = EngineLimits(cost=5_000)
    made = Engine(composed(one=TYPES), {"one": Scripted(TYPES, ROOT)}, limits=limits, documents=RememberedDocuments())
    yield made
    made.close()


@fuzzed
@given(
    text=bent_text(DOCUMENTS, WORDS),
    variables=st.just({}) | warped(VARIABLES).filter(lambda value: isinstance(value, dict)),
    name=st.sampled_from([None, "Q", "M", "N", ""]),
)
def test_any_document_is_answered_or_refused(
    engine: Engine, text: str, variables: dict[str, Any], name: str | None
) -> None:
    begun = time.process_time()
    response = asyncio.run(engine.execute(GraphQLRequest(query=text, variables=variables, operation_name=name)))
    assert time.process_time() - begun < 5
    assert response.body()
    assert response.http_status in {200, 400}
    for error in response.errors:
        code = error["extensions"]["code"]
        # What our subgraph here can't do with a value is its own failure; ours would be INTERNAL_SERVER_ERROR.
        assert code != "INTERNAL_SERVER_ERROR", (text, variables)
        assert error["extensions"]["correlationId"]
        assert len(error["message"]) <= 300
