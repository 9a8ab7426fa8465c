"""Tryton's domains: `[["state", "in", ["posted"]], ["OR", ["party.code", "=", "CUST-0001"], …]]` over the tables.

Unknown fields and operators end as a 500 page, as they do in Tryton; so do fields that Tryton can't search.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from subgraphs.erp.sandbox.computed import compute
from subgraphs.erp.sandbox.models import MODELS, Field, Kind
from subgraphs.erp.sandbox.refusal import ServerError
from subgraphs.erp.sandbox.tables import Row, Tables, instant

Test = Callable[[Row], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def search(tables: Tables, model: str, domain: Any) -> list[Row]:
    """Return the rows that match, in the order of their ids; those out of use only where the domain says `active`."""
    matches = _test(tables, model, domain)
    hides = "active" in MODELS[model] and not _names(domain, "active")
    return [row for row in _candidates(tables, model, domain) if matches(row) and not (hides and not row["active"])]


def _names(domain: Any, field: str) -> bool:
    """Whether a clause of the domain, at whatever depth, is about a field."""
    return (
        domain[0] == field if _is_clause(domain) else isinstance(domain, list) and any(_names(d, field) for d in domain)
    )


def _candidates(tables: Tables, model: str, domain: Any) -> Iterable[Row]:
    """Return few rows that hold all matches, by the first clause that an index answers."""
    if isinstance(domain, list) and domain and domain[0] != "OR":
        for clause in domain[1:] if domain[0] == "AND" else domain:
            if not _is_clause(clause):
                found = _candidates(tables, model, clause) if isinstance(clause, list) and clause else None
                if isinstance(found, list):
                    return found
                continue
            name, sign, value = clause[:3]
            values = [value] if sign == "=" else value if sign == "in" and isinstance(value, list) else None
            if values is None or name not in MODELS[model]:
                continue
            if name == "id":
                return [row for i in sorted(set(values)) if (row := tables.get(model, i)) is not None]
            if tables.is_indexed(model, name) and None not in values and _are_keys(values):
                ids = {i for one in set(values) for i in tables.ids_where(model, name, one)}
                return [tables.row(model, i) for i in sorted(ids)]
    return tables.rows(model)


def _are_keys(values: list[Any]) -> bool:
    return all(isinstance(value, str | int) for value in values)


def _is_clause(item: Any) -> bool:
    return isinstance(item, list) and len(item) in {3, 4} and isinstance(item[0], str) and item[0] not in ("AND", "OR")


def _test(tables: Tables, model: str, domain: Any) -> Test:
    if _is_clause(domain):
        return _clause_test(tables, model, domain)
    if not isinstance(domain, list):
        raise ServerError(f"Invalid domain {domain!r}")
    is_any = bool(domain) and domain[0] == "OR"
    parts = [_test(tables, model, part) for part in (domain[1:] if domain and domain[0] in ("AND", "OR") else domain)]
    return (lambda row: any(t(row) for t in parts)) if is_any else (lambda row: all(t(row) for t in parts))


def _clause_test(tables: Tables, model: str, clause: list[Any]) -> Test:
    path, sign, value = clause[:3]
    name, _, rest = path.partition(".")
    field = MODELS[model].get(name)
    if field is None:
        raise ServerError(f"'{name}'")
    if not field.is_searchable:
        raise ServerError(f'Missing search function for field "{name}" in "{model}".')
    if rest:
        target = field.target or (clause[3] if len(clause) == 4 else "")
        if target not in MODELS:
            raise ServerError(f"'{name}'")
        inner = _clause_test(tables, target, [rest, *clause[1:3]])
        return lambda row: any(inner(one) for one in _reached(tables, model, row, name, field, target))
    compares = _comparison(sign, value)
    if field.kind in {Kind.ONE2MANY, Kind.MANY2MANY}:
        return lambda row: (
            any(compares(i) for i in _ids(tables, model, row, name, field))
            or (value is None and compares(None) and not _ids(tables, model, row, name, field))
        )
    if field.kind is Kind.NUMERIC:
        return lambda row: compares(None if row.get(name) is None else Decimal(row[name]))
    if field.is_function:
        return lambda row: compares(compute(tables, model, name, row))
    return lambda row: compares(row.get(name))


def _ids(tables: Tables, model: str, row: Row, name: str, field: Field) -> list[int]:
    return list(compute(tables, model, name, row)) if field.is_function else tables.related(model, row, name)


def _reached(tables: Tables, model: str, row: Row, name: str, field: Field, target: str) -> Iterable[Row]:
    match field.kind:
        case Kind.MANY2ONE:
            found = compute(tables, model, name, row) if field.is_function else row.get(name)
            ids = [] if found is None else [found]
        case Kind.REFERENCE:
            kind, _, number = (row.get(name) or "").partition(",")
            ids = [int(number)] if kind == target and number else []
        case _:
            ids = _ids(tables, model, row, name, field)
    return (reached for i in ids if (reached := tables.get(target, i)) is not None)


def _comparison(sign: str, value: Any) -> Callable[[Any], bool]:
    wanted = [_kept(v) for v in value] if isinstance(value, list) else _kept(value)
    match sign:
        case "=":
            return lambda found: bool(found == wanted)
        case "!=":
            return lambda found: bool(found != wanted)
        case "in" | "not in" if isinstance(wanted, list):
            members = set(wanted)
            return (lambda found: found in members) if sign == "in" else (lambda found: found not in members)
        case "<" | "<=" | ">" | ">=" if wanted is not None:
            compare = _COMPARE[sign]
            return lambda found: found is not None and compare(found, wanted)
        case "like" | "ilike" | "not like" | "not ilike" if isinstance(wanted, str):
            pattern = re.compile(_like(wanted), re.IGNORECASE | re.DOTALL if "ilike" in sign else re.DOTALL)
            is_not = sign.startswith("not")
            return lambda found: (isinstance(found, str) and pattern.fullmatch(found) is not None) is not is_not
        case _:
            raise ServerError(f"Invalid clause with {sign!r}")


def _kept(value: Any) -> Any:
    """Return a sent value as rows keep it."""
    match value:
        case dt.datetime():
            return instant(value)
        case dt.date():
            return value.isoformat()
        case _:
            return value


def _like(pattern: str) -> str:
    parts = re.findall(r"\\.|%|_|[^\\%_]+|\\", pattern)
    return "".join(
        ".*" if part == "%" else "." if part == "_" else re.escape(part[1:] if part[0] == "\\" and part[1:] else part)
        for part in parts
    )
