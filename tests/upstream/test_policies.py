"""Each policy around a subgraph client, over real sockets."""

import asyncio

import pytest
from planned_gateway import root
from scripted_subgraph import hangs, reply, sends

from gateway.engine import Caller, GraphQLRequest
from gateway.federation.plan import OperationKind
from gateway.upstream.breaker import BreakerLimits, CircuitBreaker
from gateway.upstream.bulkhead import Bulkhead
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.deadline import Deadlined
from gateway.upstream.headers import Headered
from gateway.upstream.retry import Retried, RetryBudget

SDL = "type Query { users: [User] } type Mutation { drop: Int } type User { id: ID! }"
PLAN = root("a", "{users{id}}", "users")
QUERY = "{ users { id } }"
DOWN = sends(reply(b"", "500 Oops"))


def good(request):
    return {"data": {"users": [{"id": "1"}]}}


def fails(code, **more):
    error = {"path": ["users"], "code": code, "system": "a", "retryable": True, **more}
    return {"data": {"users": None}, "errors": [error]}


async def test_a_read_is_repeated_as_far_as_the_budget_goes(gateway, subgraphs):
    budget = RetryBudget(most=3)
    gate = gateway(SDL, PLAN, wrap=lambda client: Retried(client, backoff_s=0.001, budget=budget))

    async def once(writer, request):
        subgraphs["a"].behave = None
        await DOWN(writer, request)

    subgraphs["a"].say, subgraphs["a"].behave = good, once
    assert await gate.ask(QUERY) == {"data": {"users": [{"id": "1"}]}}
    subgraphs["a"].behave = DOWN
    requests = []
    for _ in range(3):
        subgraphs["a"].requests.clear()
        assert await gate.ask(QUERY) == fails("SYSTEM_ERROR")
        requests.append(len(subgraphs["a"].requests))
    assert requests == [3, 1, 1]


async def test_what_can_not_help_is_not_repeated(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=Retried)
    subgraphs["a"].behave = sends(reply(b"", "401 Unauthorized"))
    assert (await gate.ask(QUERY))["errors"][0]["code"] == "SYSTEM_AUTH_FAILED"
    subgraphs["a"].behave = sends(reply(b"", "429 Too Many Requests", headers="retry-after: 60\r\n"))
    assert (await gate.ask(QUERY))["errors"][0]["code"] == "SYSTEM_RATE_LIMITED"
    assert len(subgraphs["a"].requests) == 2
    write = gateway(SDL, root("a", "mutation{drop}", "drop", kind=OperationKind.MUTATION), wrap=Retried)
    subgraphs["a"].behave = DOWN
    assert (await write.ask("mutation { drop }"))["errors"][0]["outcome"] == "UNKNOWN"
    assert len(subgraphs["a"].requests) == 3


async def test_a_breaker_opens_refuses_and_heals(gateway, subgraphs):
    limits = BreakerLimits(least=4, open_s=10.0)
    gate = gateway(SDL, PLAN, wrap=lambda client: CircuitBreaker(client, limits))
    subgraphs["a"].behave, subgraphs["a"].say = DOWN, good
    for _ in range(4):
        assert await gate.ask(QUERY) == fails("SYSTEM_ERROR")
    refused = await gate.ask(QUERY)
    assert 0 < refused["errors"][0].pop("retryAfterMs") <= 10_000
    assert refused == fails("SYSTEM_CIRCUIT_OPEN")
    assert len(subgraphs["a"].requests) == 4
    await asyncio.sleep(10.1)
    assert (await gate.ask(QUERY))["errors"][0]["code"] == "SYSTEM_ERROR"  # the probe
    assert (await gate.ask(QUERY))["errors"][0]["code"] == "SYSTEM_CIRCUIT_OPEN"
    await asyncio.sleep(10.1)
    subgraphs["a"].behave = None
    for _ in range(2):
        assert await gate.ask(QUERY) == {"data": {"users": [{"id": "1"}]}}


