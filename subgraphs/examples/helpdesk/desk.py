"""Zendesk behind the kit: tickets by id, by organisation and by time of change. https://developer.zendesk.com/api-reference/ticketing/"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subgraphs.kit.adaptor import Absence, BatchMode, Capabilities, EventSource, Idempotency
from subgraphs.kit.schema_drift import SchemaDrift
from subgraphs.kit.system_error import VendorBadResponseError
from subgraphs.kit.vendor_client import VendorClient

_STATUSES = {status: status.upper() for status in ("new", "open", "pending", "hold", "solved", "closed")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A customer's request, in no vendor's terms."""

    id: str
    subject: str
    status: str | None
    """None for a status that only this desk has."""
    organisation_id: str | None
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Desk:
    """Tickets of one help desk."""

    client: VendorClient
    drift: SchemaDrift
    capabilities = Capabilities(
        batch_mode=BatchMode.NATIVE,
        max_ids_per_call=100,
        absence=Absence.LEFT_OUT,
        events=EventSource.POLL,
        idempotency=Idempotency.VENDOR_KEY,
    )

    async def read(self, ids: Sequence[str]) -> Mapping[str, Ticket]:
        """Return the tickets that exist, by id, in one request."""
        known = [ticket_id for ticket_id in dict.fromkeys(ids) if ticket_id.isascii() and ticket_id.isdigit()]
        if not known:
            return {}
        reply = await self.client.read("GET", "/api/v2/tickets/show_many.json", params={"ids": ",".join(known)})
        return {ticket.id: ticket for ticket in self._tickets(reply.body)}

    async def of_organisations(self, ids: Sequence[str]) -> Mapping[str, Sequence[Ticket]]:
        """Return organisation id → its tickets, in one search."""
        terms = " ".join(f"organization:{organisation}" for organisation in ids)
        reply = await self.client.read("GET", "/api/v2/search.json", params={"query": f"type:ticket {terms}"})
        found: dict[str, list[Ticket]] = {}
        for ticket in self._tickets(reply.body, "results"):
            found.setdefault(ticket.organisation_id or "", []).append(ticket)
        return found

    async def changed(self, mark: str | None) -> tuple[Sequence[Ticket], str]:
        """Return the tickets changed since the mark, a unix time, and the next mark."""
        params = {"start_time": mark or "0"}
        reply = await self.client.read("GET", "/api/v2/incremental/tickets.json", params=params)
        return self._tickets(reply.body), str(reply.body["end_time"])

    async def open(self, subject: str, key: str) -> None:
        """Open a ticket; Zendesk recognises a repeated key."""
        body = {"ticket": {"subject": subject, "comment": {"body": subject}}}
        await self.client.write("POST", "/api/v2/tickets.json", json=body, idempotency_key=key)

    async def organisations(self) -> Sequence[Mapping[str, Any]]:
        """Return the desk's customers."""
        reply = await self.client.read("GET", "/api/v2/organizations.json")
        return list(reply.body["organizations"])

    def _tickets(self, body: Any, name: str = "tickets") -> list[Ticket]:
        try:
            return [
                Ticket(
                    id=str(held["id"]),
                    subject=held["subject"],
                    status=self.drift.known(_STATUSES, held["status"], kind="ticket", field="status"),
                    organisation_id=str(held["organization_id"]) if held["organization_id"] else None,
                    updated_at=dt.datetime.fromisoformat(held["updated_at"]),
                )
                for held in body[name]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise VendorBadResponseError("The desk's answer has an unexpected shape.", system="desk") from error


def desk_client(url: str, token: str) -> VendorClient:
    """Return a client for the desk at `url`."""
    headers = {"authorization": f"Bearer {token}"}
    return VendorClient(
        vendor="zendesk",
        system="desk",
        base_url=url,
        headers=headers,
        timeout_s=5,
        idempotency_header="Idempotency-Key",
    )
