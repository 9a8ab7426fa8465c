"""An event on its whole way: posted, kept, and delivered with fields of another subgraph over WebSocket and SSE."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from running_gateway import read_sse, subscribed

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
    query = """subscription { contractEvents(filter: {contracts: ["CON-2025-0001"]}) {
      time subject contract { number } customer { identities { externalId } } } }"""
    async with subscribed(door, query) as read:
        await asyncio.sleep(0.2)
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
