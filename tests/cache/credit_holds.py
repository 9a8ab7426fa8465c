"""A gateway that keeps credit holds, and the system of record behind it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from served_graph import SECRET, Graph, Served

PEOPLE = 'type Query { customer(id: ID!): Customer } type Customer @key(fields: "id") { id: ID! name: String }'
SCORES = """
type Mutation { setHold(id: ID!): Customer }
type Customer @key(fields: "id") { id: ID! creditHold: Boolean }
"""
OWNERSHIP = """
[systems.identity]
team = "identity"
subgraphs = ["people"]
types = ["Customer"]
[systems.erp]
team = "finance"
subgraphs = ["scores"]
fields.Customer = ["creditHold"]
cache.Customer = { ttl_s = 600, scope = "public", stale_s = 600 }
"""
QUERY = "query($id: ID!) { customer(id: $id) { creditHold } }"
LAG_S = 10
"""Within which another gateway sees a write or an event; usually milliseconds."""


def global_id(number: int) -> str:
    return base64.urlsafe_b64encode(f"Customer:{number}".encode()).decode().rstrip("=")


class Erp:
    """The system of record behind `scores`."""

    def __init__(self, graph: Graph) -> None:
        graph.compose({"people": PEOPLE, "scores": SCORES})
        graph.ownership = OWNERSHIP
        self.subgraph = graph.subgraphs["scores"]
        self.subgraph.say = self.say
        self.holds: dict[str, bool] = {}
        graph.subgraphs["people"].say = lambda body: {
            "data": {"customer": {"__typename": "Customer", "id": body["variables"]["id"]}}
        }

    @property
    def reads(self) -> int:
        return sum("_entities" in body["query"] for body in self.subgraph.requests)

    def say(self, body: dict[str, Any]) -> dict[str, Any]:
        variables = body["variables"]
        if "setHold" in body["query"]:
            self.holds[variables["id"]] = True
            return {"data": {"setHold": {"__typename": "Customer", "id": variables["id"], "creditHold": True}}}
        wanted = variables["representations"]
        return {"data": {"_entities": [{"creditHold": self.holds.get(each["id"], False)} for each in wanted]}}


async def hold(gateway: Served, customer: str, **headers: str) -> bool | None:
    answer = await gateway.ask(QUERY, {"id": customer}, **headers)
    assert "errors" not in answer, answer
    return answer["data"]["customer"]["creditHold"]


async def soon(look: Callable[[], Awaitable[bool]], within_s: float = LAG_S) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if await look():
                return
            await asyncio.sleep(0.02)


def hold_changed(customer: str, **more: Any) -> dict[str, Any]:
    """An event that says that a customer's credit hold changed."""
    return {
        "specversion": "1.0",
        "id": f"erp:{uuid.uuid4().hex}",
        "source": "concord/erp",
        "type": "concord.customer.credit_hold_changed.v1",
        "subject": customer,
        "time": "2026-03-01T09:30:00Z",
        "datacontenttype": "application/json",
        "data": {
            "keys": {"customer": customer},
            "changes": [{"field": "creditHold", "from": "false", "to": "true"}],
        },
        **more,
    }


async def publish(gateway: Served, *events: dict[str, Any]) -> dict[str, Any]:
    """Post events as a subgraph does; returns the answer."""
    body = json.dumps(events).encode()
    moment = int(time.time())
    digest = hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/cloudevents-batch+json",
        "x-concord-signature": f"t={moment},v1={digest}",
    }
    async with httpx2.AsyncClient(trust_env=False) as client:
        reply = await client.post(f"{gateway.url}/events", content=body, headers=headers)
    answer: dict[str, Any] = reply.json()
    return answer
