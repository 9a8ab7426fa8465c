"""Analytics read the log as lines or server-sent events, and go on where they stopped."""

from __future__ import annotations

import asyncio
import json

import pytest
from running_gateway import SECRET, running_door

KEY = "analytics-key-of-16+"
READER = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
async def door(tmp_path, schemas, serve):
    async with running_door(tmp_path, schemas, serve, events={"feed_keys": {"analytics": KEY}}) as running:
        yield running


@pytest.fixture
def publish(post, door, activated):
    async def publish(*numbers, **extra):
        batch = [activated(number, **extra) for number in numbers]
        await post(f"{door.url}/events", batch, "application/cloudevents-batch+json")

    return publish


async def lines(door, count=None, headers=READER, **query):
    found = []
    url = f"{door.url}/events/feed"
    async with asyncio.timeout(60), door.client.stream("GET", url, params=query, headers=headers) as reply:
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-ndjson"), await reply.aread()
        async for line in reply.aiter_lines():
            if line:
                found.append(json.loads(line))
            if len(found) == count:
                break
    return found


def ids(found):
    return [each["id"] for each in found]


async def test_the_whole_log_and_what_follows_a_cursor(door, publish, activated):
    await publish(1, 2, 3)
    whole = await lines(door, after="beginning", follow="false")
    assert ids(whole) == [activated(n)["id"] for n in (1, 2, 3)]
    first = whole[0]
    assert {first.pop("cursor"), first.pop("recordedtime")}
    assert first == activated(1) | {"sequence": "1", "dataschema": "urn:concord:event:contract.activated:1.1"}
    assert ids(await lines(door, after=whole[1]["cursor"], follow="false")) == ids(whole[2:])
    assert await lines(door, after=whole[2]["cursor"], follow="false") == []
    assert ids(await lines(door, after="beginning", limit="2")) == ids(whole[:2])
    assert await lines(door, after="beginning", follow="false", types="concord.invoice.paid.v1") == []
    assert await lines(door, after="beginning", follow="false", systems="crm,erp") == []
    assert len(await lines(door, headers={"authorization": f"bearer {SECRET}"}, after="beginning", limit="3")) == 3


async def test_what_comes_is_sent_at_once_and_a_broken_stream_goes_on(door, publish, activated):
    await publish(0)
    (start,) = await lines(door, after="beginning", limit="1")
    reading = asyncio.create_task(lines(door, 4, after=start["cursor"]))
    for number in range(1, 5):
        await publish(number)
    live = await reading
    assert ids(live) == [activated(n)["id"] for n in range(1, 5)]
    assert ids(await lines(door, 2, after=live[1]["cursor"])) == ids(live[2:])


async def test_server_sent_events_carry_the_cursor_as_their_id(door, publish, activated):
    await publish(1, 2)
    accept = READER | {"accept": "text/event-stream"}
    url = f"{door.url}/events/feed"

    async def read(count, **headers):
        found, fields = [], {}
        async with (
            asyncio.timeout(60),
            door.client.stream("GET", url, params={"after": "beginning"}, headers=accept | headers) as reply,
        ):
            async for line in reply.aiter_lines():
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    found.append(fields)
                    fields = {}
                if len(found) == count:
                    return found
        return found

    first, second = await read(2)
    assert json.loads(first["data"])["cursor"] == first["id"]
    (again,) = await read(1, **{"last-event-id": first["id"]})
    assert again == second
    assert json.loads(second["data"])["id"] == activated(2)["id"]


@pytest.mark.parametrize(
    ("headers", "query", "status", "code"),
    [
        ({}, {}, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer wrong"}, {}, 401, "UNAUTHENTICATED"),
        ({"authorization": f"Basic {KEY}"}, {}, 401, "UNAUTHENTICATED"),
        (READER, {"after": "nonsense"}, 400, "EVENT_CURSOR_INVALID"),
        (READER, {"types": "concord.no.such.v1"}, 400, "BAD_USER_INPUT"),
        (READER, {"follow": "perhaps"}, 400, "BAD_USER_INPUT"),
        (READER, {"limit": "0"}, 400, "BAD_USER_INPUT"),
        (READER, {"limit": "9" * 30}, 400, "BAD_USER_INPUT"),
        (READER, {"since": "1"}, 400, "BAD_USER_INPUT"),
    ],
)
async def test_a_reader_that_may_not_or_asks_wrongly_is_refused(door, headers, query, status, code):
    reply = await door.client.get(f"{door.url}/events/feed", params=query, headers=headers)
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error["extensions"]["code"]) == (status, code)
    assert KEY not in reply.text
    reply = await door.client.post(f"{door.url}/events/feed", headers=READER)
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET")
