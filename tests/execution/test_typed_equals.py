"""Executing over typed objects gives what executing over dicts gives, and asks subgraphs for the same."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_gateway import OnePlan, entity, key, plain_supergraph, root, told

from gateway.engine import Engine, EngineLimits, GraphQLRequest
from gateway.execution.ports import RequestContext, SubgraphAnswer, SubgraphFailure, SubgraphRequest
from gateway.federation.plan import Condition, Parallel, RepresentationField, Sequence

SDL = """
type Query { users: [User] best: User! }
type User { id: ID! name: String age: Int! score: Float mood: Mood pets: [[Pet!]] home: Home note: Any rank: Int tag: String desk: Desk }
type Desk { floor: Int! }
type Home { zip: String! street: String owner: User }
type Pet { id: ID! name: String! isOld: Boolean }
enum Mood { GOOD BAD }
scalar Any
"""
SUPERGRAPH = plain_supergraph(SDL, ["a", "b", "c"])


def nullable(name: str) -> tuple[RepresentationField, ...]:
    """A representation that takes a null for what it is, beside the key."""
    return (*key("id"), RepresentationField(name, name, is_nullable=True))


PLAN = Sequence(
    (
        root(
            "a",
            "query($x:Boolean!){users{__typename id mood pets{__typename id}home{zip owner{__typename id}}}"
            "best{__typename id note @include(if:$x)}}",
            "users",
            "best",
            variables=("x",),
        ),
        Parallel(
            (
                entity(
                    "b",
                    "name score",
                    "users.@",
                    "best",
                    "users.@.home.owner",
                    type_name="User",
                    fields=("name", "score"),
                ),
                Sequence(
                    (
                        entity("b", "age", "users.@", "best", type_name="User", fields=("age",)),
                        entity("c", "name isOld", "users.@.pets.@.@", type_name="Pet", fields=("name", "isOld")),
                    )
                ),
                Condition("x", entity("c", "mood", "best", type_name="User", fields=("mood",))),
                entity("c", "tag", "users.@", type_name="User", keys=nullable("mood"), fields=("tag",)),
                entity("c", "desk{floor}", "users.@", type_name="User", fields=("desk",)),
            )
        ),
        entity("a", "rank", "users.@", "best", type_name="User", keys=nullable("score"), fields=("rank",)),
    )
)
QUERY = """query ($x: Boolean!) {
  users { name age pets { isOld name } mood home { owner { name id t: __typename } zip } rank tag score desk { floor } }
  best { ...U rank note @include(if: $x) mood @include(if: $x) __typename }
}
fragment U on User { score id age }"""


def often(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values that are what they should be nine times in ten."""
    return st.integers(0, 9).flatmap(lambda n: value if n else RUBBISH)


RUBBISH = st.sampled_from([None, 1, 2**40, 1.5, "x", True, [], {}, {"x": 1}, [None]])
ID = often(st.sampled_from(["1", "2", "é\n"]))


