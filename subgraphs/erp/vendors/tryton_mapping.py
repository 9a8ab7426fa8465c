"""Where each fact stands in Tryton 8.2: the fields that are read, and how rows become the neutral records.

What Tryton has and this file does not know is reported (`tryton_drift`): a state without a word of ours is UNKNOWN, a field
that a database does not have is empty.

How a deployment keeps what Tryton has no field for:
* customer reference: `party.party.code`; contract number: `account.invoice.reference`.
* billed line: `account.invoice.line.note`, alone, so that `note in […]` finds a whole page of them.
* credit hold: the party category "Credit hold"; the limit is the credit limit module's, in the company's currency.
* parent: a relation of the type "Subsidiary of" (module party_relationship); without the module the ERP keeps no hierarchy.
* revenue rule: the name of the product's accounting category ("Ratable monthly" → RATABLE_MONTHLY).
* tax code: the product category below "Tax code".
* an external reference of ours: the description of the payment's move or of the credit note, "reason [reference]".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from subgraphs.erp.records import (
    ChargeRecord,
    CustomerRecord,
    InvoiceLineRecord,
    InvoiceRecord,
    InvoiceStatus,
    JournalEntryRecord,
    JournalLineRecord,
    PaymentRecord,
    PeriodRecord,
    PeriodStatus,
    ProductRecord,
)

Row = Mapping[str, Any]

VERSION = 3
"""Of this mapping: raised when what a row becomes changes, which the golden file shows."""
API_VERSION = "8.2"
"""What it was written for."""

CREDIT_HOLD = "Credit hold"
TAX_CODE = "Tax code"
SUBSIDIARY_OF = "Subsidiary of"

INVOICE_STATUS = {
    "draft": InvoiceStatus.DRAFT,
    "validated": InvoiceStatus.DRAFT,
    "posted": InvoiceStatus.POSTED,
    "paid": InvoiceStatus.PAID,
    "cancelled": InvoiceStatus.VOIDED,
}
PERIOD_STATUS = {"open": PeriodStatus.OPEN, "closed": PeriodStatus.CLOSED, "locked": PeriodStatus.LOCKED}

CUSTOMER = (
    "code", "name", "identifiers.code", "categories.name", "credit_limit_amount",
    "addresses.street", "addresses.city", "addresses.country.code",
    "contact_mechanisms.type", "contact_mechanisms.value", "relations.type.name", "relations.to", "_timestamp", "last_modified_at",
)  # fmt: skip
INVOICE = (
    "number", "state", "currency.code", "untaxed_amount", "tax_amount", "total_amount", "amount_to_pay",
    "invoice_date", "reconciled", "party", "reference", "description", "move.create_date", "payment_lines",
    "lines_to_pay.maturity_date", "lines_to_pay.invoice_payment", "origin_invoices", "_timestamp", "last_modified_at",
)  # fmt: skip
INVOICE_LINE = (
    "description", "quantity", "unit.symbol", "unit_price", "amount", "note", "taxes.name", "defer_from", "defer_to",
    "product.code", "product.account_category.name", "invoice.state", "invoice.currency.code", "invoice.invoice_date",
    "invoice.move", "invoice.reference",
)  # fmt: skip
CHARGE = (
    "amount", "defer_from", "invoice.currency.code", "invoice.invoice_date", "invoice.move", "invoice.reference",
)  # fmt: skip
PAYMENT = (
    "debit", "credit", "amount_second_currency", "second_currency.code", "move.date", "move.description", "move.origin",
    "move.journal.name", "move.company.currency.code", "last_modified_at",
)  # fmt: skip
PAYMENT_BY_ID = (*PAYMENT, "invoice_payment")
PAYMENTS_OF_INVOICE = tuple(f"payment_lines.{field}" for field in PAYMENT)
JOURNAL_ENTRY = (
    "number", "date", "post_date", "state", "journal.name", "description", "origin", "period.name",
    "company.currency.code", "_timestamp", "last_modified_at",
)  # fmt: skip
JOURNAL_LINE = (
    "move", "debit", "credit", "description", "account.code", "account.name", "amount_second_currency",
    "second_currency.code",
)  # fmt: skip
PERIOD = ("name", "start_date", "end_date", "state", "fiscalyear.name")
PRODUCT = (
    "code", "name", "account_category.name", "template.list_price", "template.categories.name",
    "template.categories.parent.name",
)  # fmt: skip


def many_to_one(value: object) -> str | None:
    """Return the id of a many-to-one field, which is a row where nested fields were asked for and a number where not."""
    match value:
        case {"id": int() as row_id}:
            return str(row_id)
        case int():
            return str(value)
        case _:
            return None


def reference_id(value: object, model: str) -> str | None:
    """Return the id in a reference field such as `"account.invoice,12"`, if it names that model."""
    name, _, row_id = value.partition(",") if isinstance(value, str) else ("", "", "")
    return row_id if name == model and row_id else None


def _nested(row: Row, *path: str) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def to_customer(row: Row, *, currency: str) -> CustomerRecord:
    """`currency` is the company's: Tryton keeps limits in it."""
    ways = {way["type"]: way["value"] for way in reversed(row["contact_mechanisms"])}
    address = row["addresses"][0] if row["addresses"] else {}
    return CustomerRecord(
        id=str(row["id"]),
        reference=row["code"],
        legal_name=row["name"],
        tax_ids=tuple(identifier["code"] for identifier in row["identifiers"]),
        credit_limit=row["credit_limit_amount"],
        books_currency=currency,
        credit_hold=any(category["name"] == CREDIT_HOLD for category in row["categories"]),
        website=ways.get("website"),
        email=ways.get("email"),
        street=address.get("street"),
        city=address.get("city"),
        country=_nested(address, "country", "code"),
        parent_id=_parent(row["relations"]),
        version=row["_timestamp"],
        modified_at=row["last_modified_at"],
    )


