"""`concord compose`: the subgraphs' schemas in, one supergraph out, or everything that is wrong with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, assert_never

import typer
from rich.console import Console
from rich.markup import escape

from gateway.cli.composed import Composed, compose_configured
from gateway.cli.files import read_text, write_text
from gateway.cli.options import CONFIG, ConfigOption, JsonOption
from gateway.federation.composition import CompositionError, CompositionHint
from gateway.graph.print_schema import print_schema as print_concord_schema
from gateway.settings import Settings, SettingsRefused, load_settings


def compose(
    config: ConfigOption = CONFIG,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the files on disk are not what would be written.")
    ] = False,
    print_subgraphs: Annotated[
        bool, typer.Option("--print-subgraphs", help="First print our own subgraphs' SDL from their code.")
    ] = False,
    as_json: JsonOption = False,
    hints: Annotated[bool, typer.Option("--hints", help="Show the hints too.")] = False,
) -> None:
    """Compose the configured subgraphs into the supergraph and the API schema that clients see.

    A subgraph is what the file of its `schema` says, or, without that key, what it tells when it is running. Exits with 1
    when they don't compose, listing every error with its place and a likely mend.

    Example: `concord compose --hints`
    """
    settings = load_settings(config)
    console = Console(stderr=as_json)
    if print_subgraphs:
        for path, sdl in _printed_subgraphs(settings):
            _write(path, sdl, check=check, console=console)
    composed = compose_configured(settings)
    if as_json:
        sys.stdout.write(json.dumps(composed.composition.to_json(), indent=2) + "\n")
    else:
        _report(composed, console, hints=hints)
    if composed.supergraph_sdl is None or composed.api_sdl is None:
        raise typer.Exit(1)
    _write(settings.supergraph.path, composed.supergraph_sdl, check=check, console=console)
    _write(settings.supergraph.api_path, composed.api_sdl, check=check, console=console)


def _printed_subgraphs(settings: Settings) -> Iterator[tuple[Path, str]]:
    for name, subgraph in settings.subgraphs.items():
        if subgraph.schema_path is None:
            continue
        if subgraph.in_process is not None:
            yield subgraph.schema_path, print_concord_schema()
        elif process := settings.processes.get(name):
            command = [sys.executable, "-m", process.module, "--print-schema"]
            printed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
            if printed.returncode != 0:
                raise SettingsRefused((f"`{' '.join(command[1:])}` failed:\n{printed.stderr.strip()}",))
            yield subgraph.schema_path, printed.stdout


def _write(path: Path, text: str, *, check: bool, console: Console) -> None:
    if path.exists() and read_text(path) == text:
        return
    if check:
        console.print(
            f"[red]✗[/red] {escape(str(path))} is not what the code prints; run `concord compose`.", highlight=False
        )
        raise typer.Exit(1)
    write_text(path, text)
    console.print(f"[green]✓[/green] wrote {escape(str(path))}", highlight=False)


def _report(composed: Composed, console: Console, *, hints: bool) -> None:
    composition = composed.composition
    for error in composition.errors:
        _report_problem(error, composed, console)
    for hint in composition.hints if hints else ():
        _report_problem(hint, composed, console)
    if composition.errors:
        count = len(composition.errors)
        counted = f"{count} error{'s' * (count != 1)}"
        console.print(f"\n[red]{counted}[/red]: the subgraphs don't compose.", highlight=False)
    else:
        extra = f", {len(composition.hints)} hints" if composition.hints else ""
        count = len(composed.places)
        counted = f"{count} subgraph{'s compose' if count != 1 else ' composes'}"
        console.print(f"[green]✓[/green] {counted}{extra}.", highlight=False)


def _report_problem(problem: CompositionError | CompositionHint, composed: Composed, console: Console) -> None:
    match problem:
        case CompositionError():
            mark, mend = "[red]✗[/red]", problem.mend
        case CompositionHint():
            mark, mend = "[yellow]·[/yellow]", None
        case other:
            assert_never(other)
    console.print(f"{mark} [bold]{problem.code}[/bold] {escape(problem.coordinate or '')}", highlight=False)
    console.print(f"    {escape(problem.message)}", highlight=False, soft_wrap=True)
    for at in problem.locations:
        place = composed.places.get(at.subgraph, at.subgraph)
        console.print(f"    [dim]{escape(f'{place}:{at.line}:{at.column}')}[/dim]", highlight=False)
    if mend:
        console.print(f"    [green]→[/green] {escape(mend)}", highlight=False, soft_wrap=True)
