"""`concord simulate` makes changes in the systems of record; each arrives at a subscriber as what it means."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

STREAMS = {
    "customer": "customerEvents",
    "opportunity": "customerEvents",
    "renewal": "renewalUpdates",
    "contract": "contractEvents",
    "usage": "entitlementChanges",
    "invoice": "invoiceEvents",
    "payment": "invoiceEvents",
    "credit_memo": "invoiceEvents",
}
FOLLOWS = {
    "deal_stage": ("crm", "opportunity.stage_changed"),
    "deal_won": ("crm", "opportunity.won"),
    "company_owner": ("crm", "customer.updated"),
    "company_segment": ("crm", "customer.updated"),
    "renewal_stage": ("crm", "renewal.stage_changed"),
    "new_company": ("crm", "customer.created"),
    "usage_recorded": ("billing", "usage.recorded"),
    "contract_paused": ("billing", "contract.paused"),
    "contract_resumed": ("billing", "contract.resumed"),
    "quantity_changed": ("billing", "contract.amended"),
    "payment_failed": ("billing", "payment.failed"),
    "cancellation_scheduled": ("billing", "contract.cancellation_scheduled"),
    "new_subscription": ("billing", "contract.created"),
    "payment_received": ("erp", "payment.received"),
    "invoice_posted": ("erp", "invoice.posted"),
    "credit_memo": ("erp", "credit_memo.issued"),
    "payment_refunded": ("erp", "payment.refunded"),
    "credit_hold": ("erp", "customer.credit_hold_changed"),
    "credit_released": ("erp", "customer.credit_hold_changed"),
}


def simulate(product, *arguments: str) -> list[dict[str, Any]]:
    told = product.run("simulate", "--json", *arguments)
    assert told.returncode == 0, told.stdout + told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_every_kind_of_change_is_listed_with_its_system_and_a_sentence(changing_product):
    told = changing_product.run("simulate", "--list", "--json")
    assert told.returncode == 0, told.stderr
    kinds = json.loads(told.stdout)
    assert {kind["kind"]: kind["system"] for kind in kinds} == {kind: system for kind, (system, _) in FOLLOWS.items()}
    assert all(kind["sentence"].endswith(".") for kind in kinds)


@pytest.mark.parametrize("kind", FOLLOWS)
async def test_each_change_arrives_at_a_subscriber_as_what_it_means(changing_product, kind):
    system, meaning = FOLLOWS[kind]
    source = f"concord/{'identity' if meaning == 'customer.created' else system}"
    stream_name = STREAMS[meaning.partition(".")[0]]
    query = gql(f"subscription {{ event: {stream_name} {{ type source customer {{ id }} }} }}")

    async def first(stream: Any) -> dict[str, Any]:
        async with asyncio.timeout(60):
            async for answer in stream:
                event = answer["event"]
                # Identity goes on telling of the records that it linked at the start.
                if (event["type"], event["source"]) == (f"concord.{meaning}.v1", source):
                    return event
        raise AssertionError("the stream ended")

    async with Client(transport=WebsocketsTransport(url=changing_product.websocket)) as session:
        stream = session.subscribe(query)
        waiting = asyncio.create_task(first(stream))
        await asyncio.sleep(0.3)
        address = changing_product.sandbox(system, "changes")
        answer = await asyncio.to_thread(changing_product.client.post, address, json={"kind": kind, "count": 1})
        assert answer.status_code == 200, answer.text
        event = await waiting
        await stream.aclose()
    (change,) = answer.json()["changes"]
    assert change["kind"] == kind
    assert change["sentence"].endswith(".")
    assert event["customer"]["id"]


def test_without_a_kind_the_kinds_take_turns(changing_product):
    changes = simulate(changing_product, "--count", "4", "--every", "0.05")
    assert len({change["kind"] for change in changes}) == len(changes) == 4
    (change,) = simulate(changing_product, "--kind", "deal_stage")
    assert (change["system"], change["kind"]) == ("crm", "deal_stage")


def test_what_can_not_be_simulated_is_said_in_a_sentence(changing_product):
    told = changing_product.run("simulate", "--kind", "earthquake")
    assert told.returncode == 2
    assert "There is no kind `earthquake`" in told.stderr
    assert "deal_won" in told.stderr


def test_a_change_that_nothing_is_left_for_is_a_sentence_and_no_failure(changing_product):
    answer = changing_product.client.post(
        changing_product.sandbox("erp", "changes"), json={"kind": "credit_released", "count": 1000}
    )
    assert answer.status_code in {200, 409}
    told = changing_product.run("simulate", "--kind", "credit_released")
    assert told.returncode == 1
    assert "No customer is on hold." in told.stderr
