"""Who gets events outside GraphQL: the configured webhooks, and those who read the feed with credentials of their own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from gateway.access.authenticate import KEY_HEADER, Authenticate
from gateway.access.caller import Caller
from gateway.access.lease import credentials_end
from gateway.errors import GatewayError
from gateway.events.contracts import EventContracts
from gateway.events.egress import Egress, EgressRefused
from gateway.events.feed import FeedReader, Recognise
from gateway.events.log import EventFilter
from gateway.events.sight import Sights
from gateway.events.webhook import Webhook, parse_secret
from gateway.settings import Settings, SettingsRefused

_SCOPE = "events:read"


def egress_of(settings: Settings) -> Egress:
    """Return where events may be sent. Raises SettingsRefused."""
    try:
        return Egress(settings.events.egress_hosts, settings.events.egress_networks)
    except ValueError as error:
        raise SettingsRefused((f"`events.egress_networks`: {error}.",)) from error


def read_webhooks(settings: Settings, contracts: EventContracts) -> tuple[Webhook, ...]:
    """Return the configured webhooks. Raises SettingsRefused with everything that is wrong with them."""
    egress = egress_of(settings)
    problems: list[str] = []
    webhooks: list[Webhook] = []
    for name, each in settings.webhooks.items():
        where = f"`webhooks.{name}`"
        try:
            egress.check(each.url)
        except EgressRefused as refused:
            problems.append(f"{where}: `url`: {refused}")
        problems += [
            f"{where}: `types`: there are no events of the type {strange}."
            for strange in sorted(set(each.types or ()) - contracts.types)
        ]
        try:
            secret = parse_secret(each.secret)
        except ValueError as error:
            problems.append(f"{where}: `secret`: {error}.")
            continue
        wanted = EventFilter(
            types=None if each.types is None else frozenset(each.types),
            systems=None if each.systems is None else frozenset(each.systems),
        )
        webhooks.append(
            Webhook(
                name=name,
                url=each.url,
                secret=secret,
                wanted=wanted,
                reader=Caller(
                    subject=name,
                    issuer="webhook",
                    tenant=each.tenant,
                    filters=each.filters,
                    scopes=frozenset({_SCOPE}),
                ),
                timeout_s=each.timeout_s,
                first_pause_s=each.first_pause_s,
                longest_pause_s=each.longest_pause_s,
                park_after=each.park_after,
                disable_after_s=each.disable_after_s,
            )
        )
    if problems:
        raise SettingsRefused(tuple(problems))
    return tuple(webhooks)


def feed_readers(authenticate: Authenticate, sights: Sights) -> Recognise:
    """Return what tells who reads the feed: whoever brings credentials with the scope `events:read`, while they hold."""

    async def recognise(headers: Mapping[str, str]) -> FeedReader:
        if not headers.keys() & {"authorization", KEY_HEADER}:
            raise GatewayError("UNAUTHENTICATED", headers={"WWW-Authenticate": "Bearer"})
        caller = await authenticate(headers)
        if _SCOPE not in caller.scopes or caller.contract is not None:
            raise GatewayError("FORBIDDEN", f"The feed is for whoever has the scope {_SCOPE}.")
        return FeedReader(sight=sights.of(caller), until=partial(credentials_end, caller))

    return recognise
