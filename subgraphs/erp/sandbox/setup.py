"""Sets up an empty company in the sandbox: currencies, accounts, journals, periods, taxes, categories, products."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from subgraphs.erp.sandbox import ledger
from subgraphs.erp.sandbox.tables import Row, Tables
from subgraphs.erp.vendors.tryton_mapping import CREDIT_HOLD, SUBSIDIARY_OF, TAX_CODE, to_category
from subgraphs.kit.company.model import AccountingPeriod, Company, PaymentMethod

CURRENCY = "EUR"
RATES = {"EUR": Decimal(1), "USD": Decimal("1.08"), "GBP": Decimal("0.85")}
"""Units of a currency for one of the company's, over the whole history."""

METHODS = {
    PaymentMethod.BANK_TRANSFER: "Bank transfer",
    PaymentMethod.CARD: "Card",
    PaymentMethod.SEPA_DEBIT: "SEPA direct debit",
}

_ACCOUNTS = {
    ledger.BANK: ("Bank", "Current Assets", {}),
    ledger.RECEIVABLE: ("Accounts Receivable", "Receivable", {"receivable": True}),
    ledger.TAX: ("Sales Tax", "Liabilities", {}),
    ledger.DEFERRED: ("Deferred Revenue", "Liabilities", {}),
    ledger.REVENUE: ("Subscription Revenue", "Revenue", {"revenue": True}),
}
_ADMINISTRATOR = {"name": "Administrator", "login": "admin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Business key → id of what documents refer to."""

    currencies: Mapping[str, int]
    periods: Mapping[str, Row]
    taxes: Mapping[str, int]
    products: Mapping[str, int]
    methods: Mapping[PaymentMethod, int]
    terms: Mapping[int, int]
    """Days → payment term."""
    countries: Mapping[str, int]
    credit_hold: int
    subsidiary_of: int
    """The relation type."""
    unit: int


def set_up(tables: Tables, company: Company) -> Chart:
    """Create the company's books without documents."""
    tables.create("res.user", **_ADMINISTRATOR)
    currencies = {}
    first_day = min(period.starts_on for period in company.periods)
    for code, rate in RATES.items():
        row = tables.create("currency.currency", name=code, code=code, symbol=code, digits=2)
        tables.create("currency.currency.rate", currency=row["id"], date=first_day.isoformat(), rate=str(rate))
        currencies[code] = row["id"]
    owner = tables.create("party.party", code="SELF", name="Concord Software SE", active=True, categories=[])
    tables.create("company.company", party=owner["id"], currency=currencies[CURRENCY], cancel_invoice_out=True)
    _accounts(tables)
    unit = tables.create("product.uom", name="Unit", symbol="u")["id"]
    return Chart(
        currencies=currencies,
        periods=_periods(tables, company),
        taxes={
            rate.code: tables.create(
                "account.tax",
                name=rate.code,
                description=rate.code,
                rate=str(rate.percent / 100),
                type="percentage",
                company=ledger.COMPANY,
            )["id"]
            for rate in company.tax_rates
        },
        products=_products(tables, company, unit),
        methods=_methods(tables),
        terms={
            days: tables.create("account.invoice.payment_term", name=f"Net {days} days", days=days)["id"]
            for days in sorted({(invoice.due_on - invoice.issued_on).days for invoice in company.invoices})
        },
        countries={
            code: tables.create("country.country", name=code, code=code)["id"]
            for code in sorted({customer.address.country for customer in company.customers})
        },
        credit_hold=tables.create("party.category", name=CREDIT_HOLD, parent=None)["id"],
        subsidiary_of=tables.create("party.relation.type", name=SUBSIDIARY_OF, reverse=None)["id"],
        unit=unit,
    )


def _accounts(tables: Tables) -> None:
    for code, (name, type_name, marks) in _ACCOUNTS.items():
        statement = "income" if marks.get("revenue") else "balance"
        flags = {"receivable": False, "revenue": False, "payable": False, **marks}
        kind = tables.create("account.account.type", name=type_name, statement=statement, **flags)
        tables.create("account.account", code=code, name=name, type=kind["id"], company=ledger.COMPANY, closed=False)
    for name, code, kind_name in (
        ("Revenue", "REV", "revenue"),
        ("Bank", "BNK", "cash"),
        ("General", "GEN", "general"),
    ):
        tables.create("account.journal", name=name, code=code, type=kind_name)


def _periods(tables: Tables, company: Company) -> Mapping[str, Row]:
    years: dict[int, Row] = {}
    found: dict[str, Row] = {}
    for period in (*company.periods, *_coming(company.periods[-1])):
        year = period.starts_on.year
        if year not in years:
            start, end = dt.date(year, 1, 1), dt.date(year, 12, 31)
            years[year] = tables.create(
                "account.fiscalyear",
                name=str(year),
                start_date=start.isoformat(),
                end_date=end.isoformat(),
                state="open",
            )
        found[period.code] = tables.create(
            "account.period",
            name=period.code,
            start_date=period.starts_on.isoformat(),
            end_date=period.ends_on.isoformat(),
            state="closed" if period.is_closed else "open",
            type="standard",
            fiscalyear=years[year]["id"],
            company=ledger.COMPANY,
        )
    return found


def _coming(last: AccountingPeriod) -> Iterator[AccountingPeriod]:
    """Yield the months after the facts' last until the end of next year, so that users can post on the day they do."""
    start = last.ends_on + dt.timedelta(days=1)
    until = dt.datetime.now(dt.UTC).year + 1
    while start.year <= until:
        end = start.replace(day=calendar.monthrange(start.year, start.month)[1])
        yield AccountingPeriod(code=f"{start:%Y-%m}", starts_on=start, ends_on=end, is_closed=False)
        start = end + dt.timedelta(days=1)


def _products(tables: Tables, company: Company, unit: int) -> Mapping[str, int]:
    root = tables.create("product.category", name=TAX_CODE, parent=None, accounting=False)
    rules: dict[str, int] = {}
    tax_codes: dict[str, int] = {}
    found: dict[str, int] = {}
    listed = {price.sku: str(price.unit_amount) for price in reversed(company.prices) if price.currency == CURRENCY}
    for product in company.products:
        if product.revenue_rule not in rules:
            name = to_category(product.revenue_rule)
            rules[product.revenue_rule] = tables.create("product.category", name=name, parent=None, accounting=True)[
                "id"
            ]
        if product.tax_code not in tax_codes:
            category = tables.create("product.category", name=product.tax_code, parent=root["id"], accounting=False)
            tax_codes[product.tax_code] = category["id"]
        template = tables.create(
            "product.template",
            name=product.name,
            type="service",
            default_uom=unit,
            list_price=listed.get(product.sku),
            account_category=rules[product.revenue_rule],
            categories=[tax_codes[product.tax_code]],
        )
        row = tables.create(
            "product.product", code=product.sku, suffix_code=product.sku, template=template["id"], active=True
        )
        found[product.sku] = row["id"]
    return found


def _methods(tables: Tables) -> Mapping[PaymentMethod, int]:
    accounts = {row["code"]: row["id"] for row in tables.rows("account.account")}
    journal = next(row["id"] for row in tables.rows("account.journal") if row["type"] == "cash")
    bank = {"debit_account": accounts[ledger.BANK], "credit_account": accounts[ledger.BANK]}
    return {
        method: tables.create(
            "account.invoice.payment.method", name=name, journal=journal, company=ledger.COMPANY, **bank
        )["id"]
        for method, name in METHODS.items()
    }
