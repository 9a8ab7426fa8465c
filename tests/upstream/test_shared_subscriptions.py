"""Equal subscriptions of callers with equal rights are one at the subgraph, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import httpx2
import pytest
from planned_gateway import OnePlan, plain_supergraph, root
from scripted_streams import ScriptedStreams
from served_graph import Graph

from gateway.engine import Caller, Engine, GraphQLRequest, GraphQLResponse
from gateway.federation.plan import OperationKind, SubscriptionPlan
from gateway.upstream.coalesce import Coalesced
from gateway.upstream.event_queue import QueueLimits
from gateway.upstream.headers import Headered
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.shared_streams import SharedStreams
from gateway.upstream.stream_limits import StreamLimits

SDL = "type Query { one: Int } type Subscription { ticks(of: String): Int! }"
QUERY = "subscription($of: String) { ticks(of: $of) }"
PLAN = SubscriptionPlan(
    primary=root(
        "a",
        "subscription($of:String){ticks(of:$of)}",
        "ticks",
        kind=OperationKind.SUBSCRIPTION,
        variables=("of",),
    ),
    rest=None,
)
ADA = Caller(subject="ada", token="a")

Answers = AsyncGenerator[GraphQLResponse, None]


@pytest.fixture
async def streams() -> AsyncIterator[ScriptedStreams]:
    server = await ScriptedStreams().start()
    yield server
    await server.stop()


@asynccontextmanager
async def engine_over(
    streams: ScriptedStreams, shared: SharedStreams | None = None, limits: StreamLimits | None = None
) -> AsyncIterator[Engine]:
    coalesced = Coalesced(remote_subgraph(streams.url, limits=limits), streams=shared or SharedStreams())
    client = Headered(coalesced, fixed={}, forwarded=["x-tenant"])
    engine = Engine(plain_supergraph(SDL, ["a"]), {"a": client}, planner=OnePlan(PLAN))
    try:
        yield engine
    finally:
        engine.close()
        await client.aclose()


async def subscribed(engine: Engine, caller: Caller = ADA, of: str | None = None, **headers: str) -> Answers:
    request = GraphQLRequest(
        query=QUERY, variables={"of": of}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    answers = await engine.subscribe(request, caller)
    assert not isinstance(answers, GraphQLResponse), answers
    return answers  # type: ignore[return-value]  # a generator, as its docstring says


class Reader:
    """Reads a subscription to its end."""

    def __init__(self, answers: Answers) -> None:
        self.told: list[Any] = []
        self.news = asyncio.Event()
        self.task = asyncio.create_task(self._read(answers))

    async def _read(self, answers: Answers) -> None:
        async with aclosing(answers):
            async for answer in answers:
                self.told.append(json.loads(answer.body()))
                self.news.set()

    async def got(self, events: int) -> None:
        async with asyncio.timeout(60):
            while len(self.told) < events:
                self.news.clear()
                await self.news.wait()

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


def tick(number: int) -> dict[str, Any]:
    return {"data": {"ticks": number}}


def codes(answer: Any) -> list[str]:
    return [each["extensions"]["code"] for each in answer["errors"]]


async def test_fifty_equal_subscribers_are_one_subscription_which_ends_with_the_last(streams: ScriptedStreams) -> None:
    async with engine_over(streams) as engine:
        readers = [Reader(await subscribed(engine)) for _ in range(50)]
        await streams.until(lambda: len(streams.open) == 1)
        for number in range(3):
            await streams.tell({"ticks": number})
        for reader in readers:
            await reader.got(3)
            assert reader.told == [tick(0), tick(1), tick(2)]
        for reader in readers[:-1]:
            await reader.leave()
        await streams.tell({"ticks": 3})
        await readers[-1].got(4)
        assert (len(streams.subscribed), streams.connected) == (1, 1)
        await readers[-1].leave()
        await streams.until(lambda: not streams.connections)
        # Whoever comes later begins another one.
        late = Reader(await subscribed(engine))
        await streams.until(lambda: len(streams.open) == 1)
        await streams.tell({"ticks": 4})
        await late.got(1)
        await late.leave()
        assert len(streams.subscribed) == 2


async def test_only_what_is_equal_is_shared(streams: ScriptedStreams) -> None:
    async with engine_over(streams) as engine, AsyncExitStack() as leaving:
        for answers in (
            await subscribed(engine),
            await subscribed(engine, Caller(subject="ada", token="b")),
            await subscribed(engine, Caller(subject="bob", token="a")),
            await subscribed(engine, Caller(subject="ada", token="a", tenant="acme")),
            await subscribed(engine, x_tenant="acme"),
            await subscribed(engine, of="other"),
            await subscribed(engine, x_other="acme"),  # isn't forwarded: equal to the first
        ):
            leaving.push_async_callback(Reader(answers).leave)
        await streams.until(lambda: len(streams.open) == 6)
        await streams.tell({"ticks": 1})
        assert len(streams.subscribed) == 6


async def test_each_operation_on_a_websocket_tells_its_own_correlation_id(streams: ScriptedStreams) -> None:
    async with engine_over(streams) as engine, AsyncExitStack() as leaving:
        for name in ("one", "two"):
            answers = await subscribed(engine, of=name, x_correlation_id=f"asked-by-{name}")
            leaving.push_async_callback(Reader(answers).leave)
            await streams.until(lambda name=name: any(each["variables"]["of"] == name for each in streams.subscribed))
        told = [(each["variables"]["of"], each["extensions"]) for each in streams.subscribed]
        assert told == [(name, {"concord": {"correlationId": f"asked-by-{name}"}}) for name in ("one", "two")]
        assert [each["x-correlation-id"] for each in streams.headers] == ["asked-by-one"]


async def test_everybody_is_told_that_the_stream_broke_or_is_complete(streams: ScriptedStreams) -> None:
    async with engine_over(streams) as engine:
        readers = [Reader(await subscribed(engine)) for _ in range(5)]
        await streams.until(lambda: len(streams.open) == 1)
        await streams.tell({"ticks": 1})
        for reader in readers:
            await reader.got(1)
        streams.cut()
        for reader in readers:
            await reader.task
            assert reader.told[0] == tick(1)
            assert [codes(each) for each in reader.told[1:]] == [["SYSTEM_UNAVAILABLE"]]
        readers = [Reader(await subscribed(engine)) for _ in range(5)]
        await streams.until(lambda: len(streams.open) == 1)
        await streams.complete()
        for reader in readers:
            await reader.task
            assert reader.told == []


async def test_who_reads_slowly_holds_up_nobody_and_is_told_when_it_is_too_far_behind(
    streams: ScriptedStreams,
) -> None:
    async with engine_over(streams, SharedStreams(QueueLimits(events=20))) as engine:
        fast = Reader(await subscribed(engine))
        slow = await subscribed(engine)
        first = asyncio.ensure_future(anext(slow))
        await streams.until(lambda: len(streams.open) == 1)
        await streams.tell({"ticks": 0})
        assert json.loads((await first).body()) == tick(0)
        for number in range(1, 100):
            await streams.tell({"ticks": number})
            await fast.got(number + 1)
        assert fast.told == [tick(number) for number in range(100)]
        rest = [json.loads(each.body()) async for each in slow]
        assert codes(rest[-1]) == ["SLOW_CONSUMER"]
        # It may go on, as if it had come only now.
        again = Reader(await subscribed(engine))
        await asyncio.sleep(0)
        await streams.tell({"ticks": 100})
        await fast.got(101)
        await again.leave()
        await fast.leave()
        assert len(streams.subscribed) == 1


async def test_one_that_reads_slowly_alone_loses_nothing(streams: ScriptedStreams) -> None:
    async with engine_over(streams, SharedStreams(QueueLimits(events=5))) as engine:
        answers = await subscribed(engine)
        first = asyncio.ensure_future(anext(answers))
        await streams.until(lambda: len(streams.open) == 1)
        for number in range(100):
            await streams.tell({"ticks": number})
        assert json.loads((await first).body()) == tick(0)
        async with aclosing(answers):
            for number in range(1, 100):
                assert json.loads((await anext(answers)).body()) == tick(number)


@pytest.mark.parametrize(("setting", "subscriptions"), [("true", 2), ("false", 4)])
async def test_it_is_configured_for_each_subgraph(
    tmp_path: Any, streams: ScriptedStreams, setting: str, subscriptions: int
) -> None:
    schema = "type Query { one: Int } type Subscription { ticks(of: String): Int! }"
    graph = Graph(tmp_path, {"a": streams})
    graph.compose({"a": schema})
    (tmp_path / "a.graphql").write_text(schema)
    graph.settings = f'forward_headers = ["x-tenant"]\nshare_subscriptions = {setting}\n'
    with graph.serve() as served:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client, AsyncExitStack() as closing:
            bodies = []
            for tenant in ("acme", "acme", "other", "other"):
                response = await closing.enter_async_context(
                    client.stream(
                        "POST",
                        f"{served.url}/graphql",
                        json={"query": "subscription { ticks }"},
                        headers={"accept": "text/event-stream", "x-tenant": tenant},
                    )
                )
                bodies.append(response.aiter_lines())
            await streams.until(lambda: len(streams.open) == subscriptions)
            await streams.tell({"ticks": 7})
            for lines in bodies:
                assert (
                    await anext(line async for line in lines if line.startswith("data: "))
                    == 'data: {"data":{"ticks":7}}'
                )
    assert (len(streams.subscribed), streams.connected) == (subscriptions, subscriptions)


async def test_different_subscriptions_with_the_same_headers_go_over_one_socket_each_by_itself(
    streams: ScriptedStreams,
) -> None:
    limits = StreamLimits(operations_per_socket=3)
    async with engine_over(streams, limits=limits) as engine:
        readers = {name: Reader(await subscribed(engine, of=name)) for name in "abcd"}
        other = Reader(await subscribed(engine, Caller(subject="bob", token="b"), of="a"))
        await streams.until(lambda: len(streams.open) == 5)
        # Three on one, the fourth on another, and another caller's on its own.
        assert sorted(len(streams.on(each)) for each in streams.connections) == [1, 1, 3]
        for number, name in enumerate("abcd"):
            await streams.tell({"ticks": number}, of=name)
        for number, name in enumerate("abcd"):
            await readers[name].got(1)
            assert readers[name].told == [tick(number)]
        await other.got(1)
        assert other.told == [tick(0)]
        # One that leaves, or is completed, leaves the others alone.
        await readers["a"].leave()
        await streams.until(lambda: len(streams.open) == 4)
        await streams.complete(of="b")
        await readers["b"].task
        await streams.tell({"ticks": 7}, of="c")
        await readers["c"].got(2)
        assert (readers["b"].told, readers["c"].told) == ([tick(1)], [tick(2), tick(7)])
        # There is room again.
        again = Reader(await subscribed(engine, of="a"))
        await streams.until(lambda: len(streams.open) == 4)
        assert streams.connected == 3
        # A socket that is cut is everybody's loss that is on it, and the next one to come has a new one.
        streams.cut()
        for reader in (again, readers["c"], readers["d"], other):
            await reader.task
            assert codes(reader.told[-1]) == ["SYSTEM_UNAVAILABLE"]
        late = Reader(await subscribed(engine, of="c"))
        await streams.until(lambda: len(streams.open) == 1)
        await streams.tell({"ticks": 8})
        await late.got(1)
        await late.leave()
        await streams.until(lambda: not streams.connections)


async def test_one_that_is_not_read_does_not_hold_up_others_on_its_socket(streams: ScriptedStreams) -> None:
    async with engine_over(streams) as engine:
        unread = await subscribed(engine, of="unread")
        first = asyncio.ensure_future(anext(unread))
        fast = Reader(await subscribed(engine, of="fast"))
        await streams.until(lambda: len(streams.open) == 2)
        assert streams.connected == 1
        await streams.tell({"ticks": 0})
        await first
        for number in range(1, 1_500):
            await streams.tell({"ticks": number})
        await fast.got(1_500)
        assert fast.told == [tick(number) for number in range(1_500)]
        rest = [json.loads(each.body()) async for each in unread]
        assert codes(rest[-1]) == ["SLOW_CONSUMER"]
        await streams.until(lambda: len(streams.open) == 1)
        await fast.leave()


async def test_many_that_wait_for_one_socket_hear_why_it_did_not_open(streams: ScriptedStreams) -> None:
    streams.refuses = True
    async with engine_over(streams) as engine:
        readers = [Reader(await subscribed(engine, of=str(number))) for number in range(5)]
        for reader in readers:
            await reader.task
            assert [codes(each) for each in reader.told] == [["SYSTEM_AUTH_FAILED"]]
        assert streams.connected == 1
