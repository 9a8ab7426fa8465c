"""`DESK_URL=… DESK_TOKEN=… concord adaptor check subgraphs.examples.helpdesk.check:tickets`"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from subgraphs.examples.helpdesk.desk import Desk, Ticket, desk_client
from subgraphs.kit.conformance.under_test import Connection, Poll, UnderTest, Write
from subgraphs.kit.schema_drift import SchemaDrift


@asynccontextmanager
async def connect(to: Connection) -> AsyncIterator[Desk]:
    """Connect as the check wants it."""
    async with desk_client(to.url, "wrong" if to.is_credential_wrong else os.environ["DESK_TOKEN"]) as client:
        yield Desk(client, SchemaDrift("desk"))


async def _opened(desk: Desk, key: str) -> int:
    return sum(ticket.subject == key for ticket in (await desk.changed(None))[0])


async def _change(desk: Desk, number: int) -> str:
    ticket = str(number % 10 + 1)
    await desk.client.write("PUT", f"/api/v2/tickets/{ticket}.json", json={"ticket": {"subject": f"Change {number}"}})
    return ticket


async def _poll(desk: Desk, mark: str | None) -> tuple[Sequence[str], str]:
    tickets, following = await desk.changed(mark)
    return [ticket.id for ticket in tickets], following


@asynccontextmanager
async def tickets() -> AsyncIterator[UnderTest[Ticket]]:
    """The desk's tickets 1 to 120."""
    yield UnderTest(
        name="desk tickets",
        url=os.environ["DESK_URL"],
        connect=connect,
        known=[str(number) for number in range(1, 121)],
        absent=["999999"],
        writes=[Write(name="open", carry_out=lambda desk, key: desk.open(key, key), effects=_opened)],
        poll=Poll(change=_change, poll=_poll),
        cannot={"webhook": "The example polls; Zendesk's webhooks would tell sooner."},
    )