def _parent(relations: Sequence[Row] | None) -> str | None:
    """None where the database has no relations at all; empty for a party that belongs to none."""
    if relations is None:
        return None
    above = [many_to_one(each["to"]) for each in relations if _nested(each, "type", "name") == SUBSIDIARY_OF]
    return next((party for party in above if party), "")


def to_invoice(row: Row) -> InvoiceRecord:
    """A payment term may split an invoice; the first instalment's date is its due date."""
    due = [line["maturity_date"] for line in row["lines_to_pay"] if line["maturity_date"] is not None]
    applied = [many_to_one(line["invoice_payment"]) for line in row["lines_to_pay"]]
    return InvoiceRecord(
        id=str(row["id"]),
        number=row["number"],
        status=INVOICE_STATUS.get(row["state"], InvoiceStatus.UNKNOWN),
        currency=row["currency"]["code"],
        net=row["untaxed_amount"],
        tax=row["tax_amount"],
        total=row["total_amount"],
        balance=row["amount_to_pay"],
        issued_on=row["invoice_date"],
        due_on=min(due, default=None),
        posted_at=_nested(row, "move", "create_date"),
        settled_on=row["reconciled"],
        customer_id=many_to_one(row["party"]) or "",
        contract=row["reference"],
        description=row["description"],
        journal_entry_id=many_to_one(row["move"]),
        payment_ids=tuple(str(line) for line in row["payment_lines"]),
        credits=tuple(str(invoice) for invoice in row["origin_invoices"]),
        applied_to=next((invoice for invoice in applied if invoice), None),
        version=row["_timestamp"],
        modified_at=row["last_modified_at"],
    )


def to_charge(row: Row) -> ChargeRecord:
    """An invoice line, as far as sums need it."""
    invoice = row["invoice"]
    return ChargeRecord(
        id=str(row["id"]),
        amount=row["amount"],
        currency=invoice["currency"]["code"],
        service_from=row["defer_from"],
        invoice_issued_on=invoice["invoice_date"],
        invoice_journal_entry_id=many_to_one(invoice["move"]),
        contract=invoice["reference"],
    )


