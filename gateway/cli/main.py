"""The `concord` command's entry point: every sub-command in one list."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gateway.settings import SettingsRefused

COMMANDS = {
    name: f"gateway.cli.{name}"
    for name in (
        *("up", "serve", "compose", "check", "plan", "simulate"),
        *("events", "workflows", "reconcile", "access", "documents", "adaptor"),
    )
}
"""Sub-command → the module whose function or group `app` it is, which has its name otherwise."""


def application(names: Iterable[str]) -> typer.Typer:
    """Return the command line with these sub-commands."""
    app = typer.Typer(
        name="concord",
        help="""One GraphQL graph over a company's systems of record, and the federation gateway behind it.

        `concord up` runs the whole product on this machine; `concord compose` and `concord serve` a graph of your own.""",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    app.callback()(_concord)  # else a lone sub-command would be the whole command
    for name in names:
        module = import_module(COMMANDS[name])
        match getattr(module, "app", None) or getattr(module, name):
            case typer.Typer() as group:
                app.add_typer(group, name=name)
            case command:
                app.command()(command)
    return app


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"concord {version('concord')}")
        raise typer.Exit


def _concord(
    is_version_asked: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; a refused configuration is printed line by line and exits with 2."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    # What one sub-command needs, the others need not load.
    app = application([asked] if asked in COMMANDS else COMMANDS)
    try:
        app()
    except SettingsRefused as refused:
        console = Console(stderr=True)
        for problem in refused.problems:
            console.print(f"[red]✗[/red] {escape(problem)}", highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
