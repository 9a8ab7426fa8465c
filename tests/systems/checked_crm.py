"""The CRM adaptors as `concord adaptor check` takes them: over our sandboxes, and over systems that nobody here wrote."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import backlot
import httpx2
import mockforce
from crm_world import CUSTOMERS, TODAY, TOKEN, WEBHOOK_SECRET, sandbox_settings
from served_process import serve_module
from test_hubspot_adaptor import corpus

from subgraphs.crm.port import CompanyChange
from subgraphs.crm.sandbox.app import sign
from subgraphs.crm.sandbox.salesforce.org import record_id
from subgraphs.crm.vendors import hubspot, salesforce_org
from subgraphs.crm.vendors.hubspot_webhook import HubSpotWebhooks
from subgraphs.crm.vendors.salesforce import Salesforce
from subgraphs.crm.vendors.salesforce_changes import look
from subgraphs.kit.company.generate import generate
from subgraphs.kit.conformance.under_test import Connection, Poll, UnderTest, Webhook, Write
from subgraphs.kit.credential import ClientCredentials
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.vendor_client import VendorClient
from subgraphs.kit.webhook import WebhookRequest

_KNOWN = 100
_WEBHOOK_URL = "https://concord.example/webhooks/hubspot"
_EVENT = b'[{"eventId": 1, "subscriptionType": "company.propertyChange", "occurredAt": 1, "objectId": 9100001}]'


def connecting(kind: str, right_token: str = TOKEN) -> Any:
    """Connect to HubSpot for one kind of record."""

    @asynccontextmanager
    async def connect(to: Connection) -> AsyncIterator[Any]:
        token = "wrong" if to.is_credential_wrong else right_token
        async with VendorClient(
            vendor="hubspot",
            system="crm",
            base_url=to.url,
            headers={"authorization": f"Bearer {token}"},
            timeout_s=10,
            words=hubspot.allowed_words,
        ) as client:
            yield getattr(hubspot.HubSpot(client), kind)

    return connect


@asynccontextmanager
async def backlot_server() -> AsyncIterator[UnderTest[Any]]:
    """HubSpot's companies over backlot."""
    company = generate(7, CUSTOMERS, dt.date.fromisoformat(TODAY))
    with TemporaryDirectory() as folder:
        served = await asyncio.to_thread(backlot.serve_backlot, Path(folder), corpus(company))
        try:
            yield UnderTest(
                name="hubspot companies over backlot",
                url=served.url,
                connect=connecting("companies", backlot.TOKEN),
                known=[str(9_100_001 + place) for place in range(_KNOWN)],
                absent=["77"],
                cannot={
                    "write": "backlot is read only.",
                    "poll": "HubSpot pushes; what was missed is found by reading everything once more.",
                    "webhook": "Checked over the sandbox: the signature does not depend on the server.",
                },
            )
        finally:
            await asyncio.to_thread(served.stop)


@asynccontextmanager
async def hubspot_sandbox() -> AsyncIterator[Sequence[UnderTest[Any]]]:
    """HubSpot's companies and deals over our sandbox."""

    def signed(body: bytes, at: float) -> WebhookRequest:
        headers = {name.lower(): value for name, value in sign(WEBHOOK_SECRET, _WEBHOOK_URL, body, at).items()}
        return WebhookRequest(method="POST", url=_WEBHOOK_URL, headers=headers, body=body)

    async def rename(adaptor: Any, key: str) -> None:
        await adaptor.update("9100001", {"name": key})

    async def renamed(adaptor: Any, key: str) -> int:
        return int((await adaptor.read(["9100001"]))["9100001"].name == key)

    with TemporaryDirectory() as folder:
        served = await asyncio.to_thread(
            serve_module, "subgraphs.crm.sandbox", Path(folder), sandbox_settings(Path(folder))
        )
        try:
            yield [
                UnderTest(
                    name="hubspot companies",
                    url=served.url,
                    connect=connecting("companies"),
                    known=[str(9_100_001 + place) for place in range(_KNOWN)],
                    absent=["77"],
                    writes=[Write(name="update", carry_out=rename, effects=renamed)],
                    webhook=Webhook(verifier=HubSpotWebhooks(WEBHOOK_SECRET), body=_EVENT, sign=signed),
                    cannot={"poll": "HubSpot pushes; what was missed is found by reading everything once more."},
                ),
                UnderTest(
                    name="hubspot contacts",
                    url=served.url,
                    connect=connecting("people"),
                    known=[str(30_001 + place) for place in range(_KNOWN)],
                    absent=["77"],
                    cannot={
                        "write": "The graph has no mutation of contacts.",
                        "poll": "Contacts are read when they are asked for; nothing keeps a copy of them.",
                        "webhook": "Contacts are read when they are asked for; nothing keeps a copy of them.",
                    },
                ),
            ]
        finally:
            await asyncio.to_thread(served.stop)


