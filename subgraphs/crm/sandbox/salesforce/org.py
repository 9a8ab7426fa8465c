"""The sandbox's org: records, their ids, and the clock of changes, which ticks in seconds as Salesforce's does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from subgraphs.crm.sandbox.salesforce.refusal import Refusal, not_found
from subgraphs.crm.sandbox.salesforce.schema import OBJECTS, STAGES, ObjectType, checked_values
from subgraphs.kit.sandbox.state import Document, State

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def record_id(prefix: str, number: int) -> str:
    """Return the 18-character id of the n-th record of a type. The last three say which letters are upper case."""
    text = ""
    for _ in range(12):
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    short = prefix + text
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(letter.isupper() << place for place, letter in enumerate(short[start : start + 5]))
        suffix += _SUFFIX[bits]
    return short + suffix


def print_instant(instant: dt.datetime) -> str:
    """Return `2026-03-02T10:00:00.000+0000`."""
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class Org:
    """One org over the sandbox's state."""

    def __init__(self, state: State) -> None:
        self._state = state

    def records(self, kind: ObjectType, *, with_deleted: bool = False) -> Iterator[Document]:
        """All records of a type, oldest first."""
        return (each for each in self._state.collection(kind.name).values() if with_deleted or not each["IsDeleted"])

    def find(self, kind: ObjectType, wanted: str) -> Document | None:
        """Return a record by its id of 18 or 15 characters, or None. A deleted one is none."""
        collection = self._state.collection(kind.name)
        held = collection.get(wanted)
        if held is None and len(wanted) == 15:
            held = next((each for each in collection.values() if each["Id"][:15] == wanted), None)
        return None if held is None or held["IsDeleted"] else held

    def find_by(self, kind: ObjectType, field_name: str, value: str) -> Document | None:
        """Return the record with an external id, or None. Raises Refusal if the field is none."""
        field = kind.fields.get(field_name)
        if field is None or not field.is_external_id:
            raise Refusal(
                404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field_name}"
            )
        return next(
            (each for each in self.records(kind) if str(each.get(field_name) or "").lower() == value.lower()), None
        )

    def create(self, kind: ObjectType, values: object) -> Document:
        """Make a record. Raises Refusal."""
        checked = checked_values(kind, values, self._users())
        if kind.name == "Account" and not checked.get("Name"):
            raise Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ("Name",))
        at = print_instant(dt.datetime.now(dt.UTC))
        with self._state.transaction():
            number = self._state.next_number(f"id:{kind.name}")
            held = {
                "Id": record_id(kind.prefix, number),
                "IsDeleted": False,
                "CreatedDate": at,
                "OwnerId": next(iter(self._state.collection("User").ids()), None),
            }
            return self._store(kind, held, checked, at)

    def update(self, kind: ObjectType, wanted: str, values: object) -> Document:
        """Change a record's fields. Raises Refusal."""
        held = self.find(kind, wanted)
        if held is None:
            raise not_found()
        checked = checked_values(kind, values, self._users())
        with self._state.transaction():
            return self._store(kind, held, checked, self._now(held))

    def delete(self, kind: ObjectType, wanted: str) -> None:
        """Put a record into the recycle bin. Raises Refusal."""
        held = self.find(kind, wanted)
        if held is None:
            raise Refusal(404, "ENTITY_IS_DELETED", "entity is deleted")
        with self._state.transaction():
            self._store(kind, held, {"IsDeleted": True}, self._now(held))

    def undelete(self, kind: ObjectType, wanted: str) -> None:
        """Take a record out of the recycle bin, as a person does. Raises Refusal."""
        held = self._state.collection(kind.name).get(wanted)
        if held is None:
            raise not_found()
        with self._state.transaction():
            self._store(kind, held, {"IsDeleted": False}, self._now(held))

    def put(self, kind: ObjectType, number: int, values: Mapping[str, Any], created_on: dt.date) -> str:
        """Store a record of the generated history; returns its id."""
        at = print_instant(dt.datetime.combine(created_on, dt.time(), dt.UTC))
        own = record_id(kind.prefix, number)
        self._store(kind, {"Id": own, "IsDeleted": False, "CreatedDate": at}, values, at)
        return own

    def _store(self, kind: ObjectType, held: Mapping[str, Any], values: Mapping[str, Any], at: str) -> Document:
        stored: Document = {**held, **values, "LastModifiedDate": at, "SystemModstamp": at}
        if kind.name == "Opportunity" and "StageName" in values and "Probability" not in values:
            stored["Probability"] = STAGES[values["StageName"]]
        self._state.collection(kind.name).put(stored["Id"], stored)
        return stored

    def _now(self, held: Document) -> str:
        return max(print_instant(dt.datetime.now(dt.UTC)), str(held["SystemModstamp"]))

    def _users(self) -> frozenset[str]:
        return frozenset(self._state.collection(OBJECTS["User"].name).ids())
