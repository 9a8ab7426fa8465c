"""What changes between two versions of the event contracts, and whom it would break.

Within a major version a contract only grows: an event that was valid stays valid, so no publisher has to change with
the gateway. What a contract promises consumers less of (a field no longer required, a new value) is told as dangerous.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from gateway.federation.composition import Change, ChangeLevel

_NOTES = frozenset({"$id", "$schema", "title", "description", "$comment", "examples"})
_UPPER = ("maxLength", "maxItems", "maximum", "maxProperties")
_LOWER = ("minLength", "minItems", "minimum", "minProperties")
_READ = frozenset(
    {"type", "enum", "const", "pattern", "required", "properties", "patternProperties", "additionalProperties", "items"}
    | {"contains", "format"}
    | set(_UPPER)
    | set(_LOWER)
)
_ALTERNATIVES = re.compile(r"(?P<before>\^[^()|]*)\((?P<choices>[^()]+)\)(?P<after>.*)", re.DOTALL)

_Schema = Mapping[str, Any]


def contract_changes(old: Path, new: Path) -> tuple[Change, ...]:
    """Return what changes between two folders such as schema/events/, the worst first.

    Raises OSError, ValueError for a file that is no JSON object.
    """
    before, after = _read(old), _read(new)
    found = [
        _change(ChangeLevel.BREAKING, "EVENT_CONTRACT_REMOVED", name, "has no contract anymore")
        for name in before.keys() - after.keys()
    ]
    found += [
        _change(ChangeLevel.SAFE, "EVENT_CONTRACT_ADDED", name, "is a new type")
        for name in after.keys() - before.keys()
    ]
    for name in before.keys() & after.keys():
        found += _contract(name, before[name], after[name])
    order = list(ChangeLevel)
    return tuple(sorted(found, key=lambda change: (order.index(change.level), change.coordinate, change.message)))


def _read(folder: Path) -> dict[str, _Schema]:
    contracts: dict[str, _Schema] = {}
    for path in sorted(folder.glob("concord.*.json")):
        schema = orjson.loads(path.read_bytes())
        if not isinstance(schema, dict):
            raise ValueError(f"{path} is no JSON object")  # noqa: TRY004 - a file's content, not an argument
        contracts[str(schema.get("title", path.stem))] = schema
    if not contracts:
        raise FileNotFoundError(f"no event contracts in {folder}")
    return contracts


def _contract(name: str, old: _Schema, new: _Schema) -> Iterator[Change]:
    yield from _schema(name, old, new)
    before, after = str(old.get("$id")), str(new.get("$id"))
    if before == after and _without_notes(old) != _without_notes(new):
        told = f"changes and keeps its version {after}; raise it"
        yield _change(ChangeLevel.BREAKING, "EVENT_CONTRACT_VERSION_KEPT", name, told)


def _schema(at: str, old: _Schema, new: _Schema) -> Iterator[Change]:
    yield from _types(at, old, new)
    yield from _bounds(at, old, new)
    yield from _properties(at, old, new)
    for keyword in ("pattern", "format", "contains"):
        yield from _condition(at, keyword, old.get(keyword), new.get(keyword))
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from _schema(f"{at}[]", old["items"], new["items"])
    elif old.get("items") != new.get("items"):
        yield from _condition(at, "items", old.get("items"), new.get("items"))
    for keyword in sorted((old.keys() | new.keys()) - _READ - _NOTES):
        yield from _condition(at, keyword, old.get(keyword), new.get(keyword))


def _types(at: str, old: _Schema, new: _Schema) -> Iterator[Change]:
    for keyword, code in (
        ("type", "EVENT_FIELD_TYPE"),
        ("enum", "EVENT_FIELD_VALUES"),
        ("const", "EVENT_FIELD_VALUES"),
    ):
        before, after = _choices(keyword, old), _choices(keyword, new)
        if before == after or (keyword == "const" and "enum" in new and after is None):
            continue
        if after is not None and (before is None or before - after):
            lost = sorted(before - after) if before is not None else ["anything else"]
            told = f"no longer takes {', '.join(lost)}"
            yield _change(ChangeLevel.BREAKING, f"{code}_NARROWED", at, told)
        if before is not None and (after is None or after - before):
            gained = sorted(after - before) if after is not None else ["anything"]
            yield _change(ChangeLevel.DANGEROUS, f"{code}_WIDENED", at, f"may be {', '.join(gained)} as well")


def _choices(keyword: str, schema: _Schema) -> frozenset[str] | None:
    """Return the types or values that a keyword leaves; None where it says nothing."""
    if keyword not in schema:
        return None
    stated = schema[keyword]
    each = stated if isinstance(stated, list) else [stated]
    return frozenset(one if keyword == "type" else orjson.dumps(one).decode() for one in each)


def _bounds(at: str, old: _Schema, new: _Schema) -> Iterator[Change]:
    for keyword in (*_UPPER, *_LOWER):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        sign = 1 if keyword in _UPPER else -1
        if after is not None and (before is None or sign * after < sign * before):
            told = f"{keyword} is {after}, was {before if before is not None else 'free'}"
            yield _change(ChangeLevel.BREAKING, "EVENT_FIELD_BOUND_NARROWED", at, told)
        else:
            told = f"{keyword} is {after if after is not None else 'free'}, was {before}"
            yield _change(ChangeLevel.DANGEROUS, "EVENT_FIELD_BOUND_WIDENED", at, told)


def _properties(at: str, old: _Schema, new: _Schema) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needed_now = frozenset(old.get("required", ())), frozenset(new.get("required", ()))
    for name in sorted(needed_now - needed):
        yield _change(ChangeLevel.BREAKING, "EVENT_FIELD_REQUIRED", f"{at}.{name}", "is required now")
    for name in sorted(needed - needed_now):
        yield _change(ChangeLevel.DANGEROUS, "EVENT_FIELD_OPTIONAL", f"{at}.{name}", "may be missing now")
    for name in sorted(before.keys() - after.keys()):
        is_closed = new.get("additionalProperties", True) is not True
        level = ChangeLevel.BREAKING if is_closed else ChangeLevel.DANGEROUS
        yield _change(level, "EVENT_FIELD_REMOVED", f"{at}.{name}", "is gone")
    for name in sorted(after.keys() - before.keys()):
        level = ChangeLevel.DANGEROUS if _lets_through(name, old) else ChangeLevel.SAFE
        yield _change(level, "EVENT_FIELD_ADDED", f"{at}.{name}", "is new")
    for name in sorted(before.keys() & after.keys()):
        yield from _schema(f"{at}.{name}", before[name], after[name])
    if old.get("additionalProperties", True) is True and new.get("additionalProperties", True) is not True:
        yield _change(ChangeLevel.BREAKING, "EVENT_FIELD_CLOSED", at, "takes no other fields now")
    for pattern in sorted(old.get("patternProperties", {}).keys() - new.get("patternProperties", {}).keys()):
        yield _change(ChangeLevel.BREAKING, "EVENT_FIELD_CLOSED", at, f"takes no fields like {pattern} now")


def _lets_through(name: str, schema: _Schema) -> bool:
    """Say whether a property that a schema does not name could be there with any value."""
    is_open = schema.get("additionalProperties", True) is True and "properties" in schema
    return is_open or any(re.search(pattern, name) for pattern in schema.get("patternProperties", ()))


def _condition(at: str, keyword: str, before: Any, after: Any) -> Iterator[Change]:
    """Compare a keyword that holds or does not. What can't be shown to let all through that passed is breaking."""
    if before == after:
        return
    if after is None or (keyword == "pattern" and _is_wider(str(before), str(after))):
        yield _change(ChangeLevel.DANGEROUS, "EVENT_FIELD_CONDITION_WIDENED", at, f"{keyword} lets more through")
    else:
        yield _change(ChangeLevel.BREAKING, "EVENT_FIELD_CONDITION_NARROWED", at, f"{keyword} is another one")


def _is_wider(before: str, after: str) -> bool:
    """Say whether two patterns differ in one group of alternatives only, and the second has all of the first's."""
    first, second = _ALTERNATIVES.fullmatch(before), _ALTERNATIVES.fullmatch(after)
    if first is None or second is None:
        return False
    is_same = (first["before"], first["after"]) == (second["before"], second["after"])
    return is_same and set(first["choices"].split("|")) <= set(second["choices"].split("|"))


def _without_notes(schema: Any) -> Any:
    """Return what a schema demands, without what it only tells its readers."""
    if not isinstance(schema, dict):
        return schema
    demands = {name: _without_notes(value) for name, value in schema.items() if name not in _NOTES}
    for holder in ("properties", "patternProperties"):
        if isinstance(schema.get(holder), dict):
            demands[holder] = {name: _without_notes(value) for name, value in schema[holder].items()}
    return demands


def _change(level: ChangeLevel, code: str, at: str, told: str) -> Change:
    return Change(level=level, code=code, coordinate=at, message=f"{at} {told}.")
