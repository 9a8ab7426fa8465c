"""How finely a currency is counted: the digits of its minor unit, in which money is paid.

https://www.iso.org/iso-4217-currency-codes.html (list one); a currency that is not listed here has two. The subgraphs count by
the same list.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from types import MappingProxyType

_LISTED = (
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
)
DIGITS: Mapping[str, int] = MappingProxyType({code: digits for digits, codes in _LISTED for code in codes.split()})
"""Of the currencies that have other than two."""
MOST_DIGITS = 4
_WORDS = (
    "no decimals",
    "at most one decimal",
    "at most two decimals",
    "at most three decimals",
    "at most four decimals",
)
_PRECISION = 80
"""Digits of an amount that are kept while it is written with others after the point."""


def minor_digits(currency: str) -> int:
    """Return how many decimals an amount has that can be paid."""
    return DIGITS.get(currency.upper(), 2)


def digits_in_words(currency: str) -> str:
    """Return what a refusal says of them: `at most two decimals`."""
    return _WORDS[minor_digits(currency)]


def is_payable(amount: Decimal, currency: str) -> bool:
    """Whether an amount has no more decimals than its currency."""
    return decimals(amount) <= minor_digits(currency)


def to_minor_unit(amount: Decimal, currency: str, rounding: str = ROUND_HALF_UP) -> Decimal:
    """Return what can be paid of a calculated amount: 2.5 EUR → 2.50, 2.5 JPY → 3, 2.5 KWD → 2.500."""
    return _written(amount, minor_digits(currency), rounding)


def exactly(amount: Decimal, digits: int) -> Decimal:
    """Return the same amount, written with so many decimals, or with more where it has them: 12.5 → 12.50, 0.0050 → 0.005."""
    return _written(amount, max(digits, decimals(amount)), ROUND_HALF_UP)


def decimals(amount: Decimal) -> int:
    """Return how many decimals an amount has; zeros at the end are none."""
    _, digits, exponent = amount.as_tuple()
    places = -int(exponent)
    for digit in reversed(digits):
        if places <= 0 or digit:
            break
        places -= 1
    return max(0, places) if amount else 0


def _written(amount: Decimal, digits: int, rounding: str) -> Decimal:
    with localcontext() as context:
        context.prec = _PRECISION
        return amount.quantize(Decimal(1).scaleb(-digits), rounding)
