"""Stubs of entities that other subgraphs own: a key each, from which the owners answer the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from gateway.errors import GatewayError
from gateway.graph.context import GraphInfo
from gateway.graph.guards import SEES_OPERATIONS
from gateway.graph.node import Node
from gateway.graph.refusal import refusal, to_graphql_error

if TYPE_CHECKING:
    from gateway.graph.drift import Drift

_DRIFT = strawberry.lazy("gateway.graph.drift")
_ID = Key(fields=FieldSet("id"), resolvable=False)
_FOUND_BY_ID = Key(fields=FieldSet("id"), resolvable=True)
_NUMBER = Key(fields=FieldSet("number"), resolvable=False)


async def _customer_drift(self: Customer, info: GraphInfo) -> list[Annotated[Drift, _DRIFT]] | None:
    """Return what is not resolved of a customer and its contracts."""
    return await _drift(info, "customer", str(self.id))


async def _contract_drift(self: Contract, info: GraphInfo) -> list[Annotated[Drift, _DRIFT]] | None:
    """Return what is not resolved of a contract."""
    return await _drift(info, "subject", str(await _id_of(self, info)))


async def _drift(info: GraphInfo, column: str, key: str) -> list[Drift]:
    from gateway.graph.drift import Drift as Shown  # noqa: PLC0415 - it shows customers and contracts itself

    try:
        return [Shown.of(each) for each in await info.context.drift_of(column, key)]
    except GatewayError as error:
        raise to_graphql_error(error) from error


@strawberry.federation.type(keys=[_FOUND_BY_ID])
class Customer(Node):
    """Owned by identity."""

    drift: list[Annotated[Drift, _DRIFT]] | None = strawberry.field(
        resolver=_customer_drift,
        directives=[SEES_OPERATIONS],
        description="Where copies of the customer's fields, or of its contracts' money, don't say what their owners say; resolved ones left out.",
    )

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> Customer:  # noqa: A002 - the key's name
        """Return the stub of a customer."""
        return cls(id=id)


@strawberry.federation.type(keys=[Key(fields=FieldSet("sku"), resolvable=False)])
class Product:
    """Owned by billing."""

    sku: str


@strawberry.federation.type(keys=[_ID])
class Opportunity(Node):
    """Owned by the CRM."""


@strawberry.federation.type(keys=[_ID])
class Contact(Node):
    """Owned by the CRM."""


@strawberry.federation.type(keys=[_ID])
class AccountOwner(Node):
    """Owned by the CRM."""


@strawberry.federation.type(keys=[_ID])
class Entitlement(Node):
    """Owned by billing."""


@strawberry.federation.type(keys=[_ID])
class InvoiceLine(Node):
    """Owned by the ERP."""


@strawberry.federation.type(keys=[_ID])
class Payment(Node):
    """Owned by the ERP."""


@strawberry.federation.type(keys=[_ID])
class CreditMemo(Node):
    """Owned by the ERP."""


@strawberry.federation.type(keys=[_ID])
class RevenueEntry(Node):
    """Owned by the ERP."""


@strawberry.federation.type(keys=[_ID])
class JournalEntry(Node):
    """Owned by the ERP."""


@strawberry.federation.type(keys=[_ID])
class AccountingPeriod(Node):
    """Owned by the ERP."""


async def _id_of(self: Contract | Invoice, info: GraphInfo) -> strawberry.ID:
    """Return the global id. Raises NOT_FOUND when the owner has no such number."""
    return strawberry.ID(self.known_id or await _ask(info, self, ("number", self.known_number), "id"))


async def _number_of(self: Contract, info: GraphInfo) -> str:
    """Return the number. Raises NOT_FOUND when the owner has no such id."""
    return self.known_number or await _ask(info, self, ("id", self.known_id), "number")


async def _invoice_number(self: Invoice, info: GraphInfo) -> str | None:
    """Return the number; null for a draft, which has none, or where the owner has no such id."""
    return self.known_number or await _look_up(info, self, ("id", self.known_id), "number")


@strawberry.federation.type(keys=[_FOUND_BY_ID, _NUMBER])
class Contract(Node):
    """Owned by billing. One of its keys is known; the owner is asked for the other when somebody needs it."""

    drift: list[Annotated[Drift, _DRIFT]] | None = strawberry.field(
        resolver=_contract_drift,
        directives=[SEES_OPERATIONS],
        description="Where systems disagree about the contract's value, what was invoiced, paid and recognised; resolved ones left out.",
    )

    id: strawberry.ID = strawberry.field(resolver=_id_of)
    number: str = strawberry.field(resolver=_number_of)
    known_id: strawberry.Private[str | None] = None
    known_number: strawberry.Private[str | None] = None

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> Contract:  # noqa: A002 - the key's name
        """Return the stub of a contract."""
        return cls(known_id=str(id))


@strawberry.federation.type(keys=[_ID, _NUMBER])
class Invoice(Node):
    """Owned by the ERP. One of its keys is known; the owner is asked for the other when somebody needs it."""

    id: strawberry.ID = strawberry.field(resolver=_id_of)
    number: str | None = strawberry.field(resolver=_invoice_number)
    known_id: strawberry.Private[str | None] = None
    known_number: strawberry.Private[str | None] = None


async def _ask(info: GraphInfo, entity: Node, known: tuple[str, str | None], wanted: str) -> str:
    key = await _look_up(info, entity, known, wanted)
    if key is None:
        raise refusal("NOT_FOUND")
    return key


async def _look_up(info: GraphInfo, entity: Node, known: tuple[str, str | None], wanted: str) -> str | None:
    name, value = known
    assert value is not None
    try:
        return await info.context.entity_key(type(entity).__name__, (name, value), wanted)
    except GatewayError as error:
        raise to_graphql_error(error) from error


_WITH_ID = (
    Customer,
    Opportunity,
    Contact,
    AccountOwner,
    Entitlement,
    InvoiceLine,
    Payment,
    CreditMemo,
    RevenueEntry,
    JournalEntry,
    AccountingPeriod,
)

NODES: tuple[type[Node], ...] = (*_WITH_ID, Contract, Invoice)
"""Every type that `node(id:)` can find."""


def entity_stub(typename: str, global_id: str) -> Node | None:
    """Return the stub of an entity by its id, or None for a type that has no ids."""
    match typename:
        case "Contract":
            return Contract(known_id=global_id)
        case "Invoice":
            return Invoice(known_id=global_id)
        case _:
            for node in _WITH_ID:
                if node.__name__ == typename:
                    return node(id=strawberry.ID(global_id))
            return None
