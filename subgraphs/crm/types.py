"""The CRM's part of the graph."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import strawberry

from subgraphs.crm import records, terms
from subgraphs.crm.context import CrmContext, Info
from subgraphs.crm.opportunity_filter import OpportunityFilter, OpportunityOrder, finds_none, to_query
from subgraphs.crm.terms import DealOrder
from subgraphs.kit.connection import Connection, connection_of, page_window
from subgraphs.kit.global_id import encode_global_id, local_id
from subgraphs.kit.instance_ids import instance_of_id
from subgraphs.kit.lineage_gap import LineageGap
from subgraphs.kit.money import Money
from subgraphs.kit.node import NODE_ID, Node
from subgraphs.kit.record_copy import RecordCopy, RecordField


@strawberry.federation.type(
    keys=["id"], description="A colleague of ours who looks after customers or sells to them: a user of the CRM."
)
class AccountOwner(Node):
    """A person of ours who looks after customers."""

    id: strawberry.ID
    name: str | None = strawberry.field(description="First and last name; null where the CRM has neither.")
    email: str | None = strawberry.field(description="Work address; null where the CRM has none.")

    @classmethod
    def of(cls, owner: records.Owner) -> AccountOwner:
        """Return the type of a record."""
        return cls(id=strawberry.ID(encode_global_id("AccountOwner", owner.id)), name=owner.name, email=owner.email)

    @classmethod
    async def resolve_reference(cls, info: Info, *, id: str) -> AccountOwner | None:  # noqa: A002 - the key's name
        """Return the owner of a global id, or None."""
        return await _owner(info, local_id(id, "AccountOwner"))


async def _owner(info: Info, owner_id: str | None) -> AccountOwner | None:
    owner = await info.context.owners.load(owner_id) if owner_id else None
    return AccountOwner.of(owner) if owner else None


@strawberry.federation.type(keys=["id"], description="A person who works at a customer, as the CRM knows them.")
class Contact(Node):
    """A person at a customer."""

    id: strawberry.ID
    record: strawberry.Private[records.Person]

    @classmethod
    def of(cls, person: records.Person) -> Contact:
        """Return the type of a record."""
        return cls(id=strawberry.ID(encode_global_id("Contact", person.id)), record=person)

    @classmethod
    async def resolve_reference(cls, info: Info, *, id: str) -> Contact | None:  # noqa: A002 - the key's name
        """Return the contact of a global id, or None."""
        person = await info.context.people.load(local_id(id, "Contact"))
        return cls.of(person) if person else None

    @strawberry.field
    def name(self) -> str | None:
        """First and last name; null where the CRM has neither."""
        names = (self.record.first_name, self.record.last_name)
        return " ".join(name for name in names if name) or None

    @strawberry.field
    def email(self) -> str | None:
        """Address for mail; null where the CRM has none."""
        return self.record.email

    @strawberry.field
    def phone(self) -> str | None:
        """Telephone number as somebody typed it into the CRM, in no fixed format."""
        return self.record.phone

    @strawberry.field
    def job_title(self) -> str | None:
        """What the person does there, in free text."""
        return self.record.job_title

    @strawberry.field
    async def customer(self, info: Info) -> Customer | None:
        """Where the person works; of several companies the CRM's first, null for a contact without one."""
        return _first_customer(await info.context.companies_of_people.load(self.record.id))


@strawberry.federation.type(
    keys=["id"], description="A deal that sales is working on, has won or has lost; the CRM owns it."
)
class Opportunity(Node):
    """A deal with a customer."""

    id: strawberry.ID
    record: strawberry.Private[records.Deal]

    @classmethod
    def of(cls, deal: records.Deal) -> Opportunity:
        """Return the type of a record."""
        return cls(id=strawberry.ID(encode_global_id("Opportunity", deal.id)), record=deal)

    @classmethod
    async def resolve_reference(cls, info: Info, *, id: str) -> Opportunity | None:  # noqa: A002 - the key's name
        """Return the opportunity of a global id, or None."""
        deal = await info.context.deals.load(local_id(id, "Opportunity"))
        return cls.of(deal) if deal else None

    @strawberry.field
    def name(self) -> str | None:
        """What sales calls the deal, in free text."""
        return self.record.name

    @strawberry.field
    def kind(self) -> terms.OpportunityKind | None:
        """New business, or more for an existing customer; null for a type that only this CRM has."""
        return self.record.kind

    @strawberry.field
    def stage(self) -> terms.OpportunityStage | None:
        """How far the deal has come; null for a stage that only this CRM's own pipeline has."""
        return self.record.stage

    @strawberry.field
    def amount(self) -> Money | None:
        """What sales expects the deal to be worth; null until amount and currency are entered."""
        if self.record.amount is None or self.record.currency is None:
            return None
        return Money.of(self.record.amount, self.record.currency)

    @strawberry.field
    def close_on(self) -> dt.date | None:
        """Day on which it was won or lost; as long as it is open, the day on which sales expects that."""
        return self.record.close_on

    @strawberry.field
    def probability(self) -> Decimal | None:
        """Chance of winning by the CRM's pipeline, from 0 to 1."""
        return self.record.probability

    @strawberry.field
    def created_at(self) -> dt.datetime:
        """When sales opened the deal in the CRM."""
        return self.record.created_at

    @strawberry.field
    def version(self) -> str:
        """Opaque, changes with every change in the CRM; send it with `updateOpportunity`, which refuses a stale one."""
        return self.record.version

    @strawberry.field
    async def owner(self, info: Info) -> AccountOwner | None:
        """The colleague who sells it; null where nobody is assigned."""
        return await _owner(info, self.record.owner_id)

    @strawberry.field
    async def customer(self, info: Info) -> Customer | None:
        """Who would buy; of several companies the CRM's first, null for a deal without one."""
        return _first_customer(await info.context.companies_of_deals.load(self.record.id))

    @strawberry.field
    def contract(self) -> Contract | None:
        """The recurring agreement that the won deal led to; null until sales notes a contract number."""
        number = self.record.contract_number
        return Contract(number=number) if number else None


