"""What the subscription platform has charged: one billed line per item and period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from subgraphs.kit.company.calendar import ONE_DAY, add_months, month_code
from subgraphs.kit.company.consumption import service_end
from subgraphs.kit.company.contracts import Catalogue
from subgraphs.kit.company.model import (
    Amendment,
    BilledLine,
    BillingInterval,
    Contract,
    ContractItem,
    ContractStatus,
    ProductKind,
    Usage,
)

_NEVER_BILLED = {ContractStatus.DRAFT, ContractStatus.TRIAL}


def make_billed_lines(
    contracts: Sequence[Contract],
    amendments: Sequence[Amendment],
    usage: Sequence[Usage],
    catalogue: Catalogue,
    today: dt.date,
) -> tuple[BilledLine, ...]:
    """Return the billed lines of every contract, without invoices yet.

    A contract runs once a month from its start: in advance for what recurs, in arrears for what was used.
    """
    changes = {(amendment.contract, amendment.sku): amendment for amendment in amendments}
    used = {(record.contract, record.sku, record.period): record.quantity for record in usage}
    return tuple(
        line
        for contract in contracts
        if contract.status not in _NEVER_BILLED
        for line in _bill(contract, changes, used, catalogue, today)
    )


def _bill(
    contract: Contract,
    changes: Mapping[tuple[str, str], Amendment],
    used: Mapping[tuple[str, str, str], int],
    catalogue: Catalogue,
    today: dt.date,
) -> Iterator[BilledLine]:
    end = service_end(contract)
    run, billed_on = 0, contract.starts_on
    while billed_on <= today and billed_on <= end + ONE_DAY:
        for place, item in enumerate(contract.items, 1):
            charge = _charge(contract, item, run, billed_on, end, changes, used, catalogue)
            if charge is None:
                continue
            quantity, period_start, period_end = charge
            yield BilledLine(
                ref=f"BL-{contract.number}-{run + 1:03}-{place}",
                contract=contract.number,
                customer=contract.customer,
                item=item.reference,
                sku=item.sku,
                description=f"{catalogue.products[item.sku].name}, {period_start} to {period_end}",
                quantity=quantity,
                unit_amount=item.unit_amount,
                amount=quantity * item.unit_amount,
                currency=contract.currency,
                period_start=period_start,
                period_end=period_end,
                billed_on=billed_on,
                invoice=None,
            )
        run += 1
        billed_on = add_months(contract.starts_on, run)


def _charge(
    contract: Contract,
    item: ContractItem,
    run: int,
    billed_on: dt.date,
    end: dt.date,
    changes: Mapping[tuple[str, str], Amendment],
    used: Mapping[tuple[str, str, str], int],
    catalogue: Catalogue,
) -> tuple[int, dt.date, dt.date] | None:
    """Return quantity and period of what a run charges for an item, or None."""
    match catalogue.products[item.sku].kind:
        case ProductKind.SERVICE:
            return (item.quantity, billed_on, billed_on) if run == 0 else None
        case ProductKind.METERED:
            start = add_months(contract.starts_on, run - 1)
            quantity = used.get((contract.number, item.sku, month_code(start)), 0) if run else 0
            return (quantity, start, billed_on - ONE_DAY) if quantity else None
        case ProductKind.SEAT | ProductKind.FLAT:
            months = 12 if contract.interval is BillingInterval.ANNUAL else 1
            if run % months or billed_on > end:
                return None
            change = changes.get((contract.number, item.sku))
            quantity = change.quantity_from if change and billed_on < change.effective_on else item.quantity
            return quantity, billed_on, add_months(billed_on, months) - ONE_DAY


def choose_never_invoiced(seed: int, lines: Sequence[BilledLine], customers: int) -> frozenset[str]:
    """Return the refs of the few lines that never reached an invoice though the rest of their run did."""
    runs: dict[tuple[str, dt.date], list[BilledLine]] = {}
    for line in lines:
        runs.setdefault((line.contract, line.billed_on), []).append(line)
    candidates = sorted(run[-1].ref for run in runs.values() if len(run) > 1)
    rng = Random(f"{seed}:never-invoiced")  # noqa: S311 - a believable company, not a secret
    return frozenset(rng.sample(candidates, min(len(candidates), max(1, customers // 50))))
