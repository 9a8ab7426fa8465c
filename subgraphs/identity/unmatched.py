"""Records that wait for a person to say whose they are."""

from __future__ import annotations

import datetime as dt
from typing import Self

import strawberry

from subgraphs.identity.context import IdentityInfo
from subgraphs.identity.customers import StoredRecord
from subgraphs.identity.match import HoldReason, Rule, Suggestion
from subgraphs.identity.types import Customer, instant
from subgraphs.kit.described_enum import described_enum

described_enum(
    "Why a record waits for a person.",
    called="UnmatchedReason",
    AMBIGUOUS="Several customers fit equally well.",
    NEEDS_REVIEW="A customer has a similar name, and nothing else speaks for or against it.",
    NO_IDENTIFIER="The record has neither reference, tax id, domain nor name.",
    CONFLICT="It is linked by one rule while another rule points to somebody else.",
)(HoldReason)


@strawberry.type(description="A customer that an unplaced record may belong to.")
class MatchCandidate:
    """One suggestion."""

    customer: Customer = strawberry.field(description="The customer in question.")
    rule: Rule = strawberry.field(description="What speaks for it.")
    score: float = strawberry.field(description="How alike they are, from 0 to 1; a similar name is 0.8 or more.")


async def _linked_customer(self: UnmatchedRecord, info: IdentityInfo) -> Customer | None:
    if self.record.customer_id is None:
        return None
    stored = await info.context.customers.load(self.record.customer_id)
    return None if stored is None else Customer.of(stored)


async def _candidates(self: UnmatchedRecord, info: IdentityInfo) -> list[MatchCandidate]:
    suggestions: tuple[Suggestion, ...] = self.record.suggestions
    found = await info.context.customers.load_many([suggestion.customer_id for suggestion in suggestions])
    candidates: dict[str, MatchCandidate] = {}
    for suggestion, stored in zip(suggestions, found, strict=True):
        # Two of them may have been merged since; the likelier one comes first.
        if stored is not None and stored.id not in candidates:
            shown = MatchCandidate(customer=Customer.of(stored), rule=suggestion.rule, score=suggestion.score)
            candidates[stored.id] = shown
    return list(candidates.values())


@strawberry.type(description="A record that waits for a person to say whose it is; `linkIdentity` does.")
class UnmatchedRecord:
    """A record on hold."""

    record: strawberry.Private[StoredRecord]
    system: str = strawberry.field(
        description="Which system holds the record: `crm`, `billing`, `erp`, or one of several such as `erp/eu`."
    )
    external_id: str = strawberry.field(
        description="The id by which that system itself knows the record; give it to `linkIdentity`."
    )
    reason: HoldReason = strawberry.field(description="Why no rule could place it.")
    name: str | None = strawberry.field(description="The name on the record; null where it carries none.")
    reference: str | None = strawberry.field(
        description="The business key on the record, such as `CUST-0001`; null where it carries none."
    )
    tax_id: str | None = strawberry.field(
        description="The tax id as that system writes it; null where the record carries none."
    )
    domain: str | None = strawberry.field(
        description="The web domain as that system writes it; null where the record carries none."
    )
    first_seen: dt.datetime = strawberry.field(description="When a system first told of the record.")
    last_seen: dt.datetime = strawberry.field(description="When a system last told of the record.")
    customer: Customer | None = strawberry.field(
        resolver=_linked_customer,
        description="The customer it is linked to though another rule disagrees; null for a record linked to nobody.",
    )
    candidates: list[MatchCandidate] = strawberry.field(
        resolver=_candidates, description="Customers it may belong to, the likeliest first; at most five."
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
            first_seen=instant(record.first_seen),
            last_seen=instant(record.last_seen),
        )
