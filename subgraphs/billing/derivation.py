"""What follows from contracts, grants and use: entitlements, decisions, amendments, billing dates. Pure."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from subgraphs.billing.records import (
    RUNNING,
    Contract,
    ContractItem,
    ContractStatus,
    Entitlement,
    EntitlementState,
    Feature,
    Price,
    Product,
    Usage,
)
from subgraphs.kit.minor_unit import to_minor_unit

_ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A customer's use by one meter, day by day."""

    is_level: bool
    """True: each value is what is in use then (seats), not what was used that day."""
    days: Mapping[dt.date, Decimal]

    def used(self, start: dt.date, end: dt.date) -> Decimal:
        """Return the use from `start` to `end`, both inclusive: the sum, or the latest level until `end`."""
        if self.is_level:
            known = [on for on in self.days if on <= end]
            return self.days[max(known)] if known else Decimal(0)
        return sum((value for on, value in self.days.items() if start <= on <= end), Decimal(0))


NO_READING = MeterReading(is_level=False, days={})


class DecisionReason(StrEnum):
    """Why a feature may be used or not."""

    ALLOWED = "ALLOWED"
    NOT_ENTITLED = "NOT_ENTITLED"
    LIMIT_REACHED = "LIMIT_REACHED"
    EXPIRED = "EXPIRED"
    CONTRACT_PAUSED = "CONTRACT_PAUSED"
    CREDIT_HOLD = "CREDIT_HOLD"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a feature may be used now, and why."""

    reason: DecisionReason
    explanation: str

    @property
    def is_allowed(self) -> bool:
        """Only one reason allows."""
        return self.reason is DecisionReason.ALLOWED


def month_of(contract: Contract, on: dt.date) -> tuple[dt.date, dt.date]:
    """Return the first and last day of the contract month that holds `on`; months begin on the contract's own day."""
    months = (on.year - contract.starts_on.year) * 12 + on.month - contract.starts_on.month
    start = _month_later(contract.starts_on, months)
    if start > on:
        months -= 1
        start = _month_later(contract.starts_on, months)
    return start, _month_later(contract.starts_on, months + 1) - _ONE_DAY


def _month_later(on: dt.date, months: int) -> dt.date:
    year, month = divmod(on.year * 12 + on.month - 1 + months, 12)
    return dt.date(year, month + 1, min(on.day, calendar.monthrange(year, month + 1)[1]))


def usage_of(contract: Contract, features: Iterable[tuple[Feature, MeterReading]], today: dt.date) -> tuple[Usage, ...]:
    """Return use by feature and contract month, newest month first; months without use are left out."""
    found = []
    for feature, reading in features:
        if reading.is_level:
            continue
        months: dict[tuple[dt.date, dt.date], Decimal] = {}
        for on, value in reading.days.items():
            if contract.starts_on <= on <= today:
                month = month_of(contract, on)
                months[month] = months.get(month, Decimal(0)) + value
        found += [
            Usage(feature=feature.key, starts_on=start, ends_on=end, quantity=quantity)
            for (start, end), quantity in months.items()
        ]
    return tuple(sorted(found, key=lambda usage: (-usage.starts_on.toordinal(), usage.feature)))


def features_of(contract: Contract, products: Mapping[str, Product]) -> tuple[str, ...]:
    """Return the keys of the features an agreement gives."""
    if contract.granted_feature is not None:
        return (contract.granted_feature,)
    keys = [key for item in contract.items if (product := products.get(item.price.product)) for key in product.features]
    return tuple(dict.fromkeys(keys))


def entitlements_of(
    customer: str,
    contracts: Sequence[Contract],
    active_keys: frozenset[str] | None,
    products: Mapping[str, Product],
    features: Mapping[str, Feature],
    readings: Mapping[str, MeterReading],
    today: dt.date,
) -> tuple[Entitlement, ...]:
    """Return a customer's entitlements, one per feature, ordered by key.

    `active_keys`: what the vendor itself says is active; None where it keeps no entitlements. Limits of several agreements
    add up; one without limit makes the whole unlimited.
    """
    sources: dict[str, list[Contract]] = {}
    for contract in contracts:
        if contract.status is not ContractStatus.DRAFT:
            for key in features_of(contract, products):
                sources.setdefault(key, []).append(contract)
    return tuple(
        _entitlement(customer, features[key], found, active_keys, readings, today)
        for key, found in sorted(sources.items())
        if key in features
    )


def no_entitlement(customer: str, feature: Feature) -> Entitlement:
    """Return the answer for a feature that no agreement gives, so that it too can be explained."""
    return Entitlement(
        customer=customer,
        feature=feature,
        limit=0,
        used=Decimal(0),
        valid_from=None,
        valid_until=None,
        state=EntitlementState.NOT_GRANTED,
        contract=None,
    )


