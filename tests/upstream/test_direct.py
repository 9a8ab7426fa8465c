"""The short way through the policies does what the policies do, over real sockets."""

import asyncio
import time

import pytest
from direct_policies import policies
from planned_gateway import root
from scripted_subgraph import hangs, reply, resets, sends

from gateway.engine import Caller, GraphQLRequest

SDL = "type Query { users: [User] } type User { id: ID! }"
PLAN = root("a", "{users{id}}", "users")
QUERY = "{ users { id } }"
GOOD = {"data": {"users": [{"id": "1"}]}}
BYTES = b'{"data":{"users":[{"id":"1"}]}}'


async def ask(gate, name="", **headers):
    """Ask; requests with different names are never joined."""
    given = {"x-name": name, **{key.replace("_", "-"): value for key, value in headers.items()}}
    async with asyncio.timeout(30):
        response = await gate.engine.execute(GraphQLRequest(query=QUERY, headers=given), Caller(subject="ada"))
    payload = response.payload()
    for error in payload.get("errors", ()):
        del error["extensions"]["correlationId"]
    return payload


async def closes(writer, request):
    """Hang up without a word."""


@pytest.mark.parametrize(
    "behave",
    [
        sends(reply(BYTES)),
        sends(reply(BYTES, "500 Oops")),
        sends(reply(b"", "503 Busy", headers="retry-after: 0\r\n")),
        sends(reply(b"", "401 Unauthorized")),
        sends(reply(b'{"errors":[{"message":"no","extensions":{"code":["A"]}}]}', "500 Oops")),
        sends(reply(b'{"errors":[{"message":"no","extensions":{"code":{"A":1}}}]}', "400 Bad Request")),
        sends(reply(b'{"errors":[{"message":"no","extensions":{"code":["A"]}}]}')),
        sends(reply(b"{", "200 OK")),
        sends(reply(b'{"data":{"users":[{"id":{}}]}}')),
        sends(reply(b"<html>", content_type="text/html")),
        sends(reply(b'{"errors":[{"message":"no"}]}')),
        sends(b"\x16\x03\x01"),
        sends(reply(BYTES, length=1_000)),
        sends(reply(BYTES + b"more", length=len(BYTES))),
        closes,
        resets,
    ],
)
async def test_it_answers_as_the_policies_do(gateway, subgraphs, behave):
    told = []
    for is_direct in (True, False):
        gate = gateway(SDL, PLAN, wrap=lambda client, way=is_direct: policies(client, is_direct=way))
        subgraphs["a"].requests.clear()
        subgraphs["a"].behave = behave
        answers = [await ask(gate) for _ in range(4)]
        subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: GOOD
        answers.append(await ask(gate, "after"))
        for each in answers:
            for error in each.get("errors", ()):
                error["extensions"].pop("retryAfterMs", None)  # how long a breaker stays open: a clock's
        told.append((answers, len(subgraphs["a"].requests)))
    assert told[0] == told[1]


async def test_a_server_that_is_not_there_is_asked_again_and_then_told_of(gateway, unused_tcp_port):
    url = f"http://127.0.0.1:{unused_tcp_port}/graphql"
    told = []
    for is_direct in (True, False):
        gate = gateway(SDL, PLAN, urls={"a": url}, wrap=lambda client, way=is_direct: policies(client, is_direct=way))
        told.append(await ask(gate))
    assert told[0] == told[1]
    assert told[0]["errors"][0]["extensions"]["code"] == "SYSTEM_UNAVAILABLE"


def slowly(opened):
    async def behave(writer, request):
        await opened.wait()
        writer.write(reply(BYTES))
        await writer.drain()

    return behave


