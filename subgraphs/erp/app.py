"""The ERP subgraph as a process: `python -m subgraphs.erp.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from subgraphs.erp.confined import ConfinedErp
from subgraphs.erp.context import ErpContext
from subgraphs.erp.events.feeds import ErpFeeds
from subgraphs.erp.events.seen import Seen
from subgraphs.erp.events.unreadable import UnreadableRows
from subgraphs.erp.instance_writes import InstancedErp, Route
from subgraphs.erp.links import AllCustomerLinks, CustomerLinks
from subgraphs.erp.port import Erp
from subgraphs.erp.schema import schema
from subgraphs.erp.settings import ErpRoute, ErpSettings
from subgraphs.erp.vendors import tryton_mapping
from subgraphs.erp.vendors.tryton import Tryton, refusal_words
from subgraphs.erp.vendors.tryton_erp import TrytonErp
from subgraphs.kit.api_budget import open_budget
from subgraphs.kit.change_feed import ChangeFeed
from subgraphs.kit.confinement import Confinement
from subgraphs.kit.crosswalk import Crosswalk
from subgraphs.kit.database import Database
from subgraphs.kit.first_synchronisation import FirstSynchronisation
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.instance_crosswalk import InstanceCrosswalk
from subgraphs.kit.instance_ids import InstanceIds
from subgraphs.kit.instances import Instance
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.replica import join_replicas, open_database
from subgraphs.kit.subgraph_app import Running, run_subgraph
from subgraphs.kit.system_of_record import SystemOfRecord, describe
from subgraphs.kit.vendor_client import VendorClient

SCHEMAS = (
    Outbox.SCHEMA, ChangeFeed.SCHEMA, IdempotentWrites.SCHEMA, CustomerLinks.SCHEMA, Seen.SCHEMA, UnreadableRows.SCHEMA,
    FirstSynchronisation.SCHEMA,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """One ERP at work: what the graph reads of it, and the loops that keep identity and the event log in step with it."""

    instance: Instance[Erp]
    describe: Callable[[], SystemOfRecord]
    crosswalk: Crosswalk
    links: CustomerLinks
    feeds: ErpFeeds
    first: FirstSynchronisation
    database: Database
    loops: Sequence[Callable[[], Awaitable[None]]]


@asynccontextmanager
async def join(settings: ErpSettings, ids: InstanceIds) -> AsyncIterator[Joined]:
    """Connect to one ERP. Each has a file of its own: what was seen of one says nothing of another."""
    secret = settings.signing_secret.get_secret_value()
    suffix = f"-{ids.name}" if ids.name else ""
    system = f"erp/{ids.name}" if ids.name else "erp"
    database = await open_database(settings, f"erp{suffix}", SCHEMAS)
    client = VendorClient(
        vendor="tryton",
        system="erp",
        base_url=settings.vendor_url,
        timeout_s=settings.vendor_timeout_s,
        words=refusal_words,
    )
    crosswalk = Crosswalk(url=settings.crosswalk_url, signing_secret=secret, system=system)
    try:
        async with client, open_budget(settings, "tryton") as client.budget, crosswalk:
            tryton = Tryton(
                client,
                application_key=settings.vendor_token.get_secret_value(),
                login=settings.vendor_login,
                password=settings.vendor_password.get_secret_value(),
            )
            erp = TrytonErp(tryton, today=settings.business_day)
            instance: Instance[Erp] = Instance(ids=ids, port=erp, region=settings.region)
            linked = InstanceCrosswalk(crosswalk, ids)
            outbox = Outbox(database, events_url=settings.events_url, signing_secret=secret)
            links = CustomerLinks(database, linked)
            first = FirstSynchronisation(database, crosswalk, system)
            feeds = ErpFeeds(
                InstancedErp([instance]),
                database=database,
                outbox=outbox,
                crosswalk=linked,
                links=links,
                first=first,
                today=settings.business_day,
                due_soon_days=settings.due_soon_days,
                interval_s=settings.poll_interval_s,
                synchronise_interval_s=settings.synchronise_interval_s,
            )
            sheets = {
                "customers": erp.customers.capabilities,
                "invoices": erp.invoices.capabilities,
                "payments": erp.payments.capabilities,
            }
            described = partial(
                describe,
                name=system,
                vendor="tryton",
                sheets=sheets,
                client=client,
                drift=tryton.drift,
                mapping_version=tryton_mapping.VERSION,
                api_version=tryton_mapping.API_VERSION,
                region=settings.region,
            )
            yield Joined(
                instance=instance,
                describe=described,
                crosswalk=crosswalk,
                links=links,
                feeds=feeds,
                first=first,
                database=database,
                loops=(outbox.deliver_forever, *feeds.loops()),
            )
    finally:
        await database.close()


@asynccontextmanager
async def start(settings: ErpSettings) -> AsyncIterator[Running]:
    """Connect to Tryton, and to the further ones of the configuration, begin to poll them, and serve."""
    named = {instance.name: settings.instance_settings(instance) for instance in settings.instances}
    async with AsyncExitStack() as stack:
        replica = await join_replicas(settings, "erp")
        stack.push_async_callback(replica.leave)
        joined = [await stack.enter_async_context(join(settings, InstanceIds()))]
        for name, own in named.items():
            joined.append(await stack.enter_async_context(join(own, InstanceIds(name))))
        erp = InstancedErp([each.instance for each in joined], [to_route(route) for route in settings.routes])
        shown = ConfinedErp(erp, Confinement([(each.crosswalk, each.instance.ids) for each in joined]))
        links = AllCustomerLinks([each.links for each in joined])
        writes = IdempotentWrites(joined[0].database, replica)

        def systems() -> list[SystemOfRecord]:
            return [each.describe() for each in joined if each.instance.is_visible]

        def changed() -> None:
            for each in joined:
                each.feeds.nudge()

        def context() -> ErpContext:
            return ErpContext(
                shown,
                orders=erp,
                links=links,
                writes=writes,
                today=settings.business_day,
                changed=changed,
                systems=systems,
            )

        await stack.enter_async_context(replica.leading(*(loop for each in joined for loop in each.loops)))
        yield Running(context=context, synchronising=[each.first.pending for each in joined])


def to_route(route: ErpRoute) -> Route:
    """Return a route of the configuration as the ERPs take it."""
    return Route(
        instance=route.instance,
        countries=frozenset(route.countries),
        currencies=frozenset(route.currencies),
        business_units=frozenset(route.business_units),
    )


def main() -> None:
    """Serve until SIGTERM, or print the schema for `--print-schema`."""
    run_subgraph("erp", schema, ErpSettings, start)


if __name__ == "__main__":
    main()
