"""A system of record that fails for more than a moment is an event, and so is its recovery; each is told once."""

from __future__ import annotations

import asyncio

from running_gateway import head_cursor, subscribed

from gateway.events.event import print_event
from gateway.events.log import EventFilter
from gateway.events.source_watch import SourceWatch


async def told(events):
    found = (await events.log.read(0, EventFilter(), 100)).events
    return [(each.event.type.split(".")[2], each.event.keys["source"]) for each in found]


async def test_failure_and_recovery_are_told_once_by_however_many_gateways(events, contracts):
    well = {"crm": True, "erp": True}

    async def look():
        return dict(well)

    watches = [SourceWatch(events.log, events.notes, look, ill_for_s=3.0) for _ in range(2)]

    async def all_look(now):
        for watch in watches:
            await watch.look_once(now)

    await all_look(0)
    assert await told(events) == []  # what never failed does not recover
    well["erp"] = False
    await all_look(1)
    await all_look(3)
    assert await told(events) == []  # for a moment only
    await all_look(4)
    await all_look(5)
    assert await told(events) == [("degraded", "erp")]
    del well["erp"]  # nothing is known of it
    await all_look(6)
    well["erp"] = True
    await all_look(7)
    await all_look(8)
    # A gateway that starts anew knows from the log what was told.
    watches.append(SourceWatch(events.log, events.notes, look))
    well["crm"] = False
    await all_look(9)
    await all_look(12)
    assert await told(events) == [("degraded", "erp"), ("recovered", "erp"), ("degraded", "crm")]
    for recorded in (await events.log.read(0, EventFilter(), 100)).events:
        assert contracts.parse(print_event(recorded.event)) == recorded.event


async def test_subscribers_hear_of_a_subgraph_that_fails_and_of_its_recovery(door, take_record):
    await take_record("crm", "101")
    document = (
        """subscription ($cursor: String) { operationsUpdates(cursor: $cursor) { type source changes { from to } } }"""
    )
    query = {"query": "{ customers(first: 1) { totalCount } }"}
    stop = asyncio.Event()

    async def keep_asking():
        while not stop.is_set():
            await door.client.post(f"{door.url}/graphql", json=query)
            await asyncio.sleep(0.05)

    async with subscribed(door, document, cursor=await head_cursor(door)) as read, asyncio.TaskGroup() as group:
        group.create_task(keep_asking())
        door.faults["identity"] = 503
        degraded = (await read())["payload"]["data"]["operationsUpdates"]
        del door.faults["identity"]
        recovered = (await read())["payload"]["data"]["operationsUpdates"]
        stop.set()
    assert degraded == {
        "type": "concord.source.degraded.v1",
        "source": "concord/gateway",
        "changes": [{"from": "UP", "to": "DOWN"}],
    }
    assert recovered == {
        "type": "concord.source.recovered.v1",
        "source": "concord/gateway",
        "changes": [{"from": "DOWN", "to": "UP"}],
    }
