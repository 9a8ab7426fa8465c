"""What renewing a contract for another term, and crediting what was billed for it, needs of a billing platform."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from subgraphs.billing.records import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term: first and last day, and whether another follows by itself."""

    starts_on: dt.date
    ends_on: dt.date
    auto_renews: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What is taken back of a billed document."""

    document: str
    """The invoice's business number, which the ERP gave it."""
    amount: Decimal
    memo: str
    """Number of the ERP's credit memo."""
    mark: str


class Terms(Protocol):
    """Each write can be repeated, and finds what an earlier one did. Raises VendorError."""

    async def renew(self, contract: Contract, term: Term, *, version: str, mark: str, key: str) -> Contract:
        """Agree on another term. Raises ConflictError for a stale version."""
        ...

    async def unrenew(self, contract: Contract, term: Term, *, mark: str, key: str) -> None:
        """Put the term back that the contract had."""
        ...

    async def credit(self, credit: Credit, *, key: str) -> str | None:
        """Return the credit note's id; None where billing has no such document."""
        ...

    async def uncredit(self, document: str, mark: str, *, key: str) -> None:
        """Take a credit back."""
        ...
