"""Whatever JSON a subgraph sends, the answer is data of the right shape and located errors, never a crash."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_gateway import OnePlan, entity, plain_supergraph, root

from gateway.engine import Engine, GraphQLRequest
from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphRequest
from gateway.federation.plan import Sequence

SDL = """
type Query { users: [User!] search: [Result] }
type User { id: ID! name: String nick: String! size: Size friends: [[User]] }
type Pet { id: ID! name: String }
type Size { width: Int height: Int }
union Result = User | Pet
"""
PLAN = Sequence(
    (
        root("a", "{users{__typename id size{width}} search{__typename ...on User{id}}}", "users", "search"),
        entity(
            "b",
            "name nick size{height} friends{__typename id}",
            "users.@",
            "search.@[User]",
            type_name="User",
            fields=("name", "nick", "size", "friends"),
        ),
        entity("c", "name", "users.@.friends.@.@", "search.@.friends.@.@", type_name="User", fields=("name",)),
    )
)
QUERY = "{ users { id nick size { width height } friends { name } } search { __typename ... on User { name } } }"

WORDS = ["data", "errors", "path", "extensions", "code", "users", "search", "__typename", "id", "name", "nick", "size",
         "friends", "_entities", "User", "Pet", "message", "concord", "vendorRequests", "NOT_FOUND"]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=10,
)
USER = st.fixed_dictionaries(
    {"__typename": st.just("User") | JSON, "id": st.sampled_from(["1", "2"]) | JSON},
    optional={"size": st.fixed_dictionaries({}, optional={"width": JSON, "height": JSON}) | JSON, "nick": st.just("n"),
              "name": JSON, "friends": st.lists(st.lists(st.fixed_dictionaries({"__typename": st.just("User"), "id": JSON}), max_size=2), max_size=2) | JSON},
)  # fmt: skip
ERRORS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "path": st.lists(st.sampled_from(WORDS) | st.integers(-1, 3), max_size=5) | JSON,
            "extensions": st.fixed_dictionaries({"code": JSON}) | JSON,
            "message": JSON,
        },
    ),
    max_size=3,
)
ROOTS = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"users": st.lists(USER, max_size=3) | JSON, "search": st.lists(USER, max_size=3) | JSON}
        )
    },
    optional={"errors": ERRORS | JSON, "extensions": JSON},
)
ENTITIES = st.lists(st.none() | USER | JSON, max_size=4)
SUPERGRAPH = plain_supergraph(SDL, ["a", "b", "c"])


class Says:
    """A subgraph at the edge of the world, made of one answer."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.fits = True

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        value = self.answer
        if request.entities and self.fits and isinstance(value, list):
            length = request.entities
            value = {
                "data": {"_entities": (value * length or [None] * length)[:length]},
                "errors": [{"path": ["_entities", 0, "nick"]}],
            }
        return SubgraphAnswer(value)

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> Any:
        raise NotImplementedError

    async def aclose(self) -> None:
        return


CLIENTS = {name: Says() for name in "abc"}


@pytest.fixture(scope="module")
def engine():
    engine = Engine(SUPERGRAPH, CLIENTS, planner=OnePlan(PLAN))
    yield engine
    engine.close()


@settings(max_examples=200, deadline=None)
@given(ROOTS | JSON, ENTITIES | JSON, ENTITIES | JSON)
def test_rubbish_never_crashes(engine, first, second, third):
    for client, answer in zip(CLIENTS.values(), (first, second, third), strict=True):
        client.answer = answer
    request = GraphQLRequest(query=QUERY, headers={"x-concord-provenance": "1"})
    response = asyncio.run(engine.execute(request))
    codes = {error["extensions"]["code"] for error in response.errors}
    assert "INTERNAL_SERVER_ERROR" not in codes
    assert response.http_status == 200
    assert all(isinstance(error["path"], list) for error in response.errors)
    response.body()
    for user in (response.data or {}).get("users") or []:
        assert list(user) == ["id", "nick", "size", "friends"]
        assert isinstance(user["id"], str)
        assert isinstance(user["nick"], str)
        assert user["size"] is None or all(each is None or isinstance(each, int) for each in user["size"].values())


@pytest.mark.parametrize("in_objects", [False, True])
async def test_what_is_nested_deeper_than_any_json_that_is_passed_on_is_a_bad_response(in_objects):
    says = Says()
    supergraph = plain_supergraph("scalar JSON type Query { blob: JSON }", ["a"])
    engine = Engine(supergraph, {"a": says}, planner=OnePlan(root("a", "{blob}", "blob")))
    for levels, code in (
        (100, None),
        (101, "SYSTEM_BAD_RESPONSE"),
        (300, "SYSTEM_BAD_RESPONSE"),
        (900, "SYSTEM_BAD_RESPONSE"),
    ):
        value: Any = 1
        for _ in range(levels):
            value = {"a": value} if in_objects else [value]
        says.answer = {"data": {"blob": value}}
        response = await engine.execute(GraphQLRequest(query="{ blob }", headers={}))
        assert [error["extensions"]["code"] for error in response.errors] == ([code] if code else [])
        assert response.data == {"blob": None if code else value}
        assert response.body()
    engine.close()
