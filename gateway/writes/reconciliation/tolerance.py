"""How far apart two values may be and still agree."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from gateway.writes.minor_unit import minor_digits

_SPACE = re.compile(r"\s+")
_NOT_SIGNIFICANT = re.compile(r"[^0-9A-Z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Amounts agree where they differ by no more than the larger of the two."""

    amount: Decimal = Decimal(0)
    """Of a currency with two decimals; of another as many of its minor units: 0.05 is 0.05 EUR, 5 JPY and 0.005 KWD."""
    percent: Decimal = Decimal(0)
    """Of the owner's amount."""

    def covers(self, owner: Decimal, copy: Decimal, currency: str) -> bool:
        """Whether two amounts of a currency agree."""
        amount = self.amount.scaleb(2 - minor_digits(currency))
        return abs(copy - owner) <= max(amount, abs(owner) * self.percent / 100)


_EXACT = Tolerance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """What is not worth a drift."""

    amounts: Mapping[str, Tolerance] = field(
        default_factory=lambda: MappingProxyType(
            {
                "contractValue": Tolerance(amount=Decimal("1.00"), percent=Decimal("0.5")),
                "invoiced": Tolerance(amount=Decimal("0.05")),
                "paid": Tolerance(amount=Decimal("0.05")),
                # A month's share is rounded to the minor unit, month by month.
                "recognized": Tolerance(amount=Decimal("1.00"), percent=Decimal("0.01")),
            }
        )
    )
    """By field; any other has none."""
    recognized_within_days: int = 5
    """How long after a month's end the ERP may take to recognise it."""
    legal_forms: tuple[str, ...] = (
        "AB", "AG", "ApS", "B.V.", "GmbH", "Inc", "Inc.", "LLC", "Ltd", "Ltd.", "N.V.", "Oy", "PLC", "S.A.", "S.L.",
        "S.p.A.", "S.r.l.", "SARL", "SAS", "SE", "Sp. z o.o.",
    )  # fmt: skip
    """Ends of a legal name that a customer's name need not have."""
    ignore_case: bool = False

    def of(self, name: str) -> Tolerance:
        """Return the tolerance of a field."""
        return self.amounts.get(name, _EXACT)

    def same_text(self, owner: str | None, copy: str | None) -> bool:
        """Whether two texts are the same but for spaces, and for case where that is to be ignored."""
        return self._plain(owner) == self._plain(copy)

    def same_name(self, owner: str | None, legal: str | None) -> bool:
        """Whether a legal name is the customer's name, with or without a legal form at its end."""
        return self._plain(owner) in {self._plain(legal), self._plain(self._without_form(legal))}

    def _plain(self, text: str | None) -> str:
        plain = _SPACE.sub(" ", text or "").strip()
        return plain.casefold() if self.ignore_case else plain

    def _without_form(self, legal: str | None) -> str | None:
        for form in self.legal_forms:
            if legal is not None and legal.endswith(f" {form}"):
                return legal.removesuffix(form).rstrip(" ,")
        return legal


def same_tax_ids(owner: Collection[str], copy: Collection[str]) -> bool:
    """Whether every id of the copy is one of the owner's; spaces, dots and case mean nothing in a tax id."""
    known = {_NOT_SIGNIFICANT.sub("", each.upper()) for each in owner}
    held = {_NOT_SIGNIFICANT.sub("", each.upper()) for each in copy}
    return held <= known and bool(held) == bool(known)
