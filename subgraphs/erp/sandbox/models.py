"""The part of Tryton's models that the sandbox has: name → fields. Reading, searching and writing follow these alone.

Every model also has `id`, `create_date`, `write_date`, `last_modified_at`, `_timestamp` and `rec_name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """How a field is kept and travels."""

    CHAR = "char"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    NUMERIC = "numeric"
    DATE = "date"
    DATETIME = "datetime"
    MANY2ONE = "many2one"
    ONE2MANY = "one2many"
    MANY2MANY = "many2many"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field."""

    kind: Kind
    target: str = ""
    """Model of a relation."""
    inverse: str = ""
    """Of a one2many: the target's field that points back."""
    is_function: bool = False
    """Computed when read."""
    is_searchable: bool = True
    is_sortable: bool = True
    is_read_only: bool = False
    """Refused when a user writes it."""


_PLAIN = {kind.value: kind for kind in Kind if kind not in {Kind.MANY2ONE, Kind.ONE2MANY, Kind.MANY2MANY}}
_MARKS = {"fn": "is_function", "nosearch": "is_searchable", "nosort": "is_sortable", "ro": "is_read_only"}


def _parse(notation: str) -> Field:
    """Read `numeric fn nosort`, `-> party.party`, `=> party.identifier.party` (one2many) or `<> party.category`."""
    words = notation.split()
    marks: dict[str, Any] = {_MARKS[word]: word not in {"nosearch", "nosort"} for word in words if word in _MARKS}
    match words[0]:
        case "->":
            return Field(kind=Kind.MANY2ONE, target=words[1], **marks)
        case "<>":
            return Field(kind=Kind.MANY2MANY, target=words[1], **marks)
        case "=>":
            target, _, inverse = words[1].rpartition(".")
            return Field(kind=Kind.ONE2MANY, target=target, inverse=inverse, **marks)
        case kind:
            return Field(kind=_PLAIN[kind], **marks)


_COMMON = {
    "id": "integer ro",
    "create_date": "datetime ro",
    "write_date": "datetime ro",
    "last_modified_at": "datetime ro",
    "_timestamp": "char fn ro nosearch nosort",
    "rec_name": "char fn ro nosearch",
}

