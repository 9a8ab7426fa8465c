"""The desk as a subgraph: `python -m subgraphs.examples.helpdesk.app`, `--print-schema` for its SDL. Settings: `CONCORD_EXAMPLES_HELPDESK_…`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import strawberry
from pydantic_settings import SettingsConfigDict

from subgraphs.examples.helpdesk.desk import Desk, Ticket, desk_client
from subgraphs.kit.crosswalk import Crosswalk, CrosswalkRecord
from subgraphs.kit.global_id import encode_global_id, local_id
from subgraphs.kit.record_loader import RecordLoader, record_loader, relation_loader
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.settings import SubgraphSettings
from subgraphs.kit.subgraph_app import Running, run_subgraph
from subgraphs.kit.subgraph_schema import subgraph_schema


class DeskSettings(SubgraphSettings):
    """Environment variables `CONCORD_EXAMPLES_HELPDESK_…`."""

    model_config = SettingsConfigDict(env_prefix="CONCORD_EXAMPLES_HELPDESK_")


@dataclass(frozen=True, slots=True)
class DeskContext:
    """One request's loaders."""

    crosswalk: Crosswalk
    tickets: RecordLoader[Ticket, None]
    of_organisations: RecordLoader[Sequence[Ticket], tuple[()]]


Info = strawberry.Info[DeskContext, None]


@strawberry.federation.type(name="Ticket", keys=["id"], description="A customer's request to support.")
class TicketType:
    """A ticket in the graph."""

    id: strawberry.ID
    subject: str | None
    status: str | None

    @classmethod
    def of(cls, ticket: Ticket) -> TicketType:
        """Return the type of a record."""
        return cls(
            id=strawberry.ID(encode_global_id("Ticket", ticket.id)), subject=ticket.subject, status=ticket.status
        )

    @classmethod
    async def resolve_reference(cls, info: Info, *, id: str) -> TicketType | None:  # noqa: A002 - the key's name
        """Return the ticket of a global id, or None."""
        ticket = await info.context.tickets.load(local_id(id, "Ticket"))
        return cls.of(ticket) if ticket else None


@strawberry.federation.type(keys=["id"])
class Customer:
    """A company we sell to, as support knows it."""

    id: strawberry.ID

    @classmethod
    def resolve_reference(cls, info: Info, *, id: str) -> Customer:  # noqa: A002, ARG003 - the signature of all of them
        """Return the customer, which identity owns."""
        return cls(id=strawberry.ID(id))

    @strawberry.field
    async def tickets(self, info: Info) -> list[TicketType] | None:
        """What the customer has asked support."""
        organisations = await info.context.crosswalk.records_of(self.id)
        found = await info.context.of_organisations.load_many(list(organisations))
        return [TicketType.of(ticket) for tickets in found for ticket in tickets]


@strawberry.type
class Query:
    """What can be asked of the desk itself."""

    @strawberry.field
    async def ticket(self, info: Info, id: strawberry.ID) -> TicketType | None:  # noqa: A002 - the argument's name
        """One ticket, or null."""
        return await TicketType.resolve_reference(info, id=id)


@asynccontextmanager
async def start(settings: DeskSettings) -> AsyncIterator[Running]:
    """Connect to the desk and tell the crosswalk its organisations."""
    secret = settings.signing_secret.get_secret_value()
    crosswalk = Crosswalk(url=settings.crosswalk_url, signing_secret=secret, system="desk")
    async with desk_client(settings.vendor_url, settings.vendor_token.get_secret_value()) as client, crosswalk:
        desk = Desk(client, SchemaDrift("desk"))
        known = [
            CrosswalkRecord(external_id=str(held["id"]), reference=held["external_id"], name=held["name"])
            for held in await desk.organisations()
        ]
        await crosswalk.push(known)
        yield Running(
            context=lambda: DeskContext(
                crosswalk, record_loader(desk), relation_loader(desk.of_organisations, max_ids_per_call=20)
            )
        )


if __name__ == "__main__":
    run_subgraph("desk", subgraph_schema(query=Query, types=(Customer, TicketType)), DeskSettings, start)
