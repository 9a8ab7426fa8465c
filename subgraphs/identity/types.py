"""Identity's part of the graph: `Customer` by all its keys, its records and what became of them."""

from __future__ import annotations

import datetime as dt
from typing import Self, cast

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from subgraphs.identity.awaited import kind_of, still_synchronising
from subgraphs.identity.context import IdentityInfo
from subgraphs.identity.customer_id import global_customer_id, local_customer_id
from subgraphs.identity.customers import StoredCustomer, StoredRecord
from subgraphs.identity.hierarchy import HierarchyDifference, Place, measure_of
from subgraphs.identity.history import ChangeKind, IdentityEntry
from subgraphs.identity.match import Rule
from subgraphs.kit.described_enum import described_enum
from subgraphs.kit.node import Node
from subgraphs.kit.system_error import BadUserInputError

described_enum(
    "Why a record belongs to a customer, strongest first; where several would do, the first one decides.",
    called="LinkRule",
    REFERENCE="It carries the same business key, such as `CUST-0001`.",
    TAX_ID="It carries the same tax id.",
    DOMAIN="It is of another system and carries the same web domain.",
    NAME="It is of another system and its name is at least 92 % alike.",
    FOUNDING="The customer was made from this record, since no other one fitted.",
    MANUAL="A person said so; no rule changes it.",
)(Rule)
described_enum(
    "What happened to a customer's identity.",
    called="IdentityChangeKind",
    CREATED="The customer was made from a record that fitted no other.",
    LINKED="A record was found to be this customer.",
    UNLINKED="A record was taken to another customer by hand.",
    MERGED_IN="Another customer was found to be this one.",
    MERGED_AWAY="This customer was found to be another one; its id goes on as an alias.",
    SPLIT_OFF="A record was split off into another customer.",
    SPLIT_FROM="A record came here from another customer by a split.",
    GONE="The record's system has deleted it; one that it restores is linked again as before.",
)(ChangeKind)
described_enum(
    "How a system's hierarchy differs, about one customer, from the CRM's, which owns it.",
    called="HierarchyDifferenceKind",
    MISSING="The CRM has the customer below another one, this system has it at the top.",
    EXTRA="This system has the customer below another one, the CRM has it at the top.",
    OTHER="Both have it below another customer, and not the same one.",
    UNPLACED="This system has it below a record that is no known customer's; it may wait among the unmatched ones.",
)(HierarchyDifference)


@strawberry.type(description="One record of a system of record that is this customer.")
class Identity:
    """One entry of `identities`."""

    system: str = strawberry.field(
        description="Which system holds the record: `crm`, `billing`, `erp`, or one of several such as `erp/eu`."
    )
    external_id: str = strawberry.field(description="The id by which that system itself knows the record.")
    linked_by: Rule = strawberry.field(description="What showed that the record is this customer.")
    score: float = strawberry.field(description="How sure that is, from 0 to 1; 1 for everything but a similar name.")
    linked_at: dt.datetime = strawberry.field(description="When the record became this customer's.")
    name: str | None = strawberry.field(description="The customer's name as that system writes it.")
    reference: str | None = strawberry.field(
        description="The business key that all systems should share, such as `CUST-0001`; null where the record carries none."
    )
    tax_id: str | None = strawberry.field(
        description="The tax id as that system writes it; null where the record carries none."
    )
    domain: str | None = strawberry.field(
        description="The web domain as that system writes it; null where the record carries none."
    )

    @classmethod
    def of(cls, record: StoredRecord) -> Self:
        """Return a linked record as a value of the graph."""
        assert record.rule is not None
        assert record.linked_at is not None
        return cls(
            system=record.system,
            external_id=record.external_id,
            linked_by=record.rule,
            score=record.score or 0.0,
            linked_at=instant(record.linked_at),
            name=record.name,
            reference=record.reference,
            tax_id=record.tax_id,
            domain=record.domain,
        )


@strawberry.type(description="One time that something changed about which records are this customer.")
class IdentityChange:
    """One entry of `history`."""

    kind: ChangeKind = strawberry.field(description="What happened.")
    at: dt.datetime = strawberry.field(description="When it was decided.")
    system: str | None = strawberry.field(
        description="The system of the record that it was about; null in MERGED_IN, which is about a whole customer."
    )
    external_id: str | None = strawberry.field(
        description="That system's own id of the record; null in MERGED_IN, which is about a whole customer."
    )
    other_customer_id: strawberry.ID | None = strawberry.field(
        description="Global id of the customer merged, split, or moved from or to; null where no other was involved."
    )
    rule: Rule | None = strawberry.field(description="The rule that decided it, or MANUAL where a person did.")
    reason: str | None = strawberry.field(description="What the person who did it said; null for what a rule did.")

    @classmethod
    def of(cls, entry: IdentityEntry) -> Self:
        """Return a line of history as a value of the graph."""
        other = entry.other_customer_id
        return cls(
            kind=entry.kind,
            at=instant(entry.at),
            system=entry.system,
            external_id=entry.external_id,
            other_customer_id=None if other is None else strawberry.ID(global_customer_id(other)),
            rule=entry.rule,
            reason=entry.reason,
        )