_NOTATION: Mapping[str, Mapping[str, str]] = {
    "res.user": {"name": "char", "login": "char"},
    "country.country": {"name": "char", "code": "char"},
    "currency.currency": {
        "name": "char", "code": "char", "symbol": "char", "digits": "integer", "rates": "=> currency.currency.rate.currency",
    },
    "currency.currency.rate": {"currency": "-> currency.currency", "date": "date", "rate": "numeric"},
    "company.company": {"party": "-> party.party", "currency": "-> currency.currency", "cancel_invoice_out": "boolean"},
    "party.category": {"name": "char", "parent": "-> party.category"},
    "party.party": {
        "code": "char ro", "name": "char", "active": "boolean", "categories": "<> party.category",
        "identifiers": "=> party.identifier.party", "addresses": "=> party.address.party",
        "contact_mechanisms": "=> party.contact_mechanism.party", "credit_limit_amount": "numeric nosearch nosort",
        "receivable": "numeric fn ro nosearch nosort", "relations": "=> party.relation.all.from_",
    },
    "party.relation.type": {"name": "char", "reverse": "-> party.relation.type"},
    "party.relation.all": {"from_": "-> party.party", "to": "-> party.party", "type": "-> party.relation.type"},
    "party.identifier": {"party": "-> party.party", "type": "char", "code": "char"},
    "party.address": {
        "party": "-> party.party", "street": "char", "postal_code": "char", "city": "char", "country": "-> country.country",
    },
    "party.contact_mechanism": {"party": "-> party.party", "type": "char", "value": "char"},
    "account.account.type": {
        "name": "char", "statement": "char", "receivable": "boolean", "revenue": "boolean", "payable": "boolean",
    },
    "account.account": {
        "code": "char", "name": "char", "type": "-> account.account.type", "company": "-> company.company",
        "closed": "boolean",
    },
    "account.journal": {"name": "char", "code": "char", "type": "char"},
    "account.fiscalyear": {"name": "char", "start_date": "date", "end_date": "date", "state": "char ro"},
    "account.period": {
        "name": "char", "start_date": "date", "end_date": "date", "state": "char ro", "type": "char",
        "fiscalyear": "-> account.fiscalyear", "company": "-> company.company",
    },
    "account.tax": {"name": "char", "description": "char", "rate": "numeric", "type": "char", "company": "-> company.company"},
    "product.uom": {"name": "char", "symbol": "char"},
    "product.category": {"name": "char", "parent": "-> product.category", "accounting": "boolean"},
    "product.template": {
        "name": "char", "type": "char", "account_category": "-> product.category", "categories": "<> product.category",
        "default_uom": "-> product.uom", "list_price": "numeric", "products": "=> product.product.template",
    },
    "product.product": {
        "code": "char ro", "suffix_code": "char", "template": "-> product.template", "active": "boolean",
        "name": "char fn ro nosearch", "account_category": "-> product.category fn nosearch nosort",
        "default_uom": "-> product.uom", "description": "char",
    },
    "account.invoice.payment_term": {"name": "char", "days": "integer"},
    "account.invoice.payment.method": {
        "name": "char", "journal": "-> account.journal", "debit_account": "-> account.account",
        "credit_account": "-> account.account", "company": "-> company.company",
    },
    "account.invoice": {
        "type": "char", "number": "char ro", "reference": "char", "description": "char", "state": "char ro",
        "invoice_date": "date", "party": "-> party.party", "invoice_address": "-> party.address",
        "currency": "-> currency.currency", "company": "-> company.company", "account": "-> account.account",
        "journal": "-> account.journal", "payment_term": "-> account.invoice.payment_term",
        "payment_term_date": "date", "lines": "=> account.invoice.line.invoice", "taxes": "=> account.invoice.tax.invoice",
        "move": "-> account.move ro", "cancel_move": "-> account.move ro", "sequence_type_cache": "char ro",
        "payment_lines": "<> account.move.line",
        "untaxed_amount": "numeric ro nosort", "tax_amount": "numeric ro nosort", "total_amount": "numeric ro nosort",
        "amount_to_pay": "numeric fn ro nosearch nosort", "amount_to_pay_today": "numeric fn ro nosearch nosort",
        "reconciled": "date fn ro nosearch nosort", "lines_to_pay": "<> account.move.line fn ro nosearch nosort",
        "origin_invoices": "<> account.invoice fn ro nosort",
    },
    "account.invoice.line": {
        "invoice": "-> account.invoice", "type": "char", "sequence": "integer", "description": "char", "note": "char",
        "product": "-> product.product", "account": "-> account.account", "quantity": "float", "unit": "-> product.uom",
        "unit_price": "numeric", "amount": "numeric fn ro nosearch nosort", "taxes": "<> account.tax",
        "currency": "-> currency.currency", "company": "-> company.company", "defer_from": "date", "defer_to": "date",
        "origin": "reference", "summary": "char fn ro nosearch nosort",
    },
    "account.invoice.tax": {
        "invoice": "-> account.invoice", "tax": "-> account.tax", "base": "numeric", "amount": "numeric",
    },
    "account.invoice.deferred": {
        "company": "-> company.company", "type": "char", "journal": "-> account.journal",
        "invoice_line": "-> account.invoice.line", "amount": "numeric", "start_date": "date", "end_date": "date",
        "state": "char ro", "moves": "=> account.move.origin ro", "currency": "-> currency.currency fn ro nosearch nosort",
    },
    "account.move": {
        "number": "char ro", "company": "-> company.company", "period": "-> account.period",
        "journal": "-> account.journal", "date": "date", "post_date": "date ro", "description": "char",
        "origin": "reference", "state": "char ro", "lines": "=> account.move.line.move",
    },
    "account.move.line": {
        "move": "-> account.move", "account": "-> account.account", "debit": "numeric", "credit": "numeric",
        "party": "-> party.party", "maturity_date": "date", "description": "char",
        "amount_second_currency": "numeric", "second_currency": "-> currency.currency",
        "reconciliation": "-> account.move.reconciliation ro", "invoice_payment": "-> account.invoice fn ro nosort",
    },
    "account.move.reconciliation": {"date": "date", "company": "-> company.company", "lines": "=> account.move.line.reconciliation"},
}  # fmt: skip

MODELS: dict[str, dict[str, Field]] = {
    model: {name: _parse(notation) for name, notation in {**_COMMON, **fields}.items()}
    for model, fields in _NOTATION.items()
}


def leave_out(fields: Iterable[str]) -> None:
    """Make this process's Tryton one without some fields (`party.party.credit_limit_amount`), as without their module."""
    for path in fields:
        model, _, name = path.rpartition(".")
        del MODELS[model][name]


NAMES = {
    "account.invoice": "Account Invoice", "party.party": "Party", "account.invoice.deferred": "Invoice Deferred",
    "account.move": "Account Move",
}  # fmt: skip
"""Model → what Tryton calls it before a person."""
