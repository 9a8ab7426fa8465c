"""The identity process: `python -m subgraphs.identity.app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from subgraphs.identity.awaited import AwaitedSystems
from subgraphs.identity.bounds import Dimensions
from subgraphs.identity.context import IdentityContext
from subgraphs.identity.crosswalk_routes import CrosswalkRoutes
from subgraphs.identity.directory import forget_views
from subgraphs.identity.schema import create_schema
from subgraphs.identity.settings import IdentitySettings
from subgraphs.identity.tables import SCHEMA
from subgraphs.kit.idempotent_write import IdempotentWrites
from subgraphs.kit.outbox import Outbox
from subgraphs.kit.replica import join_replicas, open_database
from subgraphs.kit.subgraph_app import Running, run_subgraph

_SCHEMAS = (SCHEMA, AwaitedSystems.SCHEMA, Outbox.SCHEMA, IdempotentWrites.SCHEMA)


@asynccontextmanager
async def start(settings: IdentitySettings) -> AsyncIterator[Running]:
    """Open the crosswalk and deliver its events."""
    secret = settings.signing_secret.get_secret_value()
    dimensions = Dimensions(facets=settings.dimensions, tenants_confine=settings.tenants_confine)
    replica = await join_replicas(settings, "identity")
    database = await open_database(settings, "crosswalk", _SCHEMAS)
    try:
        await database.run(forget_views)
        outbox = Outbox(database, events_url=settings.events_url, signing_secret=secret)
        writes = IdempotentWrites(database, replica)
        awaited = AwaitedSystems(database, settings.systems)
        crosswalk = CrosswalkRoutes(
            database,
            outbox,
            awaited,
            signing_secret=secret,
            max_body_bytes=settings.max_body_bytes,
            dimensions=dimensions,
        )
        async with replica.leading(outbox.deliver_forever):
            yield Running(
                context=lambda: IdentityContext(
                    database=database,
                    outbox=outbox,
                    writes=writes,
                    awaited=awaited,
                    regions=settings.regions,
                    dimensions=dimensions,
                ),
                routes=crosswalk.routes(),
            )
    finally:
        await database.close()
        await replica.leave()


def main() -> None:
    """Serve, or print the SDL with `--print-schema`."""
    run_subgraph("identity", create_schema(), IdentitySettings, start)


if __name__ == "__main__":
    main()
