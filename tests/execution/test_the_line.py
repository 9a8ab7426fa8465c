"""The engine from its front door: what is refused, what is remembered, what is told beside the data."""

import asyncio
import json
import logging
import re
import threading
import time

import pytest
from planned_gateway import OnePlan, entity, root

from gateway.access.override import Overrides
from gateway.engine import ABSENT, Caller, GraphQLRequest
from gateway.execution.located import SubgraphProfile
from gateway.federation.plan import Sequence
from gateway.telemetry.log import JsonLines

SDL = """
type Query { users(first: Int): [User] }
type Mutation { drop: Int }
type User { id: ID! name: String }
"""
PLAN = Sequence(
    (
        root("a", "{users{__typename id}}", "users"),
        entity("b", "name", "users.@", type_name="User", fields=("name",)),
    )
)
QUERY = "{ users { id name } }"


def fill(subgraphs):
    subgraphs["a"].say = lambda request: {
        "data": {"users": [{"__typename": "User", "id": "1"}]},
        "extensions": {"concord": {"vendorRequests": {"hubspot": 2, "bad": "x"}}},
    }
    subgraphs["b"].say = lambda request: {
        "data": {"_entities": [{"name": "Ada"}]},
        "extensions": {"concord": {"vendorRequests": {"hubspot": 1, "stripe": 1}}},
    }


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"query": None}, 400, "BAD_REQUEST"),
        ({"query": ""}, 400, "BAD_REQUEST"),
        ({"query": "{"}, 400, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nope }"}, 400, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A { users { id } } query B { users { id } }"}, 400, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": QUERY, "operation_name": "C"}, 400, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query($n: Int) { users(first: $n) { id } }", "variables": {"n": "x"}}, 400, "BAD_USER_INPUT"),
        ({"query": "mutation { drop }", "is_read_only": True}, 405, "METHOD_NOT_ALLOWED"),
        ({"query": QUERY, "headers": {"x-request-timeout-ms": "-1"}}, 400, "BAD_REQUEST"),
        ({"query": "{" + "a{" * 40 + "b" + "}" * 41}, 400, "MAX_DEPTH_LIMIT"),
        ({"query": "{" + "[" * 400}, 400, "MAX_DEPTH_LIMIT"),
    ],
)
async def test_a_request_that_can_not_be_run_is_refused_as_a_whole(gateway, subgraphs, request_, status, code):
    gate = gateway(SDL, PLAN)
    response = await gate.engine.execute(GraphQLRequest(**request_))
    assert (response.http_status, response.data, response.errors[0]["extensions"]["code"]) == (status, ABSENT, code)
    assert response.errors[0]["extensions"]["correlationId"] == response.headers["X-Correlation-Id"]
    assert not any(each.requests for each in subgraphs.values())
    if status == 405:
        assert response.headers["Allow"] == "POST"


async def test_a_document_is_planned_once_however_many_ask_at_once(gateway, subgraphs):
    fill(subgraphs)
    planned = []

    class Counting(OnePlan):
        def plan(self, operation, active_labels):
            planned.append(operation.text)
            return super().plan(operation, active_labels)

    gate = gateway(SDL, PLAN, planner=Counting(PLAN))
    answers = await asyncio.gather(*(gate.ask(QUERY) for _ in range(20)))
    answers.append(await gate.ask(QUERY))
    assert answers == [{"data": {"users": [{"id": "1", "name": "Ada"}]}}] * 21
    assert planned == [QUERY]


