"""A keyed write whose outcome nobody knows gives its caller a workflow, which ends with what its owner says became of it."""

import asyncio
import contextlib
import sqlite3

import pytest
from planned_gateway import root
from scripted_subgraph import reply, resets

from gateway.access.kept_caller import caller_from_json, caller_to_json
from gateway.engine import Caller, GraphQLRequest
from gateway.errors import GatewayError
from gateway.execution.located import SubgraphProfile
from gateway.federation.plan import OperationKind
from gateway.graph.global_id import local_id
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

SDL = "type Query { a: Int } type Mutation { rename(name: String): User } type User { id: ID! nick: String }"
PLAN = root(
    "a",
    "mutation($name:String){rename(name:$name){id nick}}",
    "rename",
    kind=OperationKind.MUTATION,
    variables=("name",),
)
QUERY = "mutation($name: String) { rename(name: $name) { id nick } }"
ADA = Caller(subject="ada", tenant="acme", roles=frozenset({"sales"}), filters={"region": ("EU",)}, token="secret")
DONE = {"data": {"rename": {"id": "1", "nick": "n"}}}


async def truncates(writer, _):
    writer.write(reply(b'{"data":{"ren', length=60))
    await writer.drain()


async def hangs(writer, request):
    """Longer than the caller waits, shorter than a try of the workflow."""
    await asyncio.sleep(2)
    await resets(writer, request)


@pytest.fixture
async def office(gateway, subgraphs, tmp_path):
    """A gateway with workflows behind it, and their desk."""
    clients, profiles = {}, {"a": SubgraphProfile(name="a", system="books", shown_codes=frozenset({"CONFLICT"}))}
    kinds = definitions_of(["a"], lambda: clients, profiles, caller_from_json)
    database = open_database(tmp_path / "w.sqlite", None)
    store = WorkflowStore(database)
    engine_url = f"sqlite:///{tmp_path / 'engine.sqlite'}"
    calls = SubgraphCalls(lambda: clients, profiles, Caller(subject="concord"))
    worker = Worker(WorkerSettings(engine_url=engine_url), store, kinds, calls, {"books": "keepers"})
    desk = WorkflowDesk(store, worker, kinds, calls, approval_above=None)
    writes = SqliteWriteStore(tmp_path / "writes.sqlite")

    async def settled(doubt):
        return await settle(desk, doubt, caller_to_json(doubt.context.caller))

    gate = gateway(SDL, PLAN, wrap=lambda client: IdempotentWrites(Retried(client, retries=0), writes, settled))
    clients |= gate.clients
    serving = asyncio.create_task(worker.serve_forever())
    yield gate, desk
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await worker.aclose()
    await writes.aclose()
    database.close()


async def ask(gate, key="k", name="x", **headers):
    given = {"idempotency-key": key, **headers}
    request = GraphQLRequest(query=QUERY, variables={"name": name}, headers=given)
    response = await gate.engine.execute(request, ADA)
    return response.data, [dict(error["extensions"]) for error in response.errors]


async def ended(desk, handle):
    return await desk.wait(local_id(handle, "Workflow"), 60)


@pytest.mark.parametrize("cut", [resets, truncates, hangs])
async def test_an_answer_that_is_lost_is_asked_for_until_the_owner_gives_it(office, subgraphs, cut):
    gate, desk = office
    subgraphs["a"].behave = cut
    headers = {"x-request-timeout-ms": "300"} if cut is hangs else {}
    data, (error,) = await ask(gate, **headers)
    assert (data, error["outcome"], error["system"]) == ({"rename": None}, "UNKNOWN", "a")
    # Asked again under the same key while nobody knows yet: the same handle.
    _, (again,) = await ask(gate, **headers)
    assert again["workflow"] == error["workflow"]
    subgraphs["a"].behave, subgraphs["a"].say = None, lambda request: DONE
    found = await ended(desk, error["workflow"])
    assert (found.status, found.kind, found.result) == (WorkflowStatus.COMPLETED, "in-doubt-a", DONE["data"]["rename"])
    assert found.requested_by == "ada"
    (step,) = (await desk.steps([found.id]))[found.id]
    assert (step.name, step.system) == ("ask", "books")
    # Every try had the key of the first, and the handle keeps no credential.
    assert len({headers["idempotency-key"] for headers in subgraphs["a"].headers}) == 1
    assert "secret" not in str(found.input)
    assert await ask(gate) == ({"rename": {"id": "1", "nick": "n"}}, [])


