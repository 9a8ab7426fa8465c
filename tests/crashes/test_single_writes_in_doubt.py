"""A write to one system that is cut, at any vendor and in any way, gives a handle that ends with the write done once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from landscape import Landscape, started_landscape

from gateway.access.caller import DEVELOPER
from gateway.access.kept_caller import caller_from_json, caller_to_json
from gateway.engine import Engine, GraphQLRequest
from gateway.errors import GatewayError
from gateway.execution.located import SubgraphProfile
from gateway.federation.supergraph import parse_supergraph
from gateway.graph.global_id import local_id
from gateway.upstream.remote import remote_subgraph
from gateway.upstream.retry import Retried
from gateway.writes.idempotent import IdempotentWrites
from gateway.writes.in_doubt import definitions_of, settle
from gateway.writes.sqlite_store import SqliteWriteStore
from gateway.writes.workflows.database import open_database
from gateway.writes.workflows.desk import WorkflowDesk
from gateway.writes.workflows.model import WorkflowStatus
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.subgraph_calls import SubgraphCalls
from gateway.writes.workflows.worker import Worker, WorkerSettings

SUPERGRAPH = Path(__file__).parents[2] / "schema" / "supergraph.graphql"
EVERY = os.environ.get("CONCORD_TEST_SYSTEMS") == "all"
VENDORS = ["hubspot", "salesforce"] if EVERY else ["hubspot"]
"""Of the CRM; billing and the ERP have one each."""
SUBJECTS = """{
  opportunities(first: 1) { edges { node { id name version } } }
  contracts(first: 1, filter: { status: [ACTIVE], autoRenews: true }) { edges { node { id version autoRenews } } }
  invoices(first: 1, filter: { status: [POSTED] }) { edges { node { id version lines(first: 1) { edges { node { id } } } } } }
}"""


@pytest.fixture(scope="module", params=VENDORS)
def cut_vendors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(f"single-writes-{request.param}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CRM_VENDOR", request.param)
        patch.setenv("CONCORD_CRM_SANDBOX_VENDOR", request.param)
        with started_landscape(folder, 12, cuts=True) as landscape:
            yield landscape, folder


@pytest.fixture
async def office(cut_vendors):
    """An engine over the running subgraphs, and the desk of its workflows."""
    landscape, folder = cut_vendors
    profiles = {
        name: SubgraphProfile(name=name, system=name, shown_codes=frozenset({"CONFLICT"})) for name in landscape.urls
    }
    clients: dict[str, Any] = {}
    kinds = definitions_of(list(landscape.urls), lambda: clients, profiles, caller_from_json)
    database = open_database(folder / f"{uuid.uuid4().hex}.sqlite", None)
    store = WorkflowStore(database)
    engine_url = f"sqlite:///{folder / uuid.uuid4().hex}.sqlite"
    calls = SubgraphCalls(lambda: clients, profiles, DEVELOPER)
    worker = Worker(WorkerSettings(engine_url=engine_url), store, kinds, calls, {})
    desk = WorkflowDesk(store, worker, kinds, calls, approval_above=None)
    writes = SqliteWriteStore(folder / f"{uuid.uuid4().hex}.sqlite")

    async def settled(doubt):
        return await settle(desk, doubt, caller_to_json(doubt.context.caller))

    clients |= {
        name: IdempotentWrites(Retried(remote_subgraph(url)), writes, settled) for name, url in landscape.urls.items()
    }
    # The gateway's own subgraph has no part in these writes.
    engine = Engine(
        parse_supergraph(SUPERGRAPH.read_text()), {**clients, "concord": clients["identity"]}, profiles=profiles
    )
    serving = asyncio.create_task(worker.serve_forever())
    yield engine, desk, landscape
    landscape.cut("none")
    engine.close()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await worker.aclose()
    for client in clients.values():
        await client.aclose()
    await writes.aclose()
    database.close()


async def ask(engine: Engine, document: str, given: Any = None, **headers: str) -> Any:
    variables = {} if given is None else {"input": given}
    return await engine.execute(GraphQLRequest(query=document, variables=variables, headers=headers), DEVELOPER)


async def subjects(engine: Engine) -> dict[str, Any]:
    """Read until the billing copy, which follows its vendor's events, is there."""
    async with asyncio.timeout(60):
        while True:
            response = await ask(engine, SUBJECTS)
            if not response.errors and all(response.data[name]["edges"] for name in response.data):
                return {name: response.data[name]["edges"][0]["node"] for name in response.data}
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("mode", ["before", "after", "middle"])
async def test_a_write_that_is_cut_at_any_vendor_ends_done_once(office, mode):
    engine, desk, landscape = office
    known = await subjects(engine)
    deal, contract, invoice = known["opportunities"], known["contracts"], known["invoices"]
    name = f"Renamed {uuid.uuid4().hex[:8]}"
    writes = {
        ("crm", "updateOpportunity", "opportunity { name }"): (
            {"id": deal["id"], "version": deal["version"], "name": name},
            {"opportunity": {"name": name}},
        ),
        ("billing", "setAutoRenew", "contract { autoRenews }"): (
            {"contractId": contract["id"], "version": contract["version"], "autoRenews": False},
            {"contract": {"autoRenews": False}},
        ),
        ("erp", "recordPayment", "payment { amount { amount } }"): (
            {"invoiceId": invoice["id"], "version": invoice["version"], "amount": "0.01", "reference": name},
            {"payment": {"amount": {"amount": "0.01"}}},
        ),
    }  # fmt: skip
    for (system, field, selection), (given, wanted) in writes.items():
        landscape.cut(mode)
        kind = f"{field[0].upper()}{field[1:]}Input"
        document = f"mutation W($input: {kind}!) {{ {field}(input: $input) {{ {selection} }} }}"
        key = {"idempotency-key": uuid.uuid4().hex}
        response = await ask(engine, document, given, **key)
        assert landscape.were_cut()[system], field
        if system == "billing":
            # Under the vendor's own key the subgraph has sent it again, and found what the first try did.
            assert (response.data, response.errors) == ({field: wanted}, ()), field
            continue
        (error,) = response.errors
        told = error["extensions"]
        assert (response.data, error["path"]) == ({field: None}, [field]), told
        assert (told["code"], told["system"], told["outcome"]) == ("SYSTEM_UNAVAILABLE", system, "UNKNOWN"), told
        found = await desk.wait(local_id(told["workflow"], "Workflow"), 60)
        assert (found.status, found.kind) == (WorkflowStatus.COMPLETED, f"in-doubt-{system}"), found.error
        assert found.result == wanted, field
        # That it would not have taken effect is nothing that anybody may declare.
        with pytest.raises(GatewayError, match="nothing to take back"):
            await desk.compensate(found.id, DEVELOPER)
        # The caller who asks again under the key is answered as if nothing had been lost.
        again = await ask(engine, document, given, **key)
        assert (again.data, again.errors) == ({field: wanted}, ()), field
    landscape.cut("none")
    assert payments_named(landscape, name) == 1
    renewing = {"contractId": contract["id"], "version": await current(engine, contract["id"]), "autoRenews": True}
    document = "mutation W($input: SetAutoRenewInput!) { setAutoRenew(input: $input) { contract { autoRenews } } }"
    response = await ask(engine, document, renewing, **{"idempotency-key": uuid.uuid4().hex})
    assert (response.data, response.errors) == ({"setAutoRenew": {"contract": {"autoRenews": True}}}, ())


