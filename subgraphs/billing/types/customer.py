"""Billing's part of a customer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Self

import strawberry

from subgraphs.billing import records
from subgraphs.billing.context import Info
from subgraphs.billing.derivation import (
    entitlements_of,
    no_entitlement,
)
from subgraphs.billing.port import Held
from subgraphs.billing.types.contract import Contract
from subgraphs.billing.types.contract_filter import ContractFilter, ContractOrder, arranged
from subgraphs.billing.types.entitlement import Entitlement
from subgraphs.billing.types.values import (
    EntitlementState,
    PaymentMethod,
)
from subgraphs.kit.connection import Connection, connection_of, page_window
from subgraphs.kit.money import Money, sum_money
from subgraphs.kit.record_copy import RecordCopy, RecordField
from subgraphs.kit.system_error import BadUserInputError

_MONTHS_A_YEAR = 12


@strawberry.federation.type(
    keys=["billingRef"],
    description="A company we sell to: one customer over all systems, each field from the system that owns it.",
)
class Customer:
    """Billing's part of a customer. A reference names one record of the vendor, or several joined by `+` after a merge."""

    billing_ref: strawberry.ID = strawberry.federation.field(
        inaccessible=True, description="Ids of billing's records of this customer, joined by `+`."
    )
    credit_hold: bool | None = strawberry.federation.field(external=True, default=None)

    @classmethod
    async def resolve_reference(cls, info: Info, *, billing_ref: str) -> Self | None:
        """Return the customer, if any of the records named exists."""
        found = await info.context.customers.load_many(billing_ref.split("+"))
        return cls(billing_ref=strawberry.ID(billing_ref)) if any(found) else None

    def _refs(self) -> list[str]:
        return str(self.billing_ref).split("+")

    async def _records(self, info: Info) -> list[records.BillingCustomer]:
        return [record for record in await info.context.customers.load_many(self._refs()) if record is not None]

    async def _held(self, info: Info) -> dict[str, Held]:
        held = await info.context.held.load_many(self._refs())
        return {ref: found for ref, found in zip(self._refs(), held, strict=True) if found is not None}

    async def _contracts(self, info: Info) -> list[records.Contract]:
        return [contract for held in (await self._held(info)).values() for contract in held.contracts]

    @strawberry.field(
        description="The customer's recurring agreements, past ones too, by number unless ordered otherwise."
    )
    async def contracts(
        self,
        info: Info,
        filter: ContractFilter | None = None,  # noqa: A002 - the argument's name in the graph
        order_by: ContractOrder | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Contract] | None:
        """Recurring agreements."""
        window = page_window(first=first, after=after, last=last, before=before)
        if filter is not None and filter.customer_id is not None:
            raise BadUserInputError("`customerId` filters the list of all contracts only.")
        found = arranged(await self._contracts(info), filter, order_by)
        return connection_of([Contract.of(c) for c in found], window, identity=lambda contract: contract.number)

    @strawberry.field(
        description="Monthly recurring revenue of all contracts, before tax; null when they are in several currencies, which have no sum."
    )
    async def mrr(self, info: Info) -> Money | None:
        """Monthly recurring revenue."""
        contracts = [c for c in await self._contracts(info) if c.granted_feature is None]
        if not contracts:
            own = next((record.currency for record in await self._records(info) if record.currency), None)
            return None if own is None else Money.of(Decimal("0.00"), own)
        earning = [c for c in contracts if c.mrr] or contracts[:1]
        return sum_money(Money.of(contract.mrr, contract.currency) for contract in earning)

    @strawberry.field(description="Annual recurring revenue: twelve times `mrr`, and null where that is.")
    async def arr(self, info: Info) -> Money | None:
        """Annual recurring revenue."""
        monthly: Money | None = await self.mrr(info)
        return None if monthly is None else Money(amount=monthly.amount * _MONTHS_A_YEAR, currency=monthly.currency)

    async def _entitlements(self, info: Info) -> list[records.Entitlement]:
        catalog = await info.context.catalog()
        return [
            entitlement
            for ref, held in (await self._held(info)).items()
            for entitlement in entitlements_of(
                ref,
                held.contracts,
                held.active_keys,
                catalog.products,
                catalog.features,
                held.readings,
                info.context.today,
            )
        ]

    @strawberry.field(description="The customer's rights to features, ended ones too, by key of the feature.")
    async def entitlements(
        self,
        info: Info,
        states: Annotated[
            list[EntitlementState] | None,
            strawberry.argument(description="Only those in one of these states; an empty list finds none."),
        ] = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Entitlement] | None:
        """Rights to features."""
        window = page_window(first=first, after=after, last=last, before=before)
        found = [e for e in await self._entitlements(info) if states is None or e.state in states]
        found.sort(key=lambda entitlement: (entitlement.feature.key, entitlement.customer))
        return connection_of([Entitlement.of(e) for e in found], window, identity=lambda e: str(e.id))

    @strawberry.field(
        description="The right to one feature, so that its decision can be read: NOT_GRANTED if no agreement gives it, null if there is no such feature."
    )
    async def entitlement(
        self,
        info: Info,
        feature: Annotated[str, strawberry.argument(description="Key of the feature, such as `api_calls`.")],
    ) -> Entitlement | None:
        """The right to one feature; of several records the one in force."""
        found = [e for e in await self._entitlements(info) if e.feature.key == feature]
        found.sort(key=lambda e: e.state is not records.EntitlementState.ACTIVE)
        if found:
            return Entitlement.of(found[0])
        known = (await info.context.catalog()).features.get(feature)
        return None if known is None else Entitlement.of(no_entitlement(self._refs()[0], known))

    @strawberry.field(
        description="What billing collects the customer's invoices with; null: they pay by bank transfer."
    )
    async def payment_method(self, info: Info) -> PaymentMethod | None:
        """What invoices are collected with."""
        methods = [record.payment_method for record in await self._records(info) if record.payment_method]
        return PaymentMethod.of(methods[0]) if methods else None

    @strawberry.field(
        description="What billing itself holds of the customer, copies of fields that other systems own included; null where it has no record."
    )
    async def billing_record(self, info: Info) -> RecordCopy | None:
        """Billing's own record of the customer."""
        found = await self._records(info)
        if not found:
            return None
        record = found[0]
        texts = {
            "name": record.name,
            "email": record.email,
            "city": record.city,
            "country": record.country,
            "currency": record.currency,
            "taxId": record.tax_id,
            "reference": record.reference,
            "createdAt": record.created_at.isoformat().replace("+00:00", "Z"),
        }
        return RecordCopy(
            system="billing",
            vendor="stripe",
            external_id=record.id,
            name=record.name,
            fields=[RecordField(name=name, value=value) for name, value in texts.items()],
            read_at=info.context.books.read_at() or dt.datetime.now(dt.UTC),
        )
