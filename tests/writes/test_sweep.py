"""A run over a large company: pages, systems that are slow, limited or down, and contracts with hundreds of lines."""

import asyncio
import datetime as dt

import pytest

from gateway.writes.reconciliation import documents
from gateway.writes.reconciliation.ask import Answer, AskFailure, PatientAsk
from gateway.writes.reconciliation.model import DriftKind, Run, RunStatus, Scope, Unreachable
from gateway.writes.reconciliation.store import DriftStore
from gateway.writes.reconciliation.sweep import Keeping, Sweep
from gateway.writes.reconciliation.tolerance import Tolerances
from gateway.writes.workflows.database import open_database, wall_clock

EVERYTHING = Scope()
TODAY = dt.date(2026, 3, 20)


def money(amount, currency="EUR"):
    return {"amount": str(amount), "currency": currency}


def connection(nodes, first, after):
    start = 0 if after is None else int(after)
    more = start + first < len(nodes)
    return {
        "totalCount": len(nodes),
        "pageInfo": {"hasNextPage": more, "endCursor": str(start + first)},
        "edges": [{"node": node} for node in nodes[start : start + first]],
    }


class Graph:
    """Answers as the graph does over contracts of its own: each billed monthly, and invoiced as it was billed."""

    def __init__(self, contracts, months):
        self.numbers = [f"CON-{number:04}" for number in range(contracts)]
        self.months = months
        self.short = {}
        self.refuse = []
        self.down = {}
        self.asked = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, document, variables):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.asked.append((document, variables))
        if self.refuse:
            return self.refuse.pop(0)(variables)
        failures = [AskFailure(code=code, system=system) for system, code in self.down.items()]
        first, after = variables.get("first"), variables.get("after")
        match document:
            case documents.CUSTOMERS:
                return Answer(data={"page": connection([self.customer(n) for n in self.numbers], first, after)})
            case documents.PRODUCTS:
                return Answer(data={"page": connection([], first, after)}, failures=failures)
            case documents.CONTRACTS:
                page = connection(self.numbers, first, after)
                page["edges"] = [{"node": self.contract(edge["node"], variables)} for edge in page["edges"]]
                return Answer(data={"page": page}, failures=failures)
            case _:
                whole = self.contract(variables["id"], variables)
                return Answer(data={"node": whole}, failures=failures)

    def customer(self, number):
        return {
            "id": number, "name": number, "status": "PROSPECT", "legalName": None, "taxIds": None, "identities": [],
            "crmRecord": {"name": number, "fields": []}, "billingRecord": None, "erpRecord": None,
        }  # fmt: skip

    def contract(self, number, variables):
        count = self.months.get(number, 1)
        month = {"startsOn": "2026-02-01", "endsOn": "2026-02-28"}
        lines = [
            {"amount": money(10), "period": month, "product": {"revenueRule": "RATABLE_MONTHLY"}, "invoice": {"number": f"{number}-{i}"}}
            for i in range(count)
        ]  # fmt: skip
        invoices = [
            {"number": f"{number}-{i}", "status": "PAID", "net": money(10), "total": money(12), "balance": money(0),
             "billingDocument": {"total": money(12), "amountDue": money(0)}}
            for i in range(count - self.short.get(number, 0))
        ]  # fmt: skip
        is_down = "erp" in self.down
        return {
            "id": number, "number": number, "status": "ACTIVE", "currency": "EUR", "customer": {"id": f"of {number}"},
            "totalValue": money(120), "opportunity": {"amount": money(120)},
            "billedToDate": None if is_down else money(10 * len(invoices)),
            "recognizedToDate": None if is_down else money(10 * len(invoices)),
            "billedLines": connection(lines, variables["lines"], variables.get("afterLine")),
            "invoices": None if is_down else connection(invoices, variables["lines"], variables.get("afterInvoice")),
        }  # fmt: skip


@pytest.fixture
def store(tmp_path):
    database = open_database(tmp_path / "w.sqlite", None)
    yield DriftStore(database)
    database.close()