async def test_what_the_owner_then_refuses_did_not_happen(office, subgraphs):
    gate, desk = office
    subgraphs["a"].say = lambda request: {
        "data": {"rename": None},
        "errors": [
            {"message": "m", "path": ["rename"], "extensions": {"code": "SYSTEM_TIMEOUT", "outcome": "UNKNOWN"}}
        ],
    }
    data, (error,) = await ask(gate)
    assert (data, error["code"], error["outcome"]) == ({"rename": None}, "SYSTEM_TIMEOUT", "UNKNOWN")
    subgraphs["a"].say = lambda request: {
        "data": {"rename": None},
        "errors": [{"message": "It moved on.", "path": ["rename"], "extensions": {"code": "CONFLICT", "outcome": "NOT_APPLIED"}}],
    }  # fmt: skip
    found = await ended(desk, error["workflow"])
    assert (found.status, found.error.code, found.error.message) == (
        WorkflowStatus.COMPENSATED,
        "CONFLICT",
        "It moved on.",
    )
    evidence = [(entry.actor, entry.system, entry.action) for entry in await desk.evidence(found.id)]
    assert evidence[0] == ("ada", "gateway", "start in-doubt-a")
    assert set(evidence[1:]) == {("ada", "books", "ask again")}


def refusal(**extensions):
    errors = [{"message": "m", "path": ["rename"], "extensions": extensions}]
    return lambda request: {"data": {"rename": None}, "errors": errors}


async def test_what_says_nothing_about_the_write_is_for_a_person(office, subgraphs):
    gate, desk = office
    subgraphs["a"].behave = resets
    _, (error,) = await ask(gate)
    subgraphs["a"].behave, subgraphs["a"].say = None, refusal(code="FORBIDDEN", outcome="NOT_APPLIED")
    found = await ended(desk, error["workflow"])
    assert (found.status, found.error.code, found.owner) == (WorkflowStatus.NEEDS_ATTENTION, "FORBIDDEN", "keepers")


async def test_once_the_owner_may_have_forgotten_the_key_nothing_is_sent_again(office, subgraphs, tmp_path):
    gate, desk = office
    subgraphs["a"].behave = resets
    _, (error,) = await ask(gate)
    subgraphs["a"].behave, subgraphs["a"].say = None, refusal(code="FORBIDDEN", outcome="NOT_APPLIED")
    found = await ended(desk, error["workflow"])
    with contextlib.closing(sqlite3.connect(tmp_path / "w.sqlite")) as records, records:
        records.execute("UPDATE concord_workflow SET started_at = started_at - 86400")
    asked = len(subgraphs["a"].requests)
    with pytest.raises(GatewayError, match="forgotten") as refused:
        await desk.retry(found.id, Caller(subject="boss"))
    assert (refused.value.code, len(subgraphs["a"].requests)) == ("CONFLICT", asked)
    closed = await desk.resolve(found.id, Caller(subject="boss"), "It was booked by hand.")
    assert closed.status is WorkflowStatus.RESOLVED


async def test_it_can_not_be_taken_back_wherever_it_stands(office, subgraphs):
    gate, desk = office
    subgraphs["a"].behave = resets
    _, (error,) = await ask(gate)
    workflow = local_id(error["workflow"], "Workflow")
    boss = Caller(subject="boss")

    async def refused_while(status):
        with pytest.raises(GatewayError) as refusal:
            await desk.compensate(workflow, boss)
        assert (refusal.value.code, (await desk.find(workflow)).status) == ("CONFLICT", status)

    await refused_while(WorkflowStatus.RUNNING)
    subgraphs["a"].behave, subgraphs["a"].say = None, refusal(code="FORBIDDEN", outcome="NOT_APPLIED")
    assert (await ended(desk, error["workflow"])).status is WorkflowStatus.NEEDS_ATTENTION
    await refused_while(WorkflowStatus.NEEDS_ATTENTION)
    subgraphs["a"].say = lambda request: DONE
    await desk.retry(workflow, boss)
    found = await ended(desk, error["workflow"])
    assert (found.status, found.result) == (WorkflowStatus.COMPLETED, DONE["data"]["rename"])
    await refused_while(WorkflowStatus.COMPLETED)


async def test_a_refusal_that_leaves_it_open_is_asked_again(office, subgraphs):
    gate, desk = office
    subgraphs["a"].say = refusal(code="CONFLICT", outcome="UNKNOWN")
    _, (error,) = await ask(gate)
    assert (error["code"], error["outcome"]) == ("CONFLICT", "UNKNOWN")
    await subgraphs["a"].got(3)
    assert (await desk.find(local_id(error["workflow"], "Workflow"))).status is WorkflowStatus.RUNNING
    subgraphs["a"].say = lambda request: DONE
    found = await ended(desk, error["workflow"])
    assert (found.status, found.result) == (WorkflowStatus.COMPLETED, DONE["data"]["rename"])


async def test_what_was_certainly_not_done_and_what_has_no_key_has_no_handle(office, subgraphs):
    gate, _ = office
    subgraphs["a"].say = lambda request: {
        "data": {"rename": None},
        "errors": [{"message": "m", "path": ["rename"], "extensions": {"code": "CONFLICT", "outcome": "NOT_APPLIED"}}],
    }
    _, (error,) = await ask(gate)
    assert (error["outcome"], "workflow" in error) == ("NOT_APPLIED", False)
    subgraphs["a"].behave = resets
    response = await gate.engine.execute(GraphQLRequest(query=QUERY, variables={"name": "x"}), ADA)
    assert "workflow" not in response.errors[0]["extensions"]
