"""Several CRMs behind one port: each id is read from and written to the instance that it names.

An acquisition's CRM is added beside one's own by configuration. Its companies reach the crosswalk under `crm/<name>`, which
links them to the customers they are; where it can't, they wait for a person. Who may not see an instance's region finds in it
nothing, as if it were not there, and an instance that is down costs its own records only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from subgraphs.crm.port import CompanyChange, Crm, DealChange, DealPage, DealQuery
from subgraphs.crm.records import Company, CompanyLinks, Deal, Owner, Person
from subgraphs.crm.terms import DealOrder
from subgraphs.kit.adaptor import Adaptor, Capabilities
from subgraphs.kit.current_request import current_request
from subgraphs.kit.instance_ids import InstanceIds
from subgraphs.kit.system_error import FieldError, NotFoundError, Outcome

RecordT = TypeVar("RecordT")
FoundT = TypeVar("FoundT")
ID_FIELDS = ("id", "owner_id")
"""Fields of records that hold ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One CRM of several."""

    ids: InstanceIds
    crm: Crm
    region: str | None = None
    """Where its data lives; only callers whose claims allow the region get to see it. None: everybody."""

    @property
    def is_visible(self) -> bool:
        """Whether the caller of the request being served may see it. Our own loops see all."""
        current = current_request()
        caller = current.caller if current else None
        allowed = caller.allowed("region") if caller else None
        return self.region is None or allowed is None or self.region in allowed

    def company(self, company: Company) -> Company:
        """Return a company with the graph's ids."""
        return self.ids.record(company, ID_FIELDS)

    def deal(self, deal: Deal) -> Deal:
        """Return a deal with the graph's ids."""
        return self.ids.record(deal, ID_FIELDS)


