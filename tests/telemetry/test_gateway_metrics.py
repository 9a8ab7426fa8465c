"""`/metrics` tells how many requests and fetches there were, how they ended, and how full the gateway is."""

from __future__ import annotations

import httpx2
from metric_samples import samples_of
from scripted_subgraph import resets
from served_graph import SECRET

PEOPLE = (
    'type Query { user: User } type Mutation { rename: User } type User @key(fields: "id") { id: ID! name: String }'
)
SCORES = 'type User @key(fields: "id") { id: ID! score: Int }'
QUERY = "{ user { name score } }"


async def read(gateway):
    """Every sample of the metrics, by its name and the values of its labels, in the order of their names."""
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        reply = await client.get(f"{gateway.url}/metrics", headers={"authorization": f"Bearer {SECRET}"})
    return samples_of(reply.text)


def answering(graph):
    graph.settings = f'[metrics]\nkey = "{SECRET}"\n'
    graph.compose({"people": PEOPLE, "scores": SCORES})
    user = {"__typename": "User", "id": "1", "name": "Ada"}
    graph.subgraphs["people"].say = lambda request: {
        "data": {"rename": user} if "mutation" in request["query"] else {"user": user}
    }
    graph.subgraphs["scores"].say = lambda request: {"data": {"_entities": [{"score": 7}]}}
    return graph


async def test_requests_and_fetches_are_counted_by_kind_and_by_how_they_ended(graph):
    answering(graph)
    with graph.serve() as gateway:
        for _ in range(3):
            assert "errors" not in await gateway.ask(QUERY)
        assert "errors" not in await gateway.ask("mutation { rename { name } }")
        assert "errors" in await gateway.ask("{ nothing }")
        graph.subgraphs["scores"].say = lambda request: "no GraphQL"
        for _ in range(2):
            assert "errors" in await gateway.ask(QUERY)
        found = await read(gateway)
    assert found["concord_request_seconds_count", "query", "ok"] == 3
    assert found["concord_request_seconds_count", "query", "errors"] == 2
    assert found["concord_request_seconds_count", "mutation", "ok"] == 1
    assert found["concord_request_seconds_bucket", "query", "+Inf", "ok"] == 3
    assert found["concord_request_seconds_sum", "query", "ok"] > 0
    assert found["concord_requests_refused_total", "GRAPHQL_VALIDATION_FAILED"] == 1
    assert found["concord_answers_with_error_total", "SYSTEM_BAD_RESPONSE", "scores"] == 2
    assert found["concord_fetch_seconds_count", "people"] == 6
    assert found["concord_fetch_seconds_count", "scores"] == 5
    assert found["concord_plans_kept",] == 2
    assert found["concord_planning_seconds_count",] == 3
    assert (found["concord_requests_under_way",], found["concord_requests_most",]) == (0, 500)
    assert found["concord_log_lines_total", "answered_with_errors", "warning"] == 2
    assert found["process_resident_memory_bytes",] > 10_000_000


async def test_entities_are_counted_by_where_they_came_from(graph):
    answering(graph)
    graph.ownership = """
[systems.people]
team = "people"
subgraphs = ["people"]
[systems.scores]
team = "scores"
subgraphs = ["scores"]
[systems.scores.cache.User]
ttl_s = 600
"""
    with graph.serve() as gateway:
        for _ in range(4):
            assert "errors" not in await gateway.ask(QUERY)
        found = await read(gateway)
    assert found["concord_entities_total", "owner", "scores"] == 1
    assert found["concord_entities_total", "cache", "scores"] == 3
    assert found["concord_fetch_seconds_count", "scores"] == 1


async def test_a_subgraph_that_is_gone_is_told_try_by_try_and_its_breaker(graph):
    answering(graph)
    with graph.serve() as gateway:
        assert "errors" not in await gateway.ask(QUERY)
        graph.subgraphs["scores"].behave = resets
        answers = [await gateway.ask(QUERY) for _ in range(12)]
        found = await read(gateway)
    codes = [each["errors"][0]["extensions"]["code"] for each in answers]
    assert set(codes) == {"SYSTEM_UNAVAILABLE", "SYSTEM_CIRCUIT_OPEN"}
    for code in set(codes):
        assert found["concord_answers_with_error_total", code, "scores"] == codes.count(code)
    # Each of those that were asked was tried again.
    assert found["concord_fetches_failed_total", "SYSTEM_UNAVAILABLE", "scores"] > codes.count("SYSTEM_UNAVAILABLE")
    assert (found["concord_breaker_open", "scores"], found["concord_breaker_open", "people"]) == (1, 0)
