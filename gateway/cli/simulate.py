"""`concord simulate`: make believable changes in the systems of record, as their own users would."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.options import CONFIG, ConfigOption, JsonOption
from gateway.settings import Settings, SettingsRefused, load_settings

_TIMEOUT_S = 30.0
_NOTHING_LEFT = 409


def simulate(
    config: ConfigOption = CONFIG,
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", help="Make only changes of this kind; see --list.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many changes to make.")] = 1,
    every_s: Annotated[float, typer.Option("--every", min=0, help="Seconds between two changes.")] = 0.0,
    list_kinds: Annotated[bool, typer.Option("--list", help="Show what can be simulated.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make changes in the sandboxes of a running `concord up`, which then travel to every subscriber.

    Without a kind, all kinds take turns in an order of chance.

    Example: `concord simulate --kind deal_stage --count 5 --every 1`
    """
    console = Console()
    with httpx2.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
        kinds = _kinds(client, _sandboxes(load_settings(config)))
        if list_kinds:
            _print_kinds(kinds, console, as_json=as_json)
            return
        if kind is not None and kind not in kinds:
            raise SettingsRefused((f"There is no kind `{kind}`; choose from: {', '.join(sorted(kinds))}.",))
        if not kinds:
            raise SettingsRefused(("The configuration starts no sandbox, so there is nothing to simulate.",))
        chosen = [kind] if kind is not None else random.sample(sorted(kinds), len(kinds))
        made = 0
        for number in range(count):
            if number and every_s:
                time.sleep(every_s)
            name = chosen[number % len(chosen)]
            made += _make(client, name, kinds[name], console, as_json=as_json)
    if not made:
        raise typer.Exit(1)


def _sandboxes(settings: Settings) -> Mapping[str, str]:
    """Return logical system → address of each sandbox the configuration starts."""
    return {
        name.removesuffix("-sandbox"): f"http://127.0.0.1:{process.port}"
        for name, process in settings.processes.items()
        if process.module.endswith(".sandbox")
    }


def _kinds(client: httpx2.Client, sandboxes: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    kinds: dict[str, Mapping[str, Any]] = {}
    for system, url in sandboxes.items():
        address = f"{url}/__sandbox/changes"
        try:
            rows = client.get(address).raise_for_status().json()["kinds"]
            found = {row["kind"]: {"system": system, "url": address, "sentence": row["sentence"]} for row in rows}
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            raise SettingsRefused(
                (f"The {system} sandbox does not answer at {url}; is `concord up` running?",)
            ) from error
        kinds |= found
    return kinds


def _make(client: httpx2.Client, kind: str, details: Mapping[str, Any], console: Console, *, as_json: bool) -> int:
    """Make one change and print it; returns how many were made: none when no record is left that it could happen to."""
    system, url = details["system"], details["url"]
    try:
        reply = client.post(url, json={"kind": kind, "count": 1})
        answer = reply.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise SettingsRefused((f"The {system} sandbox did not make the change at {url}: {error}",)) from error
    if reply.status_code != _NOTHING_LEFT and reply.is_error:
        raise SettingsRefused((f"The {system} sandbox refused the change: {answer.get('message')}",))
    changes = answer.get("changes", [])
    for change in changes:
        if as_json:
            sys.stdout.write(json.dumps({"system": system, **change}) + "\n")
        else:
            console.print(f"[green]✓[/green] {system:<8} {escape(change['sentence'])}", highlight=False, soft_wrap=True)
    if not changes:
        Console(stderr=True).print(
            f"[yellow]![/yellow] {system:<8} {escape(answer['message'])}", highlight=False, soft_wrap=True
        )
    return len(changes)


def _print_kinds(kinds: Mapping[str, Mapping[str, Any]], console: Console, *, as_json: bool) -> None:
    if as_json:
        rows = [{"kind": kind, "system": row["system"], "sentence": row["sentence"]} for kind, row in kinds.items()]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    table = Table("kind", "system", "what happens")
    for kind, row in sorted(kinds.items()):
        table.add_row(*(escape(str(each)) for each in (kind, row["system"], row["sentence"])))
    console.print(table)
