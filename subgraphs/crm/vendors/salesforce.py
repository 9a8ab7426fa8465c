"""Salesforce behind the port: Collections reads of 2,000, SOQL for lists and links, conditional updates, upserts.

Not tried against Salesforce itself, which needs an account: Collections, conditional updates and queryAll are written to its
documentation and run against our sandbox of it; queries, updates and upserts run against simple-mockforce too.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from subgraphs.crm.port import CompanyChange, DealChange, DealPage, DealQuery, NewCompany
from subgraphs.crm.records import Company, CompanyLinks, Deal, Owner
from subgraphs.crm.vendors import salesforce_mapping as mapping
from subgraphs.crm.vendors.salesforce_org import MAX_PAGE, MAX_WRITTEN, SalesforceOrg, unexpected
from subgraphs.crm.vendors.soql import contains, is_in, quote, select
from subgraphs.crm.without_products import WithoutProducts
from subgraphs.kit.adaptor import Absence, BatchMode, Capabilities, Concurrency, Consistency, EventSource, Idempotency
from subgraphs.kit.record_reader import RecordReader, alone
from subgraphs.kit.system_error import BadUserInputError, FieldError

RecordT_co = TypeVar("RecordT_co", covariant=True)

_QUERIED = 400
"""Ids of one query. An id takes 27 bytes of a URL, and Salesforce takes 16,384 bytes of URL and headers."""
_MAX_FOUND = 10_000


class SalesforceObjects(Generic[RecordT_co]):
    """One object type of Salesforce."""

    def __init__(
        self,
        org: SalesforceOrg,
        kind: str,
        prefix: str,
        fields: Sequence[str],
        parse: Callable[[mapping.Document], RecordT_co],
        *,
        writes: frozenset[str] = frozenset(),
        events: EventSource = EventSource.NONE,
        max_writes_per_call: int = 1,
    ) -> None:
        """`prefix` begins every id of the type: `001` those of accounts."""
        self._org = org
        self.kind = kind
        self._id = re.compile(rf"{prefix if org.abilities.has_collections else '...'}[A-Za-z0-9]{{15}}")
        self._wanted = fields
        self._reader = RecordReader(system=org.client.system, kind=kind, id_field="Id", parse=parse, drift=org.drift)
        self.capabilities = Capabilities(
            batch_mode=BatchMode.NATIVE if org.abilities.has_collections else BatchMode.FILTER,
            max_ids_per_call=MAX_PAGE if org.abilities.has_collections else _QUERIED,
            absence=Absence.LEFT_OUT,
            writes=writes,
            events=events,
            idempotency=Idempotency.UNIQUE_FIELD if writes else Idempotency.OURS,
            consistency=Consistency.READ_YOUR_WRITES,
            concurrency=Concurrency.CHECKED,
            max_writes_per_call=max_writes_per_call,
        )

    def ours(self, ids: Iterable[str]) -> list[str]:
        """Return those that could be ids of the type, each once: one that can't makes Salesforce refuse all of them."""
        return [record_id for record_id in dict.fromkeys(ids) if self._id.fullmatch(record_id)]

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT_co]:
        """Return the records that exist, by id, in one request; a FieldError for one of several that can't be read."""
        known = self.ours(ids)
        if not known:
            return {}
        fields = await self._org.fields(self.kind, self._wanted)
        if self._org.abilities.has_collections:
            documents = await self._org.retrieve(self.kind, known, fields)
        else:
            documents = await self._org.rows(select(fields, self.kind, (is_in("Id", known),)))
        return alone(self._reader.keyed(documents), len(known))

    async def query(
        self, conditions: Sequence[str] = (), *, order: str = "Id", page: int = MAX_PAGE
    ) -> AsyncIterator[tuple[Sequence[RecordT_co], int]]:
        """Yield the records that meet all conditions page by page, each with how many there are in all."""
        fields = await self._org.fields(self.kind, self._wanted)
        async for documents, total in self._org.query(select(fields, self.kind, conditions, order=order), page=page):
            yield self._reader.readable(documents), total

    async def all(self) -> AsyncIterator[Sequence[RecordT_co]]:
        """Yield every record, 2,000 a page."""
        async for page, _ in self.query():
            yield page

    async def changed(self, since: str) -> tuple[list[RecordT_co], dict[str, str], str | None]:
        """Return the records modified at or after an instant, the ids of those deleted with their version, and the last instant."""
        fields = [*await self._org.fields(self.kind, self._wanted), "IsDeleted"]
        soql = select(fields, self.kind, (f"SystemModstamp >= {since}",), order="SystemModstamp,Id")
        found: list[RecordT_co] = []
        deleted: dict[str, str] = {}
        last: str | None = None
        async for documents, _ in self._org.query(soql, with_deleted=True):
            try:
                for held in documents:
                    last = held["SystemModstamp"]
                    if held["IsDeleted"]:
                        deleted[held["Id"]] = mapping.version_of(held)
            except (KeyError, TypeError) as error:
                raise unexpected() from error
            alive = [_without(held, "IsDeleted") for held in documents if not held["IsDeleted"]]
            found += self._reader.readable(alive)
        return found, deleted, last


