"""How late events are, what waits and what was missed: in the graph and as metrics."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt

import httpx2
import orjson
from metric_samples import samples_of
from prometheus_client.openmetrics import parser as openmetrics
from running_gateway import head_cursor, running_door, subscribed
from served_process import free_port

from gateway.events.settings import WebhookSettings

ACTIVATED = "concord.contract.activated.v1"
HOOK_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
LAGS = """{ eventLags { type recorded delivered recording { p50 p99 } delivery { p50 p99 } } }"""


async def metrics(door):
    reply = await door.client.get(f"{door.url}/metrics")
    assert (reply.status_code, reply.headers["content-type"].split(";")[0]) == (200, "text/plain")
    return samples_of(reply.text)


async def test_lag_from_the_business_to_the_subscriber_is_told_by_type(door, post, activated):
    now = dt.datetime.now(dt.UTC)
    await post(f"{door.url}/events", [activated(0, time=now.isoformat())], "application/cloudevents-batch+json")
    query = "subscription ($cursor: String) { contractEvents(cursor: $cursor) { id } }"
    async with subscribed(door, query, cursor=await head_cursor(door)) as read:
        async with asyncio.timeout(60):
            while (await metrics(door))["concord_event_streams",] != 1.0:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        # Who has heard an event waits for the next one: what comes from here on is delivered as it happens.
        await post(f"{door.url}/events", [activated(8, time=now.isoformat())], "application/cloudevents-batch+json")
        await read()
        times = [now - dt.timedelta(hours=hours) for hours in (0, 0, 1)]
        batch = [activated(n, time=time.isoformat()) for n, time in enumerate(times, start=1)]
        broken = activated(9)
        del broken["time"]
        await post(f"{door.url}/events", [*batch, broken], "application/cloudevents-batch+json")
        for _ in batch:
            await read()
    answer = (await door.client.post(f"{door.url}/graphql", json={"query": LAGS})).json()["data"]["eventLags"]
    assert [(each["type"], each["recorded"]) for each in answer] == [
        (ACTIVATED, 5),
        ("concord.dead_letter.created.v1", 1),
    ]
    assert answer[0]["recording"]["p50"] < 3_500 <= answer[0]["recording"]["p99"]
    async with asyncio.timeout(60):
        while (found := await metrics(door))["concord_event_streams",]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert found["concord_event_recording_lag_seconds_count", ACTIVATED] == 5
    assert found["concord_event_recording_lag_seconds_sum", ACTIVATED] >= 3_600
    assert found["concord_dead_letters", "WAITING"] == 1
    assert found["concord_dead_letters", "DISCARDED"] == 0
    assert (found["concord_event_log_position",], found["concord_event_store_up",]) == (6, 1)
    assert answer[0]["delivered"] >= 3
    assert 0 <= answer[0]["delivery"]["p50"] <= answer[0]["delivery"]["p99"] < 60
    assert found["concord_event_delivery_lag_seconds_count", ACTIVATED] == answer[0]["delivered"]
    assert found["concord_event_delivery_lag_seconds_sum", ACTIVATED] < 60 * answer[0]["delivered"]


async def test_a_consumer_that_lags_shows_how_far_in_metrics_and_graph(tmp_path, schemas, serve, activated, sign):
    port = free_port()
    hook = WebhookSettings(url=f"http://127.0.0.1:{port}/hook", secret=HOOK_SECRET, first_pause_s=0.05)
    settings = {"events": {"egress_hosts": (f"127.0.0.1:{port}",)}, "webhooks": {"analytics": hook}}
    asked = {"query": "{ eventConsumers { name waiting missed } }"}
    async with running_door(tmp_path, schemas, serve, **settings) as door:

        async def consumers():
            return (await door.client.post(f"{door.url}/graphql", json=asked)).json()["data"]["eventConsumers"]

        async with asyncio.timeout(60):
            while not await consumers():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        body = orjson.dumps([activated(number) for number in range(1, 4)])
        headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
        assert (await door.client.post(f"{door.url}/events", content=body, headers=headers)).status_code == 200
        (consumer,) = await consumers()
        assert (consumer["waiting"], consumer["missed"]) == (3, 0)
        found = await metrics(door)
        assert found["concord_event_consumer_lag", consumer["name"]] == 3
        assert found["concord_event_consumer_missed", consumer["name"]] == 0


async def test_gaps_are_counted_by_reason_in_metrics_and_graph(door, post, activated):
    asked = {"query": "{ eventGaps { reason count } }"}
    assert (await door.client.post(f"{door.url}/graphql", json=asked)).json() == {"data": {"eventGaps": []}}
    await post(f"{door.url}/events", [activated(0)], "application/cloudevents-batch+json")
    start = await head_cursor(door)
    for first in range(1, 1_201, 300):
        batch = [activated(number) for number in range(first, first + 300)]
        await post(f"{door.url}/events", batch, "application/cloudevents-batch+json")
    query = (
        "subscription ($cursor: String) { contractEvents(cursor: $cursor, whenBehind: SKIP) { gap { reason missed } } }"
    )
    for _ in range(2):
        async with subscribed(door, query, cursor=start) as read:
            told = (await read())["payload"]["data"]["contractEvents"]
            assert told == {"gap": {"reason": "SKIPPED", "missed": 1_200}}
    counted = (await door.client.post(f"{door.url}/graphql", json=asked)).json()
    assert counted == {"data": {"eventGaps": [{"reason": "SKIPPED", "count": 2}]}}
    assert (await metrics(door))["concord_event_gaps_total", "SKIPPED"] == 2


def steady(found):
    """What doesn't change between two looks: not the process's own time and memory."""
    return {
        key: value for key, value in found.items() if key[0].startswith("concord_") and not key[0].endswith("_created")
    }


async def test_whoever_takes_openmetrics_gets_the_same_figures(door, post, activated):
    await post(f"{door.url}/events", [activated(0)], "application/cloudevents-batch+json")
    accepted = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    reply = await door.client.get(f"{door.url}/metrics", headers={"accept": accepted})
    assert reply.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    found = samples_of(reply.text, openmetrics.text_string_to_metric_families)
    older = await metrics(door)
    assert found["concord_event_recording_lag_seconds_count", ACTIVATED] == 1
    assert steady(found) == steady(older)


async def test_metrics_are_read_and_not_written(door):
    refused = await door.client.post(f"{door.url}/metrics", content=b"x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    head = await door.client.head(f"{door.url}/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert isinstance(head, httpx2.Response)
