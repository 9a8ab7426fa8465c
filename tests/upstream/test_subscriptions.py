"""Subscriptions from a real strawberry subgraph: over a WebSocket, over server-sent events, and in process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
import strawberry
import uvicorn
from planned_gateway import OnePlan, entity, plain_supergraph, root
from scripted_subgraph import reply, sends
from strawberry.asgi import GraphQL

from gateway.engine import Engine, GraphQLRequest, GraphQLResponse
from gateway.execution.ports import RequestContext, SubgraphFailure
from gateway.federation.plan import OperationKind, SubscriptionPlan
from gateway.upstream.http import HttpSubgraph
from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.in_process import InProcessSubgraph
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.sse_stream import server_events
from gateway.upstream.stream_limits import StreamLimits
from gateway.upstream.subscribe import RemoteStreams

OPEN = {"streams": 0}


@strawberry.type
class User:
    id: strawberry.ID


@strawberry.type
class Query:
    @strawberry.field
    def one(self) -> int:
        return 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def joined(self, first: int, fail: bool = False) -> AsyncGenerator[User, None]:
        OPEN["streams"] += 1
        try:
            for number in range(first):
                yield User(id=strawberry.ID(str(number)))
            if fail:
                raise ValueError("secret")
        finally:
            OPEN["streams"] -= 1


SCHEMA = strawberry.Schema(query=Query, subscription=Subscription)
SDL = (
    "type Query { one: Int } type User { id: ID! name: String } "
    "type Subscription { joined(first: Int!, fail: Boolean): User! }"
)
PLAN = SubscriptionPlan(
    primary=root(
        "a",
        "subscription($n:Int!,$fail:Boolean){joined(first:$n,fail:$fail){__typename id}}",
        "joined",
        kind=OperationKind.SUBSCRIPTION,
        variables=("n", "fail"),
    ),
    rest=entity("b", "name", "joined", type_name="User", fields=("name",)),
)
QUERY = "subscription($n: Int!, $fail: Boolean) { joined(first: $n, fail: $fail) { name id } }"


@pytest.fixture(scope="module")
async def strawberry_url():
    server = uvicorn.Server(uvicorn.Config(GraphQL(SCHEMA), port=0, log_level="warning", ws="websockets-sansio"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/graphql"
    server.should_exit = True
    await serving


async def no_context(context: RequestContext) -> None:
    return None


@pytest.fixture
async def engine_over(subgraphs):
    closing: list[Any] = []

    def make(client: Any) -> Engine:
        names = HttpSubgraph(HttpxTransport(subgraphs["b"].url), subscribe=client.subscribe)
        closing.extend((client, names))
        engine = Engine(plain_supergraph(SDL, ["a", "b"]), {"a": client, "b": names}, planner=OnePlan(PLAN))
        closing.append(engine)
        return engine

    subgraphs["b"].say = lambda request: {
        "data": {"_entities": [{"name": f"user {each['id']}"} for each in request["variables"]["representations"]]}
    }
    yield make
    for each in closing:
        if isinstance(each, Engine):
            each.close()
        else:
            await each.aclose()


def remote(url: str) -> HttpSubgraph:
    transport = HttpxTransport(url)
    return HttpSubgraph(
        transport, subscribe=RemoteStreams(url, transport, limits=StreamLimits(connect_timeout_s=2)).subscribe
    )


async def answers_of(engine: Engine, most: int | None = None, **variables: Any) -> list[GraphQLResponse]:
    stream = await engine.subscribe(GraphQLRequest(query=QUERY, variables=variables))
    assert not isinstance(stream, GraphQLResponse), stream
    answers = []
    async with aclosing(stream) as events:
        async for answer in events:
            answers.append(answer)
            if len(answers) == most:
                break
    return answers


async def closed() -> None:
    async with asyncio.timeout(30):
        while OPEN["streams"]:  # noqa: ASYNC110 - the resolver's own clean-up sets it
            await asyncio.sleep(0.01)


def joined(number: int) -> dict[str, Any]:
    return {"data": {"joined": {"name": f"user {number}", "id": str(number)}}}


async def test_a_client_knows_whether_a_subscription_goes_on_over_it(engine_over, strawberry_url):
    client = remote_subgraph(strawberry_url)
    engine = engine_over(client)
    assert not client.is_streaming
    stream = await engine.subscribe(GraphQLRequest(query=QUERY, variables={"n": 1000}))
    async with aclosing(stream) as events:
        await anext(events)
        assert client.is_streaming
    assert not client.is_streaming


@pytest.mark.parametrize("kind", ["websocket", "in process"])
async def test_each_event_is_completed_with_other_subgraphs_fields(engine_over, strawberry_url, kind):
    client = remote(strawberry_url) if kind == "websocket" else InProcessSubgraph(SCHEMA, make_context=no_context)
    engine = engine_over(client)
    assert [answer.payload() for answer in await answers_of(engine, n=3)] == [joined(i) for i in range(3)]
    # A client that leaves early ends the source stream.
    assert [answer.payload() for answer in await answers_of(engine, most=2, n=1000)] == [joined(0), joined(1)]
    await closed()
    # A resolver that fails ends the stream with an error, whose text stays inside.
    *events, last = await answers_of(engine, n=1, fail=True)
    assert [answer.payload() for answer in events] == [joined(0)]
    (error,) = last.errors
    assert (error["path"], error["extensions"]["code"], "secret" in str(last)) == (["joined"], "SYSTEM_ERROR", False)


async def test_server_sent_events_serve_where_there_is_no_websocket(engine_over, subgraphs):
    def event(name: str, data: str) -> str:
        return f"event: {name}\r\ndata: {data}\r\n\r\n"

    users = [
        '{"data":{"joined":{"__typename":"User",\r\ndata: "id":"0"}}}',
        '{"data":{"joined":{"__typename":"User","id":"1"}}}',
    ]
    stream = ":\r\n\r\n" + "".join(event("next", user) for user in users)

    async def behave(writer: asyncio.StreamWriter, _: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        whole = (stream + event("complete", "")).encode()
        for at in range(0, len(whole), 7):
            writer.write(whole[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)

    subgraphs["a"].behave = behave
    engine = engine_over(remote(subgraphs["a"].url))
    assert [answer.payload() for answer in await answers_of(engine, n=2)] == [joined(0), joined(1)]
    assert subgraphs["a"].headers[-1]["accept"].startswith("text/event-stream")

    subgraphs["a"].behave = sends(reply(stream.encode(), content_type="text/event-stream"))
    *events, last = await answers_of(engine, n=2)
    assert [answer.payload() for answer in events] == [joined(0), joined(1)]
    assert last.errors[0]["extensions"]["code"] == "SYSTEM_UNAVAILABLE"


async def test_a_stream_that_can_not_start_answers_with_its_error(engine_over, subgraphs, unused_tcp_port):
    (refused,) = await answers_of(engine_over(remote(f"http://127.0.0.1:{unused_tcp_port}/")), n=1)
    assert (refused.http_status, refused.payload().keys()) == (502, {"errors"})
    assert refused.errors[0]["extensions"]["code"] == "SYSTEM_UNAVAILABLE"
    subgraphs["a"].behave = sends(reply(b'{"errors":[{"message":"m","extensions":{"code":"FORBIDDEN"}}]}'))
    (forbidden,) = await answers_of(engine_over(remote(subgraphs["a"].url)), n=1)
    assert forbidden.errors[0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_subgraph_that_goes_silent_ends_the_subscription(engine_over, subgraphs):
    def over(**limits: float) -> HttpSubgraph:
        transport = HttpxTransport(subgraphs["a"].url)
        return HttpSubgraph(
            transport, subscribe=RemoteStreams(subgraphs["a"].url, transport, limits=StreamLimits(**limits)).subscribe
        )

    def silent_after(text: bytes) -> Any:
        async def behave(writer: asyncio.StreamWriter, _: Any) -> None:
            writer.write(text)
            await asyncio.sleep(600)

        return behave

    # It knows no WebSocket, and hangs before it answers …
    subgraphs["a"].behave = silent_after(b"")
    (refused,) = await answers_of(engine_over(over(head_timeout_s=1)), n=1)
    assert (refused.http_status, refused.errors[0]["extensions"]["code"]) == (504, "SYSTEM_TIMEOUT")
    # … in an answer that is no stream …
    subgraphs["a"].behave = silent_after(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{")
    (refused,) = await answers_of(engine_over(over(head_timeout_s=1)), n=1)
    assert refused.errors[0]["extensions"]["code"] == "SYSTEM_TIMEOUT"
    # … or after an event. Comments are no silence.
    event = b'event: next\ndata: {"data":{"joined":{"__typename":"User","id":"0"}}}\n\n'

    async def beats(writer: asyncio.StreamWriter, _: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for _ in range(6):
            writer.write(b":\n\n")
            await asyncio.sleep(0.5)
        writer.write(event)
        await asyncio.sleep(600)

    subgraphs["a"].behave = beats
    told, last = await answers_of(engine_over(over(silence_s=2)), n=1)
    assert told.payload() == joined(0)
    assert last.errors[0]["extensions"]["code"] == "SYSTEM_UNAVAILABLE"


async def test_other_operations_have_one_answer_and_refusals_too(engine_over, strawberry_url):
    engine = engine_over(remote(strawberry_url))
    response = await engine.subscribe(GraphQLRequest(query="{ nope }"))
    assert isinstance(response, GraphQLResponse)
    assert (response.http_status, response.errors[0]["extensions"]["code"]) == (400, "GRAPHQL_VALIDATION_FAILED")
    response = await engine.execute(GraphQLRequest(query=QUERY, variables={"n": 1}))
    assert (response.http_status, response.errors[0]["extensions"]["code"]) == (400, "BAD_REQUEST")


async def arriving(*pieces: bytes, told: list[int] | None = None) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        if told is not None:
            told.append(len(piece))
        yield piece


async def test_an_event_in_tiny_pieces_costs_no_more_than_its_bytes() -> None:
    line = b"data: " + b"a" * (6 << 20) + b"\r\n\r\n"
    tiny = [line[start : start + 24] for start in range(0, len(line), 24)]
    async with asyncio.timeout(60):  # copied anew with each piece it would be 800 GB
        found = [each async for each in server_events(arriving(*tiny), 8 << 20)]
    assert [(each.name, len(each.data)) for each in found] == [("message", 6 << 20)]


async def test_bytes_are_counted_for_each_event_and_refused_past_the_limit() -> None:
    small = b"event: next\ndata: 1\n\n"
    assert len([each async for each in server_events(arriving(small * 100, small), 30)]) == 101
    for large in (b"data: " + b"a" * 30, b"data: 1\n" * 5, b"data: " + b"a" * 30 + b"\n\n"):
        told: list[int] = []
        found = []
        with pytest.raises(SubgraphFailure, match="event of more than 30 bytes") as refused:
            async for each in server_events(arriving(small + large, b"never read", told=told), 30):
                found.append(each.data)
        assert (refused.value.code, found, len(told)) == ("SYSTEM_BAD_RESPONSE", ["1"], 1)