def _entitlement(
    customer: str,
    feature: Feature,
    contracts: Sequence[Contract],
    active_keys: frozenset[str] | None,
    readings: Mapping[str, MeterReading],
    today: dt.date,
) -> Entitlement:
    running = [contract for contract in contracts if contract.status in RUNNING]
    is_active = bool(running) and (active_keys is None or feature.key in active_keys)
    giving = running or contracts
    agreed = next((contract for contract in giving if contract.granted_feature is None), giving[0])
    limits = [contract.limits.get(feature.key) for contract in giving]
    limit = None if any(entry is None for entry in limits) else sum(entry or 0 for entry in limits)
    reading = readings.get(feature.meter or "", NO_READING)
    used = reading.used(month_of(agreed, today)[0], today) if running else Decimal(0)
    ends = [_last_day(contract) for contract in giving]
    if is_active:
        is_paused = all(contract.status is ContractStatus.PAUSED for contract in giving)
        is_used_up = limit is not None and feature.meter is not None and used >= limit
        state = (
            EntitlementState.SUSPENDED
            if is_paused
            else EntitlementState.EXHAUSTED
            if is_used_up
            else EntitlementState.ACTIVE
        )
    else:
        ran_out = any(contract.status is ContractStatus.EXPIRED for contract in contracts)
        state = EntitlementState.EXPIRED if ran_out else EntitlementState.REVOKED
    return Entitlement(
        customer=customer,
        feature=feature,
        limit=limit,
        used=used,
        valid_from=min(contract.starts_on for contract in giving),
        valid_until=None if any(end is None for end in ends) else max(end for end in ends if end is not None),
        state=state,
        contract=agreed.number if agreed.granted_feature is None else None,
    )


def _last_day(contract: Contract) -> dt.date | None:
    if contract.ended_on is not None:
        return contract.ended_on - _ONE_DAY
    if contract.cancellation is not None:
        return contract.cancellation.effective_on - _ONE_DAY
    return contract.ends_on


def decide(entitlement: Entitlement, *, credit_hold: bool | None) -> Decision:
    """Return whether the feature may be used. `credit_hold` None: the owner of credit did not say, or knows none."""
    feature = entitlement.feature.name
    match entitlement.state:
        case EntitlementState.EXPIRED:
            until = f" on {entitlement.valid_until}" if entitlement.valid_until else ""
            return Decision(DecisionReason.EXPIRED, f"The right to {feature} ran out{until}.")
        case EntitlementState.NOT_GRANTED:
            return Decision(DecisionReason.NOT_ENTITLED, f"No contract of the customer includes {feature}.")
        case EntitlementState.REVOKED:
            return Decision(DecisionReason.NOT_ENTITLED, f"The customer is no longer entitled to {feature}.")
        case _ if credit_hold:
            return Decision(DecisionReason.CREDIT_HOLD, f"The customer is on credit hold, which blocks {feature}.")
        case EntitlementState.SUSPENDED:
            which = f"Contract {entitlement.contract}" if entitlement.contract else "The agreement"
            return Decision(DecisionReason.CONTRACT_PAUSED, f"{which} is paused, and {feature} with it.")
        case EntitlementState.EXHAUSTED:
            return Decision(
                DecisionReason.LIMIT_REACHED,
                f"{entitlement.used:f} of {entitlement.limit} of {feature} are used in this period.",
            )
        case _:
            until = f" until {entitlement.valid_until}" if entitlement.valid_until else ""
            left = (
                ""
                if entitlement.limit is None
                else f"; {entitlement.limit - entitlement.used:f} of {entitlement.limit} left"
            )
            unchecked = "; credit was not checked" if credit_hold is None else ""
            return Decision(DecisionReason.ALLOWED, f"{feature} may be used{until}{left}{unchecked}.")


@dataclass(frozen=True, slots=True)
class BillingDate:
    """A charge that the contract's terms foresee."""

    bills_on: dt.date
    ends_on: dt.date
    amount: Decimal


def billing_dates(contract: Contract) -> tuple[BillingDate, ...]:
    """Return the charges still to come within the current term: every cycle after the current one, by quantity."""
    cycles: dict[int, Decimal] = {}
    for item in contract.items:
        if item.price.months and item.price.unit_amount is not None and item.price.months >= 1:
            months = int(item.price.months)
            amount = to_minor_unit(item.price.unit_amount * (item.quantity or 0), contract.currency)
            cycles[months] = cycles.get(months, Decimal(0)) + amount
    last = _last_day(contract)
    if not cycles or last is None or contract.status not in {ContractStatus.ACTIVE, ContractStatus.TRIAL}:
        return ()
    dates: dict[tuple[dt.date, dt.date], Decimal] = {}
    start_after = contract.period[0].date()
    for months, amount in cycles.items():
        step = 1
        while (begins := _month_later(contract.starts_on, step * months)) <= last:
            if begins > start_after:
                key = (begins, min(last, _month_later(contract.starts_on, (step + 1) * months) - _ONE_DAY))
                dates[key] = dates.get(key, Decimal(0)) + amount
            step += 1
    return tuple(BillingDate(begins, ends, amount) for (begins, ends), amount in sorted(dates.items()))


def cycle_charges(
    contract: Contract, starts_on: dt.date, ends_on: dt.date
) -> tuple[tuple[ContractItem, dt.date, Decimal], ...]:
    """Return what the first cycle of a term is charged with by quantity: (item, last day paid for, amount)."""
    found = []
    for item in contract.items:
        if item.price.months >= 1 and item.price.unit_amount is not None and item.quantity:
            until = min(ends_on, _month_later(starts_on, int(item.price.months)) - _ONE_DAY)
            found.append((item, until, cycle_amount(item.price, item.quantity)))
    return tuple(found)


def cycle_amount(price: Price, quantity: int) -> Decimal:
    """Return what a cycle is charged with, in the currency's minor unit; 0 for tiered prices."""
    return to_minor_unit((price.unit_amount or Decimal(0)) * quantity, price.currency)
