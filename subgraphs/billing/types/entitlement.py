"""Entitlements and their decisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from subgraphs.billing import records
from subgraphs.billing.context import Info
from subgraphs.billing.derivation import (
    decide,
)
from subgraphs.billing.types.contract import Contract
from subgraphs.billing.types.values import (
    EntitlementDecision,
    EntitlementState,
)
from subgraphs.kit.global_id import encode_global_id, local_id
from subgraphs.kit.node import Node

if TYPE_CHECKING:
    from subgraphs.billing.types.customer import Customer

LazyCustomer = Annotated["Customer", strawberry.lazy("subgraphs.billing.types.customer")]


@strawberry.federation.type(
    keys=["id"], description="A customer's right to one feature, over all agreements that give it; billing owns it."
)
class Entitlement(Node):
    """A customer's right to a feature."""

    record: strawberry.Private[records.Entitlement]
    id: strawberry.ID
    credit_hold: strawberry.Private[bool | None] = None

    @classmethod
    def of(cls, record: records.Entitlement, *, credit_hold: bool | None = None) -> Self:
        """Return the type of a record."""
        gid = encode_global_id("Entitlement", record.id)
        return cls(record=record, id=strawberry.ID(gid), credit_hold=credit_hold)

    @classmethod
    async def resolve_reference(
        cls,
        info: Info,
        *,
        id: str,  # noqa: A002 - the key's name
        customer: Mapping[str, Any] | None = None,
    ) -> Self | None:
        """Return the entitlement `<customer>.<feature>`; `customer` brings what `decision` requires."""
        from subgraphs.billing.types.customer import Customer  # noqa: PLC0415 - the two types point at each other

        owner, _, key = local_id(id, "Entitlement").partition(".")
        found = await Customer(billing_ref=strawberry.ID(owner)).entitlement(info, feature=key)
        if found is None or await info.context.customers.load(owner) is None:
            return None
        return cls(record=found.record, id=found.id, credit_hold=(customer or {}).get("creditHold"))

    @strawberry.field(description="Key of the feature, such as `api_calls`.")
    def feature(self) -> str:
        """Key of the feature."""
        return self.record.feature.key

    @strawberry.field(description="What people call the feature.")
    def feature_name(self) -> str:
        """Name of the feature."""
        return self.record.feature.name

    @strawberry.field(
        description="How much may be used in a month of the contract, or be in use at once; agreements that give it add up, null: without limit."
    )
    def limit(self) -> int | None:
        """How much may be used a month, or at once."""
        return self.record.limit

    @strawberry.field(
        description="Used since the current contract month began; for seats and the like, in use now. 0 once the right has ended."
    )
    def used(self) -> Decimal:
        """How much is used."""
        return self.record.used

    @strawberry.field
    def valid_from(self) -> dt.date | None:
        """First day of the right, in UTC; null where nothing was ever granted."""
        return self.record.valid_from

    @strawberry.field(description="Last day of the right, in UTC; null where no end was agreed.")
    def valid_until(self) -> dt.date | None:
        """Last day."""
        return self.record.valid_until

    @strawberry.field
    def state(self) -> EntitlementState:
        """Whether it may be used as far as billing knows; `decision` looks at credit too."""
        return self.record.state

    @strawberry.field
    def customer(self) -> LazyCustomer | None:
        """The customer whose right it is."""
        from subgraphs.billing.types.customer import Customer  # noqa: PLC0415 - the two types point at each other

        return Customer(billing_ref=strawberry.ID(self.record.customer))

    @strawberry.field(description="The contract it comes from; null for a right granted outside of contracts.")
    async def contract(self, info: Info) -> Contract | None:
        """The contract it comes from."""
        if self.record.contract is None:
            return None
        found = await info.context.contracts.load(self.record.contract)
        return None if found is None else Contract.of(found)

    @strawberry.federation.field(
        requires=["customer { creditHold }"],
        description="Whether the feature may be used now, and why: billing's state, and the ERP's credit hold.",
    )
    def decision(self) -> EntitlementDecision | None:
        """Whether the feature may be used now, and why."""
        decision = decide(self.record, credit_hold=self.credit_hold)
        return EntitlementDecision(
            allowed=decision.is_allowed,
            reason=decision.reason,
            explanation=decision.explanation,
            credit_checked=self.credit_hold is not None,
        )
