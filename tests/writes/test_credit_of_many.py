"""Of a contract with many invoices, and an invoice with many credit memos, each is looked at."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from contract_books import known_contracts
from landscape import Landscape, started_landscape

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.execution.located import SubgraphProfile
from gateway.upstream.remote import remote_subgraph
from gateway.writes.workflows.catalogue import definitions
from gateway.writes.workflows.database import open_database
from gateway.writes.workflows.desk import Asking, WorkflowDesk
from gateway.writes.workflows.model import WorkflowStatus
from gateway.writes.workflows.pricing import Pricing
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.subgraph_calls import SubgraphCalls
from gateway.writes.workflows.worker import Worker, WorkerSettings

MORE_THAN_A_PAGE = 101
SHOWN = frozenset({"CONFLICT", "NOT_FOUND", "BAD_USER_INPUT"})
OWNER = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Customer { erpRef } } }"
INVOICES = """query($n: String!) { invoices(first: 200, filter: { contractNumber: $n, status: [POSTED, PAID] }) { edges { node {
  id number currency net { amount } creditMemos(first: 1) { edges { node { number } } } } } } }"""


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landscape]:
    with started_landscape(tmp_path_factory.mktemp("many"), 12) as running:
        yield running


def write(landscape: Landscape, field: str, selection: str, given: dict[str, Any]) -> Any:
    kind = f"{field[0].upper()}{field[1:]}Input"
    document = f"mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} }} }}"
    body = {"query": document, "variables": {"input": given}}
    reply = landscape.http.post(landscape.urls["erp"], json=body, headers={"idempotency-key": uuid.uuid4().hex}).json()
    assert "errors" not in reply, reply
    return reply["data"][field]


def invoices(landscape: Landscape, number: str) -> list[dict[str, Any]]:
    """Posted ones, the newest first."""
    return [edge["node"] for edge in landscape.ask("erp", INVOICES, {"n": number})["invoices"]["edges"]]


@asynccontextmanager
async def an_office(
    landscape: Landscape, folder: Path, approval_above: Decimal | None = None
) -> AsyncIterator[WorkflowDesk]:
    """Workflows over the running subgraphs."""
    database = open_database(folder / "w.sqlite", None)
    clients = {name: remote_subgraph(url) for name, url in landscape.urls.items()}
    profiles = {name: SubgraphProfile(name=name, system=name, shown_codes=SHOWN) for name in clients}
    calls, kinds = SubgraphCalls(lambda: clients, profiles, Caller(subject="concord")), definitions(Pricing())
    store = WorkflowStore(database)
    worker = Worker(WorkerSettings(engine_url=f"sqlite:///{folder / 'e.sqlite'}"), store, kinds, calls, {})
    serving = asyncio.create_task(worker.serve_forever())
    try:
        yield WorkflowDesk(store, worker, kinds, calls, approval_above=approval_above)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await worker.aclose()
        for client in clients.values():
            await client.aclose()
        database.close()


ASKING = Asking(caller=Caller(subject="ada"), correlation_id="c", field="creditContract", key=None)


def crediting(**given: Any) -> dict[str, Any]:
    return {"invoiceId": None, "invoiceVersion": None, "amount": None, "reason": "Goodwill", **given}


async def planned(landscape: Landscape, folder: Path, **given: Any) -> dict[str, str | None]:
    """What the credit memo of a credit would be."""
    async with an_office(landscape, folder) as desk:
        (memo, *_) = await desk.plan("credit", crediting(**given), ASKING)
    return {name: value for name, _, value in memo.changes}


async def test_another_amount_than_was_approved_is_not_credited(landscape, tmp_path):
    number, invoice = next(
        (each["number"], one)
        for each in known_contracts(landscape, 3)
        for one in invoices(landscape, each["number"])
        if not one["creditMemos"]["edges"]
    )
    async with an_office(landscape, tmp_path, Decimal(1)) as desk:
        waiting = await desk.begin("credit", crediting(number=number, invoiceId=invoice["id"]), ASKING)
        assert waiting.status is WorkflowStatus.WAITING_APPROVAL
        write(landscape, "creditInvoice", "number", {"invoiceId": invoice["id"], "amount": "0.01", "reason": "Trifle"})
        await desk.approve(waiting.id, Caller(subject="bob"))
        ended = await desk.wait(waiting.id, 60)
        assert ended.error is not None
        assert (ended.status, ended.error.code) == (WorkflowStatus.COMPENSATED, "CONFLICT")
        again = await desk.begin("credit", crediting(number=number, invoiceId=invoice["id"]), ASKING)
        await desk.approve(again.id, Caller(subject="bob"))
        assert (await desk.wait(again.id, 60)).status is WorkflowStatus.COMPLETED


async def test_the_one_invoice_that_fits_is_found_behind_a_hundred_others(landscape, tmp_path):
    contract = next(
        each
        for each in known_contracts(landscape, 3)
        if any(not one["creditMemos"]["edges"] for one in invoices(landscape, each["number"]))
    )
    number, today = contract["number"], dt.datetime.now(dt.UTC).date().isoformat()
    ref = {"__typename": "Customer", "billingRef": contract["customer"]["billingRef"]}
    owner = landscape.ask("identity", OWNER, {"r": [ref]})["_entities"][0]["erpRef"].partition("+")[0]
    old = invoices(landscape, number)
    largest = max(old, key=lambda each: (not each["creditMemos"]["edges"], Decimal(each["net"]["amount"])))
    line = {
        "sku": "CORE-SEAT", "description": "Trifle", "quantity": "1", "unitPrice": "0.50",
        "serviceFrom": today, "serviceUntil": today,
    }  # fmt: skip
    for _ in range(MORE_THAN_A_PAGE):
        wanted = {"erpRef": owner, "contractNumber": number, "currency": largest["currency"], "lines": [line]}
        write(landscape, "postOrder", "number", {"erpId": write(landscape, "placeOrder", "erpId", wanted)["erpId"]})
    wanted = largest["net"]["amount"]
    assert len(invoices(landscape, number)) == len(old) + MORE_THAN_A_PAGE
    found = await planned(landscape, tmp_path, number=number, amount=wanted)
    assert Decimal(found["net"] or 0) == Decimal(wanted)
    assert found["invoice"] in {each["number"] for each in old}
    # The same of credit memos: what all of them took is not left.
    for _ in range(MORE_THAN_A_PAGE):
        write(landscape, "creditInvoice", "number", {"invoiceId": largest["id"], "amount": "0.01", "reason": "Trifle"})
    found = await planned(landscape, tmp_path, number=number, invoiceId=largest["id"])
    assert Decimal(found["net"] or 0) == Decimal(wanted) - MORE_THAN_A_PAGE * Decimal("0.01")
    with pytest.raises(GatewayError, match="left to be credited"):
        await planned(landscape, tmp_path, number=number, invoiceId=largest["id"], amount=wanted)