async def test_neither_refusals_nor_clients_that_leave_trip_a_breaker(gateway, subgraphs):
    limits = BreakerLimits(least=2)
    breakers = []
    gate = gateway(
        SDL,
        PLAN,
        wrap=lambda client: breakers.append(CircuitBreaker(Deadlined(client), limits)) or breakers[-1],
    )
    subgraphs["a"].behave = sends(reply(b"", "400 Bad Request"))
    for _ in range(3):
        assert (await gate.ask(QUERY))["errors"][0]["code"] == "SYSTEM_REJECTED"
    subgraphs["a"].behave = hangs
    for _ in range(3):
        assert (await gate.ask(QUERY, x_request_timeout_ms="20"))["errors"][0]["code"] == "SYSTEM_TIMEOUT"
    for _ in range(3):
        subgraphs["a"].asked.clear()
        asking = asyncio.create_task(gate.ask(QUERY))
        await subgraphs["a"].asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert not any(breaker.is_open for breaker in breakers)


async def test_a_fetch_that_says_nothing_of_the_subgraph_neither_closes_a_breaker_nor_keeps_it_closed(
    gateway, subgraphs
):
    breakers = []
    limits = BreakerLimits(least=4, open_s=0.5)
    gate = gateway(
        SDL,
        PLAN,
        wrap=lambda client: breakers.append(CircuitBreaker(Deadlined(client), limits)) or breakers[-1],
    )

    async def ask_impatiently():
        subgraphs["a"].behave = hangs
        assert (await gate.ask(QUERY, x_request_timeout_ms="100"))["errors"][0]["code"] == "SYSTEM_TIMEOUT"

    for _ in range(6):
        await ask_impatiently()
    subgraphs["a"].behave = DOWN
    for _ in range(4):
        assert await gate.ask(QUERY) == fails("SYSTEM_ERROR")
    assert (await gate.ask(QUERY))["errors"][0]["code"] == "SYSTEM_CIRCUIT_OPEN"
    await asyncio.sleep(0.6)
    await ask_impatiently()
    assert breakers[0].is_open
    subgraphs["a"].behave, subgraphs["a"].say = None, good
    assert await gate.ask(QUERY) == {"data": {"users": [{"id": "1"}]}}
    assert not breakers[0].is_open


def slowly(gate):
    async def behave(writer, request):
        await gate.wait()
        writer.write(reply(b'{"data":{"users":[{"id":"1"}]}}'))
        await writer.drain()

    return behave


async def ask_as(gate, caller, **headers):
    return (await gate.engine.execute(GraphQLRequest(query=QUERY, headers=headers), caller)).payload()


async def test_identical_reads_in_flight_are_sent_once_per_caller(gateway, subgraphs):
    def wrap(client):
        client = Coalesced(Retried(client, backoff_s=0.001))
        return Headered(client, fixed={"X-Fixed": "1"}, forwarded=["X-Region", "Host", "Authorization"])

    gate = gateway(SDL, PLAN, wrap=wrap)
    opened = asyncio.Event()
    subgraphs["a"].behave = slowly(opened)
    ada, bob = Caller(subject="ada", token="t1"), Caller(subject="bob", token="t2")
    asking = [asyncio.create_task(ask_as(gate, caller)) for caller in (ada, ada, bob, ada)]
    asking.append(asyncio.create_task(ask_as(gate, ada, **{"x-region": "eu", "host": "evil"})))
    await subgraphs["a"].got(3)
    asking[0].cancel()  # whoever asked first leaves; the others are still answered
    await asyncio.sleep(0.02)
    opened.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [{"data": {"users": [{"id": "1"}]}}] * 4
    assert len(subgraphs["a"].requests) == 4
    regions = sorted((headers.get("x-region", "-"), headers["x-fixed"]) for headers in subgraphs["a"].headers)
    assert regions == [("-", "1"), ("-", "1"), ("-", "1"), ("eu", "1")]
    assert all(headers["host"].startswith("127.0.0.1") for headers in subgraphs["a"].headers)


async def test_a_bulkhead_lets_few_through_and_refuses_what_can_not_wait(gateway, subgraphs):
    gate = gateway(SDL, PLAN, wrap=lambda client: Bulkhead(client, most=2, most_waiting=1))
    opened = asyncio.Event()
    subgraphs["a"].behave = slowly(opened)
    asking = [asyncio.create_task(gate.ask(QUERY)) for _ in range(3)]
    await subgraphs["a"].got(2)
    assert await gate.ask(QUERY) == fails("SYSTEM_CIRCUIT_OPEN", retryAfterMs=1000)
    opened.set()
    assert await asyncio.gather(*asking) == [{"data": {"users": [{"id": "1"}]}}] * 3
