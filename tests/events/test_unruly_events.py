"""Events that come out of order, twice, broken or very late, seen by who listens to a running gateway."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from running_gateway import head_cursor, subscribed

from gateway.events.log import EventFilter

QUERY = """subscription ($cursor: String) { contractEvents(cursor: $cursor) { id time sequence cursor } }"""
BATCH = "application/cloudevents-batch+json"


async def begun(door, post, activated):
    """The cursor of an event of another contract, after which all that matters comes."""
    await post(f"{door.url}/events", [activated(0, contract="CON-2025-0009")], BATCH)
    return await head_cursor(door)


async def heard(read, count):
    """The next events as (number, time, sequence)."""
    events = [(await read())["payload"]["data"]["contractEvents"] for _ in range(count)]
    return [(int(event["id"].split(":")[1][4:]), event["time"], event["sequence"]) for event in events]


async def test_out_of_order_events_are_delivered_as_they_came_each_with_its_own_time(door, post, activated):
    cursor = await begun(door, post, activated)
    days = {3: "2026-03-03T00:00:00Z", 1: "2026-03-01T00:00:00Z", 2: "2026-03-02T00:00:00Z"}
    async with subscribed(door, QUERY, cursor=cursor) as live:
        for number, time in days.items():
            answer = await post(f"{door.url}/events", [activated(number, time=time)], BATCH)
            assert answer == {"accepted": 1, "duplicates": 0, "rejected": []}
        expected = [(3, days[3], 1), (1, days[1], 2), (2, days[2], 3)]
        assert await heard(live, 3) == expected
    # Who comes back is told the same story: the order is the log's, and nothing is sorted in afterwards.
    async with subscribed(door, QUERY, cursor=cursor) as again:
        assert await heard(again, 3) == expected


async def test_duplicate_events_are_acknowledged_and_delivered_once(door, post, activated):
    cursor = await begun(door, post, activated)
    url, time = f"{door.url}/events", "2026-03-01T09:30:00Z"
    async with subscribed(door, QUERY, cursor=cursor) as live:
        answers = await asyncio.gather(*(post(url, [activated(1), activated(1)], BATCH) for _ in range(10)))
        assert sum(answer["accepted"] for answer in answers) == 1
        assert sum(answer["duplicates"] for answer in answers) == 19
        # An id that is known is the same event, whatever the copy says; the first one holds.
        changed = await post(url, [activated(1, time="2026-04-01T00:00:00Z"), activated(2)], BATCH)
        assert changed == {"accepted": 1, "duplicates": 1, "rejected": []}
        assert await heard(live, 2) == [(1, time, 1), (2, time, 2)]
    async with subscribed(door, QUERY, cursor=cursor) as again:
        assert await heard(again, 2) == [(1, time, 1), (2, time, 2)]


async def test_poison_events_reach_nobody_and_hold_nobody_back(door, post, activated):
    cursor = await begun(door, post, activated)
    poison = activated(2)
    poison["data"]["changes"] = "none"
    time = "2026-03-01T09:30:00Z"
    async with subscribed(door, QUERY, cursor=cursor) as live:
        answer = await post(f"{door.url}/events", [activated(1), poison, "no event", None, activated(3)], BATCH)
        assert (answer["accepted"], answer["duplicates"]) == (2, 0)
        assert [(each["id"], each["code"]) for each in answer["rejected"]] == [
            (poison["id"], "EVENT_CONTRACT_BROKEN"),
            (None, "EVENT_CONTRACT_BROKEN"),
            (None, "EVENT_CONTRACT_BROKEN"),
        ]
        assert await heard(live, 2) == [(1, time, 1), (3, time, 2)]
    query = {"query": "{ deadLetters(first: 10) { edges { node { eventId state } } } }"}
    letters = (await door.client.post(f"{door.url}/graphql", json=query)).json()
    assert letters["data"]["deadLetters"]["edges"] == [
        {"node": {"eventId": each, "state": "WAITING"}} for each in (poison["id"], None, None)
    ]


async def test_very_late_events_are_delivered_like_any_other_with_the_time_they_had(door, post, activated):
    cursor = await begun(door, post, activated)
    now, late = "2026-03-01T09:30:00Z", "1999-12-31T23:59:59Z"
    async with subscribed(door, QUERY, cursor=cursor) as live:
        await post(f"{door.url}/events", [activated(1)], BATCH)
        assert await heard(live, 1) == [(1, now, 1)]
        await post(f"{door.url}/events", [activated(2, time=late)], BATCH)
        assert await heard(live, 1) == [(2, late, 2)]
    async with subscribed(door, QUERY, cursor=cursor) as again:
        assert await heard(again, 2) == [(1, now, 1), (2, late, 2)]


async def test_very_late_events_are_kept_by_when_they_were_recorded(ingest, activated):
    """Retention counts from the recording: an event that is older than it on arrival still has its time to be read."""
    await ingest.post(activated(1, time="1999-12-31T23:59:59Z"))
    assert await ingest.events.log.trim(datetime.now(UTC) - timedelta(hours=1)) == 0
    (kept,) = (await ingest.events.log.read(0, EventFilter(), 10)).events
    assert (kept.event.id, kept.event.time.year) == (activated(1)["id"], 1999)
