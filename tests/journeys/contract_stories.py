"""What journeys of contracts ask and look at."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from decimal import Decimal
from typing import Any

from gateway.graph.global_id import local_id

SEEN = """
query Seen($id: ID!) { contract(id: $id) {
  id number version mrr { amount } items { product { sku } quantity price { unitAmount { amount } } }
  amendments(last: 5) { edges { node { sku quantityFrom quantityTo mrrChange { amount } } } }
  billedLines(last: 20) { edges { node { ref amount { amount } invoiceLine { invoice { number } } } } }
  invoices(first: 50) { edges { node { number status net { amount } } } }
  deferredBalance { amount } recognizedToDate { amount }
} }
"""
EVENTS = """query Told($types: [String!]) { events(first: 200, filter: { types: $types }) {
  edges { node { id type contract { number } invoice { number } changes { field from to } } } } }"""
DECIDE = "mutation($id: ID!) { %s(id: $id) { workflow { status } } }"
WRITING = ("POST", "PATCH", "PUT", "DELETE")
READS_BY_POST = ("/search", "/batch/read", "associations", "/rpc/", "create_preview")


def taken(contracts: list[dict[str, Any]], *skus: str, without: str = "") -> dict[str, Any]:
    """Take a contract that has these products, and one not."""
    for place, contract in enumerate(contracts):
        held = {item["product"]["sku"]: item["quantity"] for item in contract["items"]}
        if all(held.get(sku) for sku in skus) and without not in held:
            return contracts.pop(place)
    raise LookupError(skus)


def quantity(contract: dict[str, Any], sku: str) -> int:
    return next(item["quantity"] for item in contract["items"] if item["product"]["sku"] == sku)


def key() -> str:
    return str(uuid.uuid4())


def seen(product, contract: dict[str, Any]) -> dict[str, Any]:
    return product.data(SEEN, {"id": contract["id"]})["contract"]


def terms(found: dict[str, Any]) -> dict[str, tuple[int, str]]:
    return {
        item["product"]["sku"]: (item["quantity"], item["price"]["unitAmount"]["amount"]) for item in found["items"]
    }


def in_books(found: dict[str, Any]) -> Decimal:
    return Decimal(found["deferredBalance"]["amount"]) + Decimal(found["recognizedToDate"]["amount"])


def written(product, *systems: str) -> dict[str, int]:
    """Writing requests that the sandboxes have seen since they were last forgotten."""
    found = {}
    for system in systems:
        routes = product.vendor_requests(system)["byRoute"]
        found[system] = sum(
            count
            for route, count in routes.items()
            if route.startswith(WRITING) and not any(part in route for part in READS_BY_POST)
        )
    return found


async def settled(product, workflow: str) -> dict[str, Any]:
    query = "query($id: ID!) { workflow(id: $id) { status owner error { code system } steps { name status } } }"

    def look() -> dict[str, Any] | None:
        found = product.data(query, {"id": workflow})["workflow"]
        return None if found["status"] in ("RUNNING", "COMPENSATING") else found

    return await product.eventually(look, within_s=90)


async def ended_on_its_day(product, workflow: str) -> dict[str, Any]:
    """A scheduled workflow once its day has come, which is made today, and it moves no more."""
    path, own = product.state / "gateway" / "workflow-records.sqlite", local_id(workflow, "Workflow")
    with closing(sqlite3.connect(path, timeout=30)) as records, records:
        changed = records.execute("UPDATE concord_workflow_due SET due_at = 0 WHERE workflow = ?", (own,))
        assert changed.rowcount == 1
    status = "query($id: ID!) { workflow(id: $id) { status } }"
    await product.eventually(lambda: product.data(status, {"id": workflow})["workflow"]["status"] != "SCHEDULED")
    return await settled(product, workflow)


async def told(product, contract: str, count: int, *types: str) -> list[str]:
    """The events of these types about a contract, once there are so many."""
    wanted = [f"concord.{each}.v1" for each in types]

    def look() -> list[str] | None:
        edges = product.data(EVENTS, {"types": wanted})["events"]["edges"]
        found = [e["node"]["type"] for e in edges if (e["node"]["contract"] or {}).get("number") == contract]
        return found if len(found) >= count else None

    return await product.eventually(look)
