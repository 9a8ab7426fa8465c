"""Reads rows as REST and RPC answer them: nested fields, `id` and `__name__` everywhere, values in Tryton's JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from subgraphs.erp.sandbox.computed import compute, record_name
from subgraphs.erp.sandbox.domain import search
from subgraphs.erp.sandbox.models import MODELS, Kind
from subgraphs.erp.sandbox.refusal import ServerError
from subgraphs.erp.sandbox.tables import Row, Tables

Tree = dict[str, "Tree"]
_COMPANY_FIELDS = {"credit_limit_amount", "list_price"}
"""Fields with a value per company: empty unless the context names one."""
_DEFAULT_ORDER = {"account.invoice": [["number", "DESC NULLS FIRST"], ["id", "DESC"]], "account.move": [["id", "DESC"]]}


def field_tree(paths: Iterable[str]) -> Tree:
    """Return `["number", "lines.amount"]` as `{"number": {}, "lines": {"amount": {}}}`."""
    tree: Tree = {}
    for path in paths:
        here = tree
        for name in path.split("."):
            here = here.setdefault(name, {})
    return tree


def read(
    tables: Tables, model: str, rows: Iterable[Row], tree: Tree, context: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows' fields. Raises ServerError for an unknown field, even where there is no row."""
    fields = _fields(model)
    for name in tree:
        if name not in fields and name != "__name__":
            raise ServerError(f"'{name}'")
    return [_read_row(tables, model, row, tree, context) for row in rows]


def search_read(
    tables: Tables,
    model: str,
    domain: Any,
    tree: Tree,
    *,
    order: Sequence[Sequence[str]] | None,
    offset: int,
    limit: int | None,
    context: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return one page of the rows that match."""
    _fields(model)
    rows = search(tables, model, domain)
    for name, direction in reversed(order if order is not None else _DEFAULT_ORDER.get(model, [["id", "ASC"]])):
        rows = _ordered(tables, model, rows, name, direction or "ASC")
    return read(tables, model, rows[offset : None if limit is None else offset + limit], tree, context)


def _fields(model: str) -> Mapping[str, Any]:
    if model not in MODELS:
        raise ServerError(f"'{model}'")
    return MODELS[model]


def _ordered(tables: Tables, model: str, rows: list[Row], name: str, direction: str) -> list[Row]:
    head, _, rest = name.partition(".")
    field = _fields(model).get(head)
    if field is None:
        raise ServerError(f"'{head}'")
    if not field.is_sortable:
        raise ServerError(f'Missing order function for field "{head}" in "{model}".')

    def value(row: Row) -> Any:
        found = row.get(head)
        if rest and found is not None:
            return tables.row(field.target, found).get(rest)
        return Decimal(found) if field.kind is Kind.NUMERIC and found is not None else found

    words = direction.upper().split()
    is_descending = words[0] == "DESC"
    # Without a word on nulls, SQLite takes them for the smallest values.
    nulls_first = words[1:] == ["NULLS", "FIRST"] or (words[1:] != ["NULLS", "LAST"] and not is_descending)
    empty = [row for row in rows if value(row) is None]
    full = sorted((row for row in rows if value(row) is not None), key=value, reverse=is_descending)
    return [*empty, *full] if nulls_first else [*full, *empty]


def _read_row(tables: Tables, model: str, row: Row, tree: Tree, context: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": row["id"], "__name__": model}
    for name, nested in tree.items():
        if name not in answer:
            answer[name] = _read_field(tables, model, row, name, nested, context)
    return answer


def _read_field(tables: Tables, model: str, row: Row, name: str, nested: Tree, context: Mapping[str, Any]) -> Any:
    field = MODELS[model][name]
    if name == "rec_name":
        return record_name(tables, model, row)
    if name in _COMPANY_FIELDS and not context.get("company"):
        return None
    match field.kind:
        case Kind.ONE2MANY | Kind.MANY2MANY:
            ids = compute(tables, model, name, row) if field.is_function else tables.related(model, row, name)
            if not nested:
                return list(ids)
            rows = [tables.row(field.target, i) for i in ids]
            return read(tables, field.target, rows, nested, context)
        case Kind.MANY2ONE:
            found = compute(tables, model, name, row) if field.is_function else row.get(name)
            if not nested:
                return found
            rows = [] if found is None else [tables.row(field.target, found)]
            read_rows = read(tables, field.target, rows, nested, context)
            return read_rows[0] if read_rows else None
        case _ if nested:
            raise ServerError("'property' object has no attribute 'get_target'")
        case kind:
            return _sent(kind, compute(tables, model, name, row) if field.is_function else row.get(name))


def _sent(kind: Kind, value: Any) -> Any:
    """Return a kept value as Python's own, for the encoder."""
    if value is None:
        return None
    match kind:
        case Kind.NUMERIC:
            return Decimal(value)
        case Kind.DATE:
            return dt.date.fromisoformat(value)
        case Kind.DATETIME:
            return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)
        case Kind.FLOAT:
            return float(value)
        case _:
            return value
