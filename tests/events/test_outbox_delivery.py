"""A subgraph's events reach the log by whichever gateway is there."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from contextlib import asynccontextmanager

import pytest
from running_gateway import SECRET
from served_process import free_port
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.events.log import EventFilter
from subgraphs.kit.background import background
from subgraphs.kit.canonical_event import CanonicalEvent, FieldChange
from subgraphs.kit.database import Database
from subgraphs.kit.outbox import Outbox


def changed(number, gid):
    return CanonicalEvent(
        source="billing",
        type="contract.paused",
        subject=gid("Contract", "CON-1"),
        identity=("evt", str(number)),
        time=dt.datetime.now(dt.UTC),
        keys={"contract": "CON-1"},
        changes=(FieldChange("status", "ACTIVE", "PAUSED"),),
    )


@pytest.fixture
async def overloaded(serve):
    """A gateway that refuses everything; counts how often it was asked."""
    asked = []

    async def refuse(request):
        asked.append(await request.body())
        return PlainTextResponse("later", 503)

    async with serve(Starlette(routes=[Route("/events", refuse, methods=["POST"])])) as url:
        yield f"{url}/events", asked


@asynccontextmanager
async def delivering(tmp_path, *addresses):
    database = await Database.open(tmp_path / "outbox.sqlite", (Outbox.SCHEMA,))
    outbox = Outbox(database, events_url=", ".join(addresses), signing_secret=SECRET)
    try:
        async with background(outbox.deliver_forever):
            yield outbox
    finally:
        await database.close()


async def emptied(outbox):
    async with asyncio.timeout(60):
        while await outbox.waiting():  # noqa: ASYNC110 - the outbox has no event for it
            await asyncio.sleep(0.02)


async def test_another_address_takes_events_while_one_is_gone_or_refuses(tmp_path, ingest, overloaded, gid):
    refusing, asked = overloaded
    gone = f"http://127.0.0.1:{free_port()}/events"
    async with delivering(tmp_path, gone, refusing, ingest.url) as outbox:
        await outbox.add([changed(n, gid) for n in range(3)])
        await emptied(outbox)
        await outbox.add([changed(3, gid)])
        await emptied(outbox)
    kept = (await ingest.events.log.read(0, EventFilter(), 10)).events
    assert [each.event.id for each in kept] == [changed(n, gid).id for n in range(4)]
    assert [each.sequence for each in kept] == [1, 2, 3, 4]
    assert len(asked) == 1  # what works is kept


async def test_events_wait_in_order_while_no_address_answers(tmp_path, overloaded, gid):
    refusing, asked = overloaded
    async with delivering(tmp_path, refusing, f"http://127.0.0.1:{free_port()}/events") as outbox:
        await outbox.add([changed(1, gid), changed(2, gid)])
        async with asyncio.timeout(60):
            while len(asked) < 3:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.02)
        assert await outbox.waiting() == 2
    assert len(set(asked)) == 1


async def test_a_batch_that_is_too_large_goes_in_parts_and_an_event_that_is_goes_with_less_of_its_values(
    tmp_path, ingest, gid
):
    """The log takes a megabyte at once; one of these events alone has two."""

    def large(number, size):
        event = changed(number, gid)
        return dataclasses.replace(event, changes=(*event.changes, FieldChange("note", None, "x" * size)))

    async with delivering(tmp_path, ingest.url) as outbox:
        await outbox.add(
            [*(large(n, 990) for n in range(3)), large(3, 2_000_000), *(changed(n, gid) for n in range(4, 9))]
        )
        await emptied(outbox)
    kept = (await ingest.events.log.read(0, EventFilter(), 20)).events
    assert [each.event.id for each in kept] == [changed(n, gid).id for n in range(9)]
    sizes = [len(str(each.event.changes)) for each in kept]
    assert 1_000 < sizes[3] < 2_000
