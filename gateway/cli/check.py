"""`concord check`: what changes for clients between two supergraphs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from graphql import GraphQLError
from rich.console import Console
from rich.markup import escape

from gateway.cli.composed import compose_configured
from gateway.cli.files import read_text
from gateway.cli.options import CONFIG, ConfigOption, JsonOption
from gateway.events.contract_changes import contract_changes
from gateway.federation.composition import Change, ChangeLevel
from gateway.federation.composition import check as compare
from gateway.federation.supergraph import parse_supergraph
from gateway.settings import SettingsRefused, load_settings, overrides_of

_MARKS = {
    ChangeLevel.BREAKING: "[red]✗ breaking [/red]",
    ChangeLevel.DANGEROUS: "[yellow]! dangerous[/yellow]",
    ChangeLevel.SAFE: "[green]✓ safe     [/green]",
}


def check(
    old: Annotated[Path, typer.Argument(help="The supergraph that clients know, such as the deployed one.")],
    new: Annotated[
        Path | None, typer.Argument(help="The supergraph to come; by default what the configured subgraphs compose to.")
    ] = None,
    old_events: Annotated[
        Path | None,
        typer.Option(
            "--old-events", help="The event contracts that consumers know, to compare the configured ones with."
        ),
    ] = None,
    config: ConfigOption = CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List what changes between two supergraphs, and two sets of event contracts. Exits with 1 if a client could break.

    Example: `git archive main schema | tar -x -C old && concord check old/schema/supergraph.graphql --old-events old/schema/events`
    """
    before = read_text(old)
    after = read_text(new) if new is not None else _composed(config)
    try:
        changes = [*compare(before, after), *_contract_changes(old_events, config)]
    except (GraphQLError, ValueError) as error:
        raise SettingsRefused((f"These are not two supergraphs: {error}",)) from error
    if as_json:
        sys.stdout.write(json.dumps([change.to_json() for change in changes], indent=2) + "\n")
    else:
        console = Console()
        for change in changes:
            line = f"{_MARKS[change.level]} {change.code:<32} {escape(change.message)}"
            console.print(line, highlight=False, soft_wrap=True)
        counts = {level: sum(change.level is level for change in changes) for level in ChangeLevel}
        summary = ", ".join(f"{count} {level.lower()}" for level, count in counts.items())
        console.print(summary if changes else "No changes.", highlight=False)
    _warn_of_labels(after, config, is_configured=new is None)
    if any(change.level is ChangeLevel.BREAKING for change in changes):
        raise typer.Exit(1)


def _warn_of_labels(supergraph: str, config: Path, *, is_configured: bool) -> None:
    """Say which labels of `@override` can never become active under the configuration, where there is one."""
    try:
        overrides = overrides_of(load_settings(config))
    except SettingsRefused:
        if is_configured:
            raise
        return
    console = Console(stderr=True)
    for label in sorted(overrides.undecided(parse_supergraph(supergraph).override_labels)):
        told = f"The label `{label}` of @override is never active; say in [overrides] for whom it is."
        console.print(f"[yellow]![/yellow] {escape(told)}", highlight=False, soft_wrap=True)


def _contract_changes(old: Path | None, config: Path) -> tuple[Change, ...]:
    if old is None:
        return ()
    new = load_settings(config).events.contracts
    if new is None:
        raise SettingsRefused((f"{config} names no `events.contracts` to compare with {old}.",))
    try:
        return contract_changes(old, new)
    except (OSError, ValueError) as error:
        raise SettingsRefused((f"The event contracts can't be compared: {error}",)) from error


def _composed(config: Path) -> str:
    composed = compose_configured(load_settings(config))
    if composed.supergraph_sdl is None:
        raise SettingsRefused(("The configured subgraphs don't compose; run `concord compose` to see why.",))
    return composed.supergraph_sdl
