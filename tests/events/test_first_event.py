"""Whoever has the head of a stream's response misses nothing from then on, in a log that was empty as in any other."""

from __future__ import annotations

import asyncio
import json

import pytest
from running_gateway import running_door

QUERY = "subscription { workflowUpdates { type id workflow { id } } }"
ROUNDS = 5


def started(number: int) -> dict:
    return {
        "specversion": "1.0", "id": f"gateway:wf-{number}:1:workflow.started", "type": "concord.workflow.started.v1",
        "source": "concord/gateway", "subject": "V29ya2Zsb3c6d2YtMQ", "time": "2026-03-01T09:30:00Z",
        "datacontenttype": "application/json", "dataschema": "urn:concord:event:workflow.started:1.0",
        "data": {"keys": {"workflow": "V29ya2Zsb3c6d2YtMQ"}, "changes": [{"field": "kind", "from": None, "to": "credit"}]},
    }  # fmt: skip


@pytest.mark.parametrize("is_shared", [False, True])
async def test_the_first_event_after_the_head_of_a_stream_is_delivered(
    is_shared, tmp_path, schemas, serve, sign, request
):
    events = {}
    if is_shared:
        url = request.getfixturevalue("redis_url").removesuffix("/0") + "/9"
        events = {"events": {"redis_url": url}}
    async with running_door(tmp_path, schemas, serve, **events) as door:

        async def post(message) -> dict:
            body = json.dumps([message]).encode()
            headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
            return (await door.client.post(f"{door.url}/events", content=body, headers=headers)).json()

        for number in range(ROUNDS):
            asked = {"json": {"query": QUERY}, "headers": {"accept": "text/event-stream"}}
            async with asyncio.timeout(60), door.client.stream("POST", f"{door.url}/graphql", **asked) as response:
                assert response.status_code == 200
                assert await post(started(number)) == {"accepted": 1, "duplicates": 0, "rejected": []}
                data = ""
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        data = line.removeprefix("data: ")
                        break
            told = json.loads(data)["data"]["workflowUpdates"]
            assert told == {"type": "concord.workflow.started.v1", "id": started(number)["id"], "workflow": None}
