"""The `concord` command's entry point: every sub-command in one list."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from gateway.cli.access import access
from gateway.cli.adaptor import adaptor
from gateway.cli.check import check
from gateway.cli.compose import compose
from gateway.cli.documents import documents
from gateway.cli.events import app as events
from gateway.cli.plan import plan
from gateway.cli.reconcile import app as reconcile
from gateway.cli.serve import serve
from gateway.cli.simulate import simulate
from gateway.cli.up import up
from gateway.cli.workflows import app as workflows
from gateway.settings import SettingsRefused

app = typer.Typer(
    name="concord",
    help="One GraphQL graph over a company's systems of record.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (up, serve, compose, check, plan, simulate):
    app.command()(command)
app.add_typer(events, name="events")
app.add_typer(workflows, name="workflows")
app.add_typer(reconcile, name="reconcile")
app.add_typer(access, name="access")
app.add_typer(documents, name="documents")
app.add_typer(adaptor)


def main() -> None:
    """Run the command; a refused configuration is printed line by line and exits with 2."""
    try:
        app()
    except SettingsRefused as refused:
        console = Console(stderr=True)
        for problem in refused.problems:
            console.print(f"[red]✗[/red] {problem}", highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
