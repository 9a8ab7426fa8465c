"""An event on its whole way: posted, kept, and delivered with fields of another subgraph over WebSocket and SSE."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from running_gateway import head_cursor, read_sse, subscribed

CUSTOMER_EVENTS = """subscription ($cursor: String) { customerEvents(cursor: $cursor) {
  type sequence cursor changes { field from to } customer { id identities { system externalId } } } }"""


def seen(payload: Any) -> Any:
    event = payload["data"]["customerEvents"]
    assert payload["extensions"]["concord"]["cursor"] == event["cursor"]
    return event["type"], event["sequence"], event["customer"]


async def test_a_change_in_a_subgraph_reaches_both_transports_with_fields_of_its_owner(door, take_record):
    async with subscribed(door, CUSTOMER_EVENTS) as read, asyncio.TaskGroup() as group:
        streaming = group.create_task(read_sse(door, CUSTOMER_EVENTS, 2))
        await asyncio.sleep(0.3)
        customer = await take_record("crm", "101")
        first = await read()
        await take_record("billing", "cus_1")
        second = await read()
    crm = {"system": "crm", "externalId": "101"}
    billing = {"system": "billing", "externalId": "cus_1"}
    assert [(message["type"], message["id"]) for message in (first, second)] == [("next", "1")] * 2
    over_socket = [seen(message["payload"]) for message in (first, second)]
    assert over_socket == [
        ("concord.customer.created.v1", 1, {"id": customer, "identities": [crm]}),
        ("concord.customer.updated.v1", 2, {"id": customer, "identities": [crm, billing]}),
    ]
    over_sse = [json.loads(event["data"]) for event in streaming.result()]
    assert [event["event"] for event in streaming.result()] == ["next", "next"]
    assert [event["id"] for event in streaming.result()] == [e["data"]["customerEvents"]["cursor"] for e in over_sse]
    assert [seen(payload)[:2] for payload in over_sse] == [event[:2] for event in over_socket]
    # Back after a lost connection: by the browser's own header, or by the argument.
    last = streaming.result()[0]["id"]
    (resumed,) = await read_sse(door, CUSTOMER_EVENTS, 1, {"last-event-id": last})
    assert seen(json.loads(resumed["data"])) == over_socket[1]
    async with subscribed(door, CUSTOMER_EVENTS, cursor=last) as read:
        assert seen((await read())["payload"]) == over_socket[1]


async def test_a_posted_event_names_entities_of_systems_that_may_be_silent(door, post, activated, gid, take_record):
    customer = await take_record("crm", "101")
    event = activated(1)
    event["data"]["keys"]["customer"] = customer
    query = """subscription ($cursor: String) { contractEvents(filter: {contracts: ["CON-2025-0001"]}, cursor: $cursor) {
      time subject contract { number } customer { identities { externalId } } } }"""
    async with subscribed(door, query, cursor=await head_cursor(door)) as read:
        answer = await post(f"{door.url}/events", [event], "application/cloudevents-batch+json")
        assert answer == {"accepted": 1, "duplicates": 0, "rejected": []}
        message = await read()
    assert message["payload"]["data"] == {
        "contractEvents": {
            "time": "2026-03-01T09:30:00Z",
            "subject": gid("Contract", "CON-2025-0001"),
            "contract": {"number": "CON-2025-0001"},
            "customer": {"identities": [{"externalId": "101"}]},
        }
    }


async def test_a_subscription_that_can_not_begin_says_why(door):
    async with subscribed(door, CUSTOMER_EVENTS, cursor="nonsense") as read:
        message = await read()
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert [(error["message"], error["extensions"]["code"], error["extensions"]["system"]) for error in errors] == [
        ("This is not a cursor of this stream.", "EVENT_CURSOR_INVALID", "gateway")
    ]


async def test_nodes_events_and_systems_are_part_of_the_graph(door, take_record, gid):
    customer = await take_record("crm", "101")
    query = """query ($ids: [ID!]!) {
      nodes(ids: $ids) { __typename id ... on Customer { identities { system } } }
      events(last: 1) { edges { node { type customer { id } } } }
    }"""
    variables = {"ids": [customer, gid("Customer", "gone")]}
    async with asyncio.timeout(60):
        while True:
            response = await door.client.post(f"{door.url}/graphql", json={"query": query, "variables": variables})
            answer = response.json()
            if answer.get("data", {}).get("events", {}).get("edges"):
                break
            await asyncio.sleep(0.05)
    assert answer["data"] == {
        "nodes": [{"__typename": "Customer", "id": customer, "identities": [{"system": "crm"}]}, None],
        "events": {"edges": [{"node": {"type": "concord.customer.created.v1", "customer": {"id": customer}}}]},
    }
    response = await door.client.post(f"{door.url}/graphql", json={"query": "{ systems { name owner status } }"})
    assert response.json()["data"] == {
        "systems": [
            {"name": "identity", "owner": "platform", "status": "UP"},  # as configured
            {"name": "gateway", "owner": "graph-platform", "status": "UP"},  # from schema/ownership.toml
        ]
    }


async def test_equal_subscriptions_share_the_work_of_an_event_and_others_do_not(door, post, activated, take_record):
    """Two operations, one of them asked by twelve clients with filters of their own: identity is asked twice."""
    customer = await take_record("crm", "101")
    event = activated(1)
    event["data"]["keys"]["customer"] = customer
    many = """subscription ($filter: LifecycleEventFilter, $cursor: String) {
      contractEvents(filter: $filter, cursor: $cursor) {
      cursor customer { identities { externalId } } } }"""
    one = "subscription ($cursor: String) { lifecycleEvents(cursor: $cursor) { customer { identities { system } } type } }"
    cursor = await head_cursor(door)
    filters = [{"contracts": ["CON-2025-0001"]}, {"customers": [customer]}, {"systems": ["billing"]}] * 4
    async with AsyncExitStack() as stack:
        equal = [
            await stack.enter_async_context(subscribed(door, many, filter=each, cursor=cursor)) for each in filters
        ]
        other = await stack.enter_async_context(subscribed(door, one, cursor=cursor))
        before = door.identity_requests.count("/graphql")
        await post(f"{door.url}/events", [event], "application/cloudevents-batch+json")
        answers = [(await read())["payload"] for read in equal]
        assert (await other())["payload"]["data"]["lifecycleEvents"]["type"] == event["type"]
        assert answers[0]["data"]["contractEvents"]["customer"] == {"identities": [{"externalId": "101"}]}
        assert answers == [answers[0]] * 12
        assert door.identity_requests.count("/graphql") - before == 2


async def test_a_subscription_outlives_a_reload_of_the_schema(door, post, activated, caplog):
    caplog.set_level("INFO", logger="concord.app")
    await post(f"{door.url}/events", [activated(100)], "application/cloudevents-batch+json")
    query = "subscription ($cursor: String) { contractEvents(cursor: $cursor) { id } }"
    async with subscribed(door, query, cursor=await head_cursor(door)) as read:
        for number in range(3):
            door.supergraph.write_text(door.supergraph.read_text() + f"# {number}\n")
            async with asyncio.timeout(60):
                while [record.message for record in caplog.records].count("reloaded") <= number:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await post(f"{door.url}/events", [activated(number)], "application/cloudevents-batch+json")
            assert (await read())["payload"]["data"] == {"contractEvents": {"id": activated(number)["id"]}}
