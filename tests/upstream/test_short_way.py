"""Queries that begin from what is known of their document are answered as `execute` answers them, over real sockets."""

import asyncio
import gc

import pytest
from direct_policies import policies
from planned_gateway import entity, root
from scripted_subgraph import hangs, reply, resets, sends

from gateway.engine import Caller, GraphQLRequest
from gateway.execution.typed_run import TypedRun
from gateway.federation.plan import Sequence

SDL = "type Query { users: [User] count: Int! } type User { id: ID! name: String role: String }"
PLAN = root("a", "{users{id name} count}", "users", "count")
QUERY = "{ users { id name } count }"
GOOD = {"data": {"users": [{"id": "1", "name": "Ada"}, None], "count": 2}}
BYTES = b'{"data":{"users":[{"id":"1","name":"Ada"},null],"count":2}}'
ADA = Caller(subject="ada")
NAME = "the-request"


async def begin(gate, headers):
    """Begin the query; return its flight and a future of its response."""
    ready = gate.engine.short_way.ready(QUERY)
    answer = asyncio.get_running_loop().create_future()
    return ready.begin(ADA, NAME, headers, answer.set_result), answer


async def ask(gate, *, is_short, **headers):
    headers = {"x-correlation-id": NAME, **headers}
    async with asyncio.timeout(30):
        if not is_short:
            return (await gate.engine.execute(GraphQLRequest(query=QUERY, headers=headers), ADA)).payload()
        flight, answer = await begin(gate, headers)
        assert flight is not None
        return (await answer).payload()


async def known(gate, subgraphs):
    """Have the document planned."""
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: GOOD
    assert await ask(gate, is_short=False) == GOOD


@pytest.mark.parametrize(
    "behave",
    [
        sends(reply(BYTES)),
        sends(reply(BYTES, content_type="application/graphql-response+json; charset=utf-8")),
        sends(reply(BYTES.replace(b'"id":"1"', b'"id":1'))),
        sends(reply(BYTES.replace(b'"1"', b"null"))),
        sends(reply(BYTES.replace(b"2}", b"null}"))),
        sends(reply(BYTES.replace(b'"Ada"', b'{"a":1}'))),
        sends(reply(BYTES.replace(b'"name":"Ada"', b'"name":"Ada","more":[{}]'))),
        sends(reply(BYTES[:-1] + b',"errors":[{"message":"no","path":["users",0,"name"]}]}')),
        sends(reply(BYTES[:-1] + b',"errors":[],"extensions":{"a":1}}')),
        sends(reply(b'{"data":null,"errors":[{"message":"no"}]}')),
        sends(reply(BYTES, "500 Oops")),
        sends(reply(b"", "401 Unauthorized")),
        sends(reply(BYTES[:-2])),
        sends(reply(b"<html>", content_type="text/html")),
        sends(reply(BYTES, length=1_000)),
        sends(reply(BYTES + b"more", length=len(BYTES))),
        resets,
    ],
)
async def test_it_answers_as_execute_does(gateway, subgraphs, behave):
    told = []
    for is_short in (True, False):
        gate = gateway(SDL, PLAN, wrap=policies)
        await known(gate, subgraphs)
        subgraphs["a"].requests.clear()
        subgraphs["a"].behave = behave
        answers = [await ask(gate, is_short=is_short) for _ in range(2)]
        subgraphs["a"].behave = None
        answers.append(await ask(gate, is_short=is_short))
        for each in answers:
            for error in each.get("errors", ()):
                error["extensions"].pop("retryAfterMs", None)  # how long a breaker stays open: a clock's
        told.append((answers, len(subgraphs["a"].requests)))
    assert told[0] == told[1]


async def test_who_leaves_is_told_nothing_and_closes_the_connection(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=policies)
    await known(gate, subgraphs)
    subgraphs["a"].behave = hangs
    flight, answer = await begin(gate, {})
    await subgraphs["a"].got(2)
    flight.cancel()
    async with asyncio.timeout(30):
        await subgraphs["a"].closed_by_peer.wait()
    await asyncio.sleep(0)
    assert not answer.done()
    subgraphs["a"].behave = None
    assert await ask(gate, is_short=True) == GOOD


async def test_what_must_not_be_sent_on_as_it_is_goes_the_general_way(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=policies)
    await known(gate, subgraphs)
    told = [await ask(gate, is_short=is_short, **{"x-name": "a\r\nx-injected: b"}) for is_short in (True, False)]
    assert told[0] == told[1]
    assert told[0]["data"] is None
    assert len(subgraphs["a"].requests) == 1


async def test_a_document_that_is_not_planned_is_left_to_execute(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=policies)
    flight, answer = await begin(gate, {})
    assert flight is None
    assert not answer.done()
    assert subgraphs["a"].requests == []


async def test_what_came_for_who_left_is_let_go_without_the_collector(gateway, subgraphs):
    two = Sequence(
        (
            root("a", "{users{__typename id} count}", "users", "count"),
            entity("b", "name", "users.@", type_name="User", fields=("name",)),
        )
    )
    gate = gateway(SDL, two, wrap=policies)
    subgraphs["a"].say = lambda request: {"data": {"users": [{"__typename": "User", "id": "1"}], "count": 2}}
    subgraphs["b"].say = lambda request: {"data": {"_entities": [{"name": "Ada"}]}}
    assert await ask(gate, is_short=False) == {"data": {"users": [{"id": "1", "name": "Ada"}], "count": 2}}
    subgraphs["b"].behave = hangs
    gc.collect()
    gc.disable()
    try:
        flight, answer = await begin(gate, {})
        await subgraphs["b"].got(2)
        assert any(isinstance(each, TypedRun) for each in gc.get_objects())
        flight.cancel()
        del flight
        async with asyncio.timeout(30):
            await subgraphs["b"].closed_by_peer.wait()
        await asyncio.sleep(0)
        assert not any(isinstance(each, TypedRun) for each in gc.get_objects())
    finally:
        gc.enable()
    assert not answer.done()
