"""Keeps identity and the event log told: everything at start, and again what a webhook or a poll says has changed.

A webhook only says which record to read: the events come from comparing the record with the copy of what was told last.
So copies of a webhook change nothing, late ones can't bring old values back, and one that never came is made up for by
the next full read. What a poll finds is compared in the same way, so it may find a change twice.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from subgraphs.crm.lifecycle import Facts, company_events, company_facts, deal_events, deal_facts
from subgraphs.crm.port import Crm
from subgraphs.crm.records import Company, Deal
from subgraphs.kit.adaptor import Adaptor
from subgraphs.kit.canonical_event import CanonicalEvent
from subgraphs.kit.crosswalk import CrosswalkRecord
from subgraphs.kit.database import Database
from subgraphs.kit.first_synchronisation import FirstSynchronisation
from subgraphs.kit.global_id import encode_global_id
from subgraphs.kit.instance_crosswalk import RecordLinks
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.projection import Change, Projection
from subgraphs.kit.record_loader import readable
from subgraphs.kit.record_reader import UnreadableRecordError
from subgraphs.kit.system_error import FieldError, VendorUnavailableError

_log = logging.getLogger(__name__)
_RETRY_S = 1.0
_MAX_RETRY_S = 30.0

COMPANIES = Projection("told_companies")
DEALS = Projection("told_deals")
ResultT = TypeVar("ResultT")


class Synchronisation:
    """The CRM's changes on their way to identity and the event log."""

    SCHEMA = COMPANIES.schema + DEALS.schema

    def __init__(
        self,
        crm: Crm,
        crosswalk: RecordLinks,
        database: Database,
        outbox: Outbox,
        first: FirstSynchronisation,
        interval_s: float,
    ) -> None:
        self._crm = crm
        self._crosswalk = crosswalk
        self._database = database
        self._outbox = outbox
        self._first = first
        self._interval_s = interval_s
        self._is_complete = False
        # One comparison at a time: two would both see the old copy and tell a change twice, and identity would take last
        # what was read first.
        self._comparing = asyncio.Lock()

    async def run_forever(self) -> None:
        """Read everything now and then again every interval; failures are tried again within half a minute."""
        retry_s = _RETRY_S
        while True:
            try:
                await self.read_everything()
                pause_s, retry_s = self._interval_s, _RETRY_S
            except FieldError as error:
                _log.info("Synchronising failed: %s", error.code)
                pause_s, retry_s = retry_s, min(retry_s * 2, _MAX_RETRY_S)
            await asyncio.sleep(pause_s)

    async def read_everything(self) -> None:
        """Tell identity every company, and the event log what changed since it was last told. Raises FieldError."""
        companies: list[Company] = []
        async for page in self._crm.all_companies():
            companies += page
            self._first.told(len(companies))
        deals = [deal async for page in self._crm.all_deals() for deal in page]
        async with self._comparing:
            # The first time, everything is new to us and nothing has just happened.
            is_first = await self._database.run(lambda c: not COMPANIES.count(c) and not DEALS.count(c))
            customers = await self._push(companies)
            await self._tell(companies, deals, customers, is_silent=is_first)
            listed = {company.id for company in companies}
            unlisted = [key for key in await self._database.run(COMPANIES.ids) if key not in listed]
            # One that can't be read is left out of lists, and one that is new came meanwhile.
            await self._forget((await self._apart(self._crm.companies, unlisted))[1])
            self._is_complete = True
        await self._first.complete()

    async def reread(self, company_ids: Sequence[str], deal_ids: Sequence[str]) -> None:
        """Read records that are said to have changed and tell what did. Raises FieldError: then they are to wait."""
        crm = self._crm
        companies, gone = await self._apart(crm.companies, company_ids)
        deals = await self._read(crm.deals, deal_ids)
        await self.take(list(companies.values()), list(deals.values()))
        async with self._comparing:
            await self._forget(gone)

    async def take(
        self, companies: Sequence[Company], deals: Sequence[Deal], deleted: Mapping[str, str] | None = None
    ) -> None:
        """Tell what is different in records as they are now; `deleted` are ids of either kind, with their last version.

        A deleted record is forgotten, so that one restored is told anew. Raises FieldError: then they are to wait.
        """
        if not self._is_complete:
            raise VendorUnavailableError("The CRM is not synchronised yet.", system="crm")

        def forget(connection: sqlite3.Connection) -> None:
            for record_id, version in (deleted or {}).items():
                for projection in (COMPANIES, DEALS):
                    if projection.get(connection, [record_id]):
                        projection.remove(connection, record_id, version=_order(version))

        async with self._comparing:
            customers = await self._push(companies)
            await self._tell(companies, deals, customers, is_silent=False)
            if deleted:
                gone = await self._database.run(lambda c: COMPANIES.get(c, list(deleted)))
                await self._crosswalk.gone(sorted(gone))
                await self._database.run(forget)

    async def _forget(self, companies: Sequence[str]) -> None:
        """Tell identity of companies that the CRM has no more. One that it restores is told anew."""
        if not companies:
            return

        def forget(connection: sqlite3.Connection) -> None:
            for company, version in COMPANIES.versions(connection, companies).items():
                COMPANIES.remove(connection, company, version=version)

        await self._crosswalk.gone(companies)
        await self._database.run(forget)

    async def _push(self, found: Sequence[Company]) -> Mapping[str, str]:
        companies = await self._not_outdated(found)
        if not companies:
            return {}
        owner_ids = sorted({company.owner_id for company in companies if company.owner_id})
        owners = await self._read(self._crm.owners, owner_ids)
        names = {owner.id: owner.name for owner in owners.values()}
        links = await _in_batches(self._crm.links_of, [each.id for each in companies], self._crm.max_links_per_call)
        parents = {company: found.parents[0] for company, found in links.items() if found.parents}
        return await self._crosswalk.push(
            _crosswalk_record(company, names, parents.get(company.id, "")) for company in companies
        )

    async def _not_outdated(self, companies: Sequence[Company]) -> Sequence[Company]:
        """Return the companies of which nothing newer was told: reading all takes minutes, and a webhook comes meanwhile."""
        told = await self._database.run(lambda c: COMPANIES.versions(c, [each.id for each in companies]))
        return [each for each in companies if _order(each.version) >= told.get(each.id, 0)]

    async def _tell(
        self, companies: Sequence[Company], deals: Sequence[Deal], customers: Mapping[str, str], *, is_silent: bool
    ) -> None:
        """Store what the records are now, and in the same transaction the events of what is different."""
        told = {deal.id: deal_facts(deal) for deal in deals}
        known = await self._database.run(lambda c: DEALS.get(c, list(told)))
        changed = [deal_id for deal_id, facts in told.items() if known.get(deal_id) != facts]
        buyers = {} if is_silent else await self._buyers(changed)

        def store(connection: sqlite3.Connection) -> int:
            events: list[CanonicalEvent] = []
            for company in companies:
                change = _put(connection, COMPANIES, company.id, company_facts(company), company.version)
                if company.id in customers:
                    events += company_events(company.id, change, customers[company.id])
            for deal_id in changed:
                change = _put(connection, DEALS, deal_id, told[deal_id], told[deal_id]["version"] or "0")
                events += deal_events(deal_id, change, buyers.get(deal_id))
            if not is_silent:
                self._outbox.insert(connection, events)
            return len(events)

        if await self._database.run(store) and not is_silent:
            self._outbox.wake()

    async def _buyers(self, deal_ids: Sequence[str]) -> dict[str, str]:
        """Return deal id → canonical customer id."""
        companies = await _in_batches(self._crm.companies_of_deals, deal_ids, self._crm.max_links_per_call)
        first = {deal_id: found[0] for deal_id, found in companies.items() if found}
        customers = dict(await self._crosswalk.resolve(sorted(set(first.values()))))
        unknown = sorted(set(first.values()) - set(customers))
        if unknown:
            # Made a moment ago: its own webhook is still on its way.
            customers |= await self._push(list((await self._read(self._crm.companies, unknown)).values()))
        return {deal_id: customers[company] for deal_id, company in first.items() if company in customers}

    @staticmethod
    async def _read(adaptor: Adaptor[ResultT], ids: Sequence[str]) -> dict[str, ResultT]:
        """Return the records that can be read: of the others nothing is told until they can."""
        return (await Synchronisation._apart(adaptor, ids))[0]

    @staticmethod
    async def _apart(adaptor: Adaptor[ResultT], ids: Sequence[str]) -> tuple[dict[str, ResultT], list[str]]:
        """Return the records that can be read, and the ids of which there are none."""
        try:
            found = await _in_batches(adaptor.read, ids, adaptor.capabilities.max_ids_per_call)
        except UnreadableRecordError:
            return {}, []
        return readable(found), [key for key in ids if key not in found]


async def _in_batches(
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, ResultT]]], ids: Sequence[str], size: int
) -> dict[str, ResultT]:
    found: dict[str, ResultT] = {}
    for start in range(0, len(ids), size):
        found.update(await read(ids[start : start + size]))
    return found


def _put(connection: sqlite3.Connection, projection: Projection, record_id: str, facts: Facts, version: str) -> Change:
    return projection.put(connection, record_id, facts, version=_order(version))


def _order(version: str) -> int:
    """Return the part of a version that orders changes: `1767225600000-5e2a11bc` and `1767225600000` are as old."""
    return int(version.partition("-")[0])


def _crosswalk_record(company: Company, owner_names: Mapping[str, str | None], parent: str) -> CrosswalkRecord:
    return CrosswalkRecord(
        external_id=company.id,
        reference=company.reference,
        domain=company.domain,
        name=company.name,
        version=company.version,
        parent=parent,
        facets={
            "segment": company.segment,
            "status": company.status,
            "ownerId": encode_global_id("AccountOwner", company.owner_id) if company.owner_id else None,
            "ownerName": owner_names.get(company.owner_id or ""),
        },
    )
