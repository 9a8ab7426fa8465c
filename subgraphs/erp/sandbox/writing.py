"""Creates, changes and deletes rows from what users send: nested one2many commands, read-only fields, required ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from subgraphs.erp.sandbox.computed import record_name, timestamp
from subgraphs.erp.sandbox.models import MODELS, NAMES, Field, Kind
from subgraphs.erp.sandbox.refusal import ConcurrencyError, ServerError, UserError
from subgraphs.erp.sandbox.tables import Row, Tables

_REQUIRED = {
    "account.invoice": ("party",),
    "account.invoice.line": ("unit_price",),
    "account.move": ("date",),
    "account.invoice.deferred": ("invoice_line", "amount", "start_date", "end_date"),
}
_STATES = {
    "account.invoice": "draft",
    "account.move": "draft",
    "account.invoice.deferred": "draft",
    "account.period": "open",
}
_WRITABLE_AFTER_POSTING = {"payment_lines", "reference", "comment"}


def check_versions(tables: Tables, context: Mapping[str, Any]) -> None:
    """Raise ConcurrencyError when a row named in `_timestamp` has another version, `{"party.party,2": "1699.5"}`."""
    for name, version in (context.get("_timestamp") or {}).items():
        model, _, number = name.partition(",")
        row = tables.get(model, int(number)) if model in MODELS else None
        if row is None or float(timestamp(row)) > float(version):
            raise ConcurrencyError


def create(tables: Tables, model: str, values: Mapping[str, Any], *, parent: Mapping[str, Any] | None = None) -> int:
    """Return the new row's id. Raises UserError, ServerError."""
    if model not in MODELS or not isinstance(values, Mapping):
        raise ServerError(f"'{model}'")
    plain, commands = _split(tables, model, values, None)
    for name in _REQUIRED.get(model, ()):
        if plain.get(name) is None:
            raise UserError(f'A value is required for field "{name}" in "{NAMES.get(model, model)}".')
    defaults = _defaults(tables, model, plain)
    row = tables.create(model, **{**defaults, **plain, **(parent or {})})
    _apply(tables, model, row, commands)
    return int(row["id"])


