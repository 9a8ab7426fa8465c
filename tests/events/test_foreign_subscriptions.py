"""A subscription field that a subgraph of somebody else's owns: its events, with the other subgraphs' fields in each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
import strawberry
from running_gateway import SDL, read_sse, subscribed
from served_app import served
from strawberry.asgi import GraphQL
from strawberry.federation import Schema

from gateway.federation.composition import SubgraphSource, compose

NUMBERED = "subscription { shipments { number no: number customer { id identities { system externalId } } } }"
"""Another one at the subgraph: equal ones are one there."""
SHIPMENTS = "subscription { shipments { number customer { id identities { system externalId } } } }"


@strawberry.federation.type(keys=["id"])
class Customer:
    id: strawberry.ID


@strawberry.federation.type(keys=["number"])
class Shipment:
    number: str
    customer: Customer


class Warehouse:
    """The subgraph's system: what leaves it, and who listens."""

    def __init__(self) -> None:
        self.listeners: list[asyncio.Queue[Shipment | None]] = []

    def ship(self, number: str, customer: str) -> None:
        for each in self.listeners:
            each.put_nowait(Shipment(number=number, customer=Customer(id=strawberry.ID(customer))))

    async def heard_by(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.listeners) != count:  # noqa: ASYNC110 - the subgraph's own resolver sets it
                await asyncio.sleep(0.01)


def schema_of(warehouse: Warehouse) -> Schema:
    @strawberry.type
    class Query:
        @strawberry.field
        def shipped(self) -> int:
            return 0

    @strawberry.type
    class Subscription:
        @strawberry.subscription
        async def shipments(self) -> AsyncGenerator[Shipment, None]:
            mine: asyncio.Queue[Shipment | None] = asyncio.Queue()
            warehouse.listeners.append(mine)
            try:
                while (shipment := await mine.get()) is not None:
                    yield shipment
            finally:
                warehouse.listeners.remove(mine)

    return Schema(query=Query, subscription=Subscription, types=[Shipment])


async def serves(door: Any, query: str) -> None:
    """Wait until the gateway's graph has a field."""
    async with asyncio.timeout(60):
        while "data" not in (await door.client.post(f"{door.url}/graphql", json={"query": query})).json():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.fixture
async def warehouse(door: Any) -> AsyncIterator[Warehouse]:
    """A warehouse whose subgraph the gateway serves."""
    warehouse = Warehouse()
    schema = schema_of(warehouse)
    async with served(GraphQL(schema)) as url:
        known = (("identity", f"{door.identity_url}/graphql"), ("concord", "http://concord.invalid"))
        sources = [SubgraphSource(name=name, url=at, sdl=(SDL / f"{name}.graphql").read_text()) for name, at in known]
        composition = compose([*sources, SubgraphSource(name="warehouse", url=f"{url}/graphql", sdl=schema.as_str())])
        assert composition.supergraph_sdl is not None, composition.errors
        door.supergraph.write_text(composition.supergraph_sdl)
        await serves(door, "{ shipped }")
        yield warehouse


def shipment(number: str, customer: str, **more: str) -> dict[str, Any]:
    identities = [{"system": "crm", "externalId": "101"}]
    return {"data": {"shipments": {"number": number, **more, "customer": {"id": customer, "identities": identities}}}}


async def test_events_of_a_foreign_subscription_carry_fields_of_other_subgraphs(door, warehouse, take_record):
    customer = await take_record("crm", "101")
    async with subscribed(door, SHIPMENTS) as read, asyncio.TaskGroup() as group:
        streaming = group.create_task(read_sse(door, NUMBERED, 2))
        await warehouse.heard_by(2)
        for number in ("S-1", "S-2"):
            warehouse.ship(number, customer)
        messages = [await read() for _ in range(2)]
        assert messages == [
            {"type": "next", "id": "1", "payload": shipment(number, customer)} for number in ("S-1", "S-2")
        ]
        told = await streaming
        # The subgraph keeps no events, so there is no cursor to go on from: no id either.
        assert told == [
            {"event": "next", "data": json.dumps(shipment(number, customer, no=number), separators=(",", ":"))}
            for number in ("S-1", "S-2")
        ]
        # Whoever leaves ends the subscription at the subgraph, and nobody else's.
        await warehouse.heard_by(1)
        # Its end at the subgraph is the end at the client.
        warehouse.listeners[0].put_nowait(None)
        assert await read() == {"type": "complete", "id": "1"}


async def test_a_reload_leaves_a_foreign_stream_open_and_ends_it_once_the_field_is_gone(door, warehouse, take_record):
    customer = await take_record("crm", "101")
    text = door.supergraph.read_text()
    async with subscribed(door, SHIPMENTS) as read:
        await warehouse.heard_by(1)
        door.supergraph.write_text(text.replace("shipped:", "sent: Int @join__field(graph: WAREHOUSE)\n  shipped:"))
        await serves(door, "{ sent }")
        warehouse.ship("S-3", customer)
        assert await read() == {"type": "next", "id": "1", "payload": shipment("S-3", customer)}
        door.supergraph.write_text(text.replace("shipments:", "departures:"))
        message = await read()
        codes = [error["extensions"]["code"] for error in message["payload"]]
        assert (message["type"], codes) == ("error", ["SCHEMA_RELOADED"])
        await warehouse.heard_by(0)
