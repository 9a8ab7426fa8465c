"""Several CRMs behind one port: each id is read from and written to the instance that it names.

An acquisition's CRM is added beside one's own by configuration. Its companies reach the crosswalk under `crm/<name>`, which
links them to the customers they are; where it can't, they wait for a person. Who may not see an instance's region finds in it
nothing, as if it were not there, and an instance that is down costs its own records only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from subgraphs.crm.port import CompanyChange, Crm, DealChange, DealPage, DealQuery, NewCompany
from subgraphs.crm.records import CatalogueProduct, Company, CompanyLinks, Deal, Owner, Person
from subgraphs.crm.terms import DealOrder
from subgraphs.kit.instance_ids import InstanceIds
from subgraphs.kit.instances import Instance, InstancedRecords, by_instance, everywhere, instance_of, visible
from subgraphs.kit.product_copy import ProductCopy
from subgraphs.kit.system_error import NotFoundError, Outcome

RecordT = TypeVar("RecordT")
ID_FIELDS = ("id", "owner_id")
"""Fields of records that hold ids."""


def _company(instance: Instance[Crm], company: Company) -> Company:
    return instance.ids.record(company, ID_FIELDS)


def _deal(instance: Instance[Crm], deal: Deal) -> Deal:
    return instance.ids.record(deal, ID_FIELDS)


def _record(ids: InstanceIds, record: RecordT) -> RecordT:
    return ids.record(record, ID_FIELDS)


class InstancedCrm:
    """The port over several CRMs. The first is one's own."""

    def __init__(self, instances: Sequence[Instance[Crm]]) -> None:
        self._instances = instances
        self.companies = InstancedRecords[Crm, Company](instances, lambda crm: crm.companies, _record)
        self.people = InstancedRecords[Crm, Person](instances, lambda crm: crm.people, _record)
        self.deals = InstancedRecords[Crm, Deal](instances, lambda crm: crm.deals, _record)
        self.owners = InstancedRecords[Crm, Owner](instances, lambda crm: crm.owners, _record)

    @property
    def max_links_per_call(self) -> int:
        """The smallest of all."""
        return min(each.port.max_links_per_call for each in self._instances)

    def vendor_of(self, record_id: str) -> str:
        """Return the vendor of the instance that an id names."""
        instance = self._of(record_id)
        return instance.port.vendor_of(*instance.ids.own([record_id]))

    async def people_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → contact ids."""
        return await self._links(company_ids, lambda crm: crm.people_of)

    async def deals_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → deal ids."""
        return await self._links(company_ids, lambda crm: crm.deals_of)

    async def companies_of_deals(self, deal_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return deal id → company ids."""
        return await self._links(deal_ids, lambda crm: crm.companies_of_deals)

    async def companies_of_people(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return contact id → company ids."""
        return await self._links(person_ids, lambda crm: crm.companies_of_people)

    async def links_of(self, company_ids: Sequence[str]) -> Mapping[str, CompanyLinks]:
        """Return company id → parents and children, which are in the same instance."""

        async def read(instance: Instance[Crm], own: Sequence[str]) -> Mapping[str, CompanyLinks]:
            add = instance.ids.add_all
            return {
                key: CompanyLinks(parents=tuple(add(links.parents)), children=tuple(add(links.children)))
                for key, links in (await instance.port.links_of(own)).items()
            }

        return await by_instance(self._instances, company_ids, read)

    async def deals_of_contracts(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Deal]]:
        """Return contract number → its deals, wherever they are."""
        found: dict[str, list[Deal]] = {}
        for instance, part in await everywhere(self._instances, lambda crm: crm.deals_of_contracts(numbers)):
            for number, deals in part.items():
                found.setdefault(number, []).extend(_deal(instance, deal) for deal in deals)
        return found

    async def find_deals(self, query: DealQuery, *, offset: int, size: int) -> DealPage:
        """Return `size` of the deals from the offset on: the first of every instance, merged in order."""
        end = offset + size

        async def find(instance: Instance[Crm]) -> DealPage:
            own = query
            if query.owner_id is not None:
                if not instance.ids.owns(query.owner_id):
                    return DealPage(deals=(), total=0)
                own = replace(query, owner_id=instance.ids.own([query.owner_id])[0])
            return await instance.port.find_deals(own, offset=0, size=end)

        asked = visible(self._instances)
        pages = await asyncio.gather(*map(find, asked))
        deals = [_deal(instance, deal) for instance, page in zip(asked, pages, strict=True) for deal in page.deals]
        # Each page is in order already, and a stable sort keeps what is equal in the order of the instances.
        return DealPage(deals=tuple(in_order(deals, query)[offset:end]), total=sum(page.total for page in pages))

    async def all_companies(self) -> AsyncIterator[Sequence[Company]]:
        """Yield every company, page by page, one instance after the other."""
        for instance in visible(self._instances):
            async for page in instance.port.all_companies():
                yield [_company(instance, company) for company in page]

    async def all_deals(self) -> AsyncIterator[Sequence[Deal]]:
        """Yield every deal, page by page, one instance after the other."""
        for instance in visible(self._instances):
            async for page in instance.port.all_deals():
                yield [_deal(instance, deal) for deal in page]

    async def all_owners(self) -> Sequence[Owner]:
        """Return every owner."""
        found = await everywhere(self._instances, lambda crm: crm.all_owners())
        return [_record(instance.ids, owner) for instance, owners in found for owner in owners]

    async def change_company(self, company_id: str, change: CompanyChange, *, version: str | None) -> None:
        """Write a company where it is."""
        instance = self._of(company_id)
        (own_id,) = instance.ids.own([company_id])
        own = replace(change, owner_id=_of_instance(instance, change.owner_id))
        await instance.port.change_company(own_id, own, version=version)

    async def change_deal(self, deal_id: str, change: DealChange, *, version: str | None) -> None:
        """Write a deal where it is."""
        instance = self._of(deal_id)
        (own_id,) = instance.ids.own([deal_id])
        own = replace(change, owner_id=_of_instance(instance, change.owner_id))
        await instance.port.change_deal(own_id, own, version=version)

    async def find_company(self, reference: str) -> str | None:
        """Return the id of the company with this business key, in whichever instance it is."""
        for instance, found in await everywhere(self._instances, lambda crm: crm.find_company(reference)):
            if found is not None:
                return instance.ids.add_all([found])[0]
        return None

    async def create_company(self, company: NewCompany) -> str:
        """Make a company in the first instance that the caller may see."""
        for instance in visible(self._instances):
            return instance.ids.add_all([await instance.port.create_company(company)])[0]
        raise NotFoundError("There is no CRM to make a company in.", outcome=Outcome.NOT_APPLIED)

    async def archive_company(self, company_id: str) -> None:
        """Take a company away where it is."""
        instance = self._of(company_id)
        (own_id,) = instance.ids.own([company_id])
        await instance.port.archive_company(own_id)

    @property
    def keeps_products(self) -> bool:
        """Whether one's own CRM, which is the first, has a catalogue that the caller may see."""
        own = self._instances[0]
        return own.is_visible and own.port.keeps_products

    async def products(self, skus: Sequence[str]) -> Mapping[str, CatalogueProduct]:
        """Return what one's own CRM has of the products."""
        return await self._instances[0].port.products(skus) if self.keeps_products else {}

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """Write the product in one's own CRM."""
        if not self.keeps_products:
            raise NotFoundError("The CRM keeps no products.", outcome=Outcome.NOT_APPLIED)
        return await self._instances[0].port.put_product(product)

    async def take_back_product(self, product: ProductCopy) -> None:
        """Take the product's change back in one's own CRM."""
        if self.keeps_products:
            await self._instances[0].port.take_back_product(product)

    def _of(self, graph_id: str) -> Instance[Crm]:
        instance = instance_of(self._instances, graph_id)
        if instance is not None:
            return instance
        raise NotFoundError("There is no such object in the CRM.", outcome=Outcome.NOT_APPLIED)

    async def _links(
        self,
        ids: Sequence[str],
        choose: Callable[[Crm], Callable[[Sequence[str]], Awaitable[Mapping[str, Sequence[str]]]]],
    ) -> Mapping[str, Sequence[str]]:
        async def read(instance: Instance[Crm], own: Sequence[str]) -> Mapping[str, Sequence[str]]:
            found = await choose(instance.port)(own)
            return {key: instance.ids.add_all(targets) for key, targets in found.items()}

        return await by_instance(self._instances, ids, read)


def _of_instance(instance: Instance[Crm], owner_id: str | None) -> str | None:
    """Return the instance's own id of an owner. Raises NotFoundError for an owner of another one."""
    if owner_id is None:
        return None
    own = instance.ids.own([owner_id])
    if not own:
        raise NotFoundError("This account owner is in another CRM.", outcome=Outcome.NOT_APPLIED)
    return own[0]


def in_order(deals: Iterable[Deal], query: DealQuery) -> list[Deal]:
    """Return deals as a query orders them; equal ones stay as they are."""
    return sorted(deals, key=lambda deal: _order(deal, query.order), reverse=query.is_descending)


def _order(deal: Deal, order: DealOrder) -> tuple[bool, Any]:
    """Return a sort key in which deals without the value come first."""
    values: dict[DealOrder, Any] = {
        DealOrder.NAME: (deal.name or "").lower() or None,
        DealOrder.AMOUNT: deal.amount,
        DealOrder.CLOSE_ON: deal.close_on,
        DealOrder.CREATED: deal.created_at,
    }
    value = values[order]
    return value is not None, value if value is not None else 0
