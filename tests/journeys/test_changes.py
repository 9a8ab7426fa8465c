"""A change made in a system of record, through its own API, reaches subscribers with fields of the other systems."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import uuid
from typing import Any

import httpx2
import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

CUSTOMER_EVENTS = """
subscription Watch($filter: LifecycleEventFilter, $cursor: String) {
  customerEvents(filter: $filter, cursor: $cursor) {
    id type cursor changes { field from to }
    customer { id name legalName mrr { amount } }
  }
}
"""


@pytest.fixture(scope="module")
def hubspot(product):
    token = json.loads((product.state / "secrets.json").read_text())["crm_token"]
    url = f"http://127.0.0.1:{product.ports['crm-sandbox']}"
    with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:
        yield client


@pytest.fixture
def company(overdue_customer) -> str:
    return next(each["externalId"] for each in overdue_customer["crm"] if each["system"] == "crm")


async def next_change(stream: Any, field: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        async for answer in stream:
            event = answer["customerEvents"]
            if any(change["field"] == field for change in event["changes"]):
                return event
    raise AssertionError("the stream ended")


async def test_a_new_name_in_the_crm_is_pushed_over_a_websocket(product, hubspot, company, overdue_customer):
    name = f"{overdue_customer['name'].split(' (')[0]} ({uuid.uuid4().hex[:4]})"
    query = gql(CUSTOMER_EVENTS)
    query.variable_values = {"filter": {"customers": [overdue_customer["id"]]}, "cursor": product.newest_cursor()}
    async with Client(transport=WebsocketsTransport(url=product.websocket)) as session:
        stream = session.subscribe(query)
        waiting = asyncio.create_task(next_change(stream, "name"))
        changed = await asyncio.to_thread(
            hubspot.patch, f"/crm/v3/objects/companies/{company}", json={"properties": {"name": name}}
        )
        assert changed.status_code == 200
        event = await waiting
        await stream.aclose()
    assert event["type"] == "concord.customer.updated.v1"
    assert event["customer"]["id"] == overdue_customer["id"]
    assert event["customer"]["name"] == name
    assert event["customer"]["legalName"]
    assert event["customer"]["mrr"]["amount"]
    (change,) = (each for each in event["changes"] if each["field"] == "name")
    assert change["to"] == name


async def test_what_happened_while_nobody_listened_comes_from_the_cursor_over_sse(
    product, hubspot, company, overdue_customer
):
    marks = [f"Industry {uuid.uuid4().hex[:6]}" for _ in range(3)]
    body = {"query": CUSTOMER_EVENTS, "variables": {"filter": {"customers": [overdue_customer["id"]]}}}
    seen: list[str] = []
    last_id: str = product.newest_cursor()

    async def read(client: httpx2.AsyncClient, until: str) -> None:
        nonlocal last_id
        headers = {"accept": "text/event-stream", "last-event-id": last_id}
        async with asyncio.timeout(60), client.stream("POST", product.graphql, json=body, headers=headers) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                if line.startswith("id:"):
                    last_id = line[3:].strip()
                elif line.startswith("data:") and len(line) > 6:
                    event = json.loads(line[5:])["data"]["customerEvents"]
                    seen.extend(change["to"] for change in event["changes"] if change["field"] == "industry")
                    if until in seen:
                        return

    async def set_industry(value: str) -> None:
        reply = await asyncio.to_thread(
            hubspot.patch, f"/crm/v3/objects/companies/{company}", json={"properties": {"industry": value}}
        )
        assert reply.status_code == 200

    async with httpx2.AsyncClient(trust_env=False, timeout=None) as client:
        start = last_id
        first = asyncio.create_task(read(client, marks[0]))
        await set_industry(marks[0])
        await first
        assert last_id != start
        # Nobody is connected while these two happen.
        await set_industry(marks[1])
        await product.eventually(
            lambda: (
                product.data(
                    "query($f: LifecycleEventFilter) { events(last: 1, filter: $f) { edges { node { changes { to } } } } }",
                    {"f": {"customers": [overdue_customer["id"]], "types": ["concord.customer.updated.v1"]}},
                )["events"]["edges"][0]["node"]["changes"][0]["to"]
                == marks[1]
            )
        )
        await set_industry(marks[2])
        await read(client, marks[2])
    assert seen == marks


async def test_renewals_that_fall_due_are_announced_once_each(product):
    query = """{ events(first: 200, filter: { types: ["concord.renewal.due.v1"] }) { totalCount edges { node {
        id type time changes { field to } contract { number status renewal { dueOn } } customer { name } } } } }"""
    found = await product.eventually(lambda: product.data(query)["events"]["edges"])
    events = [edge["node"] for edge in found]
    assert len({event["id"] for event in events}) == len(events)
    for event in events:
        told = {change["field"]: change["to"] for change in event["changes"]}
        due_on = dt.date.fromisoformat(told["renewal.dueOn"])
        assert dt.datetime.fromisoformat(event["time"]).date() == due_on - dt.timedelta(days=int(told["daysBefore"]))
        if event["contract"]["renewal"] is not None and event["contract"]["status"] == "ACTIVE":
            # It may have been cancelled or renewed since by another journey, never moved closer.
            assert dt.date.fromisoformat(event["contract"]["renewal"]["dueOn"]) >= due_on
    current = [event for event in events if event["contract"]["renewal"]]
    assert any(
        {"field": "renewal.dueOn", "to": event["contract"]["renewal"]["dueOn"]} in event["changes"] for event in current
    )


async def test_a_renewal_that_moves_reaches_the_front_end(product):
    contracts = product.data(
        "{ contracts(first: 1, filter: { status: [ACTIVE] }) { edges { node { number renewalStage } } } }"
    )
    contract = contracts["contracts"]["edges"][0]["node"]
    stage = "COMMITTED" if contract["renewalStage"] != "COMMITTED" else "IN_REVIEW"
    query = gql(product.document("renewal_updates"))
    query.variable_values = {"filter": {"contracts": [contract["number"]]}, "cursor": product.newest_cursor()}
    async with Client(transport=WebsocketsTransport(url=product.websocket)) as session:
        stream = session.subscribe(query)

        async def first() -> dict[str, Any]:
            async with asyncio.timeout(60):
                async for answer in stream:
                    return answer["renewalUpdates"]
            raise AssertionError("the stream ended")

        waiting = asyncio.create_task(first())
        mutation = (
            "mutation($input: SetRenewalStageInput!) { setRenewalStage(input: $input) { contract { renewalStage } } }"
        )
        variables = {"input": {"contractNumber": contract["number"], "stage": stage}}
        await asyncio.to_thread(product.data, mutation, variables)
        event = await waiting
        await stream.aclose()
    assert event["type"] == "concord.renewal.stage_changed.v1"
    assert event["contract"]["number"] == contract["number"]
    assert event["contract"]["renewalStage"] == stage
    assert event["customer"]["name"]


def test_a_webhook_with_a_wrong_signature_is_refused_and_a_second_copy_is_not_counted(product):
    url = f"http://127.0.0.1:{product.ports['crm']}/webhooks/hubspot"
    reply = product.client.post(
        url, content=b"[]", headers={"x-hubspot-signature-v3": "bm9uZQ==", "x-hubspot-request-timestamp": "1"}
    )
    assert reply.status_code == 401
    assert reply.json()["errors"][0]["extensions"]["code"] == "SIGNATURE_INVALID"
    url = f"http://127.0.0.1:{product.ports['billing']}/webhooks/stripe"
    reply = product.client.post(url, content=b"{}", headers={"stripe-signature": "t=1,v1=00"})
    assert reply.status_code in {400, 401}
    assert "Traceback" not in reply.text
