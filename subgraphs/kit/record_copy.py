"""A system's own copy of a field that another system owns: readable as that system's record, never merged."""

from __future__ import annotations

import datetime as dt

import strawberry


@strawberry.federation.type(shareable=True, description="One field of a system's own record, as text.")
class RecordField:
    """One field of a system's own record, as text."""

    name: str = strawberry.field(
        description="What the graph calls the field, such as `city`; the vendor may call it something else."
    )
    value: str | None = strawberry.field(
        description="The value as text, as the system holds it; null where it holds none."
    )


@strawberry.federation.type(
    shareable=True,
    description="What one system of record itself holds about an object, copies of other systems' fields included; to compare, never merged.",
)
class RecordCopy:
    """What one system of record itself holds about an object."""

    system: str = strawberry.field(
        description="Which system holds it, as the crosswalk calls it: `crm`, `billing`, `erp`, or one of several, `erp/us`."
    )
    vendor: str = strawberry.field(description="Whose product that system is, such as `hubspot`.")
    external_id: str = strawberry.field(description="The id that this system itself knows the record by.")
    name: str | None = strawberry.field(
        description="The name as this system writes it; the owner's is the field of the object itself."
    )
    fields: list[RecordField] = strawberry.field(
        description="What the record says, field by field, in no order that means anything."
    )
    read_at: dt.datetime = strawberry.field(
        description="When this was read from the system, or when the copy it was read from was made."
    )
