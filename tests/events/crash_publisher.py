"""A subgraph that publishes, as a process to be killed: `crash_publisher.py DATABASE ADDRESSES SECRET NAME COUNT`.

Each event is in the outbox together with the number that tells how far the business is, or neither is. One in a hundred
breaks its contract, one in twenty is published again later, one in fifty is years late.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import sys
from pathlib import Path

from subgraphs.kit.background import background
from subgraphs.kit.canonical_event import CanonicalEvent, FieldChange
from subgraphs.kit.database import Database
from subgraphs.kit.outbox import Outbox

PROGRESS = "create table if not exists progress (number integer not null);"
SUBJECTS = 5
_STEP = 20


def is_poison(number: int) -> bool:
    return number % 100 == 37


def event(name: str, number: int) -> CanonicalEvent:
    contract = f"CON-{name}-{number % SUBJECTS}"
    subject = base64.urlsafe_b64encode(f"Contract:{contract}".encode()).decode().rstrip("=")
    late = dt.timedelta(days=2_000 if number % 50 == 0 else 0)
    return CanonicalEvent(
        source="billing",
        type="contract.paused",
        subject=subject,
        identity=(name, str(number)),
        time=dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number) - late,
        keys={} if is_poison(number) else {"contract": contract},
        version=str(number),
        changes=(FieldChange("status", "ACTIVE", "PAUSED"),),
    )


async def main(path: Path, addresses: str, secret: str, name: str, count: int) -> None:
    database = await Database.open(path, (Outbox.SCHEMA, PROGRESS))
    outbox = Outbox(database, events_url=addresses, signing_secret=secret, timeout_s=5)
    row = await database.run(lambda c: c.execute("select max(number) from progress").fetchone())
    done = row[0] or 0
    async with background(outbox.deliver_forever):
        while done < count:
            numbers = list(range(done, min(done + _STEP, count)))
            again = [number - 500 for number in numbers if number % 20 == 0 and number >= 500]
            events = [event(name, number) for number in (*again, *numbers)]

            def step(connection, events=events, reached=numbers[-1] + 1):
                Outbox.insert(connection, events)
                connection.execute("insert into progress values (?)", (reached,))

            await database.run(step)
            outbox.wake()
            done = numbers[-1] + 1
            while await outbox.waiting() > 2_000:  # noqa: ASYNC110 - the outbox has no event for it
                await asyncio.sleep(0.02)
        while await outbox.waiting():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await database.close()
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5])))
