"""Connects the vendor that the configuration names: its client, its adaptor, and its way to tell changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, assert_never

from starlette.routing import BaseRoute

from subgraphs.crm.instances import ID_FIELDS
from subgraphs.crm.port import Crm
from subgraphs.crm.records import Company, Deal
from subgraphs.crm.settings import CrmSettings
from subgraphs.crm.synchronise import Synchronisation
from subgraphs.crm.vendors import hubspot, hubspot_mapping, salesforce_mapping, salesforce_org
from subgraphs.crm.vendors.hubspot_webhook import HubSpotWebhooks, changed_ids
from subgraphs.crm.vendors.salesforce import Salesforce, SalesforceObjects
from subgraphs.crm.vendors.salesforce_changes import Changed, look
from subgraphs.kit.api_budget import open_budget
from subgraphs.kit.change_feed import ChangeFeed, Changes
from subgraphs.kit.credential import ClientCredentials
from subgraphs.kit.database import Database
from subgraphs.kit.instance_ids import InstanceIds
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.vendor_client import VendorClient
from subgraphs.kit.webhook import VendorEvent, WebhookInbox, webhook_route

RecordT = TypeVar("RecordT")
Loop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A CRM at hand."""

    crm: Crm
    client: VendorClient
    drift: SchemaDrift
    mapping_version: int
    api_version: str
    feed: Callable[[Database, Synchronisation, InstanceIds], Feed]
    """Makes what brings its changes to us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How changes come."""

    loops: Sequence[Loop]
    routes: Sequence[BaseRoute] = ()


@asynccontextmanager
async def connect(settings: CrmSettings) -> AsyncIterator[Connected]:
    """Connect to the vendor of the settings."""
    secret = settings.vendor_token.get_secret_value()
    match settings.vendor:
        case "hubspot":
            client = VendorClient(
                vendor="hubspot",
                system="crm",
                base_url=settings.vendor_url,
                headers={"authorization": f"Bearer {secret}"},
                timeout_s=settings.vendor_timeout_s,
                words=hubspot.allowed_words,
            )
            async with client, open_budget(settings, "hubspot") as client.budget:
                drift = SchemaDrift("crm")
                yield Connected(
                    crm=hubspot.HubSpot(client, drift),
                    client=client,
                    drift=drift,
                    mapping_version=hubspot_mapping.VERSION,
                    api_version=hubspot_mapping.API_VERSION,
                    feed=partial(_webhooks, settings),
                )
        case "salesforce":
            credential = ClientCredentials(
                system="crm",
                token_path=salesforce_org.TOKEN_PATH,
                client_id=settings.vendor_client_id,
                client_secret=secret,
            )
            client = VendorClient(
                vendor="salesforce",
                system="crm",
                base_url=settings.vendor_url,
                credential=credential,
                timeout_s=settings.vendor_timeout_s,
                words=salesforce_org.allowed_words,
                meaning=salesforce_org.meaning,
            )
            async with client, open_budget(settings, "salesforce") as client.budget:
                drift = SchemaDrift("crm")
                org = salesforce_org.SalesforceOrg(client, drift)
                crm = Salesforce(org, currency=settings.vendor_currency)
                yield Connected(
                    crm=crm,
                    client=client,
                    drift=drift,
                    mapping_version=salesforce_mapping.VERSION,
                    api_version=salesforce_mapping.API_VERSION,
                    feed=partial(_polls, settings, crm),
                )
        case other:
            assert_never(other)


def _webhooks(settings: CrmSettings, database: Database, synchronisation: Synchronisation, ids: InstanceIds) -> Feed:
    async def reread(events: Sequence[VendorEvent]) -> None:
        companies, deals = changed_ids(events)
        await synchronisation.reread(ids.add_all(companies), ids.add_all(deals))

    inbox = WebhookInbox(database, reread)
    route = webhook_route(
        f"/webhooks/hubspot/{ids.name}" if ids.name else "/webhooks/hubspot",
        HubSpotWebhooks(settings.webhook_secret.get_secret_value()),
        inbox,
        system="crm",
        public_url=settings.webhook_public_url,
    )
    return Feed(loops=(inbox.work_forever,), routes=(route,))


def _polls(
    settings: CrmSettings, crm: Salesforce, database: Database, synchronisation: Synchronisation, ids: InstanceIds
) -> Feed:
    """One feed per kind, each with a mark of its own: what changes while the other kind is read is not skipped."""

    async def take_companies(found: Sequence[Changed[Company]]) -> None:
        for changed in found:
            companies = [ids.record(company, ID_FIELDS) for company in changed.records]
            await synchronisation.take(companies, (), ids.keyed(changed.deleted))

    async def take_deals(found: Sequence[Changed[Deal]]) -> None:
        for changed in found:
            deals = [ids.record(deal, ID_FIELDS) for deal in changed.records]
            await synchronisation.take((), deals, ids.keyed(changed.deleted))

    def feed(
        objects: SalesforceObjects[RecordT], take: Callable[[Sequence[Changed[RecordT]]], Awaitable[None]]
    ) -> Loop:
        async def poll(mark: str | None) -> Changes[Changed[RecordT]]:
            return await look(objects, mark)

        return ChangeFeed(database, objects.kind, poll, take, interval_s=settings.poll_interval_s).run_forever

    return Feed(loops=(feed(crm.companies, take_companies), feed(crm.deals, take_deals)))