@strawberry.federation.type(keys=["number"])
class Contract:
    """A recurring agreement with a customer: what vendors call a subscription."""

    number: str

    @classmethod
    async def resolve_reference(cls, *, info: Info, number: str) -> Contract:  # noqa: ARG003 - the resolver's signature
        """Return the contract, which billing owns: that sales has no deal for it is said by its fields."""
        return cls(number=number)

    @strawberry.federation.field(shareable=True, description=NODE_ID)
    def id(self) -> strawberry.ID:
        """Id that all systems make of the number alike, so that naming a contract needs no system but this."""
        return strawberry.ID(encode_global_id("Contract", self.number))

    @strawberry.field
    async def opportunity(self, info: Info) -> Opportunity | None:
        """The deal that this contract came from, found by the contract number that the CRM keeps on it; null if no deal names it."""
        deal = await info.context.origin_of(self.number)
        return Opportunity.of(deal) if deal else None

    @strawberry.field
    async def account_manager(self, info: Info) -> AccountOwner | None:
        """The colleague who looks after it: the owner of the deal it came from; null without such a deal."""
        deal = await info.context.origin_of(self.number)
        return await _owner(info, deal.owner_id) if deal else None

    @strawberry.field
    async def renewal_stage(self, info: Info) -> terms.RenewalStage | None:
        """How far sales has come with renewing it; kept on the deal it came from, null without one."""
        deal = await info.context.origin_of(self.number)
        return deal.renewal_stage if deal else None

    @strawberry.field
    async def renewal_risk(self, info: Info) -> terms.RenewalRisk | None:
        """How likely sales thinks the renewal is to fail; null where nobody has judged."""
        deal = await info.context.origin_of(self.number)
        return deal.renewal_risk if deal else None

    @strawberry.field
    async def renewal_version(self, info: Info) -> str | None:
        """Version of the deal that keeps the renewal; send it with `setRenewalStage`, which refuses a stale one."""
        deal = await info.context.origin_of(self.number)
        return deal.version if deal else None

    @strawberry.field
    async def origin_gap(self, info: Info) -> LineageGap | None:
        """Says that no deal in the CRM names this contract; null where there is one."""
        if await info.context.origin_of(self.number) is not None:
            return None
        return LineageGap(code="NO_OPPORTUNITY", system="crm", message="No deal in the CRM names this contract.")