def _salesforce(abilities: salesforce_org.Abilities, kind: str = "companies") -> Any:
    @asynccontextmanager
    async def connect(to: Connection) -> AsyncIterator[Any]:
        secret = "wrong" if to.is_credential_wrong else TOKEN
        credential = ClientCredentials(
            system="crm", token_path=salesforce_org.TOKEN_PATH, client_id="concord", client_secret=secret
        )
        async with VendorClient(
            vendor="salesforce",
            system="crm",
            base_url=to.url,
            credential=credential,
            timeout_s=10,
            words=salesforce_org.allowed_words,
            meaning=salesforce_org.meaning,
        ) as client:
            crm = Salesforce(salesforce_org.SalesforceOrg(client, SchemaDrift("crm"), abilities))
            companies = crm.companies
            companies.crm = crm  # type: ignore[attr-defined]  # the writes below go through the whole port
            yield getattr(crm, kind)

    return connect


async def _put(adaptor: Any, key: str) -> None:
    made = await adaptor.crm.put_companies({key: CompanyChange(name=f"Made by {key}")})
    assert isinstance(made[key], str)


async def _put_many(adaptor: Any, key: str) -> None:
    made = await adaptor.crm.put_companies({f"{key}-{n}": CompanyChange(name=f"{n} by {key}") for n in range(3)})
    assert all(isinstance(each, str) for each in made.values())


async def _count_many(adaptor: Any, key: str) -> int:
    """How often all three are there; one that is there more often than the others counts."""
    counts = [await _count(adaptor, f"{key}-{n}") for n in range(3)]
    return max(counts) if min(counts) or max(counts) > 1 else 0


async def _count(adaptor: Any, key: str) -> int:
    return sum([company.reference == key async for page in adaptor.all() for company in page])


async def _poll(adaptor: Any, mark: str | None) -> tuple[Sequence[str], str | None]:
    changes = await look(adaptor, mark)
    ids = [company.id for found in changes.items for company in found.records]
    return [*ids, *(gone for found in changes.items for gone in found.deleted)], changes.mark or mark


@asynccontextmanager
async def salesforce_sandbox() -> AsyncIterator[UnderTest[Any]]:
    """Salesforce's accounts over our sandbox."""

    async def change(adaptor: Any, number: int) -> str:
        account = record_id("001", number % 90 + 1)
        await adaptor.crm.change_company(account, CompanyChange(industry=f"Industry {number}"), version=None)
        return account

    with TemporaryDirectory() as folder:
        settings = sandbox_settings(Path(folder), vendor="salesforce")
        served = await asyncio.to_thread(serve_module, "subgraphs.crm.sandbox", Path(folder), settings)
        try:
            yield UnderTest(
                name="salesforce accounts",
                url=served.url,
                connect=_salesforce(salesforce_org.Abilities()),
                known=[record_id("001", number) for number in range(1, _KNOWN + 1)],
                absent=[record_id("001", 999_999)],
                writes=[
                    Write(name="upsert", carry_out=_put, effects=_count),
                    Write(name="upsert of three", carry_out=_put_many, effects=_count_many),
                ],
                poll=Poll(change=change, poll=_poll),
                cannot={"webhook": "Salesforce's change events need its own streaming API; changes are polled."},
            )
        finally:
            await asyncio.to_thread(served.stop)


@asynccontextmanager
async def simple_mockforce() -> AsyncIterator[UnderTest[Any]]:
    """Salesforce's accounts over simple-mockforce."""
    with TemporaryDirectory() as folder:
        served = await asyncio.to_thread(mockforce.serve_mockforce, Path(folder))
        try:
            async with httpx2.AsyncClient(base_url=served.url, trust_env=False, timeout=30) as http:
                session = (await http.post(salesforce_org.TOKEN_PATH)).json()["access_token"]
                http.headers["authorization"] = f"Bearer {session}"
                known = [await _made(http, number) for number in range(_KNOWN)]
            yield UnderTest(
                name="salesforce accounts over simple-mockforce",
                url=served.url,
                connect=_salesforce(salesforce_org.Abilities(has_collections=False, has_describe=False)),
                known=known,
                absent=[record_id("001", 999_999)],
                writes=[Write(name="upsert", carry_out=_put, effects=_count)],
                cannot={
                    "hides_why_its_credential_was_refused": "simple-mockforce takes any client and secret.",
                    "poll": "simple-mockforce compares instants as texts, which differ in how seconds are written.",
                    "webhook": "Salesforce's change events need its own streaming API; changes are polled.",
                },
            )
        finally:
            await asyncio.to_thread(served.stop)


async def _made(http: httpx2.AsyncClient, number: int) -> str:
    values = {
        "Name": f"Account {number}", "Website": f"https://www.a{number}.example", "Type": "Customer",
        "Customer_Reference__c": f"CUST-{number:04}", "Customer_Segment__c": "SMB", "OwnerId": record_id("005", 1),
        "Industry": "RETAIL", "NumberOfEmployees": number, "BillingStreet": "1 Street", "BillingCity": "Wien",
        "BillingPostalCode": "1010", "BillingCountry": "AT", "ParentId": None,
    }  # fmt: skip
    made = await http.post(f"{salesforce_org.API}/sobjects/Account", json=values)
    return str(made.raise_for_status().json()["id"])
