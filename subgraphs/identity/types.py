"""Identity's part of the graph: `Customer` by all its keys, its records and what became of them."""

from __future__ import annotations

import datetime as dt
from typing import Self

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from subgraphs.identity.context import IdentityInfo
from subgraphs.identity.customer_id import global_customer_id, local_customer_id
from subgraphs.identity.customers import StoredCustomer, StoredRecord
from subgraphs.identity.history import ChangeKind, IdentityEntry
from subgraphs.identity.match import HoldReason, Rule, Suggestion
from subgraphs.kit.system_error import BadUserInputError

strawberry.enum(Rule, name="LinkRule", description="Why a record belongs to a customer, strongest first.")
strawberry.enum(ChangeKind, name="IdentityChangeKind", description="What happened to an identity.")
strawberry.enum(HoldReason, name="UnmatchedReason", description="Why a record waits for a person.")


@strawberry.interface(description="Anything with an id of its own in the whole graph.")
class Node:
    """Anything with a global id."""

    id: strawberry.ID


@strawberry.type(description="A record of a system that is this customer.")
class Identity:
    """One entry of `identities`."""

    system: str
    external_id: str
    linked_by: Rule
    score: float = strawberry.field(description="How sure the rule is, from 0 to 1.")
    linked_at: dt.datetime
    name: str | None = strawberry.field(description="As that system writes it.")
    reference: str | None
    tax_id: str | None
    domain: str | None

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
            linked_at=_instant(record.linked_at),
            name=record.name,
            reference=record.reference,
            tax_id=record.tax_id,
            domain=record.domain,
        )


@strawberry.type(description="A change of what belongs to a customer.")
class IdentityChange:
    """One entry of `history`."""

    kind: ChangeKind
    at: dt.datetime
    system: str | None
    external_id: str | None
    other_customer_id: strawberry.ID | None = strawberry.field(
        description="The customer merged, split or moved from or to."
    )
    rule: Rule | None
    reason: str | None = strawberry.field(description="What the person who did it said.")

    @classmethod
    def of(cls, entry: IdentityEntry) -> Self:
        """Return a line of history as a value of the graph."""
        other = entry.other_customer_id
        return cls(
            kind=entry.kind,
            at=_instant(entry.at),
            system=entry.system,
            external_id=entry.external_id,
            other_customer_id=None if other is None else strawberry.ID(global_customer_id(other)),
            rule=entry.rule,
            reason=entry.reason,
        )


async def _identities(self: Customer) -> list[Identity]:
    return [Identity.of(record) for record in self.stored.records]


async def _history(self: Customer, info: IdentityInfo) -> list[IdentityChange]:
    return [IdentityChange.of(entry) for entry in await info.context.history.load(self.stored.id)]


@strawberry.federation.type(
    keys=[Key(fields=FieldSet(name), resolvable=strawberry.UNSET) for name in ("id", "crmRef", "billingRef", "erpRef")],
    description="A customer of the company, one over all systems.",
)
class Customer(Node):
    """The canonical customer and the records that are it."""

    stored: strawberry.Private[StoredCustomer]
    crm_ref: strawberry.ID | None = strawberry.federation.field(
        inaccessible=True, description="Its records in the CRM, joined by +."
    )
    billing_ref: strawberry.ID | None = strawberry.federation.field(
        inaccessible=True, description="Its records in billing, joined by +."
    )
    erp_ref: strawberry.ID | None = strawberry.federation.field(
        inaccessible=True, description="Its records in the ERP, joined by +."
    )
    identity_version: str = strawberry.field(
        description="Changes with every link, merge and split; to be sent with them."
    )
    identities: list[Identity] = strawberry.field(
        resolver=_identities, description="The records of all systems that are this customer, first linked first."
    )
    history: list[IdentityChange] = strawberry.field(
        resolver=_history, description="How the records came together and apart, oldest first."
    )

    @classmethod
    def of(cls, stored: StoredCustomer) -> Self:
        """Return a customer of the store as a value of the graph."""
        crm, billing, erp = map(stored.record_set, ("crm", "billing", "erp"))
        return cls(
            id=strawberry.ID(global_customer_id(stored.id)),
            stored=stored,
            crm_ref=None if crm is None else strawberry.ID(crm),
            billing_ref=None if billing is None else strawberry.ID(billing),
            erp_ref=None if erp is None else strawberry.ID(erp),
            identity_version=str(stored.version),
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
                return None if stored is None else cls.of(stored)
        raise BadUserInputError("The representation has none of the keys of Customer.")


async def find_customer(info: IdentityInfo, global_id: str) -> Customer | None:
    """Return the customer with a global id, or None. Raises BadUserInputError for what is no customer's id."""
    stored = await info.context.customers.load(local_customer_id(global_id))
    return None if stored is None else Customer.of(stored)


@strawberry.type(description="A customer that a record may belong to.")
class MatchCandidate:
    """One suggestion."""

    customer: Customer
    rule: Rule
    score: float


async def _linked_customer(self: UnmatchedRecord, info: IdentityInfo) -> Customer | None:
    if self.record.customer_id is None:
        return None
    stored = await info.context.customers.load(self.record.customer_id)
    return None if stored is None else Customer.of(stored)


async def _candidates(self: UnmatchedRecord, info: IdentityInfo) -> list[MatchCandidate]:
    suggestions: tuple[Suggestion, ...] = self.record.suggestions
    found = await info.context.customers.load_many([suggestion.customer_id for suggestion in suggestions])
    return [
        MatchCandidate(customer=Customer.of(stored), rule=suggestion.rule, score=suggestion.score)
        for suggestion, stored in zip(suggestions, found, strict=True)
        if stored is not None
    ]


@strawberry.type(description="A record that waits for a person to say whose it is; `linkIdentity` does.")
class UnmatchedRecord:
    """A record on hold."""

    record: strawberry.Private[StoredRecord]
    system: str
    external_id: str
    reason: HoldReason
    name: str | None
    reference: str | None
    tax_id: str | None
    domain: str | None
    first_seen: dt.datetime
    last_seen: dt.datetime
    customer: Customer | None = strawberry.field(
        resolver=_linked_customer, description="The customer it is linked to, where another rule disagrees."
    )
    candidates: list[MatchCandidate] = strawberry.field(
        resolver=_candidates, description="Customers it may belong to, likeliest first."
    )

    @classmethod
    def of(cls, record: StoredRecord) -> Self:
        """Return a record on hold as a value of the graph."""
        assert record.hold_reason is not None
        return cls(
            record=record,
            system=record.system,
            external_id=record.external_id,
            reason=record.hold_reason,
            name=record.name,
            reference=record.reference,
            tax_id=record.tax_id,
            domain=record.domain,
            first_seen=_instant(record.first_seen),
            last_seen=_instant(record.last_seen),
        )


def _instant(unix_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC)