@strawberry.federation.type(
    keys=["crmRef"],
    description="A company we sell to: one customer over all systems, each field from the system that owns it.",
)
class Customer:
    """A company we sell to, as sales knows it."""

    crm_ref: strawberry.ID = strawberry.federation.field(
        inaccessible=True, description="Ids of the CRM's records of this customer, joined by `+`."
    )

    @classmethod
    async def resolve_reference(cls, info: Info, *, crm_ref: str) -> Customer | None:
        """Return the customer of one or several company ids, or None if the CRM has none of them."""
        customer = cls(crm_ref=strawberry.ID(crm_ref))
        return customer if await customer.companies(info.context) else None

    def company_ids(self) -> list[str]:
        """The ids within the reference."""
        return [company_id for company_id in self.crm_ref.split("+") if company_id]

    async def companies(self, context: CrmContext) -> Sequence[records.Company]:
        """The records that exist; the first one gives the scalars."""
        return [company for company in await context.companies.load_many(self.company_ids()) if company is not None]

    async def company(self, info: Info) -> records.Company | None:
        """The first record that exists."""
        return next(iter(await self.companies(info.context)), None)

    @strawberry.field
    async def name(self, info: Info) -> str | None:
        """What sales calls the customer; for the name on invoices see `legalName`."""
        company = await self.company(info)
        return company.name if company else None

    @strawberry.field
    async def segment(self, info: Info) -> terms.Segment | None:
        """Size class that sales has put the customer in; null where there is none or only this CRM has it."""
        company = await self.company(info)
        return company.segment if company else None

    @strawberry.field
    async def status(self, info: Info) -> terms.CustomerStatus | None:
        """Where the relationship stands, by the CRM's lifecycle stage; null for a stage that only this CRM has."""
        company = await self.company(info)
        return company.status if company else None

    @strawberry.field
    async def industry(self, info: Info) -> str | None:
        """Line of business, as the CRM has it."""
        company = await self.company(info)
        return company.industry if company else None

    @strawberry.field
    async def employees(self, info: Info) -> int | None:
        """How many people work there, as sales last noted."""
        company = await self.company(info)
        return company.employees if company else None

    @strawberry.field
    async def owner(self, info: Info) -> AccountOwner | None:
        """The colleague who looks after the customer; null where nobody is assigned."""
        company = await self.company(info)
        return await _owner(info, company.owner_id) if company else None

    @strawberry.field
    async def version(self, info: Info) -> str | None:
        """Version of the CRM's record; send it with `updateCustomerProfile`, which refuses a stale one."""
        company = await self.company(info)
        return company.version if company else None

    @strawberry.field
    async def parent(self, info: Info) -> Customer | None:
        """The company that this one belongs to, by the CRM's hierarchy; null at the top."""
        links = await info.context.links_of.load_many(self.company_ids())
        own = set(self.company_ids())
        return _first_customer([parent for link in links for parent in link.parents if parent not in own])

    @strawberry.field
    async def children(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Customer] | None:
        """The companies that belong directly to this one, by the CRM's hierarchy."""
        window = page_window(first=first, after=after, last=last, before=before)
        links = await info.context.links_of.load_many(self.company_ids())
        own = set(self.company_ids())
        ids = dict.fromkeys(child for link in links for child in link.children if child not in own)
        children = [Customer(crm_ref=strawberry.ID(child)) for child in ids]
        return connection_of(children, window, identity=lambda child: child.crm_ref)

    @strawberry.field
    async def contacts(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Contact] | None:
        """The people who work there, by last name."""
        window = page_window(first=first, after=after, last=last, before=before)
        ids = dict.fromkeys(i for found in await info.context.people_of.load_many(self.company_ids()) for i in found)
        people = [person for person in await info.context.people.load_many(list(ids)) if person is not None]
        people.sort(key=lambda person: ((person.last_name or "").lower(), (person.first_name or "").lower(), person.id))
        return connection_of([Contact.of(person) for person in people], window, identity=lambda contact: contact.id)

    @strawberry.field
    async def opportunities(
        self,
        info: Info,
        filter: OpportunityFilter | None = None,  # noqa: A002 - the argument's name
        order_by: OpportunityOrder | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Opportunity] | None:
        """The deals with the customer, open, won and lost, by closing day unless ordered otherwise."""
        window = page_window(first=first, after=after, last=last, before=before)
        query = to_query(filter, order_by)
        ids = dict.fromkeys(i for found in await info.context.deals_of.load_many(self.company_ids()) for i in found)
        found = [] if finds_none(filter) else await info.context.deals_with(list(ids))
        deals = [deal for deal in found if query.matches(deal)]
        deals.sort(key=lambda deal: _deal_order(deal, query.order), reverse=query.is_descending)
        return connection_of([Opportunity.of(deal) for deal in deals], window, identity=lambda deal: deal.id)

    @strawberry.field
    async def crm_record(self, info: Info) -> RecordCopy | None:
        """What the CRM itself holds of the customer, copies of fields that other systems own included; null where it has no record."""
        company = await self.company(info)
        if company is None:
            return None
        copied = {
            "domain": company.domain,
            "customerReference": company.reference,
            "address": company.address,
            "city": company.city,
            "postalCode": company.postal_code,
            "country": company.country,
        }
        system, own_id = instance_of_id("crm", company.id)
        return RecordCopy(
            system=system,
            vendor=info.context.crm.vendor_of(company.id),
            external_id=own_id,
            name=company.name,
            fields=[RecordField(name=name, value=value) for name, value in copied.items()],
            read_at=dt.datetime.now(dt.UTC),
        )


def _first_customer(company_ids: Sequence[str]) -> Customer | None:
    return Customer(crm_ref=strawberry.ID(company_ids[0])) if company_ids else None


def _deal_order(deal: records.Deal, order: DealOrder) -> tuple[bool, str | Decimal, int, str]:
    """Return a sort key in which deals without the value come first, as an empty text would."""
    values: dict[DealOrder, str | Decimal | None] = {
        DealOrder.NAME: (deal.name or "").lower(),
        DealOrder.AMOUNT: deal.amount,
        DealOrder.CLOSE_ON: deal.close_on.isoformat() if deal.close_on else None,
        DealOrder.CREATED: deal.created_at.isoformat(),
    }
    value = values[order]
    # Ids are numbers in some systems: the shorter one is the older.
    return value is not None, value if value is not None else "", len(deal.id), deal.id
