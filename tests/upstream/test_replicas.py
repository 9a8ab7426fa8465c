"""A subgraph that two processes serve: whichever is gone, the other is asked."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from contextlib import ExitStack

import pytest
from planned_gateway import root
from scripted_subgraph import hangs, reply, resets, sends

from gateway.federation.plan import OperationKind
from gateway.upstream.deadline import Deadlined
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.replicas import Replicas
from gateway.upstream.retry import Retried
from gateway.upstream.settings import SubgraphSettings

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


def replicas(*urls, rest_s=60.0, timeout_s=60.0):
    return Replicas([Deadlined(remote_subgraph(url), timeout_s=timeout_s) for url in urls], rest_s=rest_s)


@pytest.fixture
def black_hole():
    """The address of a server to which nothing connects: it answers no SYN, since too many have not been accepted."""
    with socket.socket() as server, ExitStack() as clients:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}/graphql"


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


async def test_a_replica_that_nobody_can_connect_to_costs_no_request(gateway, pair, black_hole):
    first, _ = pair
    made = replicas(black_hole, first.url)
    read, write = (gateway(SDL, plan, wrap=lambda _: made) for plan in (READ, WRITE))
    for _ in range(3):
        assert await read.ask("{ users { id } }") == {"data": {"users": [{"id": "1"}]}}
        assert await write.ask("mutation { drop }") == {"data": {"drop": 1}}
    assert len(first.requests) == 6


async def test_what_a_frozen_replica_does_not_answer_in_time_is_read_from_another_that_is_well(gateway, pair):
    first, second = pair
    gate = gateway(SDL, READ, wrap=lambda _: replicas(first.url, second.url, timeout_s=1.5))
    second.behave = hangs
    for _ in range(4):
        assert await gate.ask("{ users { id } }") == {"data": {"users": [{"id": "1"}]}}
    assert (len(first.requests), len(second.requests)) == (4, 1)
    first.behave = hangs
    answer = await gate.ask("{ users { id } }")
    assert answer["errors"][0]["code"] == "SYSTEM_TIMEOUT"
    assert len(second.requests) == 1  # it isn't well either


async def test_after_its_rest_one_read_finds_out_how_a_replica_is(gateway, pair):
    first, second = pair
    gate = gateway(SDL, READ, wrap=lambda _: replicas(first.url, second.url, rest_s=0.5, timeout_s=1.5))
    second.behave = hangs
    good_answer = {"data": {"users": [{"id": "1"}]}}
    while not second.requests:
        assert await gate.ask("{ users { id } }") == good_answer
    await asyncio.sleep(0.6)
    assert await asyncio.gather(*(gate.ask("{ users { id } }") for _ in range(6))) == [good_answer] * 6
    assert len(second.requests) == 2
    second.behave = None
    async with asyncio.timeout(30):
        while len(second.requests) < 6:
            assert await gate.ask("{ users { id } }") == good_answer


async def test_a_replica_that_fails_again_and_again_rests_longer_each_time(gateway, pair):
    first, second = pair
    made = replicas(first.url, second.url, rest_s=0.2)
    gate = gateway(SDL, READ, wrap=lambda _: Retried(made, backoff_s=0.001))
    asked = []

    async def fails(writer, request):
        asked.append(time.monotonic())
        await resets(writer, request)

    second.behave = fails
    async with asyncio.timeout(30):
        while len(asked) < 4:
            assert await gate.ask("{ users { id } }") == {"data": {"users": [{"id": "1"}]}}
    rests = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert all(rest >= least for rest, least in zip(rests, (0.2, 0.4, 0.8), strict=True)), rests


def test_addresses_are_read_from_one_key():
    settings = SubgraphSettings(url="http://a:1/graphql, https://b/graphql", schema_path="s.graphql")
    assert settings.urls == ("http://a:1/graphql", "https://b/graphql")
    assert SubgraphSettings(in_process="concord", schema_path="s.graphql").urls == ()
    with pytest.raises(ValueError, match="must start with http"):
        SubgraphSettings(url="http://a:1/graphql,b", schema_path="s.graphql")
