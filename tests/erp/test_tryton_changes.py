"""Polling with a high-water mark: whatever the stamps of changes are, each is found, and once."""

from __future__ import annotations

import datetime as dt
import sqlite3
from typing import Any

MANY = 620
"""Rows of one transaction, which Tryton stamps alike: more than a page of a poll."""


async def test_changes_with_one_stamp_are_found_over_the_border_of_a_page(small_world: Any) -> None:
    async with small_world.tryton() as system:
        before = {record.id for record in await system.erp.changed_customers(None)}
        values = [{"code": f"CUST-M-{number:05}", "name": f"Made at once {number}"} for number in range(MANY)]
        made = await system.erp._tryton.call("model.party.party.create", values, {"company": 1, "companies": [1]})
        found = [record for record in await system.erp.changed_customers(None) if record.id not in before]
        assert sorted(record.id for record in found) == sorted(map(str, made))
        instants = sorted({record.modified_at for record in found})
        again = await system.erp.changed_customers(instants[0])
        assert {record.id for record in found} <= {record.id for record in again}
        assert len({record.id for record in again}) == len(again)
        # From the last stamp on, what carries it is found as well: it may have come after the poll that set the mark.
        last = await system.erp.changed_customers(instants[-1])
        assert {r.id for r in last} == {r.id for r in found if r.modified_at == instants[-1]}
        assert await system.erp.changed_customers(instants[-1] + dt.timedelta(microseconds=1)) == []


async def test_a_clock_that_is_behind_ours_loses_no_change(small_world: Any) -> None:
    """The mark is the ERP's own latest stamp, never our time: with a poll that finds nothing it stays where it was."""
    world = small_world

    async def mark() -> Any:
        with sqlite3.connect(f"file:{world.folder / 'erp' / 'erp.sqlite'}?mode=ro", uri=True) as connection:
            row = connection.execute("select mark from high_water_mark where feed = 'customers'").fetchone()
        connection.close()
        return row and row[0]

    first = await world.eventually(mark, 30)
    async with world.tryton() as system:
        latest = max(record.modified_at for record in await system.erp.changed_customers(None))
        assert dt.datetime.fromisoformat(first) == latest
        record = (await system.erp.changed_customers(None))[0]
        await system.erp.set_credit_hold(record, on_hold=not record.credit_hold, version=record.version)

    async def told() -> Any:
        return await world.told("customer.credit_hold_changed")

    (event,) = await world.eventually(told, 30)
    assert event.event.changes[0].field == "creditHold"
