"""What a subgraph says went wrong, as the client reads it: where, whose, which code, and nothing else."""

import pytest
from planned_gateway import entity, key, root

from gateway.engine import EngineLimits
from gateway.execution.located import SubgraphProfile
from gateway.federation.plan import OperationKind, RepresentationField, Sequence

SDL = """
type Query { users: [User] me: User! one: User search: [Result!] }
type Mutation { rename: User  drop: Int! }
type User { id: ID! name: String nick: String! friend: User fee: Int }
type Pet { id: ID! name: String }
union Result = User | Pet
"""
USERS = root("a", "{users{__typename id}}", "users")
NAMES = entity("b", "name", "users.@", type_name="User", fields=("name",))


def user(identity, **more):
    return {"__typename": "User", "id": identity, **more}


def says(data, *errors):
    return lambda request: {"data": data, "errors": [{"message": "secret host 10.0.0.1", **error} for error in errors]}


def error(code, *path, system="b", retryable=False, **more):
    return {"path": list(path), "code": code, "system": system, "retryable": retryable, **more}


async def test_errors_name_places_by_the_clients_names(gateway, subgraphs):
    plan = Sequence((USERS, entity("b", "n:name", "users.@", type_name="User", fields=("n",))))
    gate = gateway(SDL, plan, profiles={"b": SubgraphProfile(name="b", system="crm", owner="sales")})
    subgraphs["a"].say = says({"users": [user("1"), user("2"), user("1")]})
    subgraphs["b"].say = says(
        {"_entities": [None, {"n": None}]},
        {"path": ["_entities", 0], "extensions": {"code": "NOT_FOUND"}},
        {"path": ["_entities", 1, "n"], "extensions": {"code": "MADE_UP", "retryable": False}},
    )
    known = {"system": "crm", "owner": "sales"}
    assert await gate.ask("{ users { id n: name } }") == {
        "data": {"users": [{"id": "1", "n": None}, {"id": "2", "n": None}, {"id": "1", "n": None}]},
        "errors": [
            error("NOT_FOUND", "users", 0, "n", **known),
            error("SYSTEM_ERROR", "users", 1, "n", **known, retryable=True),
            error("NOT_FOUND", "users", 2, "n", **known),
        ],
    }


async def test_messages_are_the_registrys_unless_the_code_may_be_shown(gateway, subgraphs):
    gate = gateway(
        SDL, USERS, profiles={"a": SubgraphProfile(name="a", system="a", shown_codes=frozenset({"CONFLICT"}))}
    )
    subgraphs["a"].say = says(
        {"users": [None, None]},
        {"path": ["users", 0], "extensions": {"code": "CONFLICT", "exception": {"stacktrace": "x"}}},
        {"path": ["users", 1], "extensions": {"code": "NOT_FOUND", "retryAfterMs": 20}},
    )
    response = await gate.respond("{ users { id } }", x_correlation_id="c-1")
    assert list(response.errors) == [
        {
            "message": "secret host 10.0.0.1",
            "path": ["users", 0],
            "extensions": {
                "code": "CONFLICT",
                "class": "CONFLICT",
                "system": "a",
                "retryable": False,
                "correlationId": "c-1",
            },
        },
        {
            "message": "There is no such object.",
            "path": ["users", 1],
            "extensions": {
                "code": "NOT_FOUND",
                "class": "CLIENT",
                "system": "a",
                "retryable": False,
                "retryAfterMs": 20,
                "correlationId": "c-1",
            },
        },
    ]
    assert response.http_status == 200


async def test_a_failed_fetch_is_told_at_each_field_it_should_have_given(gateway, subgraphs):
    gate = gateway(SDL, Sequence((USERS, NAMES)))
    subgraphs["a"].say = says({"users": [user("1"), None, user("2")]})
    subgraphs["b"].say = lambda request: {"errors": [{"message": "x", "extensions": {"code": "SYSTEM_RATE_LIMITED"}}]}
    assert await gate.ask("{ users { id name } }") == {
        "data": {"users": [{"id": "1", "name": None}, None, {"id": "2", "name": None}]},
        "errors": [
            error("SYSTEM_RATE_LIMITED", "users", 0, "name", retryable=True),
            error("SYSTEM_RATE_LIMITED", "users", 2, "name", retryable=True),
        ],
    }


async def test_only_so_many_errors_are_reported_and_the_rest_is_counted(gateway, subgraphs):
    gate = gateway(SDL, Sequence((USERS, NAMES)), limits=EngineLimits(reported_errors=2))
    subgraphs["a"].say = says({"users": [user(str(i)) for i in range(50)]})
    subgraphs["b"].say = says(None)
    bad = {"retryable": True}
    assert await gate.ask("{ users { name } }") == {
        "data": {"users": [{"name": None}] * 50},
        "errors": [
            error("SYSTEM_BAD_RESPONSE", "users", 0, "name", **bad),
            error("SYSTEM_BAD_RESPONSE", "users", 1, "name", **bad, omitted=48),
        ],
    }