@strawberry.type(description="Where one system has the customer in its own hierarchy, as it last told.")
class SystemHierarchy:
    """One entry of `hierarchies`."""

    place: strawberry.Private[Place]
    system: str = strawberry.field(
        description="Which system says so: `crm`, `billing`, `erp`, or one of several such as `erp/eu`."
    )
    external_id: str = strawberry.field(description="That system's own id of the record that says so.")
    parent_external_id: str | None = strawberry.field(
        description="That system's own id of the record that this one belongs to; null at the top."
    )
    difference: HierarchyDifference | None = strawberry.field(
        description="How this differs from where the CRM has the customer, or from the first entry where the CRM says nothing; null where it doesn't."
    )

    @strawberry.field(
        description="The customer that it belongs to there; null at the top, and where nobody knows whose record it is."
    )
    async def parent(self, info: IdentityInfo) -> Customer | None:
        """The parent."""
        if self.place.parent_id is None:
            return None
        stored = await info.context.customers.load(self.place.parent_id)
        return None if stored is None else Customer.of(stored)

    @strawberry.field(description="The customers that belong directly to this one there.")
    async def children(self, info: IdentityInfo) -> list[Customer]:
        """The children."""
        ids = await info.context.children.load((self.system, self.external_id))
        found = await info.context.customers.load_many(ids)
        return [Customer.of(stored) for stored in found if stored is not None]


async def _hierarchies(self: Customer, info: IdentityInfo) -> list[SystemHierarchy]:
    places = await info.context.places.load(self.stored.id)
    measure = measure_of(places)
    return [
        SystemHierarchy(
            place=place,
            system=place.system,
            external_id=place.external_id,
            parent_external_id=place.parent_external_id,
            difference=None if measure is None else place.difference_from(measure),
        )
        for place in places
    ]


async def _identities(self: Customer, info: IdentityInfo) -> list[Identity]:
    del info
    return [Identity.of(record) for record in self.stored.records]


async def _history(self: Customer, info: IdentityInfo) -> list[IdentityChange]:
    return [IdentityChange.of(entry) for entry in await info.context.history.load(self.stored.id)]


@strawberry.federation.type(
    keys=[Key(fields=FieldSet(name), resolvable=strawberry.UNSET) for name in ("id", "crmRef", "billingRef", "erpRef")],
    description="A company we sell to: one customer over all systems, each field from the system that owns it.",
)
class Customer(Node):
    """The canonical customer and the records that are it."""

    stored: strawberry.Private[StoredCustomer]
    crm_ref: strawberry.ID | None = strawberry.federation.field(
        inaccessible=True, description="Ids of the CRM's records of this customer, joined by `+`."
    )
    billing_ref: strawberry.ID | None = strawberry.federation.field(
        inaccessible=True, description="Ids of billing's records of this customer, joined by `+`."
    )
    erp_ref: strawberry.ID | None = strawberry.federation.field(
        inaccessible=True, description="Ids of the ERP's records of this customer, joined by `+`."
    )
    identity_version: str = strawberry.field(
        description="Changes with every link, merge and split; send it with those, which refuse a stale one."
    )
    identities: list[Identity] = strawberry.field(
        resolver=_identities, description="The records of all systems that are this customer, the first linked first."
    )
    history: list[IdentityChange] = strawberry.field(
        resolver=_history, description="How its records came together and apart, oldest first."
    )
    hierarchies: list[SystemHierarchy] = strawberry.field(
        resolver=_hierarchies,
        description="Where each system that keeps a hierarchy has the customer in it, side by side, with what differs. `parent` and `children` are the CRM's, live.",
    )

    @classmethod
    def of(cls, stored: StoredCustomer) -> Self:
        """Return a customer of the store as a value of the graph."""
        return cls(
            id=strawberry.ID(global_customer_id(stored.id)),
            stored=stored,
            crm_ref=_record_set(stored, "crm"),
            billing_ref=_record_set(stored, "billing"),
            erp_ref=_record_set(stored, "erp"),
            identity_version=stored.shown_version,
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: IdentityInfo,
        id: str | None = None,  # noqa: A002 - the key's name
        crm_ref: str | None = None,
        billing_ref: str | None = None,
        erp_ref: str | None = None,
    ) -> Customer | None:
        """Return the customer with one of its keys, or None; a record set may be whole or one of its members."""
        if id is not None:
            return await find_customer(info, id)
        for system, joined in (("crm", crm_ref), ("billing", billing_ref), ("erp", erp_ref)):
            if joined is not None:
                stored = await info.context.by_records.load((system, joined))
                if stored is None and system in map(kind_of, await _may_come(info)):
                    raise still_synchronising(system)
                return None if stored is None else cls.of(stored)
        raise BadUserInputError("The representation has none of the keys of Customer.")


async def find_customer(info: IdentityInfo, global_id: str) -> Customer | None:
    """Return the customer with a global id, or None.

    Raises BadUserInputError for what is no customer's id, SynchronisingError where a system may yet tell of it.
    """
    stored = await info.context.customers.load(local_customer_id(global_id))
    if stored is None and (pending := await _may_come(info)):
        raise still_synchronising(min(pending))
    return None if stored is None else Customer.of(stored)


async def _may_come(info: IdentityInfo) -> frozenset[str]:
    """Return the systems that may yet tell of a customer that isn't there; to a confined caller it may just as well be another's."""
    return frozenset() if info.context.bounds else await info.context.pending_systems()


def _record_set(stored: StoredCustomer, system: str) -> strawberry.ID | None:
    """Return the customer's records in a system; in place of the value an error, which executing raises, if they may be to come."""
    found = stored.record_set(system)
    if found is None and system in map(kind_of, stored.awaited):
        return cast("strawberry.ID", still_synchronising(system))
    return None if found is None else strawberry.ID(found)


def instant(unix_s: float) -> dt.datetime:
    """Return the instant in UTC."""
    return dt.datetime.fromtimestamp(unix_s, dt.UTC)
