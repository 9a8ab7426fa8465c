"""A system of record as the graph shows it: what its adaptor can do, and how its schema differs from the mapping.

@strawberry.field
def crm_systems(self, info: Info) -> list[SystemOfRecord] | None:
return [describe("crm", "hubspot", mapping.VERSION, {"companies": crm.companies.capabilities}, client, drift)]
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import strawberry

from subgraphs.kit.adaptor import BatchMode, Capabilities, Concurrency, Consistency, EventSource, Idempotency
from subgraphs.kit.described_enum import described_enum
from subgraphs.kit.schema_drift import DriftKind, SchemaDrift
from subgraphs.kit.vendor_client import VendorClient

described_enum(
    "How many records are read by their ids.",
    NATIVE="The vendor has a batch read.",
    FILTER="The vendor's list can be filtered by a set of ids.",
    NONE="One request for each id, or a copy that the vendor's events keep fresh.",
)(BatchMode)
described_enum(
    "How a system tells what changed.",
    called="ChangeSource",
    WEBHOOK="It pushes signed messages.",
    POLL="It is asked again and again for what changed since the last time.",
    NONE="It doesn't: records are read when they are asked for.",
)(EventSource)
described_enum(
    "What makes a repeated write safe.",
    called="WriteIdempotency",
    VENDOR_KEY="The vendor honours an idempotency key.",
    UNIQUE_FIELD="The vendor knows an object by a business key, and makes no second one.",
    OURS="The subgraph remembers its writes and looks for what may have been done.",
)(Idempotency)
described_enum(
    "Whether a read after a write sees it.",
    called="ReadConsistency",
    READ_YOUR_WRITES="At once.",
    EVENTUAL="After a while.",
)(Consistency)
described_enum(
    "What happens when two write to one object.",
    called="WriteConcurrency",
    CHECKED="The vendor refuses a write for a version that is not current.",
    READ_FIRST="The version is read before writing; a change between the two goes unnoticed.",
)(Concurrency)
described_enum(
    "How a system's schema differs from what its mapping knows.",
    called="SchemaDifferenceKind",
    UNKNOWN_VALUE="A value of an enumeration that the graph has no word for.",
    MISSING_FIELD="A field that this account does not have.",
    UNREADABLE_VALUE="No number, date or instant where one belongs.",
)(DriftKind)


@strawberry.federation.type(shareable=True, description="Something that a system of record can't do, and why.")
class Inability:
    """One declared inability."""

    what: str = strawberry.field(
        description="Name of the conformance check, or of the group of checks, that can't be passed."
    )
    why: str = strawberry.field(description="One sentence.")


@strawberry.federation.type(shareable=True, description="What the adaptor of one kind of record can do.")
class RecordAbility:
    """The capability sheet of one kind of record."""

    kind: str = strawberry.field(description="The kind of record, such as `companies`.")
    batch_mode: BatchMode = strawberry.field(description="How many records are read by their ids.")
    max_ids_per_call: int = strawberry.field(description="Most ids that one request of the vendor's API takes.")
    changes: EventSource = strawberry.field(description="How the vendor tells that a record changed.")
    idempotency: Idempotency = strawberry.field(description="What makes a repeated write safe.")
    consistency: Consistency = strawberry.field(description="Whether a read after a write sees it.")
    concurrency: Concurrency = strawberry.field(description="What happens when two write to one record.")
    writes: list[str] = strawberry.field(description="Names of the mutations that write to such records, by name.")
    cannot: list[Inability] = strawberry.field(description="What the vendor can't do, with reasons.")

    @classmethod
    def of(cls, kind: str, sheet: Capabilities) -> RecordAbility:
        """Return a sheet as the graph shows it."""
        return cls(
            kind=kind,
            batch_mode=sheet.batch_mode,
            max_ids_per_call=sheet.max_ids_per_call,
            changes=sheet.events,
            idempotency=sheet.idempotency,
            consistency=sheet.consistency,
            concurrency=sheet.concurrency,
            writes=sorted(sheet.writes),
            cannot=[Inability(what=what, why=why) for what, why in sheet.cannot.items()],
        )


@strawberry.federation.type(
    shareable=True,
    description="A value or field that a system has and its mapping does not know, or the other way round.",
)
class SchemaDifference:
    """One difference met since the process started."""

    kind: DriftKind = strawberry.field(description="What differs.")
    object: str = strawberry.field(description="The vendor's name of the kind of record, such as `Opportunity`.")
    field: str = strawberry.field(description="The vendor's name of the field, such as `StageName`.")
    value: str | None = strawberry.field(
        description="The value in question, at most 120 characters of it; null for a missing field."
    )
    count: int = strawberry.field(description="How often it was met since the subgraph started.")
    last_seen: dt.datetime = strawberry.field(description="When it was met last.")


@strawberry.federation.type(
    shareable=True, description="What may be asked of a system of record, by all replicas together."
)
class RequestBudget:
    """A vendor's budget of requests."""

    requests_per_second: float = strawberry.field(description="What may be sent over a long time.")
    burst: int = strawberry.field(description="What may be sent at once, after a pause.")
    refused: int = strawberry.field(
        description="Requests that this replica has not sent since it started, for want of budget."
    )


@strawberry.federation.type(shareable=True, description="A system of record behind the graph.")
class SystemOfRecord:
    """One system, or one of several instances of it."""

    name: str = strawberry.field(description="What the crosswalk calls it: `crm`, or `crm/acme` for one of several.")
    vendor: str = strawberry.field(description="Whose product it is, such as `salesforce`.")
    region: str | None = strawberry.field(description="Where its data lives; null where that is not configured.")
    mapping_version: int | None = strawberry.field(
        description="Version of the mapping between the vendor's documents and the graph; null where it has none."
    )
    api_version: str | None = strawberry.field(
        description="Version of the vendor's API that the mapping was written for; null where it is not known."
    )
    abilities: list[RecordAbility] = strawberry.field(description="What its adaptor can do, by kind of record.")
    differences: list[SchemaDifference] = strawberry.field(
        description="How its schema differs from the mapping, as met since the subgraph started; the fields concerned are null."
    )
    requests: int = strawberry.field(description="Requests sent to it by this replica since it started.")
    budget: RequestBudget | None = strawberry.field(
        description="What may be asked of it; null where nothing limits that."
    )


def describe(
    *,
    name: str,
    vendor: str,
    sheets: Mapping[str, Capabilities],
    client: VendorClient,
    drift: SchemaDrift | None = None,
    mapping_version: int | None = None,
    api_version: str | None = None,
    region: str | None = None,
) -> SystemOfRecord:
    """Return a system as the graph shows it. `sheets` are the capabilities by kind of record."""
    budget = client.budget
    return SystemOfRecord(
        name=name,
        vendor=vendor,
        region=region,
        mapping_version=mapping_version,
        api_version=api_version,
        abilities=[RecordAbility.of(kind, sheet) for kind, sheet in sheets.items()],
        differences=[
            SchemaDifference(
                kind=each.what,
                object=each.object,
                field=each.field,
                value=each.value,
                count=each.count,
                last_seen=each.last_seen,
            )
            for each in (drift.seen() if drift else ())
        ],
        requests=client.requests_total.total(),
        budget=RequestBudget(requests_per_second=budget.rate, burst=budget.burst, refused=budget.refused)
        if budget
        else None,
    )
