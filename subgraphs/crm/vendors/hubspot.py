"""HubSpot CRM v3 behind the port: batch reads of 100, association reads of 1,000, search. https://developers.hubspot.com/docs/api/crm"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from subgraphs.crm.port import CompanyChange, DealChange, DealPage, DealQuery, NewCompany
from subgraphs.crm.records import Company, CompanyLinks, Deal, Owner
from subgraphs.crm.vendors import hubspot_mapping as mapping
from subgraphs.crm.vendors.hubspot_products import HubSpotProducts
from subgraphs.kit.adaptor import Absence, BatchMode, Capabilities, Consistency, EventSource, Idempotency
from subgraphs.kit.record_reader import RecordReader, alone
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import BadUserInputError, Outcome, VendorBadResponseError, VendorRejectedError
from subgraphs.kit.vendor_client import VendorClient, items, pages
from subgraphs.kit.vendor_reply import VendorReply

RecordT_co = TypeVar("RecordT_co", covariant=True)

_BATCH = 100
_LINK_BATCH = 1000
_SEARCH_PAGE = 200
_MAX_FOUND = 10_000
_OWNERS_KEPT_S = 300.0
_CHILD, _PARENT = 13, 14
"""Association types between companies: the other one is the child, or the parent."""
_PRIMARY = {5}
"""Association type of a deal's primary company."""
_PROBLEM = re.compile(r'"error":"(\w+)","name":"(\w+)"')


class HubSpotObjects(Generic[RecordT_co]):
    """One object type of HubSpot."""

    def __init__(
        self,
        client: VendorClient,
        kind: str,
        properties: Sequence[str],
        parse: Callable[[mapping.Document], RecordT_co],
        drift: SchemaDrift,
        *,
        writes: frozenset[str] = frozenset(),
        events: EventSource = EventSource.NONE,
    ) -> None:
        self._client = client
        self._reader = RecordReader(system=client.system, kind=kind, id_field="id", parse=parse, drift=drift)
        self._path = f"/crm/v3/objects/{kind}"
        self._properties = list(properties)
        self.capabilities = Capabilities(
            batch_mode=BatchMode.NATIVE,
            max_ids_per_call=_BATCH,
            absence=Absence.ERROR_ENTRY,
            writes=writes,
            events=events,
            idempotency=Idempotency.OURS,
            consistency=Consistency.READ_YOUR_WRITES,
        )

    async def read(self, ids: Sequence[str]) -> Mapping[str, RecordT_co]:
        """Return the records that exist, by id, in one request; a FieldError for one of several that can't be read."""
        # One id that is no number makes HubSpot refuse the whole batch, and names nothing anyway.
        known = [object_id for object_id in ids if object_id.isascii() and object_id.isdigit()]
        if not known:
            return {}
        body = {"properties": self._properties, "inputs": [{"id": object_id} for object_id in known]}
        reply = await self._client.read("POST", f"{self._path}/batch/read", json=body)
        return alone(self._reader.keyed(_results(reply)), len(known))

    async def all(self) -> AsyncIterator[Sequence[RecordT_co]]:
        """Yield every record, 100 a page."""

        async def fetch(after: str | None) -> tuple[Sequence[RecordT_co], str | None]:
            params: dict[str, str | int] = {"limit": _BATCH, "properties": ",".join(self._properties)}
            if after is not None:
                params["after"] = after
            reply = await self._client.read("GET", self._path, params=params)
            return self._reader.readable(_results(reply)), _next_page(reply)

        async for page in pages(fetch):
            yield page

    async def search(
        self, filters: Sequence[Mapping[str, Any]], *, offset: int, size: int, sort: Mapping[str, str] | None = None
    ) -> tuple[list[RecordT_co], int]:
        """Return up to `size` records that meet all filters, from an offset on, and how many there are.

        HubSpot's index follows writes within seconds, and shows the first 10,000 only.
        """
        if offset + size > _MAX_FOUND:
            raise BadUserInputError(f"Only the first {_MAX_FOUND} results can be reached; use a narrower filter.")
        found: list[RecordT_co] = []
        taken = 0
        while True:
            body: dict[str, Any] = {
                "filterGroups": [{"filters": list(filters)}] if filters else [],
                "sorts": [sort] if sort else [],
                "properties": self._properties,
                "limit": min(_SEARCH_PAGE, max(1, size - taken)),
            }
            if offset + taken:
                body["after"] = str(offset + taken)
            reply = await self._client.read("POST", f"{self._path}/search", json=body)
            documents = _results(reply)
            found += self._reader.readable(documents)
            taken += len(documents)
            if taken >= size or not documents or _next_page(reply) is None:
                return found[:size], _total(reply)

    async def update(self, object_id: str, properties: Mapping[str, str]) -> None:
        """Write properties. Raises BadUserInputError where HubSpot names the property whose value it refuses."""
        try:
            await self._client.write(
                "PATCH", f"{self._path}/{quote(object_id, safe='')}", json={"properties": properties}
            )
        except VendorRejectedError as error:
            raise _explain(error) from error


