"""A consumer in another language, which has nothing of ours but the address, a key and a secret."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import orjson
from running_gateway import running_door
from served_process import free_port

from gateway.events.settings import WebhookSettings

KEY = "analytics-key-of-16+"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CONSUMER = Path(__file__).parent / "consumer.mjs"


async def test_node_reads_the_feed_from_the_middle_and_takes_signed_webhooks(tmp_path, schemas, serve, activated, sign):
    port = free_port()
    hook = WebhookSettings(url=f"http://127.0.0.1:{port}/hook", secret=SECRET, first_pause_s=0.05)
    settings = {
        "events": {"feed_keys": {"analytics": KEY}, "egress_hosts": (f"127.0.0.1:{port}",)},
        "webhooks": {"analytics": hook},
    }
    log = "{ webhooks { delivered deliveries(first: 50) { eventId attempt status error } } eventConsumers { name } }"
    async with running_door(tmp_path, schemas, serve, **settings) as door:

        async def ask():
            return (await door.client.post(f"{door.url}/graphql", json={"query": log})).json()["data"]

        async with asyncio.timeout(60):
            while not (await ask())["eventConsumers"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        expected = [activated(number)["id"] for number in range(1, 5)]
        body = orjson.dumps([activated(number) for number in range(1, 5)])
        headers = {"content-type": "application/cloudevents-batch+json", "x-concord-signature": sign(body)}
        assert (await door.client.post(f"{door.url}/events", content=body, headers=headers)).status_code == 200
        arguments = [str(CONSUMER), door.url, KEY, SECRET, str(port), "4"]
        process = await asyncio.create_subprocess_exec(
            "node", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            printed, complaints = await process.communicate()
        assert process.returncode == 0, complaints.decode()
        told = json.loads(printed)
        assert told == {"lines": expected, "events": expected, "taken": expected, "attempts": 5}
        async with asyncio.timeout(60):
            while (state := await ask())["webhooks"][0]["delivered"] < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        # Until it listens there is nobody: those attempts are in the log as well.
        answered = [each for each in state["webhooks"][0]["deliveries"] if each["status"] is not None]
        assert [(each["eventId"], each["status"]) for each in reversed(answered)] == [
            (expected[0], 204),
            (expected[1], 503),
            (expected[1], 204),
            (expected[2], 204),
            (expected[3], 204),
        ]
