"""How contracts are chosen and ordered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

import strawberry

from subgraphs.billing import records
from subgraphs.billing.renewals import renewal_due_on
from subgraphs.billing.types.values import ContractStatus
from subgraphs.kit.described_enum import described_enum
from subgraphs.kit.order import OrderDirection
from subgraphs.kit.system_error import BadUserInputError


@strawberry.input(description="Contracts that meet all stated conditions.")
class ContractFilter:
    """All conditions have to hold."""

    status: list[ContractStatus] | None = strawberry.field(
        default=None, description="In any of these states; an empty list finds none."
    )
    number_contains: str | None = strawberry.field(default=None, description="A part of the number, in any case.")
    customer_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Of the customer with this global id; refused below a customer, which has chosen already.",
    )
    currency: str | None = strawberry.field(
        default=None, description="Priced in this currency, an ISO 4217 code in any case such as `EUR`."
    )
    auto_renews: bool | None = strawberry.field(
        default=None, description="True: those that renew by themselves; false: those that don't."
    )
    renewal_due_from: dt.date | None = strawberry.field(
        default=None, description="Renewal due on this day or later; contracts that won't renew are left out."
    )
    renewal_due_until: dt.date | None = strawberry.field(
        default=None, description="Renewal due on this day or earlier; refused if it lies before `renewalDueFrom`."
    )


@described_enum(
    "What contracts can be ordered by; those without the value come last.",
    NUMBER="Business key.",
    STARTS_ON="First day of the contract.",
    ENDS_ON="Last day of the current term.",
    RENEWAL_DUE_ON="Day on which the renewal is due.",
    MRR="Monthly recurring revenue: the figure alone, whatever its currency.",
)
class ContractOrderField(StrEnum):
    """What contracts are ordered by."""

    NUMBER = "NUMBER"
    STARTS_ON = "STARTS_ON"
    ENDS_ON = "ENDS_ON"
    RENEWAL_DUE_ON = "RENEWAL_DUE_ON"
    MRR = "MRR"


@strawberry.input(description="How contracts are ordered; equal ones by number, those without the value last.")
class ContractOrder:
    """Order of contracts; equal ones by number."""

    field: ContractOrderField = strawberry.field(description="Which value decides the order.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Ascending unless told.")


_KEYS: dict[ContractOrderField, Callable[[records.Contract], Any]] = {
    ContractOrderField.NUMBER: lambda contract: contract.number,
    ContractOrderField.STARTS_ON: lambda contract: contract.starts_on,
    ContractOrderField.ENDS_ON: lambda contract: contract.ends_on,
    ContractOrderField.RENEWAL_DUE_ON: renewal_due_on,
    ContractOrderField.MRR: lambda contract: contract.mrr,
}


def arranged(
    contracts: Iterable[records.Contract], chosen: ContractFilter | None, order: ContractOrder | None
) -> list[records.Contract]:
    """Return the contracts that the filter leaves, in order; those without a value to order by come last."""
    found = [contract for contract in contracts if contract.granted_feature is None]
    if chosen is not None:
        found = [contract for contract in found if _fits(contract, chosen)]
    found.sort(key=lambda contract: contract.number)
    if order is not None:
        key = _KEYS[order.field]
        having = [contract for contract in found if key(contract) is not None]
        lacking = [contract for contract in found if key(contract) is None]
        having.sort(key=key, reverse=order.direction is OrderDirection.DESC)
        found = [*having, *lacking]
    return found


def _fits(contract: records.Contract, chosen: ContractFilter) -> bool:
    due_from, due_until = chosen.renewal_due_from, chosen.renewal_due_until
    if due_from is not None and due_until is not None and due_until < due_from:
        raise BadUserInputError("`renewalDueUntil` lies before `renewalDueFrom`.")
    if chosen.status is not None and contract.status not in chosen.status:
        return False
    if chosen.number_contains is not None and chosen.number_contains.lower() not in contract.number.lower():
        return False
    if chosen.currency is not None and contract.currency != chosen.currency.upper():
        return False
    if chosen.auto_renews is not None and contract.auto_renews is not chosen.auto_renews:
        return False
    if due_from is not None or due_until is not None:
        due_on = renewal_due_on(contract)
        if due_on is None or (due_from and due_on < due_from) or (due_until and due_on > due_until):
            return False
    return True
