"""What customers may use and what they have used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from random import Random

from subgraphs.kit.company.calendar import ONE_DAY, add_months, month_code
from subgraphs.kit.company.contracts import Catalogue
from subgraphs.kit.company.model import (
    Contract,
    ContractItem,
    ContractStatus,
    Entitlement,
    EntitlementState,
    ProductKind,
    Usage,
)

_QUOTAS = {"api_calls": (200, 500, 1000, 5000), "storage": (250, 500, 1000)}


def make_consumption(
    seed: int, contracts: Sequence[Contract], catalogue: Catalogue, today: dt.date
) -> tuple[tuple[Entitlement, ...], tuple[Usage, ...]]:
    """Return every contract's entitlements and, for metered features, the use per contract month, today's included."""
    entitlements: list[Entitlement] = []
    usage: list[Usage] = []
    for contract in contracts:
        for item in contract.items:
            kind = catalogue.products[item.sku].kind
            if kind is ProductKind.SERVICE:
                continue
            rng = Random(f"{seed}:consumption:{item.reference}")  # noqa: S311 - a believable company, not a secret
            feature = catalogue.products[item.sku].feature
            limit, used, records = _consume(rng, contract, item, feature, kind, today)
            usage += records
            entitlements.append(
                Entitlement(
                    reference=f"ENT-{contract.number}-{feature}",
                    customer=contract.customer,
                    contract=contract.number,
                    feature=feature,
                    limit=limit,
                    used=used,
                    valid_from=contract.starts_on,
                    valid_until=contract.cancelled_on or contract.ends_on,
                    state=_state(contract, limit, used),
                )
            )
    return tuple(entitlements), tuple(usage)


def _consume(
    rng: Random, contract: Contract, item: ContractItem, feature: str, kind: ProductKind, today: dt.date
) -> tuple[int | None, int, Sequence[Usage]]:
    match kind:
        case ProductKind.SEAT:
            is_used = contract.status not in {ContractStatus.DRAFT, ContractStatus.TRIAL}
            return item.quantity, round(item.quantity * rng.uniform(0.5, 1.0)) if is_used else 0, ()
        case ProductKind.METERED:
            quota = rng.choice(_QUOTAS[feature])
            uses_up = rng.random() < 0.1
            records = list(_months(rng, contract, item, feature, quota, uses_up, today))
            is_current = bool(records) and records[-1].recorded_on == today
            return quota, records[-1].quantity if is_current else 0, records
        case _:
            return None, 0, ()


def _months(
    rng: Random, contract: Contract, item: ContractItem, feature: str, quota: int, uses_up: bool, today: dt.date
) -> Iterator[Usage]:
    end = service_end(contract)
    share = rng.uniform(0.25, 0.8)
    start = contract.starts_on
    while start <= min(today, end):
        following = add_months(start, 1)
        is_current = following > today
        used = min(quota, round(quota * share * rng.uniform(0.8, 1.2)))
        if is_current:
            passed = ((today - start).days + 1) / (following - start).days
            used = quota if uses_up else round(used * passed)
        yield Usage(
            reference=f"USE-{contract.number}-{item.sku}-{month_code(start)}",
            customer=contract.customer,
            contract=contract.number,
            sku=item.sku,
            feature=feature,
            period=month_code(start),
            recorded_on=today if is_current else following - ONE_DAY,
            quantity=used,
        )
        start = following


def service_end(contract: Contract) -> dt.date:
    """Return the last day on which the contract is served and billed."""
    stops = [day - ONE_DAY for day in (contract.cancelled_on, contract.paused_on) if day is not None]
    return min([contract.ends_on, *stops])


def _state(contract: Contract, limit: int | None, used: int) -> EntitlementState:
    match contract.status:
        case ContractStatus.CANCELLED:
            return EntitlementState.REVOKED
        case ContractStatus.EXPIRED:
            return EntitlementState.EXPIRED
        case _:
            return EntitlementState.EXHAUSTED if limit is not None and used >= limit else EntitlementState.ACTIVE
