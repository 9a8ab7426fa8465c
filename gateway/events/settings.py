"""The tables `[events]` and `[webhooks.*]` of the configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta, field

from gateway.table import Table


class EventsSettings(Table, frozen=True, kw_only=True):
    """The event log and its door."""

    hidden: ClassVar[frozenset[str]] = frozenset({"feed_keys", "redis_url"})

    retention_days: Annotated[float, Meta(gt=0)] = 30.0
    contracts: Path | None = None
    """A folder of JSON schemas as schema/events is, one for each type of event that is taken; absent: none is."""
    redis_url: Annotated[str, Meta(pattern=r"^rediss?://")] | None = None
    """The Redis that several gateways share their log in; without it one gateway keeps a SQLite file."""
    egress_hosts: tuple[str, ...] = ()
    """Hosts that webhooks and callbacks may go to: `hooks.example.com`, `*.example.com`, `127.0.0.1:9000`."""
    egress_networks: tuple[str, ...] = ()
    """Networks that are not public and that those hosts' names may lead to: `10.20.0.0/16`."""
    feed_keys: Mapping[str, Annotated[str, Meta(min_length=16)]] = field(default_factory=dict)
    """Name of a consumer to the key with which it reads all of /events/feed, best given by the environment."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """System of record (`crm`, `crm/acme`) to where its data lives, as identity's `regions`: callers who are confined to
    other regions don't see its events."""
    tenants_confine: bool = True
    """Whether a caller who acts for a tenant is confined to customers, and so doesn't see events that name none."""


class WebhookSettings(Table, frozen=True, kw_only=True):
    """A receiver outside GraphQL, to which events are posted, signed as Standard Webhooks say."""

    hidden: ClassVar[frozenset[str]] = frozenset({"secret"})

    url: str
    secret: str
    """`whsec_` and the base64 of 24 to 64 bytes, best given by the environment (`CONCORD_WEBHOOKS__NAME__SECRET`)."""
    types: tuple[str, ...] | None = None
    """Event types; all, if absent."""
    systems: tuple[str, ...] | None = None
    """Systems whose events it gets; all, if absent."""
    tenant: str | None = None
    """For whom it is: it gets what a caller of this tenant may see …"""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """… whose claims confine it so: `{ business_unit = ["EMEA"] }`."""
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    first_pause_s: Annotated[float, Meta(gt=0)] = 1.0
    """Pause after a failure; it doubles with each further one …"""
    longest_pause_s: Annotated[float, Meta(gt=0)] = 300.0
    """… up to this."""
    park_after: Annotated[int, Meta(ge=1)] = 10
    """Attempts after which an event is parked that the receiver refuses, or fails at while it takes others."""
    disable_after_s: Annotated[float, Meta(gt=0)] = 3 * 24 * 3600.0
    """How long everything may fail before the webhook is switched off. Its events wait, as long as they are kept."""
