"""A value nested deeper than most writers of JSON go reaches the subgraph that requires it."""

from __future__ import annotations

from served_graph import Graph

PEOPLE = """
scalar JSON
type Query { user: User }
type User @key(fields: "id") { id: ID! name: String data: JSON }
"""
SCORES = """
scalar JSON
type User @key(fields: "id") { id: ID! data: JSON @external score: Int @requires(fields: "data") }
"""


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = {"a": value}
    return value


async def test_what_another_system_requires_is_passed_on_however_deep_it_is(graph: Graph) -> None:
    deep = nested(400)
    user = {"__typename": "User", "id": "1", "name": "Ada", "data": deep}
    graph.compose({"people": PEOPLE, "scores": SCORES})
    graph.subgraphs["people"].say = lambda request: {"data": {"user": user}}
    graph.subgraphs["scores"].say = lambda request: {"data": {"_entities": [{"score": 7}]}}
    with graph.serve() as gateway:
        answer = await gateway.ask("{ user { name data score } }")
    assert graph.subgraphs["scores"].requests[-1]["variables"]["representations"][0]["data"] == deep
    (error,) = answer["errors"]  # the answer itself can't hold it
    assert (error["path"], error["extensions"]["code"]) == (["user", "data"], "SYSTEM_BAD_RESPONSE")
    assert answer["data"] == {"user": {"name": "Ada", "data": None, "score": 7}}
