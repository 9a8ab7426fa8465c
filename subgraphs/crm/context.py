"""What resolvers of one request work with: loaders over the CRM, and the ways to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import strawberry

from subgraphs.crm.port import Crm
from subgraphs.crm.records import CatalogueProduct, Company, CompanyLinks, Deal, Owner, Person
from subgraphs.crm.terms import OpportunityKind
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.instance_crosswalk import CustomerRecords
from subgraphs.kit.record_loader import RecordLoader, record_loader, relation_loader
from subgraphs.kit.system_of_record import SystemOfRecord

_CONTRACTS_PER_CALL = 100
_PRODUCTS_PER_CALL = 200
"""One read of the whole catalogue answers for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmContext:
    """One request's loaders. Each reads an id once, together with the others asked for at the same time."""

    crm: Crm
    crosswalk: CustomerRecords
    writes: IdempotentWrites
    systems: Callable[[], list[SystemOfRecord]]
    """The CRMs as the graph shows them, of those that the caller may see."""
    companies: RecordLoader[Company, None]
    people: RecordLoader[Person, None]
    deals: RecordLoader[Deal, None]
    owners: RecordLoader[Owner, None]
    people_of: RecordLoader[Sequence[str], tuple[()]]
    deals_of: RecordLoader[Sequence[str], tuple[()]]
    links_of: RecordLoader[CompanyLinks, CompanyLinks]
    companies_of_deals: RecordLoader[Sequence[str], tuple[()]]
    companies_of_people: RecordLoader[Sequence[str], tuple[()]]
    deals_of_contracts: RecordLoader[Sequence[Deal], tuple[()]]
    products: RecordLoader[CatalogueProduct, None]
    """By SKU."""

    @classmethod
    def begin(
        cls, crm: Crm, crosswalk: CustomerRecords, writes: IdempotentWrites, systems: Callable[[], list[SystemOfRecord]]
    ) -> CrmContext:
        """Return fresh loaders; call it on the event loop."""
        size = crm.max_links_per_call
        return cls(
            crm=crm,
            crosswalk=crosswalk,
            writes=writes,
            systems=systems,
            companies=record_loader(crm.companies),
            people=record_loader(crm.people),
            deals=record_loader(crm.deals),
            owners=record_loader(crm.owners),
            people_of=relation_loader(crm.people_of, max_ids_per_call=size),
            deals_of=relation_loader(crm.deals_of, max_ids_per_call=size),
            links_of=RecordLoader(crm.links_of, max_ids_per_call=size, absent=CompanyLinks(parents=(), children=())),
            companies_of_deals=relation_loader(crm.companies_of_deals, max_ids_per_call=size),
            companies_of_people=relation_loader(crm.companies_of_people, max_ids_per_call=size),
            deals_of_contracts=relation_loader(crm.deals_of_contracts, max_ids_per_call=_CONTRACTS_PER_CALL),
            products=RecordLoader(crm.products, max_ids_per_call=_PRODUCTS_PER_CALL, absent=None),
        )

    async def deals_with(self, ids: Sequence[str]) -> list[Deal]:
        """Return the deals that exist, in the order of their ids."""
        return [deal for deal in await self.deals.load_many(ids) if deal is not None]

    async def origin_of(self, contract_number: str) -> Deal | None:
        """Return the deal a contract came from: its new business, else the earliest deal that names it."""
        deals = await self.deals_of_contracts.load(contract_number)
        return min(deals, key=_origin_order, default=None)


def _origin_order(deal: Deal) -> tuple[bool, str, str]:
    return deal.kind is not OpportunityKind.NEW_BUSINESS, deal.created_at.isoformat(), deal.id


Info = strawberry.Info[CrmContext, None]