async def swept(store, graph, *, page_size=100, patience_s=0.0, scope=EVERYTHING):
    run = Run(
        id=f"run-{wall_clock()}", scope=scope, status=RunStatus.RUNNING, asked_by=None, is_scheduled=True,
        started_at=wall_clock(),
    )  # fmt: skip
    store.begin_run(run, 60)

    async def apply(findings):
        return store.apply(findings)

    async def resolve(scope, since):
        return store.resolve_unseen(scope, since)

    async def note(tally):
        return store.note_run(run, tally, 60)

    sweep = Sweep(
        run=run,
        ask=PatientAsk(ask=graph, patience_s=patience_s, page_size=page_size),
        keeping=Keeping(apply=apply, resolve_unseen=resolve, note=note),
        tolerances=Tolerances(),
        today=TODAY,
        parallel=2,
    )
    status = await sweep.sweep()
    store.end_run(run, status, sweep.tally)
    return status, sweep.tally


async def test_a_thousand_contracts_are_ten_pages_and_two_at_a_time(store):
    graph = Graph(1000, {"CON-0007": 450})
    graph.short = {"CON-0007": 1, "CON-0500": 1}
    status, tally = await swept(store, graph)
    assert status is RunStatus.COMPLETED
    assert (tally.total, tally.compared, tally.differing, tally.opened) == (2000, 2000, 2, 2)
    pages = [document for document, _ in graph.asked if document in (documents.CUSTOMERS, documents.CONTRACTS)]
    assert len(pages) == 20
    assert graph.most_at_once == 2
    # The one with hundreds of lines and invoices is read to its end: 450 lines and 449 invoices, 200 at a time.
    assert len(graph.asked) == 25  # and one page of products, which there are none of
    found = {
        (drift.found.contract, drift.found.place.field, str(drift.found.difference))
        for drift in store.live_of("subject", ["CON-0007"])["CON-0007"]
    }
    assert found == {("CON-0007", "invoiced", "10.00")}


async def test_a_system_that_is_down_makes_a_run_partial_and_resolves_nothing(store):
    graph = Graph(30, {})
    graph.short = {"CON-0003": 1}
    assert (await swept(store, graph))[1].opened == 1
    graph.short, graph.down = {}, {"erp": "SYSTEM_UNAVAILABLE"}
    status, tally = await swept(store, graph, page_size=10)
    assert status is RunStatus.PARTIAL
    assert tally.unreachable == (Unreachable(system="erp", code="SYSTEM_UNAVAILABLE", subjects=30),)
    assert (tally.compared, tally.differing, tally.resolved) == (60, 0, 0)
    assert len(store.live_of("subject", ["CON-0003"])["CON-0003"]) == 1
    graph.down = {}
    status, tally = await swept(store, graph)
    assert (status, tally.resolved) == (RunStatus.COMPLETED, 1)


async def test_a_limited_system_is_waited_for_and_an_expensive_page_is_halved(store):
    graph = Graph(10, {})

    def limited(variables):
        return Answer(data={"page": None}, failures=[AskFailure(code="SYSTEM_RATE_LIMITED", system="billing")])

    def expensive(variables):
        assert variables["first"] > 4
        return Answer(data=None, failures=[AskFailure(code="COST_ESTIMATED_TOO_EXPENSIVE", system="gateway")])

    graph.refuse = [expensive, expensive, limited]
    scope = Scope(kinds=(DriftKind.CONTRACT,))
    status, tally = await swept(store, graph, page_size=16, patience_s=10.0, scope=scope)
    assert (status, tally.compared) == (RunStatus.COMPLETED, 10)
    assert [variables["first"] for _, variables in graph.asked] == [16, 8, 4, 4, 4, 4]


async def test_a_list_that_cannot_be_opened_is_named(store):
    graph = Graph(5, {})
    gone = Answer(data={"page": None}, failures=[AskFailure(code="SYSTEM_TIMEOUT", system="billing")])
    graph.refuse = [lambda _: gone] * 2
    status, tally = await swept(store, graph, scope=Scope(kinds=(DriftKind.CONTRACT,)))
    assert (status, tally.total) == (RunStatus.PARTIAL, None)
    assert tally.unreachable == (Unreachable(system="billing", code="SYSTEM_TIMEOUT", subjects=0),)