async def test_the_correlation_id_is_the_clients_if_it_is_harmless(gateway, subgraphs):
    fill(subgraphs)
    gate = gateway(SDL, PLAN)
    assert (await gate.respond(QUERY, x_correlation_id="abc-1")).headers == {"X-Correlation-Id": "abc-1"}
    made = (await gate.respond(QUERY, x_correlation_id="a\nb")).headers["X-Correlation-Id"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert [headers["x-correlation-id"] for headers in subgraphs["b"].headers] == ["abc-1", made]


async def test_on_request_an_answer_tells_who_gave_what_and_what_it_cost(gateway, subgraphs):
    fill(subgraphs)
    gate = gateway(SDL, PLAN, profiles={"a": SubgraphProfile(name="a", system="crm")})
    request = GraphQLRequest(query=QUERY, extensions={"concord": {"provenance": True, "plan": True}})
    told = json.loads((await gate.engine.execute(request)).body())["extensions"]["concord"]
    assert told["vendorRequests"] == {"hubspot": 3, "stripe": 1}
    assert [(each["subgraph"], each["entities"], each["ms"] > 0) for each in told["fetches"]] == [
        ("a", 0, True),
        ("b", 1, True),
    ]
    assert [(each["path"], each["system"]) for each in told["provenance"]] == [
        (["users"], "crm"),
        (["users", "name"], "b"),
    ]
    assert all(re.fullmatch(r"20.*T.*\+00:00", each["readAt"]) for each in told["provenance"])
    assert told["plan"].startswith("sequence")

    by_header = (await gate.respond(QUERY, x_concord_provenance="1")).extensions["concord"]
    assert by_header.keys() == {"vendorRequests", "fetches", "provenance"}
    assert (await gate.respond(QUERY)).extensions == {}
    hidden = await gate.respond("{ users { id } }", x_concord_provenance="1")
    assert [each["path"] for each in hidden.extensions["concord"]["provenance"]] == [["users"]]


async def test_a_bug_is_an_internal_error_with_a_log_line_and_no_trace(gateway, subgraphs, caplog):
    class Broken:
        def plan(self, operation, active_labels):
            raise ZeroDivisionError("secret")

    gate = gateway(SDL, PLAN, planner=Broken())
    logging.getLogger("concord").propagate = True
    response = await gate.respond(QUERY, x_correlation_id="c")
    assert (response.http_status, response.errors[0]["extensions"]["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert b"secret" not in response.body()
    (record,) = [record for record in caplog.records if record.name == "concord.answers"]
    line = json.loads(JsonLines().format(record))
    assert (line["event"], line["level"], line["correlation_id"]) == ("internal_error", "error", "c")
    assert "ZeroDivisionError: secret" in line["exception"]


async def test_slow_planning_is_given_up_at_the_deadline_and_kept(gateway, subgraphs):
    given_up = threading.Event()

    class Slow(OnePlan):
        def plan(self, operation, active_labels):
            assert given_up.wait(60)
            return super().plan(operation, active_labels)

    fill(subgraphs)
    gate = gateway(SDL, PLAN, planner=Slow(PLAN))
    response = await gate.respond(QUERY, x_request_timeout_ms="50")
    assert (response.http_status, response.errors[0]["extensions"]["code"]) == (504, "REQUEST_DEADLINE_EXCEEDED")
    given_up.set()
    assert (await gate.ask(QUERY))["data"] == {"users": [{"id": "1", "name": "Ada"}]}


async def test_a_closed_engine_still_answers_what_reaches_it(gateway, subgraphs):
    """After a reload, a request may have been given the old engine a moment before."""
    fill(subgraphs)
    gate = gateway(SDL, PLAN)
    gate.engine.close()
    assert await gate.ask(QUERY) == {"data": {"users": [{"id": "1", "name": "Ada"}]}}


async def test_too_many_unknown_documents_at_once_are_refused_with_when_to_come_back(gateway, subgraphs):
    class Slow(OnePlan):
        def plan(self, operation, active_labels):
            time.sleep(0.002)
            return super().plan(operation, active_labels)

    fill(subgraphs)
    gate = gateway(SDL, PLAN, planner=Slow(PLAN))
    responses = await asyncio.gather(*(gate.respond(f"{{ users {{ id a{i}: name }} }}") for i in range(220)))
    statuses = [response.http_status for response in responses]
    assert (statuses.count(200), statuses.count(503)) == (200, 20)
    assert responses[-1].errors[0]["extensions"]["code"] == "OVERLOADED"
    assert responses[-1].headers["Retry-After"] == "1"


async def test_callers_see_their_own_only(gateway, subgraphs):
    assert Caller(subject="a", token="t").rights == Caller(subject="a", token="t").rights
    different = [
        Caller(),
        Caller(subject="a"),
        Caller(subject="a", tenant="x"),
        Caller(token="t"),
        Caller(subject="a", roles=frozenset("r")),
    ]
    assert len({caller.rights for caller in different}) == len(different)
    assert "t0p" not in repr(Caller(token="t0p"))


def test_percentages_of_progressive_overrides_are_rolled_and_other_labels_stay_inactive():
    labels = frozenset({"percent(100)", "percent(0)", "percent(x)", "beta"})
    overrides = Overrides()
    assert {overrides(labels, Caller()) for _ in range(50)} == {frozenset({"percent(100)"})}
    half = [bool(overrides(frozenset({"percent(50.5)"}), Caller(subject="a"))) for _ in range(500)]
    assert 150 < sum(half) < 350
