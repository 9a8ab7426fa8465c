"""Whoever listens to a log that is still empty hears its first event, on each transport, over both engines."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from listeners import TRANSPORTS, Address, listening
from redis.asyncio import Redis
from running_gateway import SECRET, Door, running_door

QUERY = "subscription ($cursor: String) { contractEvents(cursor: $cursor) { id cursor customer { id } } }"
OPEN = re.compile(r"^concord_event_streams (\d+)", re.MULTILINE)


async def listen(door: Door, count: int) -> None:
    """Wait until so many streams of events are open."""
    async with asyncio.timeout(60):
        while True:
            found = OPEN.search((await door.client.get(f"{door.url}/metrics")).text)
            if found is not None and int(found[1]) == count:
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("engine", ["sqlite", "redis"])
async def test_the_first_event_of_an_empty_log_reaches_all_who_wait_for_it(
    engine: str, tmp_path: Any, schemas: Any, serve: Any, activated: Any, sign: Any, request: Any
) -> None:
    settings: dict[str, Any] = {"egress_hosts": ("127.0.0.1",)}
    if engine == "redis":
        settings["redis_url"] = request.getfixturevalue("redis_url")
        async with Redis.from_url(settings["redis_url"]) as redis:
            await redis.flushall()
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(running_door(tmp_path, schemas, serve, events=settings))
        assert (
            await door.client.post(f"{door.url}/graphql", json={"query": "{ events { edges { cursor } } }"})
        ).json() == {"data": {"events": {"edges": []}}}
        listeners = {}
        for name in TRANSPORTS:
            # The feed asks everybody for a key.
            address = Address(door, SECRET if name.startswith("feed") else "", "", serve, QUERY)
            listeners[name] = await stack.enter_async_context(listening(name, address))
        await listen(door, len(TRANSPORTS))
        for number in (1, 2):
            body = orjson.dumps([activated(number)])
            headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
            reply = await door.client.post(f"{door.url}/events", content=body, headers=headers)
            assert reply.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
        expected = [activated(number)["id"] for number in (1, 2)]
        for listener in listeners.values():
            await listener.until(lambda heard: len(heard.ids) == 2)
        assert {name: each.heard.ids for name, each in listeners.items()} == dict.fromkeys(TRANSPORTS, expected)
