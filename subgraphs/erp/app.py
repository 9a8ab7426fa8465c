"""The ERP subgraph as a process: `python -m subgraphs.erp.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from subgraphs.erp.context import ErpContext
from subgraphs.erp.events.feeds import ErpFeeds
from subgraphs.erp.events.seen import Seen
from subgraphs.erp.links import CustomerLinks
from subgraphs.erp.schema import schema
from subgraphs.erp.settings import ErpSettings
from subgraphs.erp.vendors.tryton import Tryton, refusal_words
from subgraphs.erp.vendors.tryton_erp import TrytonErp
from subgraphs.kit.api_budget import open_budget
from subgraphs.kit.change_feed import ChangeFeed
from subgraphs.kit.crosswalk import Crosswalk
from subgraphs.kit.database import Database
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.replica import Replica
from subgraphs.kit.subgraph_app import Running, run_subgraph
from subgraphs.kit.system_of_record import SystemOfRecord, describe
from subgraphs.kit.vendor_client import VendorClient

SCHEMAS = (Outbox.SCHEMA, ChangeFeed.SCHEMA, IdempotentWrites.SCHEMA, CustomerLinks.SCHEMA, Seen.SCHEMA)


@asynccontextmanager
async def start(settings: ErpSettings) -> AsyncIterator[Running]:
    """Connect to Tryton, begin to poll it, and serve."""
    secret = settings.signing_secret.get_secret_value()
    replica = Replica.join(settings.state_dir)
    database = await Database.open(settings.state_dir / "erp.sqlite", SCHEMAS)
    client = VendorClient(
        vendor="tryton",
        system="erp",
        base_url=settings.vendor_url,
        timeout_s=settings.vendor_timeout_s,
        words=refusal_words,
    )
    crosswalk = Crosswalk(url=settings.crosswalk_url, signing_secret=secret, system="erp")
    try:
        async with client, open_budget(settings, "tryton") as client.budget, crosswalk:
            tryton = Tryton(
                client,
                application_key=settings.vendor_token.get_secret_value(),
                login=settings.vendor_login,
                password=settings.vendor_password.get_secret_value(),
            )
            erp = TrytonErp(tryton, today=settings.business_day)
            outbox = Outbox(database, events_url=settings.events_url, signing_secret=secret)
            links = CustomerLinks(database, crosswalk)
            writes = IdempotentWrites(database, replica)
            feeds = ErpFeeds(
                erp,
                database=database,
                outbox=outbox,
                crosswalk=crosswalk,
                links=links,
                today=settings.business_day,
                due_soon_days=settings.due_soon_days,
                interval_s=settings.poll_interval_s,
            )

            def system() -> SystemOfRecord:
                sheets = {
                    "customers": erp.customers.capabilities,
                    "invoices": erp.invoices.capabilities,
                    "payments": erp.payments.capabilities,
                }
                return describe(name="erp", vendor="tryton", sheets=sheets, client=client, drift=tryton.drift)

            def context() -> ErpContext:
                return ErpContext(
                    erp, links=links, writes=writes, today=settings.business_day, changed=feeds.nudge, system=system
                )

            async with replica.leading(outbox.deliver_forever, *feeds.loops()):
                yield Running(context=context)
    finally:
        await database.close()
        replica.leave()


def main() -> None:
    """Serve until SIGTERM, or print the schema for `--print-schema`."""
    run_subgraph("erp", schema, ErpSettings, start)


if __name__ == "__main__":
    main()
