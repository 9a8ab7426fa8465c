"""What the systems say of a contract's money, compared: its value, what was invoiced, paid and recognised. Pure.

| field | owner | copy |
| --- | --- | --- |
| `contractValue` | billing: value of the current term | CRM: what the deal was won for |
| `invoiced` | ERP: net of its posted invoices | billing: what it charged, line by line |
| `paid` | ERP: paid or credited, of its posted invoices | billing: the same of its own copies of them |
| `recognized` | ERP: revenue in the books | billing: the service that has been rendered, month by month, less credit |
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.writes.minor_unit import to_minor_unit
from gateway.writes.reconciliation.model import DriftKind, Finding, Place
from gateway.writes.reconciliation.tolerance import Tolerances

_IN_THE_BOOKS = frozenset({"POSTED", "PAID"})
_RATABLE = "RATABLE_MONTHLY"


def compare_contract(
    node: Mapping[str, Any], failed: Collection[str], tolerances: Tolerances, today: dt.date
) -> Iterator[Finding]:
    """Yield what became of comparing each amount. Nothing is said of what a system that `failed` would have to say."""
    contract, number, currency = str(node["id"]), str(node["number"]), str(node["currency"])
    customer = (node["customer"] or {}).get("id")

    def finding(name: str, owner: str, system: str, ours: Decimal, theirs: Decimal, *, agrees: bool) -> Finding:
        return Finding(
            place=Place(kind=DriftKind.CONTRACT, subject=contract, field=name, system=system),
            owner=owner,
            customer=customer,
            contract=number,
            owner_value=str(to_minor_unit(ours, currency)),
            copy_value=str(to_minor_unit(theirs, currency)),
            difference=to_minor_unit(theirs - ours, currency),
            currency=currency,
            differs=not agrees,
        )

    def compared(name: str, owner: str, system: str, ours: Decimal, theirs: Decimal) -> Finding:
        return finding(name, owner, system, ours, theirs, agrees=tolerances.of(name).covers(ours, theirs, currency))

    value, deal = _amount(node["totalValue"]), (node["opportunity"] or {}).get("amount")
    if value is not None and deal is not None and deal["currency"] == currency:
        yield compared("contractValue", "billing", "crm", value, Decimal(deal["amount"]))
    lines, invoices = _nodes(node["billedLines"]), _nodes(node["invoices"])
    if invoices is None or lines is None or "erp" in failed or "billing" in failed:
        return
    posted = [invoice for invoice in invoices if invoice["status"] in _IN_THE_BOOKS]
    net = _sum(invoice["net"] for invoice in posted)
    yield compared("invoiced", "erp", "billing", net, _sum(line["amount"] for line in lines))
    told = [invoice for invoice in posted if invoice["billingDocument"] is not None]
    settled = _sum(invoice["total"] for invoice in told) - _sum(invoice["balance"] for invoice in told)
    documents = [invoice["billingDocument"] for invoice in told]
    theirs = _sum(each["total"] for each in documents) - _sum(each["amountDue"] for each in documents)
    yield compared("paid", "erp", "billing", settled, theirs)
    numbers = {invoice["number"] for invoice in posted}
    charged = [line for line in lines if line["invoice"] is not None and line["invoice"]["number"] in numbers]
    credit = net - (_amount(node["billedToDate"]) or Decimal(0))
    in_books = _amount(node["recognizedToDate"]) or Decimal(0)
    late = today - dt.timedelta(days=tolerances.recognized_within_days)
    least, most = (rendered(charged, day) - credit for day in (late, today))
    # Between the month's end and the day on which the ERP has to be done, either is right.
    nearest = min(max(in_books, least), most)
    agrees = tolerances.of("recognized").covers(nearest, in_books, currency)
    yield finding("recognized", "erp", "billing", in_books, most, agrees=agrees)


def skipped(node: Mapping[str, Any], failed: Collection[str]) -> frozenset[str]:
    """Return the systems for whose silence a contract is not wholly compared."""
    silent = {"erp", "billing"} & set(failed)
    if node["opportunity"] is None and "crm" in failed:
        silent.add("crm")
    return frozenset(silent)


def rendered(lines: Sequence[Mapping[str, Any]], day: dt.date) -> Decimal:
    """Return how much of what was charged has been earned by the end of a day.

    What is recognised over its period is earned in equal shares, each at the end of the month in which it begins.
    """
    total = Decimal(0)
    for line in lines:
        amount = Decimal(line["amount"]["amount"])
        if (line["product"] or {}).get("revenueRule") != _RATABLE:
            total += amount
            continue
        starts = _shares(
            dt.date.fromisoformat(line["period"]["startsOn"]), dt.date.fromisoformat(line["period"]["endsOn"])
        )
        total += amount * sum(_month_end(start) <= day for start in starts) / len(starts)
    return total


def _shares(starts_on: dt.date, ends_on: dt.date) -> list[dt.date]:
    """Return the first day of each month of a period, counted from its own first day."""
    found = [starts_on]
    while True:
        year, month = divmod(starts_on.year * 12 + starts_on.month - 1 + len(found), 12)
        day = dt.date(year, month + 1, min(starts_on.day, calendar.monthrange(year, month + 1)[1]))
        if day > ends_on:
            return found
        found.append(day)


def _month_end(day: dt.date) -> dt.date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _amount(money: Mapping[str, Any] | None) -> Decimal | None:
    return None if money is None else Decimal(money["amount"])


def _sum(amounts: Iterator[Mapping[str, Any]]) -> Decimal:
    return sum((Decimal(each["amount"]) for each in amounts), Decimal(0))


def _nodes(connection: Mapping[str, Any] | None) -> list[Mapping[str, Any]] | None:
    return None if connection is None else [edge["node"] for edge in connection["edges"]]
