"""A system's own copy of a field that another system owns: readable as that system's record, never merged."""

from __future__ import annotations

import datetime as dt

import strawberry


@strawberry.federation.type(shareable=True, description="One field of a system's own record, as text.")
class RecordField:
    """One field of a system's own record, as text."""

    name: str
    value: str | None


@strawberry.federation.type(shareable=True, description="What one system of record itself holds about an object.")
class RecordCopy:
    """What one system of record itself holds about an object."""

    system: str
    external_id: str
    name: str | None
    fields: list[RecordField]
    read_at: dt.datetime
