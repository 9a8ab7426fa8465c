"""What people decide about workflows, over a small workflow of the test's own on both stores."""

import asyncio

import pytest
from postgres import started_postgres

from gateway.errors import GatewayError
from gateway.writes.workflows.database import open_database, wall_clock
from gateway.writes.workflows.decisions import Decisions
from gateway.writes.workflows.definition import Definition, Step, refuse
from gateway.writes.workflows.drive import Driver
from gateway.writes.workflows.listing import Listing
from gateway.writes.workflows.model import StepStatus, Superseded, WorkflowFilter, WorkflowRecord, WorkflowStatus
from gateway.writes.workflows.store import WorkflowStore


class Book:
    """A system of record in memory: what is in it, and what it refuses with."""

    def __init__(self):
        self.held = set()
        self.refuses = {}

    def step(self, name):
        async def run(context):
            if name in self.refuses:
                raise refuse(self.refuses[name], "no", "books")
            self.held.add(name)
            return {"by": context.key}

        async def undo(context):
            if f"undo {name}" in self.refuses:
                raise refuse(self.refuses[f"undo {name}"], "no", "books")
            self.held.discard(name)

        return Step(name=name, system="books", run=run, undo=undo)


class AtOnce:
    """Runs a workflow in the test's own thread."""

    def wait(self, seconds, awaits=frozenset(), since=0):
        raise Superseded("nothing here is waited for")

    def heard(self, awaits):
        return 0

    def on_loop(self, work):
        return asyncio.run(work)


async def no_plan(context):
    return ()


async def no_amount(context):
    return None


@pytest.fixture(scope="module")
def postgres_url():
    with started_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    database = open_database(tmp_path / "w.sqlite", url)
    with database.transaction() as execute:
        for table in (
            "workflow",
            "workflow_step",
            "workflow_evidence",
            "workflow_event",
            "workflow_worker",
            "workflow_asked",
        ):
            execute(f"DROP TABLE IF EXISTS concord_{table}")
    yield WorkflowStore(database)
    database.close()


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def definition(book):
    return Definition(
        kind="k",
        steps=(book.step("one"), book.step("two")),
        plan=no_plan,
        amount=no_amount,
        subject=lambda outputs: (None, "CON-1" if "two" in outputs else None),
        result=sorted,
    )


def begun(store, definition, *, status=WorkflowStatus.RUNNING, by="ada", name="wf-1", due_at=None):
    now = wall_clock()
    asked = WorkflowRecord(
        id=name,
        kind="k",
        status=status,
        input={},
        fingerprint="f",
        requested_by=by,
        correlation_id="c",
        started_at=now,
        deadline_at=now + 60,
    )
    return store.begin(asked, definition, actor=by, worker="w", due_at=due_at).record


def drive(store, definition, record):
    driver = Driver(
        store=store, definitions={"k": definition}, calls=None, owners={"books": "keepers"}, surroundings=AtOnce()
    )
    return driver.drive(record.id, record.generation, "w", lambda name, work: work())


def refused(code, decide):
    with pytest.raises(GatewayError) as error:
        decide()
    assert error.value.code == code


def test_somebody_else_has_to_approve(store, definition, book):
    decisions = Decisions(store)
    begun(store, definition, status=WorkflowStatus.WAITING_APPROVAL)
    for actor in ("ada", None):
        refused("FORBIDDEN", lambda actor=actor: decisions.approve("wf-1", actor, 60))
        refused("FORBIDDEN", lambda actor=actor: decisions.reject("wf-1", actor, "n"))
    refused("CONFLICT", lambda: decisions.retry("wf-1", "bob"))
    refused("NOT_FOUND", lambda: decisions.approve("wf-2", "bob", 60))
    approved = decisions.approve("wf-1", "bob", 60)
    assert (approved.status, approved.approved_by) == (WorkflowStatus.RUNNING, "bob")
    assert drive(store, definition, approved) == "completed"
    assert book.held == {"one", "two"}
    begun(store, definition, status=WorkflowStatus.WAITING_APPROVAL, name="wf-3")
    rejected = decisions.reject("wf-3", "bob", "not now")
    assert (rejected.status, rejected.note) == (WorkflowStatus.REJECTED, "not now")
    refused("CONFLICT", lambda: decisions.approve("wf-3", "bob", 60))