async def test_who_has_no_place_waits_for_one_and_who_leaves_takes_none(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=lambda client: policies(client, most=2, most_waiting=4))
    opened = asyncio.Event()
    subgraphs["a"].behave = slowly(opened)
    asking = [asyncio.create_task(ask(gate, name)) for name in "abcdef"]
    await subgraphs["a"].got(2)
    refused = await ask(gate, "g")
    assert refused["errors"][0]["extensions"]["code"] == "SYSTEM_CIRCUIT_OPEN"
    joining = asyncio.create_task(ask(gate, "d"))  # joins one that waits itself
    await asyncio.sleep(0.01)
    for leaving in (asking[0], asking[2], asking[5]):  # one that is under way, two that wait
        leaving.cancel()
    await subgraphs["a"].got(3)
    opened.set()
    answers = await asyncio.gather(*asking, joining, return_exceptions=True)
    assert [each if isinstance(each, dict) else "left" for each in answers] == [
        "left",
        GOOD,
        "left",
        GOOD,
        GOOD,
        "left",
        GOOD,
    ]
    assert [headers["x-name"] for headers in subgraphs["a"].headers] == ["a", "b", "d", "e"]
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: GOOD
    assert await asyncio.gather(*(ask(gate, name) for name in "hijkl")) == [GOOD] * 5


async def test_waiting_ends_at_the_requests_deadline(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=lambda client: policies(client, most=1))
    opened = asyncio.Event()
    subgraphs["a"].behave = slowly(opened)
    first = asyncio.create_task(ask(gate, "a"))
    await subgraphs["a"].got(1)
    patient = asyncio.create_task(ask(gate, "b"))  # its deadline comes later than that of those who wait after it
    await asyncio.sleep(0.01)
    for name in "cd":
        late = await ask(gate, name, x_request_timeout_ms="1100")
        assert late["errors"][0]["extensions"]["code"] == "SYSTEM_TIMEOUT"
    opened.set()
    assert (await first, await patient) == (GOOD, GOOD)
    assert [headers["x-name"] for headers in subgraphs["a"].headers] == ["a", "b"]


async def test_who_got_no_place_does_not_count_for_a_breaker(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=lambda client: policies(client, most=1))
    opened = asyncio.Event()
    subgraphs["a"].behave = slowly(opened)
    first = asyncio.create_task(ask(gate, "a"))
    await subgraphs["a"].got(1)
    for late in await asyncio.gather(*(ask(gate, name, x_request_timeout_ms="1100") for name in "bcdefg")):
        assert late["errors"][0]["extensions"]["code"] == "SYSTEM_TIMEOUT"
    opened.set()
    assert await first == GOOD
    subgraphs["a"].behave = sends(reply(b"", "500 Oops"))
    # Asked, repeated and failed again: two of the three that the subgraph got.
    assert (await ask(gate))["errors"][0]["extensions"]["code"] == "SYSTEM_CIRCUIT_OPEN"


async def test_who_gets_a_place_too_late_sends_nothing(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=lambda client: policies(client, most=1))

    def say(request):
        time.sleep(1.2)  # when this process gets to run again, the answer is there, and the other one's deadline over
        return GOOD

    subgraphs["a"].say = say
    first, late = await asyncio.gather(ask(gate, "a"), ask(gate, "b", x_request_timeout_ms="1100"))
    assert first == GOOD
    assert late["errors"][0]["extensions"]["code"] == "SYSTEM_TIMEOUT"
    subgraphs["a"].say = lambda request: GOOD
    assert await ask(gate, "c") == GOOD
    assert [headers["x-name"] for headers in subgraphs["a"].headers] == ["a", "c"]


async def test_time_that_is_over_ends_a_fetch_and_its_connection(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=policies)
    subgraphs["a"].behave = hangs
    late = await ask(gate, x_request_timeout_ms="1100")
    assert late["errors"][0]["extensions"]["code"] == "SYSTEM_TIMEOUT"
    async with asyncio.timeout(30):
        await subgraphs["a"].closed_by_peer.wait()
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: GOOD
    assert await ask(gate) == GOOD


async def test_who_leaves_closes_the_connection(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=policies)
    subgraphs["a"].behave = hangs
    asking = asyncio.create_task(ask(gate))
    await subgraphs["a"].got(1)
    asking.cancel()
    async with asyncio.timeout(30):
        await subgraphs["a"].closed_by_peer.wait()
