"""What the consumers' operations over a thousand customers cost systems that nobody here wrote: `make bench-systems`.

Each adaptor reads what its part of an operation needs, through a proxy that counts. "at most" is the sum of ceil(n / batch)
over the kinds of record; Stripe has no batch read, so what is counted there is filling and following the mirror, 100 a page.
Exits with 1 where something costs more.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import backlot
import httpx2
import mockforce
from billing_processes import KEY
from localstripe import LOCALSTRIPE, localstripe
from rich.console import Console
from rich.table import Table
from test_hubspot_adaptor import client as hubspot_client
from test_hubspot_adaptor import corpus
from test_salesforce_adaptor import client as salesforce_client
from tryton import LOGIN, PASSWORD, serve_tryton

from subgraphs.billing.vendors.stripe import StripeAdaptor, stripe_client
from subgraphs.crm.sandbox.salesforce.fill import account_values, opportunity_values
from subgraphs.crm.sandbox.salesforce.org import record_id
from subgraphs.crm.vendors import salesforce_org
from subgraphs.crm.vendors.hubspot import HubSpot
from subgraphs.crm.vendors.salesforce import Salesforce
from subgraphs.erp.port import InvoiceQuery
from subgraphs.erp.vendors.tryton import Tryton, refusal_words
from subgraphs.erp.vendors.tryton_erp import TrytonErp
from subgraphs.kit.company.generate import generate
from subgraphs.kit.company.model import Company, Source
from subgraphs.kit.conformance.fault_proxy import FaultProxy, fault_proxy
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.vendor_client import VendorClient

CUSTOMERS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
TODAY = dt.date(2026, 10, 20)

Read = Callable[[Sequence[str]], Awaitable[Mapping[str, Any]]]
Part = tuple[Read, Sequence[str], int]
"""How one kind of record is read, by which ids, and how many of them one request takes."""


async def cost(proxy: FaultProxy, system: str, consumer: str, *parts: Part) -> tuple[Any, ...]:
    """Return a row of the table."""
    proxy.forwarded.clear()
    proxy.received_bytes = 0
    began, found = time.monotonic(), 0
    for read, ids, size in parts:
        for start in range(0, len(ids), size):
            found += len(await read(ids[start : start + size]))
    seconds = time.monotonic() - began
    most = sum(ceil(len(ids) / size) for _, ids, size in parts)
    return system, consumer, len(parts[0][1]), found, len(proxy.forwarded), most, proxy.received_bytes, seconds


def known(company: Company) -> list[Any]:
    return [row for row in company.customers if Source.CRM not in row.missing_in]


async def hubspot(company: Company, folder: Path) -> AsyncIterator[tuple[Any, ...]]:
    server = await asyncio.to_thread(backlot.serve_backlot, folder, corpus(company))
    try:
        async with fault_proxy(server.url) as proxy, hubspot_client(proxy.url, backlot.TOKEN) as http:
            crm, name = HubSpot(http), "hubspot: backlot"
            companies = [str(9_100_001 + place) for place in range(len(known(company)))]
            deals = [str(50_001 + place) for place in range(len(company.opportunities))]
            contracts = [contract.number for contract in company.contracts]
            portal = ((crm.companies.read, companies, 100), (crm.deals.read, deals, 100))
            yield await cost(proxy, name, "portal", *portal)
            # A hundred contracts have more than one page of deals, and backlot's search has no second one.
            yield await cost(proxy, name, "analytics, renewals", (crm.deals_of_contracts, contracts, 50))
    finally:
        await asyncio.to_thread(server.stop)


async def salesforce(company: Company, folder: Path) -> AsyncIterator[tuple[Any, ...]]:
    server = await asyncio.to_thread(mockforce.serve_mockforce, folder)
    try:
        ids = await asyncio.to_thread(fill_mockforce, server.url, company)
        abilities = salesforce_org.Abilities(has_collections=False, has_describe=False)
        async with fault_proxy(server.url) as proxy, salesforce_client(proxy.url) as http:
            crm = Salesforce(salesforce_org.SalesforceOrg(http, SchemaDrift("crm"), abilities))
            name = "salesforce: simple-mockforce"
            accounts, deals = ids["Account"], ids["Opportunity"]
            await crm.companies.read(accounts[:1])  # a session
            size, links = crm.companies.capabilities.max_ids_per_call, crm.max_links_per_call
            portal = (
                (crm.companies.read, accounts, size), (crm.deals_of, accounts, links), (crm.deals.read, deals, size),
            )  # fmt: skip
            yield await cost(proxy, name, "portal", *portal)
            contracts = [contract.number for contract in company.contracts]
            yield await cost(proxy, name, "analytics, renewals", (crm.deals_of_contracts, contracts, 100))
    finally:
        await asyncio.to_thread(server.stop)


def fill_mockforce(url: str, company: Company) -> dict[str, list[str]]:
    ids: dict[str, dict[str, str]] = {"Account": {}, "Opportunity": {}}
    users = {row.reference: record_id("005", place) for place, row in enumerate(company.owners, 1)}
    with httpx2.Client(base_url=url, trust_env=False, timeout=60) as http:
        session = http.post(salesforce_org.TOKEN_PATH, data={}).json()["access_token"]
        http.headers["authorization"] = f"Bearer {session}"

        def create(kind: str, reference: str, values: dict[str, Any]) -> None:
            made = http.post(f"{salesforce_org.API}/sobjects/{kind}", json=values).raise_for_status()
            ids[kind][reference] = made.json()["id"]

        for row in known(company):
            create("Account", row.reference, {**account_values(row, users), "ParentId": None})
        contracts = {row.number: row for row in company.contracts}
        missing = dict.fromkeys(("Contract_Number__c", "Renewal_Stage__c", "Renewal_Risk__c"))
        for deal in company.opportunities:
            values = opportunity_values(deal, users, ids["Account"], contracts.get(deal.contract or ""))
            create("Opportunity", deal.reference, {**missing, "Probability": None, **values})
    return {kind: list(made.values()) for kind, made in ids.items()}


async def stripe(company: Company, _folder: Path) -> AsyncIterator[tuple[Any, ...]]:
    async with localstripe() as url, fault_proxy(url) as proxy:
        async with stripe_client(url, KEY, timeout_s=30, dialect=LOCALSTRIPE) as http:
            adaptor = StripeAdaptor(http, LOCALSTRIPE)
            for row in company.customers:
                await adaptor.post("/v1/customers", {"name": row.name}, key=None)
        async with stripe_client(proxy.url, KEY, timeout_s=30, dialect=LOCALSTRIPE) as http:
            adaptor = StripeAdaptor(http, LOCALSTRIPE)

            async def fill(ids: Sequence[str]) -> Mapping[str, Any]:
                return {held["id"]: held for held in await adaptor.list_all("/v1/customers") if held or ids}

            async def follow(_ids: Sequence[str]) -> Mapping[str, Any]:
                return {each["id"]: each for each in await adaptor.events_since(int(time.time()) + 60)}

            every = [row.reference for row in company.customers]
            name = "stripe: localstripe"
            row = await cost(proxy, name, "all: filling the mirror, once", (fill, every, len(every)))
            yield (*row[:5], ceil(len(every) / 100), *row[6:])
            yield await cost(proxy, name, "all: what changed since", (follow, every, len(every)))


async def tryton(company: Company, folder: Path) -> AsyncIterator[tuple[Any, ...]]:
    small = generate(7, 4, TODAY)
    server = await asyncio.to_thread(serve_tryton, folder, small)
    try:
        async with (
            fault_proxy(server.url) as proxy,
            VendorClient(
                vendor="tryton", system="erp", base_url=proxy.url, words=refusal_words, timeout_s=120
            ) as client,
        ):
            connection = Tryton(client, application_key=server.application_key, login=LOGIN, password=PASSWORD)
            erp, name = TrytonErp(connection, today=lambda: TODAY), "tryton 8.2"
            rows = [
                {"name": row.legal_name, "code": f"MORE-{row.reference}"}
                for row in company.customers[len(small.customers) :]
            ]
            await connection.call("model.party.party.create", rows, {"company": 1, "companies": [1]})
            customers = [record.id for record in await erp.changed_customers(None)]
            contracts = [contract.number for contract in small.contracts]
            open_documents = (erp.open_documents_of_customers.read, customers, 2000)
            portal = (
                (erp.customers.read, customers, 2000),
                open_documents,
                (erp.invoices_of_customers(InvoiceQuery()).read, customers, 2000),
            )
            yield await cost(proxy, name, "portal", *portal)
            yield await cost(proxy, name, "support", (erp.customers.read, customers, 2000))
            yield await cost(proxy, name, "renewals", open_documents)
            lines = [
                charge.id for found in (await erp.charges_of_contracts.read(contracts)).values() for charge in found
            ]
            analytics = (
                (erp.charges_of_contracts.read, contracts, 2000),
                (erp.deferrals_of_lines.read, lines, 2000),
            )
            row = await cost(proxy, name, "analytics (of the few contracts in its books)", *analytics)
            # Deferrals come with their moves, by a request of its own.
            yield (*row[:5], row[5] + 1, *row[6:])
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    with TemporaryDirectory() as at:
        yield Path(at) / "system"


async def main() -> bool:
    company = generate(7, CUSTOMERS, TODAY)
    table = Table("system", "consumer", "asked for", "found", "requests", "at most", "kB", "seconds")
    is_dear = False
    for system in (hubspot, salesforce, stripe, tryton):
        async with folder() as at:
            async for name, consumer, asked, found, requests, most, size, seconds in system(company, at):
                is_dear = is_dear or requests > most
                table.add_row(
                    name, consumer, f"{asked:,}", f"{found:,}", str(requests), str(most), f"{size / 1000:,.0f}", f"{seconds:.1f}",
                )  # fmt: skip
    Console(width=150).print(table)
    return is_dear


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
