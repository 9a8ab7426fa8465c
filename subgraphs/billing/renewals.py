"""Time-driven events: renewals that come due and notice deadlines, so many days ahead, once each."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from subgraphs.billing.lifecycle import EventDraft
from subgraphs.billing.records import Contract, ContractStatus
from subgraphs.kit.canonical_event import FieldChange
from subgraphs.kit.database import Database

_ONE_DAY = dt.timedelta(days=1)
_RENEWING = frozenset({ContractStatus.ACTIVE, ContractStatus.PAUSED})

SCHEMA = "create table if not exists renewal_told (id text primary key, on_day text not null) without rowid;"


def renewal_due_on(contract: Contract) -> dt.date | None:
    """Return the last day of the term, on which the renewal is due; None where nothing will be renewed."""
    if contract.status not in _RENEWING or contract.cancellation is not None:
        return None
    return contract.ends_on


def notice_by(contract: Contract) -> dt.date | None:
    """Return the last day to give notice."""
    due_on = renewal_due_on(contract)
    return None if due_on is None else due_on - dt.timedelta(days=contract.notice_days)


def renewal_drafts(contracts: Iterable[Contract], days_before: Sequence[int], today: dt.date) -> Iterator[EventDraft]:
    """Yield what is to be told today about each contract: the nearest mark passed, of each of its two dates.

    A mark that is overtaken by a nearer one while nobody ran is not told any more.
    """
    for contract in contracts:
        dates = (("renewal.due", renewal_due_on(contract)), ("renewal.notice_deadline", notice_by(contract)))
        for kind, date in dates:
            if date is None or date < today:
                continue
            left = (date - today).days
            reached = [mark for mark in days_before if left <= mark]
            if reached:
                yield _draft(contract, kind, date, min(reached))


def _draft(contract: Contract, kind: str, date: dt.date, mark: int) -> EventDraft:
    reached_on = date - dt.timedelta(days=mark)
    field = "renewal.dueOn" if kind == "renewal.due" else "renewal.noticeBy"
    return EventDraft(
        type=kind,
        identity=(contract.number, date.isoformat(), str(mark)),
        time=dt.datetime(reached_on.year, reached_on.month, reached_on.day, tzinfo=dt.UTC),
        customer=contract.customer,
        contract=contract.number,
        version=contract.version,
        changes=(FieldChange(field, None, date.isoformat()), FieldChange("daysBefore", None, str(mark))),
    )


class RenewalsTold:
    """Remembers which marks were told, over restarts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def untold(self, drafts: Iterable[EventDraft]) -> list[EventDraft]:
        """Return the drafts that were not told yet."""
        found = list(drafts)

        def read(connection: sqlite3.Connection) -> set[str]:
            return {row[0] for row in connection.execute("select id from renewal_told")}

        told = await self._database.run(read)
        return [draft for draft in found if _key(draft) not in told]

    @staticmethod
    def remember(connection: sqlite3.Connection, drafts: Iterable[EventDraft], today: dt.date) -> None:
        """Note drafts as told, in the transaction that puts them into the outbox."""
        connection.executemany(
            "insert or ignore into renewal_told values (?, ?)", [(_key(draft), today.isoformat()) for draft in drafts]
        )


def _key(draft: EventDraft) -> str:
    return "|".join((draft.type, *draft.identity))


def seconds_to_midnight(now: dt.datetime) -> float:
    """Return how long the UTC day still lasts."""
    tomorrow = dt.datetime.combine(now.date() + _ONE_DAY, dt.time(), dt.UTC)
    return (tomorrow - now).total_seconds()
