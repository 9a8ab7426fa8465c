"""What is sold, at what list price, taxed how, and by whom it is sold."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from subgraphs.kit.company.model import BillingInterval, Owner, Price, Product, ProductKind, TaxRate
from subgraphs.kit.company.words import FIRST_NAMES, LAST_NAMES

CENT = Decimal("0.01")
CURRENCY_FACTORS: Mapping[str, Decimal] = {"EUR": Decimal("1.00"), "USD": Decimal("1.10"), "GBP": Decimal("0.87")}
_ANNUAL_FACTOR = Decimal("10.2")
"""An annual price is 12 months less 15 %."""

_CATALOGUE = (
    ("CORE-SEAT", "Core seat", ProductKind.SEAT, "seats", "seat", "24.00"),
    ("PRO-SEAT", "Professional seat", ProductKind.SEAT, "pro_seats", "seat", "59.00"),
    ("PLATFORM", "Platform", ProductKind.FLAT, "platform", "platform", "490.00"),
    ("ANALYTICS", "Analytics", ProductKind.FLAT, "analytics", "add-on", "290.00"),
    ("SUPPORT-PREMIUM", "Premium support", ProductKind.FLAT, "premium_support", "add-on", "350.00"),
    ("SSO", "Single sign-on", ProductKind.FLAT, "sso", "add-on", "120.00"),
    ("API-CALLS", "API calls", ProductKind.METERED, "api_calls", "1,000 calls", "0.80"),
    ("STORAGE", "Storage", ProductKind.METERED, "storage", "GB", "0.12"),
    ("ONBOARDING", "Onboarding", ProductKind.SERVICE, "onboarding", "package", "2500.00"),
)

_TAX_PERCENTS = {
    "DE": 19, "FR": 20, "NL": 21, "ES": 21, "IT": 22, "SE": 25, "AT": 20, "IE": 23, "GB": 20, "US": 0,
}  # fmt: skip


def money(amount: Decimal) -> Decimal:
    """Return the amount in cents, half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def make_products() -> tuple[Product, ...]:
    """Return the products, ordered as the sales list is."""
    return tuple(
        Product(
            sku=sku,
            name=name,
            kind=kind,
            feature=feature,
            unit=unit,
            revenue_rule="RATABLE_MONTHLY" if kind in {ProductKind.SEAT, ProductKind.FLAT} else "POINT_IN_TIME",
            tax_code="SERVICE" if kind is ProductKind.SERVICE else "SAAS",
        )
        for sku, name, kind, feature, unit, _ in _CATALOGUE
    )


def make_prices() -> tuple[Price, ...]:
    """Return every product's list prices, per currency and interval."""
    prices = []
    for sku, _, kind, _, _, monthly in _CATALOGUE:
        for currency, factor in CURRENCY_FACTORS.items():
            amount = money(Decimal(monthly) * factor)
            intervals = [(BillingInterval.MONTHLY, amount), (BillingInterval.ANNUAL, money(amount * _ANNUAL_FACTOR))]
            if kind is ProductKind.SERVICE:
                intervals = [(BillingInterval.ONCE, amount)]
            elif kind is ProductKind.METERED:
                intervals = intervals[:1]
            prices += [
                Price(
                    reference=f"{sku}-{currency}-{interval}",
                    sku=sku,
                    currency=currency,
                    interval=interval,
                    unit_amount=value,
                )
                for interval, value in intervals
            ]
    return tuple(prices)


def make_tax_rates() -> tuple[TaxRate, ...]:
    """Return one sales tax per country."""
    return tuple(
        TaxRate(
            code=f"{country}-{'VAT' if country != 'US' else 'NONE'}-{percent}",
            country=country,
            percent=Decimal(percent),
        )
        for country, percent in _TAX_PERCENTS.items()
    )


def make_owners(seed: int) -> tuple[Owner, ...]:
    """Return the eight account managers."""
    rng = Random(f"{seed}:owners")  # noqa: S311 - a believable company, not a secret
    pairs = zip(rng.sample(FIRST_NAMES, 8), rng.sample(LAST_NAMES, 8), strict=True)
    return tuple(
        Owner(
            reference=f"OWN-{number:02}",
            first_name=first,
            last_name=last,
            email=f"{first}.{last}@concord.example".lower(),
        )
        for number, (first, last) in enumerate(pairs, 1)
    )
