"""What the CRM subgraph needs of a CRM, whichever it is."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from subgraphs.crm.records import CatalogueProduct, Company, CompanyLinks, Deal, Owner, Person
from subgraphs.crm.terms import CustomerStatus, DealOrder, OpportunityStage, RenewalRisk, RenewalStage, Segment
from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.product_copy import ProductCopy

_WORD = re.compile(r"[^\W_]+")


def name_words(text: str) -> tuple[str, ...]:
    """Return the words that a name is found by: `"Oak-Yard 2"` → `("oak", "yard", "2")`."""
    return tuple(_WORD.findall(text.lower()))


@dataclass(frozen=True, slots=True, kw_only=True)
class DealQuery:
    """Which deals, and in which order. All conditions hold; None and empty ask for nothing."""

    stages: tuple[OpportunityStage, ...] = ()
    owner_id: str | None = None
    name_words: tuple[str, ...] = ()
    """In lower case; each occurs within a word of the name."""
    contract_numbers: tuple[str, ...] = ()
    closes_from: dt.date | None = None
    closes_until: dt.date | None = None
    min_amount: Decimal | None = None
    order: DealOrder = DealOrder.CREATED
    is_descending: bool = False

    def matches(self, deal: Deal) -> bool:
        """Whether a deal at hand meets the conditions."""
        day = deal.close_on
        return (
            (not self.stages or deal.stage in self.stages)
            and (self.owner_id is None or deal.owner_id == self.owner_id)
            and all(any(word in part for part in name_words(deal.name or "")) for word in self.name_words)
            and (not self.contract_numbers or deal.contract_number in self.contract_numbers)
            and (self.closes_from is None or (day is not None and day >= self.closes_from))
            and (self.closes_until is None or (day is not None and day <= self.closes_until))
            and (self.min_amount is None or (deal.amount is not None and deal.amount >= self.min_amount))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DealPage:
    """A part of the deals found."""

    deals: tuple[Deal, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyChange:
    """New values of a company; None leaves a field as it is."""

    name: str | None = None
    segment: Segment | None = None
    owner_id: str | None = None
    industry: str | None = None
    reference: str | None = None
    status: CustomerStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCompany:
    """A customer to be known to the CRM."""

    reference: str
    """The business key, `CUST-0001`."""
    name: str
    domain: str | None = None
    street: str | None = None
    city: str | None = None
    country: str | None = None
    segment: Segment | None = None
    status: CustomerStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DealChange:
    """New values of a deal; None leaves a field as it is."""

    name: str | None = None
    stage: OpportunityStage | None = None
    amount: Decimal | None = None
    close_on: dt.date | None = None
    owner_id: str | None = None
    renewal_stage: RenewalStage | None = None
    renewal_risk: RenewalRisk | None = None
    contract_number: str | None = None
    """Empty takes it out."""
    description: str | None = None
    """Empty takes it out."""


class ProductCopies(Protocol):
    """A CRM's catalogue, a copy of billing's. Everything raises VendorError when the system fails or refuses."""

    @property
    def keeps_products(self) -> bool:
        """Whether there is a catalogue at all."""
        ...

    async def products(self, skus: Sequence[str]) -> Mapping[str, CatalogueProduct]:
        """Return SKU → product, as it is at this moment; those that are not there are left out."""
        ...

    async def put_product(self, product: ProductCopy) -> tuple[str, bool]:
        """Write the fields that have their value before, or make the product; returns its id, and whether it was made.

        Raises ConflictError for a field with another value, and for a product that came or went meanwhile.
        """
        ...

    async def take_back_product(self, product: ProductCopy) -> None:
        """Put back the fields that have their value after; take away what was made under the mark."""
        ...


class Crm(ProductCopies, Protocol):
    """A system of record for customer relationships. Everything raises VendorError when the system fails or refuses."""

    def vendor_of(self, record_id: str) -> str:
        """Return the vendor that holds a record, as record copies name it."""
        ...

    @property
    def companies(self) -> Adaptor[Company]: ...

    @property
    def people(self) -> Adaptor[Person]: ...

    @property
    def deals(self) -> Adaptor[Deal]: ...

    @property
    def owners(self) -> Adaptor[Owner]: ...

    @property
    def max_links_per_call(self) -> int:
        """Most ids of one call of the link reads below."""
        ...

    async def people_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → contact ids; companies without any are left out."""
        ...

    async def deals_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → deal ids."""
        ...

    async def links_of(self, company_ids: Sequence[str]) -> Mapping[str, CompanyLinks]:
        """Return company id → parents and children."""
        ...

    async def companies_of_deals(self, deal_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return deal id → company ids, the primary one first."""
        ...

    async def companies_of_people(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return contact id → company ids."""
        ...

    async def deals_of_contracts(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Deal]]:
        """Return contract number → its deals; at most 100 numbers."""
        ...

    async def find_deals(self, query: DealQuery, *, offset: int, size: int) -> DealPage:
        """Return `size` of the deals from the offset on."""
        ...

    def all_companies(self) -> AsyncIterator[Sequence[Company]]:
        """Yield every company, page by page."""
        ...

    def all_deals(self) -> AsyncIterator[Sequence[Deal]]:
        """Yield every deal, page by page."""
        ...

    async def all_owners(self) -> Sequence[Owner]:
        """Return every owner."""
        ...

    async def change_company(self, company_id: str, change: CompanyChange, *, version: str | None) -> None:
        """Write a company. A system that can refuses, by VendorConflictError, if it has not `version` anymore."""
        ...

    async def change_deal(self, deal_id: str, change: DealChange, *, version: str | None) -> None:
        """Write a deal, as `change_company` does."""
        ...

    async def find_company(self, reference: str) -> str | None:
        """Return the id of the company with this business key, as it is at this moment; None where there is none."""
        ...

    async def create_company(self, company: NewCompany) -> str:
        """Make a company; returns its id."""
        ...

    async def archive_company(self, company_id: str) -> None:
        """Take a company away; one that is gone already is no failure."""
        ...