class Salesforce(WithoutProducts):
    """The whole port over one Salesforce org."""

    max_links_per_call = _QUERIED // 2
    """The query of company links names each id twice."""

    def __init__(self, org: SalesforceOrg, *, currency: str | None = None) -> None:
        """`currency` is the one of an org that has only one."""
        self._org = org
        to = mapping.SalesforceMapping(drift=org.drift, currency=currency)
        self.companies = SalesforceObjects(
            org,
            "Account",
            "001",
            mapping.ACCOUNT_FIELDS,
            to.to_company,
            writes=frozenset({"updateCustomerProfile"}),
            events=EventSource.POLL,
            max_writes_per_call=MAX_WRITTEN if org.abilities.has_collections else 1,
        )
        self.people = SalesforceObjects(org, "Contact", "003", mapping.CONTACT_FIELDS, to.to_person)
        self.deals = SalesforceObjects(
            org,
            "Opportunity",
            "006",
            mapping.OPPORTUNITY_FIELDS,
            to.to_deal,
            writes=frozenset({"updateOpportunity", "setRenewalStage"}),
            events=EventSource.POLL,
        )
        self.owners = SalesforceObjects(org, "User", "005", mapping.USER_FIELDS, to.to_owner)

    def vendor_of(self, record_id: str) -> str:  # noqa: ARG002 - one vendor for all
        """Return the vendor."""
        return "salesforce"

    async def people_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → contact ids."""
        return await self._below("Contact", company_ids)

    async def deals_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → deal ids."""
        return await self._below("Opportunity", company_ids)

    async def companies_of_deals(self, deal_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return deal id → the id of its company."""
        return await self._above("Opportunity", self.deals.ours(deal_ids))

    async def companies_of_people(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return contact id → the id of the company."""
        return await self._above("Contact", self.people.ours(person_ids))

    async def links_of(self, company_ids: Sequence[str]) -> Mapping[str, CompanyLinks]:
        """Return company id → parent and children, by one query."""
        known = self.companies.ours(company_ids)
        if not known:
            return {}
        either = f"(({is_in('Id', known)} AND ParentId != null) OR {is_in('ParentId', known)})"
        parents: dict[str, list[str]] = {}
        children: dict[str, list[str]] = {}
        for child, parent in await self._pairs("Account", "Id", "ParentId", either):
            parents.setdefault(child, []).append(parent)
            children.setdefault(parent, []).append(child)
        return {
            key: CompanyLinks(parents=tuple(parents.get(key, ())), children=tuple(children.get(key, ())))
            for key in known
            if key in parents or key in children
        }

    async def deals_of_contracts(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Deal]]:
        """Return contract number → its deals, by one query."""
        found: dict[str, list[Deal]] = {}
        if numbers:
            async for deals, _ in self.deals.query((is_in("Contract_Number__c", numbers),)):
                for deal in deals:
                    # SOQL compares without case.
                    if deal.contract_number is not None and deal.contract_number in numbers:
                        found.setdefault(deal.contract_number, []).append(deal)
        return found

    async def find_deals(self, query: DealQuery, *, offset: int, size: int) -> DealPage:
        """Return `size` of the deals from the offset on. Up to the two-thousandth it is one request, total included."""
        end = offset + size
        if end > _MAX_FOUND:
            raise BadUserInputError(f"Only the first {_MAX_FOUND} results can be reached; use a narrower filter.")
        # Ascending, what has no value comes first without a word.
        direction = "DESC NULLS LAST" if query.is_descending else "ASC"
        order = f"{mapping.ORDER_FIELDS[query.order]} {direction},Id"
        found: list[Deal] = []
        total = 0
        async for deals, total in self.deals.query(_conditions(query), order=order, page=end):  # noqa: B007 - used below
            found += deals
            if len(found) >= end:
                break
        return DealPage(deals=tuple(found[offset:end]), total=total)

    def all_companies(self) -> AsyncIterator[Sequence[Company]]:
        """Yield every company, page by page."""
        return self.companies.all()

    def all_deals(self) -> AsyncIterator[Sequence[Deal]]:
        """Yield every deal, page by page."""
        return self.deals.all()

    async def all_owners(self) -> Sequence[Owner]:
        """Return every active user."""
        return [owner async for page, _ in self.owners.query(("IsActive = true",)) for owner in page]

    async def change_company(self, company_id: str, change: CompanyChange, *, version: str | None) -> None:
        """Write a company, unless it was modified since `version`."""
        await self._org.update("Account", company_id, mapping.company_fields(change), version=version)

    async def change_deal(self, deal_id: str, change: DealChange, *, version: str | None) -> None:
        """Write a deal, unless it was modified since `version`."""
        await self._org.update("Opportunity", deal_id, mapping.deal_fields(change), version=version)

    async def find_company(self, reference: str) -> str | None:
        """Return the account with this external id."""
        held = await self._org.rows(select(("Id",), "Account", (is_in(mapping.REFERENCE_FIELD, (reference,)),)))
        return str(held[0]["Id"]) if held else None

    async def create_company(self, company: NewCompany) -> str:
        """Make an account by its external id, so that a repetition makes none."""
        fields = mapping.new_company_fields(company)
        return await self._org.upsert("Account", mapping.REFERENCE_FIELD, company.reference, fields)

    async def archive_company(self, company_id: str) -> None:
        """Move an account to the recycle bin."""
        await self._org.delete("Account", company_id)

    async def put_companies(self, changes: Mapping[str, CompanyChange]) -> Mapping[str, str | FieldError]:
        """Make the companies with these business keys, or write to those that have them, 200 in one request.

        Returns business key → id, or what is wrong with that company alone: the others are written.
        """
        rows = {reference: mapping.company_fields(change) for reference, change in changes.items()}
        keys, size = list(rows), MAX_WRITTEN if self._org.abilities.has_collections else 1
        found: dict[str, str | FieldError] = {}
        for start in range(0, len(keys), size):
            part = {key: rows[key] for key in keys[start : start + size]}
            found.update(await self._org.upsert_many("Account", mapping.REFERENCE_FIELD, part))
        return found

    async def _below(self, kind: str, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        known = self.companies.ours(company_ids)
        found: dict[str, list[str]] = {}
        if known:
            for record_id, company_id in await self._pairs(kind, "Id", "AccountId", is_in("AccountId", known)):
                found.setdefault(company_id, []).append(record_id)
        return found

    async def _above(self, kind: str, ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        if not ids:
            return {}
        condition = f"{is_in('Id', ids)} AND AccountId != null"
        return {
            record_id: (company_id,) for record_id, company_id in await self._pairs(kind, "Id", "AccountId", condition)
        }

    async def _pairs(self, kind: str, left: str, right: str, condition: str) -> list[tuple[str, str]]:
        documents = await self._org.rows(select((left, right), kind, (condition,)))
        try:
            return [(str(held[left]), str(held[right])) for held in documents]
        except (KeyError, TypeError) as error:
            raise unexpected() from error


def _conditions(query: DealQuery) -> list[str]:
    conditions = []
    if query.stages:
        words = [word for word, stage in mapping.STAGES.items() if stage in query.stages]
        conditions.append(is_in("StageName", words))
    if query.owner_id is not None:
        conditions.append(f"OwnerId = {quote(query.owner_id)}")
    conditions += [contains("Name", word) for word in query.name_words]
    if query.contract_numbers:
        conditions.append(is_in("Contract_Number__c", query.contract_numbers))
    if query.min_amount is not None:
        conditions.append(f"Amount >= {query.min_amount:f}")
    if query.closes_from is not None:
        conditions.append(f"CloseDate >= {query.closes_from.isoformat()}")
    if query.closes_until is not None:
        conditions.append(f"CloseDate <= {query.closes_until.isoformat()}")
    return conditions


def _without(held: mapping.Document, name: str) -> dict[str, Any]:
    return {key: value for key, value in held.items() if key != name}
