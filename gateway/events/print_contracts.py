"""Print the catalogue of event types as JSON Schemas and a page: `python -m gateway.events.print_contracts`."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, assert_never

from gateway.events.catalogue import CATALOGUE, KEY_NAMES, MINOR, AnyChange, ChangeOf, EventType, key_typename

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_VALUE: dict[str, Any] = {"type": ["string", "null"], "maxLength": 1000}
"""A changed field's value as text, `12.50` or `true`; null where there was none."""


def print_contracts() -> Mapping[str, str]:
    """Return every file of schema/events/: its name to its text."""
    files = {row.file_name: json.dumps(event_schema(row), indent=2) + "\n" for row in CATALOGUE}
    return {**files, "README.md": _page(CATALOGUE)}


def event_schema(row: EventType) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one event type's whole CloudEvent."""
    emitters = "|".join(row.emitters)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": row.data_schema,
        "title": row.type,
        "description": row.when,
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _NAME,
            "source": {"type": "string", "pattern": f"^concord/({emitters})(/[a-z0-9_-]{{1,40}})?$"},
            "type": {"const": row.type},
            "subject": {"type": "string", "maxLength": 300, "pattern": global_id_pattern(row.subjects)},
            "time": {"type": "string", "format": "date-time", "maxLength": 40},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"type": "string", "pattern": f"^urn:concord:event:{row.name}:{row.major}\\.[0-9]+$"},
            "correlationid": _NAME,
            "causationid": _NAME,
            "replayof": {**_NAME, "description": "Set where a dead letter is replayed: the letter's id."},
            "sequence": {"type": "string", "pattern": "^[0-9]+$", "description": "Set by the log."},
            "recordedtime": {"type": "string", "format": "date-time", "description": "Set by the log."},
            "data": _data(row),
        },
        "patternProperties": {"^[a-z0-9]{1,20}$": True},
        "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
        "additionalProperties": False,
    }


def global_id_pattern(typenames: Iterable[str]) -> str:
    """Return a pattern for global ids, base64url of `Type:local`, of certain types.

    The text of a type decides the first characters wholly and the bits of one more:

        Invoice → ^SW52b2ljZT[o-r][A-Za-z0-9_-]+$
    """
    return f"^({'|'.join(map(_typename_pattern, typenames))})[A-Za-z0-9_-]+$"


def _typename_pattern(typename: str) -> str:
    prefix = f"{typename}:".encode()
    whole, bits = divmod(len(prefix) * 8, 6)
    pattern = base64.urlsafe_b64encode(prefix).decode()[:whole]
    if bits:
        known = int.from_bytes(prefix, "big") & ((1 << bits) - 1)
        first = known << (6 - bits)
        pattern += f"[{''.join(_ALPHABET[first : first + (1 << (6 - bits))])}]"
    return pattern


def _data(row: EventType) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "keys": {
                "type": "object",
                "properties": {key: _key(key) for key in KEY_NAMES},
                "required": list(row.keys),
                "additionalProperties": False,
            },
            "version": {**_NAME, "type": ["string", "null"]},
            "changes": _changes(row.changes),
        },
        "required": ["keys", "changes"],
        "additionalProperties": False,
    }


def _key(key: str) -> dict[str, Any]:
    typename = key_typename(key)
    return _NAME if typename is None else {**_NAME, "pattern": global_id_pattern([typename])}


def _changes(demanded: ChangeOf | AnyChange) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "type": "array",
        "maxItems": 100,
        "items": {
            "type": "object",
            "properties": {
                "field": {"type": "string", "pattern": "^[a-z][A-Za-z0-9]*(\\.[A-Za-z0-9_-]+)*$", "maxLength": 200},
                "from": _VALUE,
                "to": _VALUE,
            },
            "required": ["field", "from", "to"],
            "additionalProperties": False,
        },
    }
    match demanded:
        case AnyChange():
            if demanded is AnyChange.AT_LEAST_ONE:
                changes["minItems"] = 1
        case ChangeOf(field=field):
            changes["contains"] = {"properties": {"field": {"const": field}}, "required": ["field"]}
        case _:
            assert_never(demanded)
    return changes


def _page(rows: tuple[EventType, ...]) -> str:
    table = "\n".join(
        f"| `{row.name}` | {', '.join(row.emitters)} | {' or '.join(row.subjects)} |"
        f" {', '.join(f'`{key}`' for key in row.keys) or '-'} | {_changes_in_words(row.changes)} | {row.when} |"
        for row in rows
    )
    return f"""# Lifecycle events

Each event type has a contract in this folder: a JSON Schema (2020-12) of the whole CloudEvents 1.0 object. Contracts and this page are printed by
`python -m gateway.events.print_contracts` from `gateway/events/catalogue.py`; the current minor version is {MINOR}. Within a major version a contract
only grows: what was valid stays valid.

## Attributes

| attribute | meaning |
| --- | --- |
| `type` | `concord.<name>.v1`, with a name of the table below |
| `source` | `concord/<system>`, or `concord/<system>/<instance>` where a system has several |
| `id` | the same for the same happening, however often it is seen: see below |
| `subject` | global id of the entity: base64url without padding of `Type:local`; events of one subject are kept in order |
| `time` | when it happened in the business, RFC 3339 |
| `datacontenttype` | `application/json` |
| `dataschema` | `urn:concord:event:<name>:1.{MINOR}`: the exact contract; who publishes may leave it out, and the gateway names the one that it held the event against |
| `correlationid`, `causationid` | the workflow, and the event that caused this one |
| `replayof` | the dead letter that the event was until somebody replayed it |
| `sequence`, `recordedtime` | set by the log: count within the subject, and when the event arrived; `recordedtime - time` is the event lag |
| `data.keys` | how to find the entities concerned: contracts and invoices by number, the others by global id |
| `data.version` | the entity's version after the event |
| `data.changes` | `{{"field", "from", "to"}}` per changed field, values as text, null where there was none; never a record |

## Ids

The log drops an event whose id it knows, so a publisher sends as often as it must, and derives the id from what happened instead of drawing it. An id is
a hash of the source, the type, the subject and what makes the happening this one and no other:

1. the vendor's own event id, where there is one (one vendor event that means several of ours differs by type and subject);
2. else the object and the version that shows the change: `account.invoice`, `4711`, `v12`;
3. for what time does, the object, the date it is about and the mark: `sub_42`, `2026-03-01`, `30`.

An id has at most 200 characters. The same id with other content is a duplicate: the first one stands.

## Types

| name | emitted by | subject | keys always there | changes | when |
| --- | --- | --- | --- | --- | --- |
{table}

An event that breaks its contract goes to the dead letters with the reason, and not on to consumers.
"""


def _changes_in_words(demanded: ChangeOf | AnyChange) -> str:
    match demanded:
        case ChangeOf(field=field):
            return f"`{field}` among them"
        case AnyChange.AT_LEAST_ONE:
            return "at least one"
        case AnyChange.NONE_NEEDED:
            return "if any"
        case _:
            assert_never(demanded)


def main(folder: Path) -> None:
    """Write the files and delete contracts that the catalogue no longer has."""
    folder.mkdir(parents=True, exist_ok=True)
    files = print_contracts()
    for stale in folder.glob("concord.*.json"):
        if stale.name not in files:
            stale.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "schema" / "events")
