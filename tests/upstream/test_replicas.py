"""A subgraph that two processes serve: whichever is gone, the other is asked."""

from __future__ import annotations

import pytest
from planned_gateway import root
from scripted_subgraph import reply, resets, sends

from gateway.federation.plan import OperationKind
from gateway.settings_tables import SubgraphSettings
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.replicas import Replicas
from gateway.upstream.retry import Retried

SDL = "type Query { users: [User] } type Mutation { drop: Int } type User { id: ID! }"
READ = root("a", "{users{id}}", "users")
WRITE = root("a", "mutation{drop}", "drop", kind=OperationKind.MUTATION)


def good(request):
    return {"data": {"users": [{"id": "1"}], "drop": 1}}


@pytest.fixture
async def pair(subgraphs):
    """The subgraphs `a` and `b` as two replicas of one."""
    for name in "ab":
        subgraphs[name].say = good
    return subgraphs["a"], subgraphs["b"]


def replicas(*urls, rest_s=60.0):
    return Replicas([remote_subgraph(url) for url in urls], rest_s=rest_s)


async def test_replicas_are_asked_in_turn_and_one_that_is_gone_is_passed_by(gateway, pair, unused_tcp_port):
    first, second = pair
    gate = gateway(SDL, READ, wrap=lambda _: replicas(first.url, f"http://127.0.0.1:{unused_tcp_port}/", second.url))
    for _ in range(6):
        assert await gate.ask("{ users { id } }") == {"data": {"users": [{"id": "1"}]}}
    assert (len(first.requests), len(second.requests)) == (3, 3)


async def test_a_read_that_a_dying_replica_had_is_repeated_at_another(gateway, pair):
    first, second = pair
    gate = gateway(SDL, READ, wrap=lambda _: Retried(replicas(first.url, second.url), backoff_s=0.001))
    second.behave = resets
    for _ in range(4):
        assert await gate.ask("{ users { id } }") == {"data": {"users": [{"id": "1"}]}}
    # It was asked once, and rests.
    assert (len(first.requests), len(second.requests)) == (4, 1)


async def test_a_write_that_may_have_been_carried_out_is_not_sent_to_another(gateway, pair):
    first, second = pair
    gate = gateway(SDL, WRITE, wrap=lambda _: replicas(first.url, second.url))
    first.behave = second.behave = resets
    answer = await gate.ask("mutation { drop }")
    assert answer["errors"][0]["code"] == "SYSTEM_UNAVAILABLE"
    assert answer["errors"][0]["outcome"] == "UNKNOWN"
    assert len(first.requests) + len(second.requests) == 1


async def test_when_none_is_well_the_last_failure_is_told_and_a_rested_one_is_asked_again(gateway, pair):
    first, second = pair
    gate = gateway(SDL, READ, wrap=lambda _: replicas(first.url, second.url))
    first.behave = second.behave = sends(reply(b"", "500 Oops"))
    for _ in range(3):
        assert (await gate.ask("{ users { id } }"))["errors"][0]["code"] == "SYSTEM_ERROR"
    first.behave = second.behave = None
    assert await gate.ask("{ users { id } }") == {"data": {"users": [{"id": "1"}]}}


async def test_a_refusal_is_no_reason_to_rest(gateway, pair):
    first, second = pair
    gate = gateway(SDL, READ, wrap=lambda _: replicas(first.url, second.url))
    first.behave = second.behave = sends(reply(b"", "429 Too Many Requests"))
    for _ in range(4):
        assert (await gate.ask("{ users { id } }"))["errors"][0]["code"] == "SYSTEM_RATE_LIMITED"
    assert (len(first.requests), len(second.requests)) == (2, 2)


def test_addresses_are_read_from_one_key():
    settings = SubgraphSettings(url="http://a:1/graphql, https://b/graphql", schema_path="s.graphql")
    assert settings.urls == ("http://a:1/graphql", "https://b/graphql")
    assert SubgraphSettings(in_process="concord", schema_path="s.graphql").urls == ()
    with pytest.raises(ValueError, match="must start with http"):
        SubgraphSettings(url="http://a:1/graphql,b", schema_path="s.graphql")