async def test_what_depends_on_a_failed_field_fails_for_the_same_reason(gateway, subgraphs):
    """`fee` needs `name`, which the client did not ask for; a legitimately null `name` is no failure."""
    keys = (*key("id"), RepresentationField("name", "name", is_nullable=False))
    fee = entity("c", "fee", "users.@", type_name="User", keys=keys, fields=("fee",))
    gate = gateway(SDL, Sequence((USERS, NAMES, fee)))
    subgraphs["a"].say = says({"users": [user("1"), user("2"), user("3")]})
    subgraphs["b"].say = says(
        {"_entities": [{"name": None}, {"name": None}, {"name": "C"}]}, {"path": ["_entities", 0, "name"]}
    )
    subgraphs["c"].say = says({"_entities": [{"fee": 3}]})
    assert await gate.ask("{ users { id fee } }") == {
        "data": {"users": [{"id": "1", "fee": None}, {"id": "2", "fee": None}, {"id": "3", "fee": 3}]},
        "errors": [error("SYSTEM_ERROR", "users", 0, "fee", retryable=True)],
    }


async def test_errors_the_client_can_not_place_leave_room_for_those_it_can(gateway, subgraphs):
    keys = (*key("id"), RepresentationField("name", "name", is_nullable=False))
    fee = entity("c", "fee", "users.@", type_name="User", keys=keys, fields=("fee",))
    gate = gateway(SDL, Sequence((USERS, NAMES, fee)), limits=EngineLimits(reported_errors=2))
    subgraphs["a"].say = says({"users": [user(str(i)) for i in range(30)]})
    subgraphs["b"].say = says(None)
    bad = {"retryable": True}
    assert (await gate.ask("{ users { fee } }"))["errors"] == [
        error("SYSTEM_BAD_RESPONSE", "users", 0, "fee", **bad),
        error("SYSTEM_BAD_RESPONSE", "users", 1, "fee", **bad, omitted=28),
    ]


async def test_a_null_that_must_not_be_rises_with_one_error(gateway, subgraphs):
    names = entity("b", "nick", "users.@", "me.friend", type_name="User", fields=("nick",))
    gate = gateway(
        SDL, Sequence((root("a", "{users{__typename id}me{id friend{__typename id}}}", "users", "me"), names))
    )
    subgraphs["a"].say = says({"users": [user("1"), user("2")], "me": user("0", friend=user("2"))})
    subgraphs["b"].say = says({"_entities": [{"nick": "A"}, None]})
    bad = {"retryable": True}
    assert await gate.ask("{ users { nick } me { friend { nick } } }") == {
        "data": {"users": [{"nick": "A"}, None], "me": {"friend": None}},
        "errors": [
            error("SYSTEM_BAD_RESPONSE", "me", "friend", "nick", **bad),
            error("SYSTEM_BAD_RESPONSE", "users", 1, "nick", **bad),
        ],
    }
    missing = {"path": ["_entities", 1], "extensions": {"code": "NOT_FOUND"}}
    subgraphs["b"].say = says({"_entities": [{"nick": "A"}, None]}, missing)
    assert await gate.ask("{ users { nick } me { friend { nick } } }") == {
        "data": {"users": [{"nick": "A"}, None], "me": {"friend": None}},
        "errors": [error("NOT_FOUND", "me", "friend", "nick"), error("NOT_FOUND", "users", 1, "nick")],
    }


async def test_null_rises_to_data(gateway, subgraphs):
    gate = gateway(SDL, root("a", "{me{id}}", "me"))
    subgraphs["a"].say = says({"me": None}, {"path": ["me"], "extensions": {"code": "FORBIDDEN"}})
    assert await gate.ask("{ me { id } }") == {"data": None, "errors": [error("FORBIDDEN", "me", system="a")]}
    subgraphs["a"].say = says(None, {"path": ["me", "id"], "extensions": {"code": "INTERNAL_SERVER_ERROR"}})
    assert await gate.ask("{ me { id } }") == {
        "data": None,
        "errors": [error("SYSTEM_ERROR", "me", "id", system="a", retryable=True)],
    }


BAD = {"system": "a", "retryable": True}