@dataclass(slots=True)
class HubSpotOwners:
    """Owners: there is no batch read, but few of them, so the whole list is read and kept for five minutes."""

    client: VendorClient
    mapping: mapping.HubSpotMapping
    _known: Mapping[str, Owner] | None = None
    _read_at: float = 0.0

    @property
    def capabilities(self) -> Capabilities:
        """A list of everybody, which is as good as any number of ids."""
        return Capabilities(batch_mode=BatchMode.FILTER, max_ids_per_call=10_000, absence=Absence.LEFT_OUT)

    async def read(self, ids: Sequence[str]) -> Mapping[str, Owner]:
        """Return the owners that exist, by id."""
        known = self._known
        if known is None or time.monotonic() - self._read_at > _OWNERS_KEPT_S:
            known = {owner.id: owner for owner in await self.all()}
        return {owner_id: known[owner_id] for owner_id in ids if owner_id in known}

    async def all(self) -> Sequence[Owner]:
        """Return every owner."""

        async def fetch(after: str | None) -> tuple[Sequence[mapping.Document], str | None]:
            params: dict[str, str | int] = {"limit": _BATCH} if after is None else {"limit": _BATCH, "after": after}
            reply = await self.client.read("GET", "/crm/v3/owners", params=params)
            return _results(reply), _next_page(reply)

        reader = RecordReader(
            system=self.client.system,
            kind="owners",
            id_field="id",
            parse=self.mapping.to_owner,
            drift=self.mapping.drift,
        )
        owners = reader.readable(await items(pages(fetch)))
        self._known, self._read_at = {owner.id: owner for owner in owners}, time.monotonic()
        return owners