def to_invoice_line(row: Row) -> InvoiceLineRecord:
    """Quantities are floats on Tryton's wire; their shortest decimal form is what was entered."""
    invoice, rule = row["invoice"], _nested(row, "product", "account_category", "name")
    return InvoiceLineRecord(
        id=str(row["id"]),
        invoice_id=str(invoice["id"]),
        description=row["description"],
        quantity=Decimal(str(row["quantity"] or 0)).normalize(),
        unit=_nested(row, "unit", "symbol"),
        unit_price=row["unit_price"],
        amount=row["amount"],
        currency=invoice["currency"]["code"],
        sku=_nested(row, "product", "code"),
        revenue_rule=to_rule(rule),
        billed_line=row["note"],
        tax_names=tuple(tax["name"] for tax in row["taxes"]),
        service_from=row["defer_from"],
        service_until=row["defer_to"],
        invoice_status=INVOICE_STATUS.get(invoice["state"], InvoiceStatus.UNKNOWN),
        invoice_issued_on=invoice["invoice_date"],
        invoice_journal_entry_id=many_to_one(invoice["move"]),
        contract=invoice["reference"],
    )


def to_payment(row: Row, invoice_id: str) -> PaymentRecord | None:
    """None when the line is of another invoice's move: a credit memo that was applied, which is no money."""
    move = row["move"]
    if reference_id(move["origin"], "account.invoice") != invoice_id:
        return None
    foreign = row["amount_second_currency"]
    return PaymentRecord(
        id=str(row["id"]),
        invoice_id=invoice_id,
        amount=row["credit"] - row["debit"] if foreign is None else -foreign,
        currency=move["company"]["currency"]["code"] if foreign is None else row["second_currency"]["code"],
        received_on=move["date"],
        reference=move["description"],
        method=_nested(move, "journal", "name"),
        journal_entry_id=str(move["id"]),
        modified_at=row["last_modified_at"],
    )


def to_journal_entry(row: Row) -> JournalEntryRecord:
    """A move, without its lines: who asks for many moves seldom asks for those."""
    return JournalEntryRecord(
        id=str(row["id"]),
        number=row["number"],
        date=row["date"],
        posted_on=row["post_date"],
        is_posted=row["state"] == "posted",
        journal=row["journal"]["name"],
        description=row["description"],
        currency=row["company"]["currency"]["code"],
        period_id=str(row["period"]["id"]),
        period=row["period"]["name"],
        invoice_id=reference_id(row["origin"], "account.invoice"),
        deferral_id=reference_id(row["origin"], "account.invoice.deferred"),
        version=row["_timestamp"],
        modified_at=row["last_modified_at"],
    )


def to_journal_line(line: Row) -> JournalLineRecord:
    """In the company's currency, and in the document's where that is another."""
    return JournalLineRecord(
        entry_id=many_to_one(line["move"]) or "",
        account=line["account"]["code"] or "",
        account_name=line["account"]["name"],
        debit=line["debit"],
        credit=line["credit"],
        foreign_amount=line["amount_second_currency"],
        foreign_currency=_nested(line, "second_currency", "code"),
        description=line["description"],
    )


def to_period(row: Row) -> PeriodRecord:
    """A period that takes entries is open; closed ones can be opened again, locked ones can't."""
    return PeriodRecord(
        id=str(row["id"]),
        code=row["name"],
        fiscal_year=row["fiscalyear"]["name"],
        starts_on=row["start_date"],
        ends_on=row["end_date"],
        status=PERIOD_STATUS.get(row["state"], PeriodStatus.UNKNOWN),
    )


def to_product(row: Row, *, currency: str) -> ProductRecord:
    """Variants take both categories from their template, and its list price, which is in the company's currency."""
    codes = [c["name"] for c in row["template"]["categories"] if _nested(c, "parent", "name") == TAX_CODE]
    rule = _nested(row, "account_category", "name")
    return ProductRecord(
        id=str(row["id"]),
        sku=row["code"],
        revenue_rule=to_rule(rule),
        tax_code=codes[0] if codes else None,
        name=row["name"],
        list_price=_nested(row, "template", "list_price"),
        books_currency=currency,
    )


def to_rule(category: str | None) -> str | None:
    """Return the rule that an accounting category's name spells: "Ratable monthly" → "RATABLE_MONTHLY"."""
    return None if category is None else category.upper().replace(" ", "_")


def to_category(rule: str) -> str:
    """Return the accounting category's name for a rule."""
    return rule.replace("_", " ").capitalize()


def with_reference(text: str, reference: str) -> str:
    """Return a description that carries our external reference, so that the document is found again by it."""
    return f"{text} [{reference}]".strip()


def month_of(day: dt.date) -> str:
    """`2026-03`."""
    return f"{day:%Y-%m}"
