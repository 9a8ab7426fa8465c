"""The recurring agreements with their items and amendments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from subgraphs.kit.company.calendar import ONE_DAY, add_months, months_between
from subgraphs.kit.company.catalogue import money
from subgraphs.kit.company.model import (
    Amendment,
    BillingInterval,
    Contract,
    ContractItem,
    ContractStatus,
    Customer,
    CustomerStatus,
    Price,
    Product,
    ProductKind,
    RenewalRisk,
    RenewalStage,
    Segment,
)

_SEATS = {Segment.ENTERPRISE: (80, 400), Segment.MID_MARKET: (25, 90), Segment.SMB: (5, 30), Segment.STARTUP: (2, 10)}
_DISCOUNTS = {
    Segment.ENTERPRISE: ("0.10", "0.15", "0.20"),
    Segment.MID_MARKET: ("0", "0.05", "0.10"),
    Segment.SMB: ("0", "0", "0.05"),
    Segment.STARTUP: ("0", "0.10", "0.20"),
}
_REASONS = (
    "More seats after an acquisition",
    "Team growth",
    "Department rolled out",
    "Fewer seats after a reorganisation",
)
_HISTORY_DAYS = 729


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Products by SKU and list prices by SKU, currency and interval."""

    products: Mapping[str, Product]
    prices: Mapping[tuple[str, str, BillingInterval], Price]

    @classmethod
    def of(cls, products: Iterable[Product], prices: Iterable[Price]) -> Catalogue:
        """Index the catalogue."""
        return cls(
            {product.sku: product for product in products},
            {(price.sku, price.currency, price.interval): price for price in prices},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """A contract before it has a number."""

    customer: Customer
    status: ContractStatus
    starts_on: dt.date
    months: int
    interval: BillingInterval
    rng: Random


def make_contracts(
    seed: int, customers: Sequence[Customer], catalogue: Catalogue, today: dt.date
) -> tuple[tuple[Contract, ...], tuple[Amendment, ...]]:
    """Return the contracts, numbered by start, and their amendments."""
    plans = [terms for customer in customers for terms in _plan(seed, customer, today)]
    plans.sort(key=lambda terms: (terms.starts_on, terms.customer.reference))
    numbers: dict[int, int] = {}
    contracts: list[Contract] = []
    amendments: list[Amendment] = []
    for terms in plans:
        year = terms.starts_on.year
        numbers[year] = numbers.get(year, 0) + 1
        contract, changes = _write(terms, f"CON-{year}-{numbers[year]:04}", catalogue, today)
        contracts.append(contract)
        amendments += changes
    return tuple(contracts), tuple(amendments)


def _plan(seed: int, customer: Customer, today: dt.date) -> Iterable[_Terms]:
    rng = Random(f"{seed}:contracts:{customer.reference}")  # noqa: S311 - a believable company, not a secret
    if customer.status is CustomerStatus.PROSPECT:
        return
    is_annual = rng.random() < (0.75 if customer.segment in {Segment.ENTERPRISE, Segment.MID_MARKET} else 0.35)
    interval = BillingInterval.ANNUAL if is_annual else BillingInterval.MONTHLY
    months = rng.choices((12, 24, 36), (70, 20, 10))[0]
    oldest = today - dt.timedelta(days=_HISTORY_DAYS)
    if customer.status is CustomerStatus.CHURNED:
        starts_on = _first_of_half_month(oldest + dt.timedelta(days=rng.randint(0, 280)), oldest)
        status = rng.choice((ContractStatus.CANCELLED, ContractStatus.EXPIRED))
        yield _Terms(customer=customer, status=status, starts_on=starts_on, months=12, interval=interval, rng=rng)
        return
    starts_on = _first_of_half_month(today - dt.timedelta(days=rng.randint(20, _HISTORY_DAYS)), oldest)
    status = rng.choices((ContractStatus.ACTIVE, ContractStatus.PAUSED), (97, 3))[0]
    if rng.random() < 0.05:
        status, starts_on = ContractStatus.TRIAL, today - dt.timedelta(days=rng.randint(1, 13))
        starts_on = starts_on.replace(day=min(starts_on.day, 28))
    yield _Terms(customer=customer, status=status, starts_on=starts_on, months=months, interval=interval, rng=rng)
    if rng.random() < 0.15:
        later = rng.random() < 0.3
        ahead = today + dt.timedelta(days=rng.randint(5, 40))
        second = (
            ahead.replace(day=min(ahead.day, 28))
            if later
            else _first_of_half_month(today - dt.timedelta(days=rng.randint(30, 400)), oldest)
        )
        yield _Terms(
            customer=customer,
            status=ContractStatus.DRAFT if later else ContractStatus.ACTIVE,
            starts_on=second,
            months=12,
            interval=interval,
            rng=rng,
        )


def _first_of_half_month(day: dt.date, oldest: dt.date) -> dt.date:
    """Return the 1st or 15th at or before `day`; if that is before `oldest`, the 1st after it."""
    start = day.replace(day=1 if day.day < 15 else 15)
    return start if start >= oldest else add_months(oldest.replace(day=1), 1)


def _write(terms: _Terms, number: str, catalogue: Catalogue, today: dt.date) -> tuple[Contract, tuple[Amendment, ...]]:
    rng, customer, status = terms.rng, terms.customer, terms.status
    starts_on, months = terms.starts_on, terms.months
    ends_on = add_months(starts_on, months) - ONE_DAY
    auto_renew = rng.random() < 0.8
    cancelled_on = paused_on = None
    match status:
        case ContractStatus.CANCELLED:
            cancelled_on = min(add_months(starts_on, rng.randint(4, 11)), today - ONE_DAY)
            auto_renew = False
        case ContractStatus.EXPIRED:
            auto_renew = False
        case ContractStatus.PAUSED:
            paused_on = max(starts_on, today - dt.timedelta(days=rng.randint(5, 60)))
        case _:
            while ends_on < today:
                ends_on = add_months(ends_on + ONE_DAY, months) - ONE_DAY
                auto_renew = True
    if status is ContractStatus.PAUSED:
        while ends_on < today:
            ends_on = add_months(ends_on + ONE_DAY, months) - ONE_DAY
    items = _items(terms, number, catalogue)
    amendments = _amendments(terms, number, items, today)
    recurring = _monthly(items, catalogue, terms.interval)
    is_live = status in {ContractStatus.ACTIVE, ContractStatus.PAUSED}
    risk = rng.choices((RenewalRisk.LOW, RenewalRisk.MEDIUM, RenewalRisk.HIGH), (70, 20, 10))[0]
    contract = Contract(
        number=number,
        customer=customer.reference,
        status=status,
        currency=customer.currency,
        interval=terms.interval,
        starts_on=starts_on,
        ends_on=ends_on,
        auto_renew=auto_renew,
        notice_days=rng.choice((30, 60, 90)),
        trial_ends_on=starts_on + dt.timedelta(days=30) if status is ContractStatus.TRIAL else None,
        cancelled_on=cancelled_on,
        paused_on=paused_on,
        items=items,
        mrr=recurring if is_live else Decimal("0.00"),
        total_value=_term_value(items, catalogue, terms.interval, months),
        renewal_stage=_renewal_stage(status, ends_on, today),
        renewal_risk=RenewalRisk.HIGH if status is ContractStatus.PAUSED else risk,
        account_manager=customer.owner,
    )
    return contract, amendments


def _items(terms: _Terms, number: str, catalogue: Catalogue) -> tuple[ContractItem, ...]:
    rng, segment = terms.rng, terms.customer.segment
    chosen = ["PRO-SEAT" if segment is Segment.ENTERPRISE or rng.random() < 0.25 else "CORE-SEAT"]
    chances = (
        ("PLATFORM", 0.5),
        ("ANALYTICS", 0.3),
        ("SUPPORT-PREMIUM", 0.2),
        ("SSO", 0.25),
        ("API-CALLS", 0.4),
        ("STORAGE", 0.15),
        ("ONBOARDING", 0.2),
    )
    lift = 0.2 if segment in {Segment.ENTERPRISE, Segment.MID_MARKET} else -0.1
    chosen += [sku for sku, chance in chances if rng.random() < chance + lift]
    discount = Decimal(rng.choice(_DISCOUNTS[segment]))
    items = []
    for place, sku in enumerate(chosen, 1):
        kind = catalogue.products[sku].kind
        match kind:
            case ProductKind.METERED:
                interval, quantity = BillingInterval.MONTHLY, 0
            case ProductKind.SERVICE:
                interval, quantity = BillingInterval.ONCE, 1
            case ProductKind.SEAT:
                interval, quantity = terms.interval, rng.randint(*_SEATS[segment])
            case ProductKind.FLAT:
                interval, quantity = terms.interval, 1
        price = catalogue.prices[sku, terms.customer.currency, interval]
        is_recurring = kind in {ProductKind.SEAT, ProductKind.FLAT}
        items.append(
            ContractItem(
                reference=f"{number}-{place}",
                sku=sku,
                price=price.reference,
                quantity=quantity,
                unit_amount=money(price.unit_amount * (1 - discount)) if is_recurring else price.unit_amount,
            )
        )
    return tuple(items)


def _amendments(terms: _Terms, number: str, items: Sequence[ContractItem], today: dt.date) -> tuple[Amendment, ...]:
    """Return at most one change of the seats, effective on a billing day, so that no period is split.

    The contract's items are as after the change; before it there were `quantity_from` seats.
    """
    rng, step = terms.rng, 12 if terms.interval is BillingInterval.ANNUAL else 1
    runs = months_between(terms.starts_on, today) // step
    if terms.status is not ContractStatus.ACTIVE or runs < 1 or rng.random() > 0.35:
        return ()
    seats = items[0]
    before = max(1, round(seats.quantity * rng.choice((0.6, 0.8, 1.3))))
    if before == seats.quantity:
        return ()
    effective_on = add_months(terms.starts_on, rng.randint(1, runs) * step)
    change = _monthly_amount(seats, seats.quantity, terms.interval) - _monthly_amount(seats, before, terms.interval)
    reason = _REASONS[3] if before > seats.quantity else rng.choice(_REASONS[:3])
    return (
        Amendment(
            reference=f"AMD-{number}-1",
            contract=number,
            effective_on=effective_on,
            sku=seats.sku,
            quantity_from=before,
            quantity_to=seats.quantity,
            mrr_change=change,
            reason=reason,
        ),
    )


def _monthly_amount(item: ContractItem, quantity: int, interval: BillingInterval) -> Decimal:
    return money(quantity * item.unit_amount / (12 if interval is BillingInterval.ANNUAL else 1))


def is_recurring(item: ContractItem, catalogue: Catalogue) -> bool:
    """Whether the item is charged by quantity in every interval."""
    return catalogue.products[item.sku].kind in {ProductKind.SEAT, ProductKind.FLAT}


def _monthly(items: Sequence[ContractItem], catalogue: Catalogue, interval: BillingInterval) -> Decimal:
    amounts = (_monthly_amount(item, item.quantity, interval) for item in items if is_recurring(item, catalogue))
    return sum(amounts, Decimal("0.00"))


def _term_value(items: Sequence[ContractItem], catalogue: Catalogue, interval: BillingInterval, months: int) -> Decimal:
    intervals = months // 12 if interval is BillingInterval.ANNUAL else months
    amounts = (item.quantity * item.unit_amount * intervals for item in items if is_recurring(item, catalogue))
    return sum(amounts, Decimal("0.00"))


def _renewal_stage(status: ContractStatus, ends_on: dt.date, today: dt.date) -> RenewalStage:
    if status in {ContractStatus.CANCELLED, ContractStatus.EXPIRED}:
        return RenewalStage.LOST
    match (ends_on - today).days:
        case left if left < 30:
            return RenewalStage.COMMITTED
        case left if left < 60:
            return RenewalStage.QUOTED
        case left if left < 120:
            return RenewalStage.IN_REVIEW
        case _:
            return RenewalStage.NOT_STARTED
