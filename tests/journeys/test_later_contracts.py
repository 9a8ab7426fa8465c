"""A contract begins on its first day in every system, or on none."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing as ending
from typing import Any

from contract_stories import DECIDE, key, settled, written
from test_workflows import CLOSE, closing

SEEN = """query($id: ID!) { node(id: $id) { ... on Opportunity {
  stage version contract { number status startsOn endsOn } customer { contracts(first: 50) { totalCount } } } } }"""
DAY = "query($id: ID!) { workflow(id: $id) { status effectiveOn steps { status } } }"


def seen(agreeing, deal: dict[str, Any]) -> dict[str, Any]:
    return agreeing.data(SEEN, {"id": deal["id"]})["node"]


async def test_a_contract_that_begins_later_is_made_on_its_day(agreeing, deals):
    deal = deals.pop()
    before, today = seen(agreeing, deal), dt.datetime.now(dt.UTC).date()
    for days in (-1, 400):
        wanted = {**closing(deal), "startsOn": (today + dt.timedelta(days=days)).isoformat()}
        refused = agreeing.ask(CLOSE, {"input": wanted}, Idempotency_Key=key())
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["BAD_USER_INPUT"]
    first_day = (today + dt.timedelta(days=60)).isoformat()
    wanted = {**closing(deal), "startsOn": first_day}
    # What could not be carried out today is refused today.
    stale = agreeing.ask(CLOSE, {"input": {**wanted, "version": "1"}}, Idempotency_Key=key())
    assert [error["extensions"]["code"] for error in stale["errors"]] == ["CONFLICT"]
    agreeing.forget_vendor_requests("crm", "billing", "erp")
    once = key()
    for _ in range(2):
        answer = agreeing.ask(CLOSE, {"input": wanted}, Idempotency_Key=once)
        workflow = answer["data"]["closeOpportunity"]["workflow"]
        assert workflow["status"] == "SCHEDULED", answer
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"SAGA_IN_PROGRESS"}
    waits = agreeing.data(DAY, {"id": workflow["id"]})["workflow"]
    assert (waits["effectiveOn"], {each["status"] for each in waits["steps"]}) == (first_day, {"PENDING"})
    assert first_day in agreeing.run("workflows", "show", workflow["id"]).stdout
    assert seen(agreeing, deal) == before
    assert written(agreeing, "crm", "billing", "erp") == {"crm": 0, "billing": 0, "erp": 0}
    # Its day comes.
    with (
        ending(sqlite3.connect(agreeing.state / "gateway" / "workflow-records.sqlite", timeout=30)) as records,
        records,
    ):
        records.execute("UPDATE concord_workflow_due SET due_at = 0 WHERE due_at > ?", (today.toordinal(),))

    def is_begun() -> bool:
        return agreeing.data(DAY, {"id": workflow["id"]})["workflow"]["status"] != "SCHEDULED"

    await agreeing.eventually(is_begun)
    assert (await settled(agreeing, workflow["id"]))["status"] == "COMPLETED"
    made = seen(agreeing, deal)["contract"]
    # Billing begins on the day on which it is carried out, and so does the term.
    ends = today.replace(year=today.year + 1) - dt.timedelta(days=1)
    assert (made["status"], made["startsOn"], made["endsOn"]) == ("ACTIVE", today.isoformat(), ends.isoformat())
    again = agreeing.data(CLOSE, {"input": wanted}, Idempotency_Key=once)["closeOpportunity"]
    assert (again["contract"]["number"], again["invoice"]["status"]) == (made["number"], "POSTED")
    agreeing.data(DECIDE % "compensateWorkflow", {"id": workflow["id"]})
    assert (await settled(agreeing, workflow["id"]))["status"] == "COMPENSATED"
