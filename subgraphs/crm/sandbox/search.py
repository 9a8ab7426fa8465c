"""HubSpot's search: filter groups (or of ands), one sort, a query, 200 a page, 10,000 in all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt
from typing import Any

from subgraphs.crm.sandbox.clock import parse_instant
from subgraphs.crm.sandbox.refusal import Refusal
from subgraphs.crm.sandbox.schema import PROPERTIES
from subgraphs.kit.sandbox.state import Document

MAX_RESULTS = 10_000
MAX_PAGE = 200
_ORDERINGS = {"EQ": eq, "LT": lt, "LTE": le, "GT": gt, "GTE": ge}
_WORD = re.compile(r"[^\W_]+")
_WANTED_WORD = re.compile(r"(?:[^\W_]|\*)+")
_SEARCHED = ("name", "domain", "dealname", "firstname", "lastname", "email", "phone")


def search(kind: str, entries: Sequence[Document], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"total", "results", "paging"?}` with whole objects. Raises Refusal."""
    groups = body.get("filterGroups") or []
    if not isinstance(groups, list) or len(groups) > 5 or any(len(_filters(group)) > 6 for group in groups):
        raise Refusal(400, "A search has at most 5 filter groups of at most 6 filters")
    limit = _number(body.get("limit", 10), "limit")
    offset = _number(body.get("after") or 0, "after")
    if not 0 <= limit <= MAX_PAGE:
        raise Refusal(400, f"limit must be between 0 and {MAX_PAGE}")
    if offset + limit > MAX_RESULTS:
        raise Refusal(400, f"A search returns at most {MAX_RESULTS} results")
    found = [entry for entry in entries if not groups or any(_fits(kind, entry, group) for group in groups)]
    query = str(body.get("query") or "").lower()
    if query:
        found = [e for e in found if any(query in str(e["properties"].get(name, "")).lower() for name in _SEARCHED)]
    found = _sorted(kind, found, body.get("sorts") or [])
    page: dict[str, Any] = {"total": len(found), "results": found[offset : offset + limit]}
    if offset + limit < len(found) and limit:
        page["paging"] = {"next": {"after": str(offset + limit)}}
    return page


def _number(value: object, name: str) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise Refusal(400, f"{name} must be a number") from error


def _filters(group: object) -> Sequence[Mapping[str, Any]]:
    match group:
        case {"filters": list() as filters} if all(isinstance(entry, dict) for entry in filters):
            return filters
        case _:
            raise Refusal(400, "A filter group has `filters`")


def _fits(kind: str, entry: Document, group: object) -> bool:
    return all(_passes(kind, entry, condition) for condition in _filters(group))


def _passes(kind: str, entry: Document, condition: Mapping[str, Any]) -> bool:
    name = condition.get("propertyName")
    definition = PROPERTIES[kind].get(name) if isinstance(name, str) else None
    if definition is None:
        raise Refusal(400, f"Property {name} does not exist")
    held = entry["properties"].get(name) or None
    operator = condition.get("operator")
    match operator:
        case "HAS_PROPERTY":
            return held is not None
        case "NOT_HAS_PROPERTY":
            return held is None
        case "IN" | "NOT_IN":
            values = condition.get("values")
            if not isinstance(values, list) or not 0 < len(values) <= 100:
                raise Refusal(400, f"{operator} needs `values`, at most 100")
            return ((held or "").lower() in {str(value).lower() for value in values}) is (operator == "IN")
        case "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN":
            return _has_tokens(held or "", _value(condition)) is (operator == "CONTAINS_TOKEN")
        case "NEQ":
            return held is None or _comparable(definition.type, held) != _comparable(definition.type, _value(condition))
        case "EQ" | "LT" | "LTE" | "GT" | "GTE" | "BETWEEN":
            return held is not None and _compare(operator, definition.type, held, condition)
        case _:
            raise Refusal(400, f"Invalid operator {operator}")


def _has_tokens(text: str, wanted: str) -> bool:
    """Whether every word wanted, in which `*` stands for any letters, is a word of the text."""
    words = _WORD.findall(text.lower())
    patterns = [re.compile(re.escape(token).replace(r"\*", ".*")) for token in _WANTED_WORD.findall(wanted.lower())]
    return bool(patterns) and all(any(pattern.fullmatch(word) for word in words) for pattern in patterns)


def _value(condition: Mapping[str, Any], name: str = "value") -> str:
    value = condition.get(name)
    if value is None:
        raise Refusal(400, f"The filter needs `{name}`")
    return str(value)


def _compare(operator: str, kind: str, held: str, condition: Mapping[str, Any]) -> bool:
    left, right = _comparable(kind, held), _comparable(kind, _value(condition))
    if operator == "BETWEEN":
        return bool(right <= left <= _comparable(kind, _value(condition, "highValue")))
    return bool(_ORDERINGS[operator](left, right))


def _comparable(kind: str, text: str) -> Any:
    """Return a value that compares as HubSpot compares the property: numbers and instants by size, text without case."""
    match kind:
        case "number":
            try:
                return Decimal(text)
            except InvalidOperation as error:
                raise Refusal(400, f"{text[:60]} is not a number") from error
        case "datetime":
            instant = parse_instant(text)
            if instant is None:
                raise Refusal(400, f"{text[:60]} is not a date")
            return instant
        case _:
            return text.lower()


def _sorted(kind: str, entries: list[Document], sorts: object) -> list[Document]:
    match sorts:
        case []:
            return entries
        case [{"propertyName": str() as name, **rest}] if name in PROPERTIES[kind]:
            definition = PROPERTIES[kind][name]
            held = [entry for entry in entries if entry["properties"].get(name)]
            held.sort(
                key=lambda entry: _comparable(definition.type, entry["properties"][name]),
                reverse=rest.get("direction") == "DESCENDING",
            )
            return held + [entry for entry in entries if not entry["properties"].get(name)]
        case _:
            raise Refusal(400, "A search has at most one sort, by a property that exists")
