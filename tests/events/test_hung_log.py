"""A log that hangs keeps no query beyond its deadline."""

from __future__ import annotations

from redis_process import redis_process
from running_gateway import running_door


async def test_the_gateway_s_own_graph_answers_by_the_deadline_while_its_log_hangs(tmp_path, schemas, serve):
    query = {"query": "{ events(last: 1) { edges { cursor } } webhooks { name } }"}
    with redis_process(tmp_path) as server:
        async with running_door(tmp_path, schemas, serve, events={"redis_url": server.url}) as door:
            url = f"{door.url}/graphql"
            assert "errors" not in (await door.client.post(url, json=query)).json()
            with server.hanging():
                reply = await door.client.post(url, json=query, headers={"x-request-timeout-ms": "300"})
                errors = [each["extensions"] for each in reply.json()["errors"]]
                # Not that the store failed, which would be known later.
                assert [(each["code"], each["system"]) for each in errors] == [("SYSTEM_TIMEOUT", "gateway")] * 2
