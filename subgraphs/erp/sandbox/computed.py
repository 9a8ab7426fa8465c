"""The function fields: what Tryton computes when a row is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from subgraphs.erp.sandbox.refusal import ServerError
from subgraphs.erp.sandbox.tables import Row, Tables


def compute(tables: Tables, model: str, field: str, row: Row) -> Any:
    """Return the field's value as rows keep values: ids for relations, text for decimals and dates."""
    found = _FUNCTIONS.get((model, field)) or _FUNCTIONS.get(("", field))
    if found is None:
        raise ServerError(f"'{field}'")
    return found(tables, row)


def rounded(tables: Tables, amount: Decimal, currency: int) -> Decimal:
    """Return an amount with the digits of its currency, half to even."""
    return amount.quantize(Decimal(1).scaleb(-tables.row("currency.currency", currency)["digits"]), ROUND_HALF_EVEN)


def lines_to_pay(tables: Tables, invoice: Row) -> list[Row]:
    """Return the receivable lines of the invoice's own move, by maturity."""
    if invoice.get("move") is None:
        return []
    rows = [tables.row("account.move.line", i) for i in tables.ids_where("account.move.line", "move", invoice["move"])]
    receivable = [row for row in rows if row["account"] == invoice["account"]]
    return sorted(receivable, key=lambda row: (row.get("maturity_date") or "9", row["id"]))


def amount_to_pay(tables: Tables, invoice: Row, *, until: str | None = None) -> Decimal:
    """Return what is open of a posted invoice in its currency, less unreconciled payment lines; 0 in any other state."""
    if invoice["state"] != "posted":
        return Decimal(0)
    company = tables.row("company.company", invoice["company"])
    lines = [
        row for row in lines_to_pay(tables, invoice) if until is None or (row.get("maturity_date") or "9") <= until
    ]
    lines += [tables.row("account.move.line", i) for i in invoice.get("payment_lines") or ()]
    total = Decimal(0)
    for line in lines:
        if line.get("reconciliation") is not None:
            continue
        if line.get("second_currency") == invoice["currency"]:
            total += Decimal(line["amount_second_currency"])
        elif invoice["currency"] == company["currency"]:
            total += Decimal(line["debit"]) - Decimal(line["credit"])
    return total


def _amount_to_pay_today(tables: Tables, invoice: Row) -> str:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return str(max(Decimal(0), amount_to_pay(tables, invoice, until=today)))


def _reconciled(tables: Tables, invoice: Row) -> str | None:
    reconciliations = [row.get("reconciliation") for row in lines_to_pay(tables, invoice)]
    if not reconciliations or None in reconciliations:
        return None
    return max(str(tables.row("account.move.reconciliation", found)["date"]) for found in reconciliations)


def _origin_invoices(tables: Tables, invoice: Row) -> list[int]:
    found: dict[int, None] = {}
    for line_id in tables.related("account.invoice", invoice, "lines"):
        model, _, number = (tables.row("account.invoice.line", line_id).get("origin") or "").partition(",")
        if model == "account.invoice.line":
            found[tables.row("account.invoice.line", int(number))["invoice"]] = None
    return list(found)


def _invoice_payment(tables: Tables, line: Row) -> int | None:
    return next(iter(tables.ids_where("account.invoice", "payment_lines", line["id"])), None)


def _line_amount(tables: Tables, line: Row) -> str:
    amount = Decimal(str(line.get("quantity") or 0)) * Decimal(line.get("unit_price") or 0)
    currency = line.get("currency") or tables.row("account.invoice", line["invoice"])["currency"]
    return str(rounded(tables, amount, currency))


def _receivable(tables: Tables, party: Row) -> str:
    lines = (tables.row("account.move.line", i) for i in tables.ids_where("account.move.line", "party", party["id"]))
    open_ = [line for line in lines if line.get("reconciliation") is None]
    return str(sum((Decimal(line["debit"]) - Decimal(line["credit"]) for line in open_), Decimal(0)))


def timestamp(row: Row) -> str:
    """Return the version that RPC compares: the time of change as a number of seconds, cut to fifteen digits."""
    at = dt.datetime.fromisoformat(row["last_modified_at"]).replace(tzinfo=dt.UTC)
    return f"{at.timestamp():.15g}"


def record_name(tables: Tables, model: str, row: Row) -> str:
    """Return what messages call a row: its number or name, with its reference."""
    match model:
        case "account.invoice":
            reference = f"[{row['reference']}]" if row.get("reference") else ""
            return f"{row.get('number') or ''} {reference}".strip() or f"({row['id']})"
        case "product.product":
            return f"[{row['code']}] {tables.row('product.template', row['template'])['name']}"
        case _:
            return str(row.get("name") or row.get("number") or row["id"])


_FUNCTIONS: dict[tuple[str, str], Callable[[Tables, Row], Any]] = {
    ("", "_timestamp"): lambda _tables, row: timestamp(row),
    ("party.party", "receivable"): _receivable,
    ("product.product", "name"): lambda tables, row: tables.row("product.template", row["template"])["name"],
    ("product.product", "account_category"): lambda tables, row: tables.row("product.template", row["template"]).get(
        "account_category"
    ),
    ("account.invoice", "amount_to_pay"): lambda tables, row: str(amount_to_pay(tables, row)),
    ("account.invoice", "amount_to_pay_today"): _amount_to_pay_today,
    ("account.invoice", "reconciled"): _reconciled,
    ("account.invoice", "lines_to_pay"): lambda tables, row: [line["id"] for line in lines_to_pay(tables, row)],
    ("account.invoice", "origin_invoices"): _origin_invoices,
    ("account.invoice.line", "amount"): _line_amount,
    ("account.invoice.line", "summary"): lambda _tables, row: row.get("description"),
    ("account.invoice.deferred", "currency"): lambda tables, row: tables.row("company.company", row["company"])[
        "currency"
    ],
    ("account.move.line", "invoice_payment"): _invoice_payment,
}
