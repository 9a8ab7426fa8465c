"""`concord events webhooks | enable-webhook | replay-to`: receivers outside GraphQL."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.graph_client import GraphClient, GraphRefused, TokenOption, UrlOption, refusals_told
from gateway.cli.options import CONFIG, ConfigOption, JsonOption

_WEBHOOKS = """query ($first: Int!) { webhooks { name url delivered failingSince failures disabledAt reason
  deliveries(first: $first) { at eventId eventType attempt status error durationMs replayId } parked { eventId eventType recordedAt attempts reason } }
  eventConsumers { name waiting missed } }"""
_ENABLE = "mutation ($input: EnableWebhookInput!) { enableWebhook(input: $input) { webhook { name } } }"
_REPLAY = """mutation ($input: ReplayEventsInput!) { replayEvents(input: $input) {
  replay { id consumer since until types perSecond } } }"""


def webhooks(
    name: Annotated[str | None, typer.Argument(help="Show this one's last deliveries.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many deliveries.")] = 20,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List webhooks, how they do and how far behind they are, or one's last deliveries.

    Example: `concord events webhooks analytics`
    """
    with refusals_told(), GraphClient(config, url, token) as graph:
        data = graph.ask(_WEBHOOKS, {"first": limit})
        if name is not None and all(hook["name"] != name for hook in data["webhooks"]):
            raise GraphRefused("NOT_FOUND", f"There is no webhook {name}.")
    lags = {each["name"]: each for each in data["eventConsumers"]}
    hooks = [{**hook, **lags.get(hook["name"], {})} for hook in data["webhooks"] if name in (None, hook["name"])]
    if as_json:
        sys.stdout.write(json.dumps(hooks, indent=2) + "\n")
        return
    console = Console()
    if name is None:
        table = Table("name", "url", "delivered", "waiting", "missed", "parked", "state")
        for hook in hooks:
            state = "disabled" if hook["disabledAt"] else "failing" if hook["failingSince"] else "works"
            told = f"{state}: {hook['reason']}" if hook["reason"] else state
            counts = (str(hook.get(each, "-")) for each in ("delivered", "waiting", "missed"))
            table.add_row(escape(hook["name"]), escape(hook["url"]), *counts, str(len(hook["parked"])), escape(told))
        console.print(table if hooks else "No webhooks.")
        return
    table = Table("at", "event", "attempt", "status", "error", "ms")
    for hook in hooks:
        for each in hook["deliveries"]:
            cells = (each["at"], each["eventId"], each["attempt"], each["status"], each["error"], each["durationMs"])
            table.add_row(*("-" if cell is None else escape(str(cell)) for cell in cells))
    console.print(table if table.row_count else "No deliveries.")


def enable_webhook(
    name: Annotated[str, typer.Argument(help="The webhook's name.")],
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Go on with a webhook that was switched off, where it stopped.

    Example: `concord events enable-webhook analytics`
    """
    with refusals_told(), GraphClient(config, url, token) as graph:
        graph.ask(_ENABLE, {"input": {"name": name}})
    Console().print(f"[green]✓[/green] {escape(name)} goes on", highlight=False)


def replay_to(
    consumer: Annotated[str, typer.Argument(help="The webhook's name.")],
    since: Annotated[str, typer.Option("--since", help="Events recorded from this instant on (RFC 3339).")],
    reason: Annotated[str, typer.Option("--reason", help="Why: kept with the replay.")],
    until: Annotated[str | None, typer.Option("--until", help="And before this one; by default until now.")] = None,
    types: Annotated[list[str] | None, typer.Option("--type", "-t", help="Only these types; may be repeated.")] = None,
    per_second: Annotated[float, typer.Option("--per-second", min=0.1, max=1000, help="The most in a second.")] = 50.0,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deliver the events of a time range to one webhook once more, throttled and flagged as replays.

    Example: `concord events replay-to analytics --since 2026-03-01T00:00:00Z --reason "their disk was lost"`
    """
    given = {
        "consumer": consumer,
        "since": since,
        "until": until,
        "types": types or None,
        "perSecond": per_second,
        "reason": reason,
    }
    with refusals_told(), GraphClient(config, url, token) as graph:
        replay = graph.ask(_REPLAY, {"input": given})["replayEvents"]["replay"]
    if as_json:
        sys.stdout.write(json.dumps(replay, indent=2) + "\n")
    else:
        told = f"replay {replay['id']} to {replay['consumer']}: {replay['since']} to {replay['until']}"
        Console().print(f"[green]✓[/green] {escape(told)}", highlight=False, soft_wrap=True)