def write(tables: Tables, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
    """Change rows. Raises UserError, ServerError."""
    for row_id in ids:
        row = tables.get(model, row_id)
        if row is None:
            name = NAMES.get(model, model)
            raise UserError(f'You are trying to write to records "{row_id}" of "{name}" that don\'t exist.')
        if model == "account.invoice" and row["state"] not in {"draft", "validated"}:
            for field in sorted(set(values) - _WRITABLE_AFTER_POSTING):
                where = f'in record "{record_name(tables, model, row)}" of "{NAMES[model]}"'
                raise UserError(f'You are not allowed to modify the field "{field}" {where}.')
        plain, commands = _split(tables, model, values, row)
        row = tables.write(model, row_id, **plain)
        _apply(tables, model, row, commands)


def delete(tables: Tables, model: str, ids: Sequence[int]) -> None:
    """Delete rows; numbered and posted documents stay."""
    for row_id in ids:
        row = tables.row(model, row_id)
        if row.get("number") or row.get("state") not in {None, "draft", "cancelled"}:
            raise UserError(f'You cannot delete "{record_name(tables, model, row)}" of "{NAMES.get(model, model)}".')
        for name, field in MODELS[model].items():
            if field.kind is Kind.ONE2MANY and not field.is_function:
                delete(tables, field.target, tables.related(model, row, name))
        tables.remove(model, row_id)


def _split(
    tables: Tables, model: str, values: Mapping[str, Any], row: Row | None
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    plain: dict[str, Any] = {}
    commands: dict[str, list[Any]] = {}
    for name, value in values.items():
        field = MODELS[model].get(name)
        if field is None:
            raise ServerError(f"'{name}'")
        if field.is_read_only and not (name == "code" and row is None):
            of = f'in record "{record_name(tables, model, row)}" ' if row else ""
            raise UserError(f'You are not allowed to modify the field "{name}" {of}of "{NAMES.get(model, model)}".')
        if field.kind in {Kind.ONE2MANY, Kind.MANY2MANY}:
            if not isinstance(value, list) or not all(isinstance(c, list) and c for c in value):
                raise ServerError(f"Invalid value for {name}")
            commands[name] = value
        else:
            plain[name] = _kept(name, field, value)
    return plain, commands


def _kept(name: str, field: Field, value: Any) -> Any:
    match field.kind, value:
        case _, None:
            return None
        case Kind.NUMERIC, Decimal():
            return str(value)
        case Kind.NUMERIC, int() if not isinstance(value, bool):
            return str(value)
        case (Kind.DATE, dt.date()) if not isinstance(value, dt.datetime):
            return value.isoformat()
        case (Kind.CHAR | Kind.REFERENCE, str()) | (Kind.BOOLEAN, bool()) | (Kind.FLOAT, int() | float()):
            return value
        case (Kind.INTEGER | Kind.MANY2ONE, int()):
            return value
        case _:
            raise ServerError(f"Invalid value {value!r} for {name}")


def _apply(tables: Tables, model: str, row: Row, commands: Mapping[str, list[Any]]) -> None:
    for name, steps in commands.items():
        field = MODELS[model][name]
        chosen = dict.fromkeys(row.get(name) or ()) if field.kind is Kind.MANY2MANY else {}
        for step in steps:
            match step:
                case ["create", list() as created] if field.kind is Kind.ONE2MANY:
                    for values in created:
                        create(tables, field.target, values, parent=_from_parent(field, row))
                case ["delete", list() as ids]:
                    delete(tables, field.target, ids)
                case ["add", list() as ids] if field.kind is Kind.MANY2MANY:
                    _check_payment_lines(tables, name, ids, row)
                    chosen.update(dict.fromkeys(ids))
                case ["remove", list() as ids] if field.kind is Kind.MANY2MANY:
                    for i in ids:
                        chosen.pop(i, None)
                case _:
                    raise ServerError(f"Invalid command {step!r}")
        if field.kind is Kind.MANY2MANY:
            row = tables.write(model, row["id"], **{name: list(chosen)})


def _check_payment_lines(tables: Tables, name: str, ids: Sequence[int], invoice: Row) -> None:
    if name == "payment_lines":
        for i in ids:
            tables.row("account.move.line", i)
            if set(tables.ids_where("account.invoice", "payment_lines", i)) - {invoice["id"]}:
                raise UserError("A payment line can be linked to only one invoice.")


def _from_parent(field: Field, row: Row) -> Mapping[str, Any]:
    shared = {
        name: row[name] for name in ("company", "currency") if field.target == "account.invoice.line" and row.get(name)
    }
    return {**shared, field.inverse: row["id"]}


def _defaults(tables: Tables, model: str, plain: Mapping[str, Any]) -> Mapping[str, Any]:
    defaults: dict[str, Any] = {"state": _STATES[model]} if model in _STATES else {}
    if "company" in MODELS[model]:
        defaults["company"] = 1
    match model:
        case "party.party":
            defaults["active"] = True
            if plain.get("code") is None:
                defaults["code"] = f"P{tables.state.next_number('party code')}"
        case "account.invoice":
            party = tables.row("party.party", plain["party"])
            addresses = tables.related("party.party", party, "addresses")
            defaults |= {
                "type": "out",
                "currency": tables.row("company.company", 1)["currency"],
                "account": _first(tables, "account.account", "code", "1200"),
                "journal": _first(tables, "account.journal", "type", "revenue"),
                "invoice_address": addresses[0] if addresses else None,
                **dict.fromkeys(("untaxed_amount", "tax_amount", "total_amount"), "0.00"),
            }
        case "product.product":
            defaults |= {"active": True, "code": plain.get("suffix_code")}
        case "account.invoice.line":
            defaults |= {"type": "line", "account": _first(tables, "account.account", "code", "4000")}
        case _:
            pass
    return defaults


def _first(tables: Tables, model: str, field: str, value: Any) -> int:
    return next(int(row["id"]) for row in tables.rows(model) if row.get(field) == value)
