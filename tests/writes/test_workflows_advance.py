"""A workflow that waits goes on when an event tells that it can: late, doubled, early or out of order, and without any by itself."""

import asyncio
import contextlib
import datetime as dt

import pytest

from gateway.access.caller import Caller
from gateway.events.embedded import embedded_events
from gateway.events.event import Event
from gateway.workflows import advance
from gateway.writes.workflows.database import open_database
from gateway.writes.workflows.definition import RECOVERED, CallFailed, Definition, RetryPolicy, Step
from gateway.writes.workflows.desk import Asking, WorkflowDesk
from gateway.writes.workflows.model import StepError, WorkflowStatus
from gateway.writes.workflows.store import WorkflowStore
from gateway.writes.workflows.subgraph_calls import SubgraphCalls
from gateway.writes.workflows.worker import Worker, WorkerSettings

PAID = "concord.invoice.paid.v1"
HOUR = RetryPolicy(give_up_after_s=7200.0, first_pause_s=3600.0, longest_pause_s=3600.0)
SOON = RetryPolicy(give_up_after_s=7200.0, first_pause_s=0.2, longest_pause_s=0.2)
NOT_YET = StepError(code="SYSTEM_UNAVAILABLE", message="It is not paid yet.", system="erp")


class Bank:
    """What the waiting step looks at."""

    def __init__(self):
        self.is_paid = False
        self.looks = 0
        self.effects = 0
        self.while_looking = None

    async def look(self, context):
        self.looks += 1
        if self.while_looking is not None:
            await self.while_looking()
        if not self.is_paid:
            raise CallFailed(NOT_YET)

    async def book(self, context):
        self.effects += 1


def definition(bank, retry):
    async def nothing(context):
        return ()

    async def no_amount(context):
        return None

    return Definition(
        kind="dunning",
        steps=(
            Step(name="paid", system="erp", run=bank.look, retry=retry, awaits=frozenset({PAID})),
            Step(name="book", system="erp", run=bank.book),
        ),
        plan=nothing,
        amount=no_amount,
        subject=lambda outputs: (None, None),
        result=lambda outputs: None,
        deadline_s=7200.0,
    )


def event(number, name=PAID):
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC) - dt.timedelta(days=number)
    kind = name.removeprefix("concord.").removesuffix(".v1")
    return Event(
        id=f"e-{number}", type=name, source="concord/erp", subject="SW52b2ljZTox", time=now,
        data_schema=f"urn:concord:event:{kind}:1.0", keys={}, changes=(),
    )  # fmt: skip


@pytest.fixture
async def office(tmp_path):
    """Begins the workflow over a log of its own."""
    async with embedded_events(tmp_path / "events.sqlite") as events, contextlib.AsyncExitStack() as stack:
        bank = Bank()
        database = open_database(tmp_path / "w.sqlite", None)
        stack.callback(database.close)

        async def begin(retry, key="k"):
            kinds = {"dunning": definition(bank, retry)}
            store = WorkflowStore(database)
            calls = SubgraphCalls(dict, {}, Caller(subject="concord"))
            settings = WorkerSettings(engine_url=f"sqlite:///{tmp_path / 'engine.sqlite'}")
            worker = Worker(settings, store, kinds, calls, {})
            stack.push_async_callback(worker.aclose)
            tasks = [
                asyncio.create_task(worker.serve_forever()),
                asyncio.create_task(advance(events.log, worker, kinds)),
            ]
            for task in tasks:
                stack.callback(task.cancel)
            desk = WorkflowDesk(store, worker, kinds, calls, approval_above=None)
            asking = Asking(caller=Caller(subject="ada"), correlation_id="c", field="f", key=key)
            return desk, (await desk.begin("dunning", {}, asking)).id

        yield begin, bank, events.log


async def looked(bank, count):
    async with asyncio.timeout(60):
        while bank.looks < count:  # noqa: ASYNC110 - the worker's thread has no event for it
            await asyncio.sleep(0.02)


async def completed(desk, workflow):
    found = await desk.wait(workflow, 60)
    assert found.status is WorkflowStatus.COMPLETED
    (step, _) = (await desk.steps([workflow]))[workflow]
    return step.attempts


async def test_the_event_that_is_waited_for_lets_it_go_on_and_others_do_not(office):
    begin, bank, log = office
    desk, workflow = await begin(HOUR)
    await looked(bank, 1)
    await log.append([event(1, "concord.invoice.posted.v1"), event(2, "concord.payment.received.v1")])
    bank.is_paid = True
    await log.append([event(3)])
    assert await completed(desk, workflow) == 2
    assert (bank.looks, bank.effects) == (2, 1)


@pytest.mark.parametrize("kind", [PAID, RECOVERED])
async def test_events_out_of_order_doubled_and_many_do_everything_once(office, kind):
    begin, bank, log = office
    desk, workflow = await begin(HOUR)
    await looked(bank, 1)
    bank.is_paid = True
    batch = [event(number, kind) for number in (9, 3, 7, 3, 9, 1)]
    await log.append(batch)
    await log.append(batch)
    assert await completed(desk, workflow) == 2
    # Very late ones find nothing that waits.
    await log.append([event(number, kind) for number in range(20, 40)])
    assert (await desk.find(workflow)).status is WorkflowStatus.COMPLETED
    assert (bank.looks, bank.effects) == (2, 1)


async def test_an_event_before_the_workflow_is_no_loss(office):
    begin, bank, log = office
    bank.is_paid = True
    await log.append([event(1)])
    desk, workflow = await begin(HOUR)
    assert await completed(desk, workflow) == 1


async def test_an_event_while_the_step_looks_is_no_loss(office):
    """It had read that nothing was paid when the event came, and would else wait for the next one."""
    begin, bank, log = office
    heard = asyncio.Event()

    async def pay_too_late_for_this_look():
        if bank.looks == 1:
            await log.append([event(1)])
            heard.set()

    bank.while_looking = pay_too_late_for_this_look
    desk, workflow = await begin(HOUR)
    async with asyncio.timeout(60):
        await heard.wait()
    await looked(bank, 2)
    bank.is_paid = True
    await log.append([event(2)])
    await completed(desk, workflow)
    assert bank.effects == 1


async def test_without_any_event_it_looks_by_itself(office):
    begin, bank, _ = office
    desk, workflow = await begin(SOON)
    await looked(bank, 3)
    bank.is_paid = True
    await completed(desk, workflow)
    assert bank.effects == 1


async def test_storms_of_events_are_no_storms_of_requests(office):
    begin, bank, log = office
    desk, workflow = await begin(HOUR)
    await looked(bank, 1)
    for start in range(0, 400, 20):
        await log.append([event(1000 + start + number) for number in range(20)])
    bank.is_paid = True
    await log.append([event(1)])
    await completed(desk, workflow)
    assert bank.looks < 100
    assert bank.effects == 1
