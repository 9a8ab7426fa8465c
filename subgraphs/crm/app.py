"""The CRM subgraph as a process: `python -m subgraphs.crm.app`; `--print-schema` prints its SDL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from starlette.routing import BaseRoute

from subgraphs.crm.access import ACCESS, CONSUMERS
from subgraphs.crm.catalogue import Product
from subgraphs.crm.confined import ConfinedCrm
from subgraphs.crm.connect import Loop, connect
from subgraphs.crm.context import CrmContext
from subgraphs.crm.instances import InstancedCrm
from subgraphs.crm.mutations import Mutation
from subgraphs.crm.port import Crm
from subgraphs.crm.queries import Query
from subgraphs.crm.settings import CrmSettings
from subgraphs.crm.synchronise import COMPANIES, Synchronisation
from subgraphs.crm.types import AccountOwner, Contact, Contract, Customer, Opportunity
from subgraphs.kit.change_feed import ChangeFeed
from subgraphs.kit.confinement import Confinement
from subgraphs.kit.crosswalk import Crosswalk
from subgraphs.kit.database import Database
from subgraphs.kit.first_synchronisation import FirstSynchronisation
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.instance_crosswalk import CustomerRecords, InstanceCrosswalk
from subgraphs.kit.instance_ids import InstanceIds
from subgraphs.kit.instances import Instance
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.replica import join_replicas, open_database
from subgraphs.kit.subgraph_app import Running, run_subgraph
from subgraphs.kit.subgraph_schema import subgraph_schema
from subgraphs.kit.system_of_record import SystemOfRecord, describe
from subgraphs.kit.webhook import WebhookInbox

schema = subgraph_schema(
    query=Query,
    mutation=Mutation,
    types=(Customer, Contract, Opportunity, Contact, AccountOwner, Product),
    access=ACCESS,
    consumers=CONSUMERS,
)


SCHEMAS = (
    Outbox.SCHEMA, WebhookInbox.SCHEMA, ChangeFeed.SCHEMA, IdempotentWrites.SCHEMA, Synchronisation.SCHEMA,
    FirstSynchronisation.SCHEMA,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Joined:
    """One CRM at work: what the graph reads of it, and the loops that keep identity and the event log in step with it."""

    instance: Instance[Crm]
    describe: Callable[[], SystemOfRecord]
    crosswalk: InstanceCrosswalk
    database: Database
    first: FirstSynchronisation
    loops: Sequence[Loop]
    routes: Sequence[BaseRoute]


@asynccontextmanager
async def join(settings: CrmSettings, ids: InstanceIds) -> AsyncIterator[Joined]:
    """Connect to one CRM. Each has a file of its own: what was told of one says nothing of another."""
    secret = settings.signing_secret.get_secret_value()
    suffix = f"-{ids.name}" if ids.name else ""
    database = await open_database(settings, f"crm{suffix}", SCHEMAS)
    system = f"crm/{ids.name}" if ids.name else "crm"
    outbox = Outbox(database, events_url=settings.events_url, signing_secret=secret)

    async def pushed() -> Sequence[str]:
        return ids.own(await database.run(COMPANIES.ids))

    try:
        async with (
            connect(settings) as connected,
            Crosswalk(url=settings.crosswalk_url, signing_secret=secret, system=system, pushed=pushed) as crosswalk,
        ):
            instance = Instance(ids=ids, port=connected.crm, region=settings.region)
            linked = InstanceCrosswalk(crosswalk, ids)
            first = FirstSynchronisation(database, crosswalk, system)
            synchronisation = Synchronisation(
                InstancedCrm([instance]), linked, database, outbox, first, settings.synchronise_interval_s
            )
            feed = connected.feed(database, synchronisation, ids)
            loops = (outbox.deliver_forever, synchronisation.run_forever, *feed.loops)
            crm = connected.crm
            described = partial(
                describe,
                name=system,
                vendor=settings.vendor,
                sheets={
                    "companies": crm.companies.capabilities,
                    "contacts": crm.people.capabilities,
                    "deals": crm.deals.capabilities,
                    "owners": crm.owners.capabilities,
                },
                client=connected.client,
                drift=connected.drift,
                mapping_version=connected.mapping_version,
                api_version=connected.api_version,
                region=settings.region,
            )
            yield Joined(instance, described, linked, database, first, loops, feed.routes)
    finally:
        await database.close()


@asynccontextmanager
async def start(settings: CrmSettings) -> AsyncIterator[Running]:
    """Connect to the CRM, to the further ones of the configuration, and to the crosswalk, and serve."""
    named = {instance.name: settings.instance_settings(instance) for instance in settings.instances}
    async with AsyncExitStack() as stack:
        replica = await join_replicas(settings, "crm")
        stack.push_async_callback(replica.leave)
        joined = [await stack.enter_async_context(join(settings, InstanceIds()))]
        for name, own in named.items():
            joined.append(await stack.enter_async_context(join(own, InstanceIds(name))))
        confinement = Confinement([(each.crosswalk.crosswalk, each.instance.ids) for each in joined])
        crm = ConfinedCrm(InstancedCrm([each.instance for each in joined]), confinement)
        crosswalk = CustomerRecords([each.crosswalk for each in joined])
        writes = IdempotentWrites(joined[0].database, replica)

        def systems() -> list[SystemOfRecord]:
            return [each.describe() for each in joined if each.instance.is_visible]

        await stack.enter_async_context(replica.leading(*(loop for each in joined for loop in each.loops)))
        yield Running(
            context=lambda: CrmContext.begin(crm, crosswalk, writes, systems),
            routes=[route for each in joined for route in each.routes],
            synchronising=[each.first.pending for each in joined],
        )


def main() -> None:
    """Serve the subgraph as this process, or print its SDL."""
    run_subgraph("crm", schema, CrmSettings, start)


if __name__ == "__main__":
    main()
