"""Reads a deferral and its moves as a month-by-month revenue schedule, booked and still to come.

Tryton books a deferral in the company's currency. A month's revenue in the invoice's currency is the cumulated booked
amount at the invoice's own rate (line amount over deferral amount), less that of the month before, so that the months
of a line add up to the line exactly. Months without a move yet are spread by days, as Tryton will; the last takes the rest.
"""

from __future__ import annotations

import asyncio
import calendar
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import chain
from typing import Any

from subgraphs.erp.records import DeferralRecord, RevenueEntryRecord, RevenueStatus
from subgraphs.erp.vendors.tryton import Row, Tryton
from subgraphs.erp.vendors.tryton_mapping import many_to_one, month_of
from subgraphs.kit.minor_unit import to_minor_unit

DEFERRAL = (
    "state", "amount", "start_date", "end_date", "company.currency.code", "invoice_line.amount",
    "invoice_line.invoice.currency.code", "invoice_line.invoice.reference", "invoice_line.invoice.number",
    "invoice_line.invoice.party", "moves",
)  # fmt: skip
_REVENUE_LINE = ("debit", "credit", "move.date", "move.state")

_MOVES_PER_CALL = 2000


@dataclass(frozen=True, slots=True)
class _Booked:
    amount: Decimal
    on: dt.date
    move_id: str
    is_posted: bool


async def with_moves(tryton: Tryton, rows: list[Row]) -> list[Row]:
    """Return deferrals with their moves, and of those the lines on revenue accounts. Raises VendorError.

    One flat read for all: nested in the deferrals, every line would bring its account, and every account its type.
    """
    moves = [move for row in tryton.parsed("account.invoice.deferred", rows, lambda row: row["moves"]) for move in row]
    parts = [moves[start : start + _MOVES_PER_CALL] for start in range(0, len(moves), _MOVES_PER_CALL)]
    on_revenue = ["account.type.revenue", "=", True]
    found = await asyncio.gather(
        *(tryton.search("account.move.line", [["move", "in", part], on_revenue], _REVENUE_LINE) for part in parts)
    )
    by_id: dict[int, dict[str, Any]] = {}
    for move_id, line in tryton.parsed(
        "account.move.line", chain.from_iterable(found), lambda line: (line["move"]["id"], line)
    ):
        by_id.setdefault(move_id, {**line["move"], "lines": []})["lines"].append(line)
    return [{**row, "moves": [by_id[move] for move in row["moves"] if move in by_id]} for row in rows]


def to_deferral(row: Mapping[str, Any], *, today: dt.date) -> DeferralRecord:
    """Return the schedule; a month is recognised once its move is posted and its day has come."""
    line = row["invoice_line"]
    starts_on, ends_on, total = row["start_date"], row["end_date"], row["amount"]
    currency, books = line["invoice"]["currency"]["code"], row["company"]["currency"]["code"]
    booked = _booked(row["moves"], total)
    rate = line["amount"] / total if total else Decimal(0)
    entries: list[RevenueEntryRecord] = []
    done = shown = Decimal(0)
    for month, amount in _months(starts_on, ends_on, total, booked, books):
        found = booked.get(month)
        done += amount
        foreign = to_minor_unit(done * rate, currency, ROUND_HALF_EVEN)
        first_day = max(starts_on, dt.date.fromisoformat(f"{month}-01"))
        is_recognized = found is not None and found.is_posted and found.on <= today
        entries.append(
            RevenueEntryRecord(
                id=f"{row['id']}:{month}",
                line_id=str(line["id"]),
                month=month,
                status=RevenueStatus.RECOGNIZED if is_recognized else RevenueStatus.SCHEDULED,
                amount=foreign - shown,
                currency=currency,
                booked_amount=amount,
                booked_currency=books,
                recognized_on=found.on if found else first_day,
                journal_entry_id=found.move_id if found else None,
            )
        )
        shown = foreign
    return DeferralRecord(
        id=str(row["id"]),
        line_id=str(line["id"]),
        contract=line["invoice"]["reference"],
        invoice=line["invoice"]["number"],
        customer_id=many_to_one(line["invoice"]["party"]) or "",
        starts_on=starts_on,
        ends_on=ends_on,
        is_running=row["state"] != "draft",
        entries=tuple(entries),
    )


def _booked(moves: list[Mapping[str, Any]], total: Decimal) -> Mapping[str, _Booked]:
    """Return month → what a move recognises in it; the move that opens the deferral has the other sign and recognises nothing."""
    found: dict[str, _Booked] = {}
    for move in moves:
        amount = sum((line["credit"] - line["debit"] for line in move["lines"]), Decimal(0))
        if amount * total > 0:
            found[month_of(move["date"])] = _Booked(amount, move["date"], str(move["id"]), move["state"] == "posted")
    return found


def _months(
    starts_on: dt.date, ends_on: dt.date, total: Decimal, booked: Mapping[str, _Booked], currency: str
) -> Iterator[tuple[str, Decimal]]:
    """Yield each month of the service period with its revenue, booked or to come."""
    daily = total / ((ends_on - starts_on).days + 1)
    rest = total
    day = starts_on.replace(day=1)
    while day <= ends_on:
        last = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        month = month_of(day)
        if month in booked:
            amount = booked[month].amount
        elif last >= ends_on:
            amount = rest
        else:
            days = (min(last, ends_on) - max(day, starts_on)).days + 1
            amount = to_minor_unit(daily * days, currency, ROUND_HALF_EVEN)
        rest -= amount
        if amount or month in booked:
            yield month, amount
        day = last + dt.timedelta(days=1)