class HubSpot(HubSpotProducts):
    """The whole port over one HubSpot account."""

    max_links_per_call = _LINK_BATCH

    def __init__(self, client: VendorClient, drift: SchemaDrift | None = None) -> None:
        super().__init__(client)
        to = mapping.HubSpotMapping(drift or SchemaDrift(client.system))
        self.drift = to.drift
        self.companies = HubSpotObjects(
            client,
            "companies",
            mapping.COMPANY_PROPERTIES,
            to.to_company,
            to.drift,
            writes=frozenset({"updateCustomerProfile"}),
            events=EventSource.WEBHOOK,
        )
        self.people = HubSpotObjects(client, "contacts", mapping.PERSON_PROPERTIES, to.to_person, to.drift)
        self.deals = HubSpotObjects(
            client,
            "deals",
            mapping.DEAL_PROPERTIES,
            to.to_deal,
            to.drift,
            writes=frozenset({"updateOpportunity", "setRenewalStage"}),
            events=EventSource.WEBHOOK,
        )
        self.owners = HubSpotOwners(client, to)

    def vendor_of(self, record_id: str) -> str:  # noqa: ARG002 - one vendor for all
        """Return the vendor."""
        return "hubspot"

    async def people_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → contact ids."""
        return _targets(await self._links("companies", "contacts", company_ids))

    async def deals_of(self, company_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return company id → deal ids."""
        return _targets(await self._links("companies", "deals", company_ids))

    async def companies_of_deals(self, deal_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return deal id → company ids, the primary one first."""
        links = await self._links("deals", "companies", deal_ids)
        return {
            deal_id: [target for target, _ in sorted(found, key=lambda link: not link[1] & _PRIMARY)]
            for deal_id, found in links.items()
        }

    async def companies_of_people(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return contact id → company ids."""
        return _targets(await self._links("contacts", "companies", person_ids))

    async def links_of(self, company_ids: Sequence[str]) -> Mapping[str, CompanyLinks]:
        """Return company id → parents and children."""
        links = await self._links("companies", "companies", company_ids)
        return {
            company_id: CompanyLinks(
                parents=tuple(target for target, types in found if _PARENT in types),
                children=tuple(target for target, types in found if _CHILD in types),
            )
            for company_id, found in links.items()
        }

    async def deals_of_contracts(self, numbers: Sequence[str]) -> Mapping[str, Sequence[Deal]]:
        """Return contract number → its deals, by one search."""
        filters = [{"propertyName": "contract_number", "operator": "IN", "values": list(numbers)}]
        deals, _ = await self.deals.search(filters, offset=0, size=_MAX_FOUND)
        found: dict[str, list[Deal]] = {}
        for deal in deals:
            # HubSpot compares without case.
            if deal.contract_number is not None and deal.contract_number in numbers:
                found.setdefault(deal.contract_number, []).append(deal)
        return found

    async def find_deals(self, query: DealQuery, *, offset: int, size: int) -> DealPage:
        """Return `size` of the deals from the offset on."""
        sort = {
            "propertyName": mapping.ORDER_PROPERTIES[query.order],
            "direction": "DESCENDING" if query.is_descending else "ASCENDING",
        }
        deals, total = await self.deals.search(_filters(query), offset=offset, size=size, sort=sort)
        return DealPage(deals=tuple(deals), total=total)

    def all_companies(self) -> AsyncIterator[Sequence[Company]]:
        """Yield every company, page by page."""
        return self.companies.all()

    def all_deals(self) -> AsyncIterator[Sequence[Deal]]:
        """Yield every deal, page by page."""
        return self.deals.all()

    async def all_owners(self) -> Sequence[Owner]:
        """Return every owner."""
        return await self.owners.all()

    async def change_company(self, company_id: str, change: CompanyChange, *, version: str | None) -> None:  # noqa: ARG002
        """Write a company, whatever its version: HubSpot has no conditional update."""
        await self.companies.update(company_id, mapping.company_properties(change))

    async def find_company(self, reference: str) -> str | None:
        """Return the company with this business key: read by it, since the search's index lags behind."""
        body = {"properties": ["customer_reference"], "idProperty": "customer_reference", "inputs": [{"id": reference}]}
        reply = await self._client.read("POST", "/crm/v3/objects/companies/batch/read", json=body)
        return next((str(document["id"]) for document in _results(reply)), None)

    async def create_company(self, company: NewCompany) -> str:
        """Make a company."""
        properties = mapping.new_company_properties(company)
        try:
            reply = await self._client.write("POST", "/crm/v3/objects/companies", json={"properties": properties})
        except VendorRejectedError as error:
            raise _explain(error) from error
        match reply.body:
            case {"id": str() | int() as company_id}:
                return str(company_id)
            case _:
                raise VendorBadResponseError("The crm system's answer has no id.", system="crm")

    async def archive_company(self, company_id: str) -> None:
        """Archive a company, which HubSpot answers in the same way whether or not it was there."""
        await self._client.write("DELETE", f"/crm/v3/objects/companies/{quote(company_id, safe='')}")

    async def change_deal(self, deal_id: str, change: DealChange, *, version: str | None) -> None:  # noqa: ARG002
        """Write a deal, whatever its version."""
        await self.deals.update(deal_id, mapping.deal_properties(change))

    async def _links(
        self, kind: str, to_kind: str, ids: Sequence[str]
    ) -> Mapping[str, list[tuple[str, frozenset[int]]]]:
        """Return id → (other id, association types); further pages of an object with many are fetched."""
        found: dict[str, list[tuple[str, frozenset[int]]]] = {}
        inputs: list[dict[str, str]] = [{"id": key} for key in ids if key.isascii() and key.isdigit()]
        while inputs:
            path = f"/crm/v4/associations/{kind}/{to_kind}/batch/read"
            reply = await self._client.read("POST", path, json={"inputs": inputs})
            inputs = []
            try:
                for result in _results(reply):
                    key = str(result["from"]["id"])
                    found.setdefault(key, []).extend(
                        (str(to["toObjectId"]), frozenset(int(entry["typeId"]) for entry in to["associationTypes"]))
                        for to in result["to"]
                    )
                    after = result.get("paging", {}).get("next", {}).get("after")
                    if after:
                        inputs.append({"id": key, "after": str(after)})
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise VendorBadResponseError(
                    "The crm system's answer has an unexpected shape.", system="crm"
                ) from error
        return found


def allowed_words(reply: VendorReply) -> str | None:
    """Return what of HubSpot's refusal a client may read: its category, never its message, which quotes our request."""
    category = reply.body.get("category") if isinstance(reply.body, dict) else None
    if not isinstance(category, str) or not re.fullmatch(r"[A-Z_]{3,40}", category):
        return None
    return f"The crm system refused the request: {category}."


def _explain(error: VendorRejectedError) -> VendorRejectedError | BadUserInputError:
    """Return the refusal of a write as the fault of an argument, if HubSpot names a property that came from one."""
    body = error.reply.body if error.reply else None
    message = body.get("message") if isinstance(body, dict) else None
    problem = _PROBLEM.search(message) if isinstance(message, str) else None
    argument = mapping.ARGUMENTS.get(problem[2]) if problem else None
    if argument is None:
        return error
    return BadUserInputError(
        f"The crm system does not take this value of `{argument}`.", system="crm", outcome=Outcome.NOT_APPLIED
    )


def _filters(query: DealQuery) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = []
    if query.stages:
        stages = [name for name, stage in mapping.STAGES.items() if stage in query.stages]
        filters.append({"propertyName": "dealstage", "operator": "IN", "values": stages})
    if query.owner_id is not None:
        filters.append({"propertyName": "hubspot_owner_id", "operator": "EQ", "value": query.owner_id})
    if query.name_words:
        value = " ".join(f"*{word}*" for word in query.name_words)
        filters.append({"propertyName": "dealname", "operator": "CONTAINS_TOKEN", "value": value})
    if query.contract_numbers:
        values = list(query.contract_numbers)
        filters.append({"propertyName": "contract_number", "operator": "IN", "values": values})
    if query.min_amount is not None:
        filters.append({"propertyName": "amount", "operator": "GTE", "value": format(query.min_amount, "f")})
    if query.closes_from is not None or query.closes_until is not None:
        first = query.closes_from.isoformat() if query.closes_from else "1970-01-01"
        last = query.closes_until.isoformat() if query.closes_until else "9999-12-31"
        value, high = f"{first}T00:00:00.000Z", f"{last}T23:59:59.999Z"
        filters.append({"propertyName": "closedate", "operator": "BETWEEN", "value": value, "highValue": high})
    return filters


def _results(reply: VendorReply) -> list[Any]:
    match reply.body:
        case {"results": list() as results}:
            return results
        case _:
            raise VendorBadResponseError("The crm system's answer has no results.", system="crm")


def _next_page(reply: VendorReply) -> str | None:
    match reply.body:
        case {"paging": {"next": {"after": str() | int() as after}}}:
            return str(after)
        case _:
            return None


def _total(reply: VendorReply) -> int:
    total = reply.body.get("total")
    return total if isinstance(total, int) else 0


def _targets(links: Mapping[str, Sequence[tuple[str, frozenset[int]]]]) -> Mapping[str, Sequence[str]]:
    return {key: list(dict.fromkeys(target for target, _ in found)) for key, found in links.items()}
