"""The CRM subgraph as a process: `python -m subgraphs.crm.app`; `--print-schema` prints its SDL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from subgraphs.crm.access import ACCESS
from subgraphs.crm.connect import connect
from subgraphs.crm.context import CrmContext
from subgraphs.crm.mutations import Mutation
from subgraphs.crm.queries import Query
from subgraphs.crm.settings import CrmSettings
from subgraphs.crm.synchronise import Synchronisation
from subgraphs.crm.types import AccountOwner, Contact, Contract, Customer, Opportunity
from subgraphs.kit.background import background
from subgraphs.kit.change_feed import ChangeFeed
from subgraphs.kit.crosswalk import Crosswalk
from subgraphs.kit.database import Database
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.subgraph_app import Running, run_subgraph
from subgraphs.kit.subgraph_schema import subgraph_schema
from subgraphs.kit.webhook import WebhookInbox

schema = subgraph_schema(
    query=Query, mutation=Mutation, types=(Customer, Contract, Opportunity, Contact, AccountOwner), access=ACCESS
)


@asynccontextmanager
async def start(settings: CrmSettings) -> AsyncIterator[Running]:
    """Connect to the CRM and the crosswalk, and run the loops that keep both and the event log in step."""
    secret = settings.signing_secret.get_secret_value()
    schemas = (
        Outbox.SCHEMA, WebhookInbox.SCHEMA, ChangeFeed.SCHEMA, IdempotentWrites.SCHEMA, Synchronisation.SCHEMA,
    )  # fmt: skip
    database = await Database.open(settings.state_dir / "crm.sqlite", schemas)
    crosswalk = Crosswalk(url=settings.crosswalk_url, signing_secret=secret, system="crm")
    outbox = Outbox(database, events_url=settings.events_url, signing_secret=secret)
    writes = IdempotentWrites(database)
    try:
        async with connect(settings) as connected, crosswalk:
            crm = connected.crm
            synchronisation = Synchronisation(crm, crosswalk, database, outbox, settings.synchronise_interval_s)
            feed = connected.feed(database, synchronisation)
            async with background(outbox.deliver_forever, synchronisation.run_forever, *feed.loops):
                yield Running(context=lambda: CrmContext.begin(crm, crosswalk, writes), routes=feed.routes)
    finally:
        await database.close()


def main() -> None:
    """Serve the subgraph as this process, or print its SDL."""
    run_subgraph("crm", schema, CrmSettings, start)


if __name__ == "__main__":
    main()