@pytest.mark.parametrize(
    ("answer", "data", "errors"),
    [
        ([], None, [("me",)]),
        ("text", None, [("me",)]),
        ({}, None, [("me",)]),
        ({"data": []}, None, [("me",)]),
        ({"data": {"me": 7}}, None, [("me",)]),
        ({"data": {"me": []}}, None, [("me",)]),
        ({"data": {"me": {"id": 7}, "users": {}}}, {"me": {"id": "7"}, "users": None}, [("users",)]),
        ({"data": {"me": {"id": {}}}}, None, [("me", "id")]),
        ({"data": {"me": {"id": True}}}, None, [("me", "id")]),
        ({"data": {"me": {"id": "1", "name": 3}}}, {"me": {"id": "1", "name": None}, "users": None}, [("me", "name")]),
        (
            {"data": {"me": {"id": "1"}, "users": [3, None, {"id": "2"}]}},
            {"me": {"id": "1", "name": None}, "users": [None, None, {"id": "2"}]},
            [("users", 0)],
        ),
        ({"data": {"me": {"id": "1"}}, "errors": "no"}, {"me": {"id": "1", "name": None}, "users": None}, [("me",)]),
        ({"data": {"me": {"id": "1"}}, "errors": [3]}, {"me": {"id": "1", "name": None}, "users": None}, [("me",)]),
        (
            {"data": {"me": {"id": "1"}}, "errors": [{"path": ["me", {}]}]},
            {"me": {"id": "1", "name": None}, "users": None},
            [("me",)],
        ),
        (
            {"data": {"me": {"id": "1"}}, "errors": [{"path": ["users", 7, "x", "y"], "extensions": 3}]},
            {"me": {"id": "1", "name": None}, "users": None},
            [("users", 7)],
        ),
    ],
)
async def test_rubbish_becomes_located_errors(gateway, subgraphs, answer, data, errors):
    gate = gateway(SDL, root("a", "{me{id name}users{id}}", "me", "users"))
    subgraphs["a"].say = lambda request: answer
    response = await gate.ask("{ me { id name } users { id } }")
    assert [tuple(entry["path"]) for entry in response["errors"]][: len(errors)] == errors
    assert response["data"] == (
        data if data is None or "name" in data["me"] else {**data, "me": {**data["me"], "name": None}}
    )
    assert {entry["code"] for entry in response["errors"]} <= {"SYSTEM_BAD_RESPONSE", "SYSTEM_ERROR"}


@pytest.mark.parametrize(
    "found", [None, {}, "x", [], [{"name": "A"}], [{"name": "A"}] * 3, [3, {"name": 4}], [{"name": []}, "B"]]
)
async def test_rubbish_entities_become_located_errors(gateway, subgraphs, found):
    gate = gateway(SDL, Sequence((USERS, NAMES)))
    subgraphs["a"].say = says({"users": [user("1"), user("2")]})
    subgraphs["b"].say = lambda request: {"data": {"_entities": found}}
    assert await gate.ask("{ users { id name } }") == {
        "data": {"users": [{"id": "1", "name": None}, {"id": "2", "name": None}]},
        "errors": [error("SYSTEM_BAD_RESPONSE", "users", i, "name", retryable=True) for i in (0, 1)],
    }


async def test_an_abstract_object_must_say_its_type(gateway, subgraphs):
    gate = gateway(SDL, root("a", "{search{__typename}}", "search"))
    for typename in ({}, {"__typename": "Query"}, {"__typename": 3}, {"__typename": ["User"]}):
        subgraphs["a"].say = says({"search": [user("1"), typename]})
        assert await gate.ask("{ search { ... on User { id } } }") == {
            "data": {"search": None},
            "errors": [error("SYSTEM_BAD_RESPONSE", "search", 1, **BAD)],
        }


async def test_a_mutations_errors_say_what_became_of_it(gateway, subgraphs):
    plan = Sequence(
        (
            root("a", "mutation{rename{__typename id}}", "rename", kind=OperationKind.MUTATION),
            entity("b", "name", "rename", type_name="User", fields=("name",)),
        )
    )
    gate = gateway(SDL, plan)
    query = "mutation { rename { id name } }"

    subgraphs["a"].say = says({"rename": None}, {"path": ["rename"], "extensions": {"code": "CONFLICT"}})
    refused = error("CONFLICT", "rename", system="a", outcome="NOT_APPLIED")
    assert await gate.ask(query) == {"data": {"rename": None}, "errors": [refused]}

    subgraphs["a"].say = says({"rename": None}, {"path": ["rename"]})
    unknown = error("SYSTEM_ERROR", "rename", system="a", outcome="UNKNOWN")
    assert await gate.ask(query) == {"data": {"rename": None}, "errors": [unknown]}

    subgraphs["a"].say = says({"rename": user("1")})
    subgraphs["b"].say = says(None)
    after = error("SYSTEM_BAD_RESPONSE", "rename", "name", outcome="APPLIED")
    assert await gate.ask(query) == {"data": {"rename": {"id": "1", "name": None}}, "errors": [after]}