def test_what_is_scheduled_begins_when_it_is_due_and_can_be_called_off_before(store, definition, book):
    now = wall_clock()
    for name, due_at in (("wf-1", now - 1), ("wf-2", now + 3600), ("wf-3", now + 3600)):
        begun(store, definition, status=WorkflowStatus.SCHEDULED, name=name, due_at=due_at)
    assert store.orphans() == []
    for _ in range(2):
        store.release_due()
        assert [record.id for record in store.orphans()] == ["wf-1"]
    due = store.find("wf-1")
    # Its time to finish counts from now, not from when it was asked for.
    assert (due.status, 55 < due.deadline_at - now < 70) == (WorkflowStatus.RUNNING, True)
    assert drive(store, definition, due) == "completed"
    assert drive(store, definition, Decisions(store).compensate("wf-2", "bob")) == "compensated"
    store.release_due()
    assert [store.find(f"wf-{each}").status for each in (1, 2, 3)] == [
        WorkflowStatus.COMPLETED,
        WorkflowStatus.COMPENSATED,
        WorkflowStatus.SCHEDULED,
    ]
    assert book.held == {"one", "two"}
    # What somebody has to approve waits for both.
    begun(store, definition, status=WorkflowStatus.WAITING_APPROVAL, name="wf-4", due_at=now + 3600)
    store.release_due()
    assert store.find("wf-4").status is WorkflowStatus.WAITING_APPROVAL
    assert Decisions(store).approve("wf-4", "bob", 60).status is WorkflowStatus.SCHEDULED


def test_a_workflow_that_stopped_goes_on_where_it_was(store, definition, book):
    book.refuses["two"] = "SYSTEM_AUTH_FAILED"
    record = begun(store, definition)
    assert drive(store, definition, record) == "needs attention"
    stopped = store.find("wf-1")
    assert (stopped.status, stopped.owner, stopped.error.code) == (
        WorkflowStatus.NEEDS_ATTENTION,
        "keepers",
        "SYSTEM_AUTH_FAILED",
    )
    assert book.held == {"one"}
    book.refuses.clear()
    assert drive(store, definition, Decisions(store).retry("wf-1", "bob")) == "completed"
    done = store.find("wf-1")
    assert (done.status, done.contract, done.result, done.owner) == (
        WorkflowStatus.COMPLETED,
        "CON-1",
        ["one", "two"],
        None,
    )
    assert [(step.status, step.attempts) for step in store.steps(["wf-1"])["wf-1"]] == [
        (StepStatus.DONE, 1),
        (StepStatus.DONE, 2),
    ]
    assert Listing(store.database).count(WorkflowFilter(statuses=(WorkflowStatus.COMPLETED,), contract="CON-1")) == 1
    assert Listing(store.database).live() == {}


def test_an_undoing_that_is_refused_is_a_case_for_its_owner_until_it_is_done_or_resolved(store, definition, book):
    book.refuses |= {"two": "CONFLICT", "undo one": "CONFLICT"}
    assert drive(store, definition, begun(store, definition)) == "needs attention"
    assert [step.status for step in store.steps(["wf-1"])["wf-1"]] == [
        StepStatus.COMPENSATION_FAILED,
        StepStatus.COMPENSATED,
    ]
    assert store.find("wf-1").owner == "keepers"
    assert Listing(store.database).live() == {(store.find("wf-1").kind, WorkflowStatus.NEEDS_ATTENTION): 1}
    assert drive(store, definition, Decisions(store).retry("wf-1", "bob")) == "needs attention"
    book.refuses.clear()
    assert drive(store, definition, Decisions(store).retry("wf-1", "bob")) == "compensated"
    assert (book.held, store.find("wf-1").status) == (set(), WorkflowStatus.COMPENSATED)
    book.refuses |= {"two": "CONFLICT", "undo one": "CONFLICT"}
    assert drive(store, definition, begun(store, definition, name="wf-2")) == "needs attention"
    resolved = Decisions(store).resolve("wf-2", "bob", "took it out by hand")
    assert (resolved.status, resolved.note) == (WorkflowStatus.RESOLVED, "took it out by hand")
    noted = [(entry.actor, entry.action) for entry in store.evidence.read("wf-2")]
    assert noted == [("ada", "start k"), ("bob", "resolve")]
    assert store.evidence.verify().broken_at is None


def test_what_a_superseded_worker_still_does_changes_nothing(store, definition):
    stale = store.claim("wf-1", 1, "w") if begun(store, definition) else None
    taken = store.claim("wf-1", 1, "other")
    assert taken.epoch == stale.epoch + 1
    for attempt in (
        lambda: store.begin_try(stale, "one", is_undo=False),
        lambda: store.step_done(stale, "one", {}, (None, None), ()),
        lambda: store.turn_back(stale, refuse("CONFLICT", "m").error),
        lambda: store.complete(stale, None),
        lambda: store.compensated(stale),
        lambda: store.stop(stale, refuse("CONFLICT", "m").error, "o"),
    ):
        with pytest.raises(Superseded):
            attempt()
    assert store.find("wf-1").status is WorkflowStatus.RUNNING
    assert [step.status for step in store.steps(["wf-1"])["wf-1"]] == [StepStatus.PENDING] * 2
