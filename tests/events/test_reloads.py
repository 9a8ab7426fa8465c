"""A reload carries open subscriptions over to the new graph; those it has no place for are told so, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import orjson
import pytest
from listeners import TRANSPORTS, Address, listening
from running_gateway import SDL, Door, head_cursor, running_door
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.federation.composition import SubgraphSource, compose

RELOADED = {
    "message": "The schema changed so that this subscription can't go on; subscribe again.",
    "extensions": {"code": "SCHEMA_RELOADED", "class": "INTERNAL", "system": "gateway", "retryable": True},
}
ENDINGS: dict[str, Any] = {
    "graphql-transport-ws": {"type": "error", "id": "1", "payload": [RELOADED]},
    "graphql-sse": [("next", {"errors": [RELOADED]}), ("complete", None)],
    "graphql-sse, one connection": [("next", {"errors": [RELOADED]}), ("complete", None)],
    "multipart": [{"payload": {"errors": [RELOADED]}}, "--graphql--"],
    "callback": {"errors": [RELOADED]},
}
PLAIN = "subscription ($cursor: String) { contractEvents(cursor: $cursor) { id cursor customer { id } } }"
NICKNAMES = PLAIN.replace("customer { id", "customer { id nickname")
PROBE = "{ nodes(ids: []) { ... on Customer { nickname } } }"
BATCH = "application/cloudevents-batch+json"


@pytest.fixture(scope="module")
async def door(tmp_path_factory: Any, schemas: Any, serve: Any) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("gateway")
    events = {"egress_hosts": ("127.0.0.1",)}
    async with running_door(folder, schemas, serve, reload_interval_s=0.1, events=events) as opened:
        yield opened


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """Of events; a test that is run once more has others, since the door has those of the first time."""
    return count(1)


@pytest.fixture
def publish(door: Door, activated: Any, sign: Any, numbers: Iterator[int]) -> Any:
    async def publish() -> str:
        event = activated(next(numbers))
        body = orjson.dumps([event])
        headers = {"content-type": BATCH, "x-concord-signature": sign(body)}
        reply = await door.client.post(f"{door.url}/events", content=body, headers=headers)
        assert reply.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
        return str(event["id"])

    return publish


async def serves(door: Door, text: str, query: str, *, is_valid: bool) -> None:
    """Put a supergraph into the file, and wait until its engine answers."""
    door.supergraph.write_text(text)
    async with asyncio.timeout(60):
        while True:
            answer = (await door.client.post(f"{door.url}/graphql", json={"query": query})).json()
            if ("data" in answer) == is_valid:
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("transport", ENDINGS)
async def test_a_subscription_to_a_field_that_is_gone_is_ended_and_others_go_on(
    door: Door, serve: Any, publish: Any, transport: str
) -> None:
    assert ENDINGS.keys() == {name for name in TRANSPORTS if not name.startswith("feed")}
    plain = door.supergraph.read_text()
    await publish()
    start = await head_cursor(door)
    async with serve(owner_of_nicknames("Al")) as owner:
        await serves(door, composed_with(door, "names", owner), PROBE, is_valid=True)
        async with (
            listening(transport, Address(door, "", start, serve, PLAIN)) as staying,
            listening(transport, Address(door, "", start, serve, NICKNAMES)) as leaving,
        ):
            first = await publish()
            for each in (staying, leaving):
                await each.until(lambda heard: heard.ids == [first])
            await serves(door, plain, PROBE, is_valid=False)
            await leaving.until(lambda heard: heard.ending is not None)
            assert without_correlation(leaving.heard.ending) == ENDINGS[transport]
            second = await publish()
            await staying.until(lambda heard: len(heard.ids) == 2)
            assert (staying.heard.ids, staying.heard.ending) == ([first, second], None)


def owner_of_nicknames(nickname: str) -> Starlette:
    """A subgraph that gives every customer one nickname."""

    async def answer(request: Any) -> JSONResponse:
        asked = (await request.json())["variables"]["representations"]
        return JSONResponse({"data": {"_entities": [{"__typename": "Customer", "nickname": nickname} for _ in asked]}})

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])])


def composed_with(door: Door, owner: str, url: str, more: str = "") -> str:
    sdl = f"""extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
      type Customer @key(fields: "id") {{ id: ID! nickname: String {more} }}"""
    known = (("identity", f"{door.identity_url}/graphql"), ("concord", "http://concord.invalid"))
    sources = [SubgraphSource(name=name, url=at, sdl=(SDL / f"{name}.graphql").read_text()) for name, at in known]
    composition = compose([*sources, SubgraphSource(name=owner, url=f"{url}/graphql", sdl=sdl)])
    assert composition.supergraph_sdl is not None, composition.errors
    return composition.supergraph_sdl


@pytest.mark.parametrize("transport", ENDINGS)
async def test_after_a_reload_a_field_is_read_from_its_new_owner(
    door: Door, serve: Any, publish: Any, transport: str
) -> None:
    """A subscription that was idle over the reload misses nothing, and its next event is answered by the new plan."""
    plain = door.supergraph.read_text()
    await publish()
    start = await head_cursor(door)
    async with serve(owner_of_nicknames("Al")) as before, serve(owner_of_nicknames("Bo")) as after:
        await serves(door, composed_with(door, "names", before), PROBE, is_valid=True)
        async with listening(transport, Address(door, "", start, serve, NICKNAMES)) as listener:
            first = await publish()
            await listener.until(lambda heard: heard.ids == [first])
            moved = composed_with(door, "labels", after, "moved: Int")
            await serves(door, moved, PROBE.replace("nickname", "moved"), is_valid=True)
            second = await publish()
            await listener.until(lambda heard: heard.ids == [first, second])
            assert [event["customer"]["nickname"] for event in listener.heard.events] == ["Al", "Bo"]
    await serves(door, plain, PROBE, is_valid=False)


def without_correlation(told: Any) -> Any:
    """What was told, without the one part that no test knows beforehand."""
    match told:
        case dict():
            return {name: without_correlation(value) for name, value in told.items() if name != "correlationId"}
        case list() | tuple():
            return type(told)(without_correlation(each) for each in told)
        case _:
            return told