class InstancedRecords(Generic[RecordT]):
    """One kind of record over all instances."""

    def __init__(self, instances: Sequence[Instance], adaptor: Callable[[Crm], Adaptor[RecordT]]) -> None:
        self._instances = instances
        self._adaptor = adaptor

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first, with the smallest batch of all."""
        sheets = [self._adaptor(each.crm).capabilities for each in self._instances]
        return replace(sheets[0], max_ids_per_call=min(sheet.max_ids_per_call for sheet in sheets))

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT]:
        """Return the records that exist, by id. An instance that fails fails its ids alone: a FieldError in their place."""

        async def read(instance: Instance, own: Sequence[str]) -> Mapping[str, RecordT]:
            found = await self._adaptor(instance.crm).read(own)
            return {key: instance.ids.record(record, ID_FIELDS) for key, record in found.items()}

        return await by_instance(self._instances, ids, read)


class InstancedCrm:
    """The port over several CRMs. The first is one's own."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._instances = instances
        self.companies = InstancedRecords[Company](instances, lambda crm: crm.companies)
        self.people = InstancedRecords[Person](instances, lambda crm: crm.people)
        self.deals = InstancedRecords[Deal](instances, lambda crm: crm.deals)
        self.owners = InstancedRecords[Owner](instances, lambda crm: crm.owners)

    @property
    def max_links_per_call(self) -> int:
        """The smallest of all."""
        return min(each.crm.max_links_per_call for each in self._instances)

    def vendor_of(self, record_id: str) -> str:
        """Return the vendor of the instance that an id names."""
        instance = self._of(record_id)
        return instance.crm.vendor_of(*instance.ids.own([record_id]))

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

        async def read(instance: Instance, own: Sequence[str]) -> Mapping[str, CompanyLinks]:
            add = instance.ids.add_all
            return {
                key: CompanyLinks(parents=tuple(add(links.parents)), children=tuple(add(links.children)))
                for key, links in (await instance.crm.links_of(own)).items()
            }

        return await by_instance(self._instances, company_ids, read)

    async def deals_of_contracts(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Deal]]:
        """Return contract number → its deals, wherever they are."""
        found: dict[str, list[Deal]] = {}
        for instance, part in await self._everywhere(lambda crm: crm.deals_of_contracts(numbers)):
            for number, deals in part.items():
                found.setdefault(number, []).extend(map(instance.deal, deals))
        return found

    async def find_deals(self, query: DealQuery, *, offset: int, size: int) -> DealPage:
        """Return `size` of the deals from the offset on: the first of every instance, merged in order."""
        end = offset + size

        async def find(instance: Instance) -> DealPage:
            own = query
            if query.owner_id is not None:
                if not instance.ids.owns(query.owner_id):
                    return DealPage(deals=(), total=0)
                own = replace(query, owner_id=instance.ids.own([query.owner_id])[0])
            return await instance.crm.find_deals(own, offset=0, size=end)

        visible = self._visible()
        pages = await asyncio.gather(*map(find, visible))
        deals = [instance.deal(deal) for instance, page in zip(visible, pages, strict=True) for deal in page.deals]
        # Each page is in order already, and a stable sort keeps what is equal in the order of the instances.
        deals.sort(key=lambda deal: _order(deal, query.order), reverse=query.is_descending)
        return DealPage(deals=tuple(deals[offset:end]), total=sum(page.total for page in pages))

    async def all_companies(self) -> AsyncIterator[Sequence[Company]]:
        """Yield every company, page by page, one instance after the other."""
        for instance in self._visible():
            async for page in instance.crm.all_companies():
                yield [instance.company(company) for company in page]

    async def all_deals(self) -> AsyncIterator[Sequence[Deal]]:
        """Yield every deal, page by page, one instance after the other."""
        for instance in self._visible():
            async for page in instance.crm.all_deals():
                yield [instance.deal(deal) for deal in page]

    async def all_owners(self) -> Sequence[Owner]:
        """Return every owner."""
        found = await self._everywhere(lambda crm: crm.all_owners())
        return [instance.ids.record(owner, ID_FIELDS) for instance, owners in found for owner in owners]

    async def change_company(self, company_id: str, change: CompanyChange, *, version: str | None) -> None:
        """Write a company where it is."""
        instance = self._of(company_id)
        (own_id,) = instance.ids.own([company_id])
        own = replace(change, owner_id=_of_instance(instance, change.owner_id))
        await instance.crm.change_company(own_id, own, version=version)

    async def change_deal(self, deal_id: str, change: DealChange, *, version: str | None) -> None:
        """Write a deal where it is."""
        instance = self._of(deal_id)
        (own_id,) = instance.ids.own([deal_id])
        own = replace(change, owner_id=_of_instance(instance, change.owner_id))
        await instance.crm.change_deal(own_id, own, version=version)

    def _visible(self) -> list[Instance]:
        return [instance for instance in self._instances if instance.is_visible]

    def _of(self, graph_id: str) -> Instance:
        for instance in self._visible():
            if instance.ids.owns(graph_id):
                return instance
        raise NotFoundError("There is no such object in the CRM.", outcome=Outcome.NOT_APPLIED)

    async def _links(
        self,
        ids: Sequence[str],
        choose: Callable[[Crm], Callable[[Sequence[str]], Awaitable[Mapping[str, Sequence[str]]]]],
    ) -> Mapping[str, Sequence[str]]:
        async def read(instance: Instance, own: Sequence[str]) -> Mapping[str, Sequence[str]]:
            found = await choose(instance.crm)(own)
            return {key: instance.ids.add_all(targets) for key, targets in found.items()}

        return await by_instance(self._instances, ids, read)

    async def _everywhere(self, ask: Callable[[Crm], Awaitable[FoundT]]) -> Iterable[tuple[Instance, FoundT]]:
        visible = self._visible()
        return zip(visible, await asyncio.gather(*(ask(each.crm) for each in visible)), strict=True)


async def by_instance(
    instances: Sequence[Instance],
    ids: Sequence[str],
    read: Callable[[Instance, Sequence[str]], Awaitable[Mapping[str, FoundT]]],
) -> dict[str, FoundT]:
    """Return what each visible instance has of its ids, all asked at once.

    One of several that fails has its error for each of its ids; where only one was asked, the error is raised.
    """
    parts = [(each, own) for each in instances if each.is_visible and (own := each.ids.own(ids))]

    async def part(instance: Instance, own: Sequence[str]) -> Mapping[str, Any]:
        try:
            return instance.ids.keyed(await read(instance, own))
        except FieldError as error:
            if len(parts) == 1:
                raise
            return instance.ids.keyed(dict.fromkeys(own, error))

    found: dict[str, Any] = {}
    for each in await asyncio.gather(*(part(instance, own) for instance, own in parts)):
        found.update(each)
    return found


def _of_instance(instance: Instance, owner_id: str | None) -> str | None:
    """Return the instance's own id of an owner. Raises NotFoundError for an owner of another one."""
    if owner_id is None:
        return None
    own = instance.ids.own([owner_id])
    if not own:
        raise NotFoundError("This account owner is in another CRM.", outcome=Outcome.NOT_APPLIED)
    return own[0]


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
