"""What a subgraph told of the entities a fetch wanted, taken apart; and the answer for the executor, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.cache.asked import AskedInput
from gateway.cache.entity_cache import Refused
from gateway.cache.wanted import Want
from gateway.execution.located import error_entries, path_of
from gateway.execution.ports import SubgraphAnswer, SubgraphFailure, SubgraphRequest

OUTAGE = frozenset(
    {
        "SYSTEM_UNAVAILABLE",
        "SYSTEM_TIMEOUT",
        "SYSTEM_CIRCUIT_OPEN",
        "SYSTEM_ERROR",
        "SYSTEM_RATE_LIMITED",
        "SYSTEM_BAD_RESPONSE",
        "OVERLOADED",
    }
)
"""Codes that say that the owner could not be asked: what was known last may stand in."""


def take_apart(value: Any, wants: Sequence[Want]) -> Sequence[Mapping[str, Any]]:
    """Note in each want what an answer says of it; return the errors that are not of one entity.

    `wants` are those that were asked for, in order. An answer of another shape than asked for leaves them open.
    """
    data = value.get("data") if isinstance(value, dict) else None
    by_input: dict[str, list[Want]] = {}
    for want in wants:
        by_input.setdefault(want.input.response_name, []).append(want)
    for name, asked in by_input.items():
        results = data.get(name) if isinstance(data, dict) else None
        if isinstance(results, list) and len(results) == len(asked):
            for want, result in zip(asked, results, strict=True):
                want.is_told, want.value = True, result
    others: list[Mapping[str, Any]] = []
    located: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for entry in error_entries(value) if isinstance(value, dict) else ():
        match path_of(entry):
            case (str() as name, int() as index, *below) if 0 <= index < len(by_input.get(name, ())):
                located.setdefault((name, index), []).append({**entry, "path": below})
            case _:
                others.append(entry)
    for (name, index), entries in located.items():
        by_input[name][index].trouble = Refused(tuple(entries))
    return others


def is_outage(trouble: Refused | SubgraphFailure | None) -> bool:
    """Tell whether all that is wrong is that the owner could not be asked."""
    match trouble:
        case None:
            return False
        case SubgraphFailure(code=code):
            return code in OUTAGE
        case Refused(errors):
            return all(_code(entry) in OUTAGE for entry in errors)


def _code(entry: Mapping[str, Any]) -> str | None:
    extensions = entry.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code if isinstance(code, str) else None


def put_together(
    inputs: Sequence[AskedInput],
    wants: Sequence[Want],
    others: Sequence[Mapping[str, Any]],
    extensions: Any,
    request: SubgraphRequest,
) -> SubgraphAnswer:
    """Return the answer that the subgraph might have given itself."""
    lists: dict[str, list[bytes]] = {each.response_name: [] for each in inputs}
    errors: list[Mapping[str, Any]] = []
    told: list[tuple[str, int, Any]] = []
    for want in wants:
        name = want.input.response_name
        if want.entry is None and want.is_told:
            told.append((name, want.index, want.value))
        lists[name].append(want.entry.value if want.entry is not None else b"null")
        if want.trouble is not None:
            errors += _located(want.trouble, (name, want.index))
    errors += others
    parts = [b"%b:[%b]" % (orjson.dumps(name), b",".join(values)) for name, values in lists.items()]
    body = b'{"data":{%b}}' % b",".join(parts)
    answer: Any = request.decode(body)
    for name, index, value in told:
        answer["data"][name][index] = value
    if errors:
        answer["errors"] = errors
    if extensions is not None:
        answer["extensions"] = extensions
    return SubgraphAnswer(answer, None if told or errors or extensions is not None else body)


def _located(trouble: Refused | SubgraphFailure, place: tuple[str, int]) -> list[Mapping[str, Any]]:
    match trouble:
        case Refused(errors):
            return [{**entry, "path": [*place, *entry["path"]]} for entry in errors]
        case SubgraphFailure() as failed:
            details = {"code": failed.code, "retryable": failed.retryable, "retryAfterMs": failed.retry_after_ms}
            extensions = {name: value for name, value in details.items() if value is not None}
            return [{"message": failed.message, "path": list(place), "extensions": extensions}]
