"""The CRM as a caller sees it whose claims confine it to some customers: what is of others is not there.

Reads leave it out, lists neither show nor count it, and a write to it finds nothing, as a write to what never was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from subgraphs.crm.instances import InstancedCrm, in_order
from subgraphs.crm.port import CompanyChange, DealChange, DealPage, DealQuery, NewCompany
from subgraphs.crm.records import CatalogueProduct, Company, CompanyLinks, Deal, Owner, Person
from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.confinement import Confined, Confinement
from subgraphs.kit.product_copy import ProductCopy
from subgraphs.kit.system_error import FieldError, NotFoundError, Outcome

RecordT = TypeVar("RecordT")
Owners = Callable[[Sequence[str]], Awaitable[Mapping[str, Sequence[str]]]]


class ConfinedCrm:
    """The port over a CRM, for the caller of the request being served."""

    def __init__(self, crm: InstancedCrm, confinement: Confinement) -> None:
        self._crm = crm
        self._confinement = confinement
        self.companies: Adaptor[Company] = Confined(crm.companies, confinement.own)
        self.people: Adaptor[Person] = Confined(crm.people, self._of_people)
        self.deals: Adaptor[Deal] = Confined(crm.deals, self._of_deals)
        self.owners: Adaptor[Owner] = crm.owners

    @property
    def max_links_per_call(self) -> int:
        """As the CRM's."""
        return self._crm.max_links_per_call

    def vendor_of(self, record_id: str) -> str:
        """As the CRM's."""
        return self._crm.vendor_of(record_id)

    async def people_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return visible company id → contact ids."""
        return await self._crm.people_of(await self._confinement.own(company_ids))

    async def deals_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return visible company id → deal ids, without those that are first of all another's."""
        found = await self._crm.deals_of(await self._confinement.own(company_ids))
        if await self._confinement.visible() is None:
            return found
        asked = dict.fromkeys(deal for deals in found.values() for deal in _whole(deals))
        seen = set(await self._of_deals(list(asked)))
        return {company: [deal for deal in deals if deal in seen] for company, deals in found.items()}

    async def links_of(self, company_ids: Sequence[str]) -> Mapping[str, CompanyLinks]:
        """Return visible company id → the visible ones around it."""
        found = await self._crm.links_of(await self._confinement.own(company_ids))
        own = self._confinement.own
        return {
            company: CompanyLinks(parents=tuple(await own(links.parents)), children=tuple(await own(links.children)))
            for company, links in ((company, _whole(links)) for company, links in found.items())
        }

    async def companies_of_deals(self, deal_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return deal id → its visible companies."""
        return await self._only_own(await self._crm.companies_of_deals(deal_ids))

    async def companies_of_people(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return contact id → its visible companies."""
        return await self._only_own(await self._crm.companies_of_people(person_ids))

    async def deals_of_contracts(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Deal]]:
        """Return contract number → its visible deals."""
        found = await self._crm.deals_of_contracts(numbers)
        if await self._confinement.visible() is None:
            return found
        seen = set(await self._of_deals([deal.id for deals in found.values() for deal in deals]))
        kept = {number: [deal for deal in deals if deal.id in seen] for number, deals in found.items()}
        return {number: deals for number, deals in kept.items() if deals}

    async def find_deals(self, query: DealQuery, *, offset: int, size: int) -> DealPage:
        """Return some of the visible deals. The CRM's search knows no customers, so a confined caller's are read through them."""
        visible = await self._confinement.visible()
        if visible is None:
            return await self._crm.find_deals(query, offset=offset, size=size)
        companies, at_once = sorted(visible), self._crm.max_links_per_call
        ids: dict[str, None] = {}
        for start in range(0, len(companies), at_once):
            for deals in (await self.deals_of(companies[start : start + at_once])).values():
                ids.update(dict.fromkeys(deals))
        found: list[Deal] = []
        for part in _parts(list(ids), self._crm.deals.capabilities.max_ids_per_call):
            found += map(_whole, (await self._crm.deals.read(part)).values())
        matching = in_order((deal for deal in found if query.matches(deal)), query)
        return DealPage(deals=tuple(matching[offset : offset + size]), total=len(matching))

    async def all_companies(self) -> AsyncIterator[Sequence[Company]]:
        """Yield every visible company, page by page."""
        async for page in self._crm.all_companies():
            own = set(await self._confinement.own([company.id for company in page]))
            yield [company for company in page if company.id in own]

    async def all_deals(self) -> AsyncIterator[Sequence[Deal]]:
        """Yield every visible deal, page by page."""
        async for page in self._crm.all_deals():
            own = set(await self._of_deals([deal.id for deal in page]))
            yield [deal for deal in page if deal.id in own]

    async def all_owners(self) -> Sequence[Owner]:
        """Return every owner: colleagues are no customer's."""
        return await self._crm.all_owners()

    async def change_company(self, company_id: str, change: CompanyChange, *, version: str | None) -> None:
        """Write a visible company."""
        _found(await self._confinement.own([company_id]))
        await self._crm.change_company(company_id, change, version=version)

    async def change_deal(self, deal_id: str, change: DealChange, *, version: str | None) -> None:
        """Write a visible deal."""
        _found(await self._of_deals([deal_id]))
        await self._crm.change_deal(deal_id, change, version=version)

    async def find_company(self, reference: str) -> str | None:
        """Return the id of the visible company with this business key."""
        found = await self._crm.find_company(reference)
        return found if found is not None and await self._confinement.own([found]) else None

    async def create_company(self, company: NewCompany) -> str:
        """Make a company: who may not see all of them is none who may make one."""
        if await self._confinement.visible() is not None:
            raise NotFoundError("There is no CRM to make a company in.", outcome=Outcome.NOT_APPLIED)
        return await self._crm.create_company(company)

    async def archive_company(self, company_id: str) -> None:
        """Take a visible company away."""
        _found(await self._confinement.own([company_id]))
        await self._crm.archive_company(company_id)

    @property
    def keeps_products(self) -> bool:
        """As the CRM: what is sold is no customer's."""
        return self._crm.keeps_products

    async def products(self, skus: Sequence[str]) -> Mapping[str, CatalogueProduct]:
        """As the CRM."""
        return await self._crm.products(skus)

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """As the CRM."""
        return await self._crm.put_product(product)

    async def take_back_product(self, product: ProductCopy) -> None:
        """As the CRM."""
        await self._crm.take_back_product(product)

    async def _of_deals(self, ids: Sequence[str]) -> Sequence[str]:
        return await self._whose(ids, self._crm.companies_of_deals)

    async def _of_people(self, ids: Sequence[str]) -> Sequence[str]:
        return await self._whose(ids, self._crm.companies_of_people)

    async def _whose(self, ids: Sequence[str], owners_of: Owners) -> Sequence[str]:
        """Return the ids whose first company is visible."""
        visible = await self._confinement.visible()
        if visible is None or not ids:
            return ids
        owners: dict[str, Sequence[str]] = {}
        for part in _parts(ids, self._crm.max_links_per_call):
            owners.update(await owners_of(part))
        return [each for each in ids if next(iter(_whole(owners.get(each, ()))), None) in visible]

    async def _only_own(self, links: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        return {key: await self._confinement.own(_whole(companies)) for key, companies in links.items()}


def _parts(ids: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _whole(found: RecordT) -> RecordT:
    """Return what was found. Raises the error in its place: half of an answer would look as if the rest were not there."""
    if isinstance(found, FieldError):
        raise found
    return found


def _found(visible: Sequence[str]) -> None:
    if not visible:
        raise NotFoundError("There is no such object in the CRM.", outcome=Outcome.NOT_APPLIED)
