"""What leaves this process of its own accord, from settings: webhooks, confined to the hosts that are configured."""

from __future__ import annotations

from gateway.events.contracts import EventContracts
from gateway.events.egress import Egress, EgressRefused
from gateway.events.log import EventFilter
from gateway.events.webhook import Webhook, parse_secret
from gateway.settings import Settings, SettingsRefused


def read_webhooks(settings: Settings, contracts: EventContracts) -> tuple[Webhook, ...]:
    """Return the configured webhooks. Raises SettingsRefused with everything that is wrong with them."""
    egress = Egress(settings.events.egress_hosts)
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
                timeout_s=each.timeout_s,
                first_pause_s=each.first_pause_s,
                longest_pause_s=each.longest_pause_s,
                disable_after_s=each.disable_after_s,
            )
        )
    if problems:
        raise SettingsRefused(tuple(problems))
    return tuple(webhooks)
