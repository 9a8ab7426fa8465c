"""Drift is kept from discovery to agreement, told once per change, and found by one gateway at a time; on both stores."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from postgres import started_postgres

from gateway.errors import GatewayError
from gateway.writes.reconciliation.announcements import DriftAnnouncements
from gateway.writes.reconciliation.listing import DriftListing
from gateway.writes.reconciliation.model import (
    DriftFilter,
    DriftKind,
    DriftStatus,
    Finding,
    Place,
    Run,
    RunStatus,
    Scope,
    Tally,
    Unreachable,
)
from gateway.writes.reconciliation.store import DriftStore
from gateway.writes.workflows.database import open_database, wall_clock

EVERYTHING = Scope()
NAME = Finding(
    place=Place(kind=DriftKind.CUSTOMER, subject="Q3VzdG9tZXI6MQ", field="name", system="billing"),
    owner="crm",
    customer="Q3VzdG9tZXI6MQ",
    owner_value="Acme",
    copy_value="ACME",
)
PAID = Finding(
    place=Place(kind=DriftKind.CONTRACT, subject="Q29udHJhY3Q6QzE", field="paid", system="billing"),
    owner="erp",
    customer="Q3VzdG9tZXI6MQ",
    contract="C1",
    owner_value="10.00",
    copy_value="8.00",
    difference=Decimal("-2.00"),
    currency="EUR",
)
EQUAL = replace(NAME, copy_value="Acme", differs=False)


@pytest.fixture(scope="module")
def postgres_url():
    with started_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    database = open_database(tmp_path / "w.sqlite", url)
    with database.transaction() as execute:
        for table in ("concord_drift", "concord_drift_event", "concord_reconciliation"):
            execute(f"DROP TABLE IF EXISTS {table}")
    yield DriftStore(database)
    database.close()


def told(store):
    """Publish what waits, and return it: each once."""
    seen = []

    async def publish(events):
        seen.extend((event.name, *change) for event in events for change in event.changes)
        return True

    asyncio.run(DriftAnnouncements(store.database, publish).tell())
    return seen


def live(store):
    return list(store.live_of("customer", [NAME.customer])[NAME.customer])


def run(name="run-1", scope=EVERYTHING, *, scheduled=False):
    return Run(
        id=name,
        scope=scope,
        status=RunStatus.RUNNING,
        asked_by="ada",
        is_scheduled=scheduled,
        started_at=wall_clock(),
        worker="w",
    )


def refused(code, decide):
    with pytest.raises(GatewayError) as error:
        decide()
    assert error.value.code == code


def test_a_drift_opens_once_stays_and_is_resolved_once(store):
    assert (store.apply([NAME, PAID]).opened, store.apply([NAME, PAID]).opened) == (2, 0)
    first, second = live(store)
    assert {first.found, second.found} == {NAME, PAID}
    assert told(store) == [
        ("drift.detected", "name", "Acme", "ACME"),
        ("drift.detected", "paid", "10.00", "8.00"),
    ]
    applied = store.apply([EQUAL, PAID])
    assert (applied.differing, applied.opened, applied.resolved) == (1, 0, 1)
    assert (store.apply([EQUAL, PAID]).resolved, [drift.found for drift in live(store)]) == (0, [PAID])
    assert told(store) == [("drift.resolved", "name", "Acme", "Acme")]
    resolved = store.find(next(d.id for d in (first, second) if d.found == NAME))
    assert (resolved.status, resolved.found.copy_value) == (DriftStatus.RESOLVED, "Acme")
    assert resolved.resolved_at >= resolved.detected_at
    # The same place again is another drift; the one before stays on record.
    assert store.apply([NAME]).opened == 1
    again = next(drift for drift in live(store) if drift.found == NAME)
    assert again.id != resolved.id
    assert store.find(resolved.id).status is DriftStatus.RESOLVED


def test_other_values_are_told_and_open_what_was_accepted(store):
    store.apply([NAME])
    (drift,) = live(store)
    refused("NOT_FOUND", lambda: store.accept("dr-none", "ada", "r"))
    accepted = store.accept(drift.id, "ada", "its name on bills")
    assert (accepted.status, accepted.accepted_by, accepted.reason) == (
        DriftStatus.ACCEPTED,
        "ada",
        "its name on bills",
    )
    refused("CONFLICT", lambda: store.accept(drift.id, "ada", "again"))
    assert store.apply([NAME]).opened == 0
    assert live(store)[0].status is DriftStatus.ACCEPTED
    assert len(told(store)) == 1
    assert store.apply([replace(NAME, copy_value="Acme Corp")]).opened == 1
    (reopened,) = live(store)
    assert (reopened.id, reopened.status, reopened.reason) == (drift.id, DriftStatus.OPEN, None)
    assert told(store) == [("drift.detected", "name", "Acme", "Acme Corp")]
    assert told(store) == []


def test_what_a_whole_run_did_not_come_across_is_resolved(store):
    store.apply([NAME, PAID])
    begun = wall_clock()
    store.apply([PAID])
    assert store.resolve_unseen(Scope(kinds=(DriftKind.CONTRACT,)), begun) == 0
    assert store.resolve_unseen(Scope(kinds=(DriftKind.CUSTOMER,)), begun) == 1
    assert [drift.found for drift in live(store)] == [PAID]


def test_drifts_are_listed_by_what_they_are(store):
    store.apply([NAME, PAID])
    listing = DriftListing(store.database)

    def fields(**wanted):
        page = listing.drifts(DriftFilter(**wanted), size=10, after=None)
        assert listing.count(DriftFilter(**wanted)) == len(page.drifts)
        return sorted(drift.found.place.field for drift in page.drifts)

    assert fields() == ["name", "paid"]
    assert fields(kinds=(DriftKind.CONTRACT,)) == fields(contract="C1") == fields(systems=("erp",)) == ["paid"]
    assert fields(systems=("billing",)) == fields(customer=NAME.customer) == ["name", "paid"]
    assert fields(fields=("name",)) == fields(systems=("crm",)) == ["name"]
    assert fields(statuses=(DriftStatus.ACCEPTED,)) == fields(statuses=()) == fields(systems=()) == []
    newest = listing.drifts(DriftFilter(), size=1, after=None)
    assert newest.has_more
    (one,) = newest.drifts
    rest = listing.drifts(DriftFilter(), size=1, after=(one.detected_at, one.id))
    assert not rest.has_more
    assert {one.found, rest.drifts[0].found} == {NAME, PAID}


def test_one_gateway_at_a_time_compares_everything(store):
    asked = run()
    assert store.begin_run(asked, 60) is asked
    assert store.begin_run(run("run-2"), 60).id == "run-1"
    assert store.begin_run(run("run-3", scheduled=True), 60, due_after_s=0) is None
    # One customer's is a handful of requests, and need not wait.
    narrow = run("run-4", Scope(customer=NAME.customer))
    assert store.begin_run(narrow, 60) is narrow
    tally = Tally(total=3, compared=2, unreachable=(Unreachable(system="erp", code="SYSTEM_TIMEOUT", subjects=1),))
    assert store.note_run(asked, tally, 60)
    ended = store.end_run(asked, RunStatus.PARTIAL, tally)
    assert (ended.status, ended.tally, ended.scope, ended.asked_by) == (RunStatus.PARTIAL, tally, Scope(), "ada")
    assert ended.finished_at >= ended.started_at
    # The next scheduled one is due an interval after the last began; asked for under the same id it is the same.
    assert store.begin_run(run("run-5", scheduled=True), 60, due_after_s=3600) is None
    assert store.begin_run(run(), 60).status is RunStatus.PARTIAL
    later = run("run-6", scheduled=True)
    assert store.begin_run(later, 60, due_after_s=0) is later
    page = DriftListing(store.database).runs(size=2, after=None)
    assert (page.has_more, page.runs[0].id) == (True, "run-6")


def test_a_run_whose_gateway_died_is_interrupted_and_may_not_go_on(store):
    dead = run()
    store.begin_run(dead, -1)
    other = run("run-2")
    assert store.begin_run(other, 60) is other
    assert DriftListing(store.database).run("run-1").status is RunStatus.INTERRUPTED
    assert not store.note_run(dead, Tally(), 60)
    assert store.end_run(dead, RunStatus.COMPLETED, Tally()).status is RunStatus.INTERRUPTED