@pytest.mark.parametrize("mode", ["after", "last"])
@pytest.mark.parametrize(
    ("system", "decisive", "field", "selection"),
    [
        ("erp", ".pay.execute", "recordPayment", "payment { amount { amount } }"),
        ("erp", "/post", "issueCreditMemo", "creditMemo { reason }"),
        ("billing", "/v1/billing/", "recordUsage", "entitlement { feature }"),
    ],
)
async def test_a_system_that_goes_dark_with_a_write_leaves_it_in_doubt_and_done_once(
    office, system, decisive, field, selection, mode
):
    """Whatever is read after the write that counts fails too, for a while; that must not be taken for the write's failure."""
    engine, desk, landscape = office
    reference = f"Dark {uuid.uuid4().hex[:8]}"
    known = await subjects(engine)
    invoice, metered = known["invoices"], await metered_contract(engine)
    given, wanted = {
        "recordPayment": (
            {"invoiceId": invoice["id"], "version": invoice["version"], "amount": "0.01", "reference": reference},
            {"payment": {"amount": {"amount": "0.01"}}},
        ),
        "issueCreditMemo": (
            {
                "invoiceId": invoice["id"],
                "version": invoice["version"],
                "reason": "Outage",
                "reference": reference,
                "lines": [{"invoiceLineId": invoice["lines"]["edges"][0]["node"]["id"], "amount": "0.01"}],
            },
            {"creditMemo": {"reason": f"Outage [{reference}]"}},
        ),
        "recordUsage": (
            {"contractId": metered, "feature": "api_calls", "quantity": "3"},
            {"entitlement": {"feature": "api_calls"}},
        ),
    }[field]
    before = await used(engine, metered)
    landscape.darken(system, decisive, mode)
    document = f"mutation W($input: {field[0].upper()}{field[1:]}Input!) {{ {field}(input: $input) {{ {selection} }} }}"
    key = {"idempotency-key": uuid.uuid4().hex}
    response = await ask(engine, document, given, **key)
    assert len(landscape.were_cut()[system]) == 1
    if response.errors:
        (error,) = response.errors
        told = error["extensions"]
        assert (response.data, error["path"]) == ({field: None}, [field])
        # Of usage the answer itself says that it was recorded.
        assert told["outcome"] == "UNKNOWN" or (field, mode, told["outcome"]) == ("recordUsage", "last", "APPLIED")
        landscape.cut("none")
        if told["outcome"] == "UNKNOWN":
            found = await desk.wait(local_id(told["workflow"], "Workflow"), 60)
            assert (found.status, found.result) == (WorkflowStatus.COMPLETED, wanted), found.error
    else:
        # Billing answers from its copy.
        assert (field, mode) == ("recordUsage", "last")
    landscape.cut("none")
    again = await ask(engine, document, given, **key)
    assert (again.data, again.errors) == ({field: wanted}, ())
    match field:
        case "recordPayment":
            assert payments_named(landscape, reference) == 1
        case "issueCreditMemo":
            memos = [["description", "=", f"Outage [{reference}]"]]
            assert [row["state"] for row in landscape.tryton("account.invoice", memos, ["state"])] == ["posted"]
        case _:
            assert await used(engine, metered) == before + 3


async def metered_contract(engine: Engine) -> str:
    """Return the id of a contract that gives a right to calls."""
    document = """{ contracts(first: 50, filter: { status: [ACTIVE] }) { edges { node { id customer {
      entitlement(feature: "api_calls") { contract { id } } } } } } }"""
    response = await ask(engine, document)
    assert response.errors == ()
    nodes = [edge["node"] for edge in response.data["contracts"]["edges"]]
    rights = [node["customer"]["entitlement"] for node in nodes]
    return next(right["contract"]["id"] for right in rights if right and right["contract"])


async def used(engine: Engine, contract: str) -> Decimal:
    document = (
        """query($input: ID!) { contract(id: $input) { customer { entitlement(feature: "api_calls") { used } } } }"""
    )
    response = await ask(engine, document, contract)
    return Decimal(response.data["contract"]["customer"]["entitlement"]["used"])


def payments_named(landscape: Landscape, reference: str) -> int:
    """Count them in the ERP itself."""
    return len(landscape.tryton("account.move", [["description", "=", reference]], ["state"]))


async def current(engine: Engine, contract: str) -> str:
    response = await ask(engine, "query($input: ID!) { contract(id: $input) { version } }", contract)
    return response.data["contract"]["version"]