def object_of(type_name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects that nearly always say of what type they are, and hold all that was asked for."""
    whole = st.fixed_dictionaries({"__typename": often(st.just(type_name)), **fields})
    left_out = st.sampled_from([*[None] * 12, "__typename", *fields])
    return st.builds(lambda row, name: {k: v for k, v in row.items() if k != name}, whole, left_out)


USER = object_of("User", id=ID)
HOME = st.fixed_dictionaries({"zip": often(st.text(max_size=2)), "owner": often(USER | st.none())})
PETS = st.lists(often(st.lists(object_of("Pet", id=ID), max_size=2)), max_size=2)
FULL = object_of(
    "User",
    id=ID,
    mood=often(st.sampled_from(["GOOD", "BAD", None])),
    pets=often(PETS),
    home=often(HOME | st.none()),
)
ROOT = st.fixed_dictionaries(
    {
        "users": often(st.lists(often(FULL | st.none()), max_size=4)),
        "best": often(object_of("User", id=ID, note=RUBBISH)),
    }
)
ENTITY = object_of(
    "User",
    name=often(st.text(max_size=2)),
    score=often(st.sampled_from([None, 1, 1.5, 2**60])),
    age=often(st.integers(-3, 3)),
    isOld=often(st.booleans() | st.none()),
    mood=often(st.sampled_from(["GOOD", None])),
    rank=often(st.integers(-3, 3) | st.none()),
    tag=often(st.text(max_size=2)),
    desk=often(st.fixed_dictionaries({"floor": often(st.integers(0, 1))}) | st.none()),
)
ERRORS = st.lists(st.just({"message": "no", "path": ["users", 0, "mood"]}), max_size=1)


class Says:
    """A subgraph at the edge of the world. Equal fetches get equal answers, which are text, as over HTTP."""

    def __init__(self, given_root: Any, errors: Any, entities: list[Any], failing: str) -> None:
        self._root = {"data": given_root, **({"errors": errors} if errors else {})}
        self._entities = entities
        self._failing = failing
        self.asked: list[tuple[str, bytes]] = []

    async def fetch(self, request: SubgraphRequest, context: RequestContext) -> SubgraphAnswer:
        self.asked.append((request.subgraph, request.body))
        await asyncio.sleep(0)
        if request.subgraph == self._failing:
            raise SubgraphFailure("SYSTEM_UNAVAILABLE", "down", is_sent=True)
        value: Any = self._root
        if "representations" in request.variables:
            keys = [orjson.dumps(each) for each in request.variables["representations"]]
            found = [self._entities[sum(key) % len(self._entities)] for key in keys]
            asked = request.document.rpartition("{...on")[2]
            value = {"data": {"_entities": [_only(each, asked) for each in found]}}
        body = orjson.dumps(value)
        return SubgraphAnswer(request.decode(body), body)

    def subscribe(self, request: SubgraphRequest, context: RequestContext) -> Any:
        raise AssertionError(request, context)

    async def aclose(self) -> None:
        """Nothing to close."""


def _only(entity: Any, asked: str) -> Any:
    """What nobody asked for isn't answered."""
    return {name: each for name, each in entity.items() if name in asked} if isinstance(entity, dict) else entity


async def answered(subgraph: Says, *, is_typed: bool, x: bool) -> tuple[Any, bool]:
    clients = dict.fromkeys(("a", "b", "c"), subgraph)
    engine = Engine(SUPERGRAPH, clients, planner=OnePlan(PLAN), limits=EngineLimits(is_typed=is_typed))
    try:
        async with asyncio.timeout(20):  # a run that never ends is told as one
            response = await engine.execute(GraphQLRequest(query=QUERY, variables={"x": x}))
    finally:
        engine.close()
    return orjson.dumps(told(response)), response.encoded is not None


@settings(max_examples=60, deadline=None)
@given(
    ROOT,
    ERRORS,
    st.lists(often(ENTITY | st.none()), min_size=1, max_size=3),
    st.sampled_from(["", "", "", "b"]),
    st.booleans(),
)
def test_typed_equals_general(given_root, errors, entities, failing, x):
    """Of the same answers, right or wrong, both ways make the same answer with the same requests."""
    typed, general = (Says(given_root, errors, entities, failing) for _ in range(2))
    found, _ = asyncio.run(answered(typed, is_typed=True, x=x))
    wanted, is_encoded = asyncio.run(answered(general, is_typed=False, x=x))
    assert not is_encoded
    assert found == wanted
    assert sorted(typed.asked) == sorted(general.asked)


@pytest.mark.parametrize("x", [False, True])
async def test_a_regular_answer_is_made_of_typed_objects(x):
    user = {"__typename": "User", "id": "1", "mood": "GOOD", "pets": [[{"__typename": "Pet", "id": "7"}]]}
    home = {"zip": "z", "owner": {"__typename": "User", "id": "2"}}
    best = {"__typename": "User", "id": "1", "note": "any text"}
    says = Says(
        {"users": [{**user, "home": home}, {**user, "home": home}, None], "best": best},
        [],
        [
            {
                "name": "n",
                "score": 1,
                "age": 3,
                "isOld": True,
                "mood": "BAD",
                "rank": 2,
                "tag": "t",
                "desk": {"floor": 1},
            }
        ],
        "",
    )
    found, is_encoded = await answered(says, is_typed=True, x=x)
    row = {
        "name": "n",
        "age": 3,
        "pets": [[{"isOld": True, "name": "n"}]],
        "mood": "GOOD",
        "home": {"owner": {"name": "n", "id": "2", "t": "User"}, "zip": "z"},
        "rank": 2,
        "tag": "t",
        "score": 1,
        "desk": {"floor": 1},
    }
    extra = {"note": best["note"], "mood": "BAD"} if x else {}
    wanted = {
        "data": {
            "users": [row, row, None],
            "best": {"score": 1, "id": "1", "age": 3, "rank": 2, **extra, "__typename": "User"},
        }
    }
    assert (found, is_encoded) == (orjson.dumps(wanted), True)


async def test_objects_that_came_before_an_odd_answer_are_kept():
    """A system's odd number is told as an error, beside the objects that another system brought before."""
    user = {"__typename": "User", "id": "1", "mood": "GOOD", "pets": [], "home": None}
    best = {"__typename": "User", "id": "9", "note": None}
    entity_row = {"name": "n", "score": 1, "age": 3, "rank": "odd", "tag": "t", "desk": {"floor": 1}}
    typed, general = (Says({"users": [user], "best": best}, [], [entity_row], "") for _ in range(2))
    found, _ = await answered(typed, is_typed=True, x=False)
    wanted, _ = await answered(general, is_typed=False, x=False)
    assert found == wanted
    assert sorted(typed.asked) == sorted(general.asked)


NAMELESS = {"id": "1", "mood": "GOOD", "pets": None, "home": None}
MOODLESS = {"__typename": "User", "id": "1", "pets": None, "home": None}


@pytest.mark.parametrize(
    ("user", "answer", "asked"),
    [
        # Nothing tells what it is, so nothing is asked of it, and an age has to be there.
        (NAMELESS, None, set()),
        # What was left out may be anything: only a null that was given is sent for one.
        (
            MOODLESS,
            {"name": "n", "age": 3, "pets": None, "mood": None, "home": None}
            | {"rank": 2, "tag": None, "score": 1, "desk": {"floor": 1}},
            {"rank", "age", "name score", "desk{floor}"},
        ),
    ],
)
async def test_what_a_subgraph_left_out_is_not_made_up(user, answer, asked):
    entity_row = {"name": "n", "score": 1, "age": 3, "rank": 2, "tag": "t", "desk": {"floor": 1}}
    for is_typed in (True, False):
        says = Says({"users": [user], "best": {"__typename": "User", "id": "9"}}, [], [entity_row], "")
        found, _ = await answered(says, is_typed=is_typed, x=False)
        assert orjson.loads(found)["data"]["users"] == [answer]
        fetches = {body for _, body in says.asked if b'"id":"1"' in body}
        assert {
            orjson.loads(each)["query"].rpartition("{...on User{")[2].removesuffix("}}}") for each in fetches
        } == asked
