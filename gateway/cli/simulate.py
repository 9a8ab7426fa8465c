"""`concord simulate`: make believable changes in the systems of record, as their own users would."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from gateway.cli.options import CONFIG, ConfigOption, JsonOption
from gateway.settings import Settings, SettingsRefused, load_settings

_TIMEOUT_S = 30.0


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
        chosen = [kind] if kind is not None else sorted(kinds)
        for number in range(count):
            if number and every_s:
                time.sleep(every_s)
            name = chosen[number % len(chosen)]
            answer = _post(client, kinds[name]["url"], {"kind": name, "count": 1})
            for change in answer["changes"]:
                if as_json:
                    sys.stdout.write(json.dumps({"system": kinds[name]["system"], **change}) + "\n")
                else:
                    console.print(f"[green]✓[/green] {kinds[name]['system']:<8} {change['sentence']}", highlight=False)


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
            answer = client.get(address).raise_for_status().json()
        except httpx2.HTTPError as error:
            raise SettingsRefused(
                (f"The {system} sandbox does not answer at {url}; is `concord up` running?",)
            ) from error
        for row in answer["kinds"]:
            kinds[row["kind"]] = {"system": system, "url": address, "sentence": row["sentence"]}
    return kinds


def _post(client: httpx2.Client, url: str, body: Mapping[str, Any]) -> Any:
    try:
        return client.post(url, json=body).raise_for_status().json()
    except httpx2.HTTPError as error:
        raise SettingsRefused((f"{url} refused the change: {error}",)) from error


def _print_kinds(kinds: Mapping[str, Mapping[str, Any]], console: Console, *, as_json: bool) -> None:
    if as_json:
        rows = [{"kind": kind, "system": row["system"], "sentence": row["sentence"]} for kind, row in kinds.items()]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    table = Table("kind", "system", "what happens")
    for kind, row in sorted(kinds.items()):
        table.add_row(kind, row["system"], row["sentence"])
    console.print(table)
