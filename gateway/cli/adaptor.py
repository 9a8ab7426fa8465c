"""`concord adaptor check`: holds adaptors of systems of record to the checks that ours pass."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

adaptor = typer.Typer(name="adaptor", no_args_is_help=True)


@adaptor.callback()
def adaptors() -> None:
    """Hold an adaptor, the code between a subgraph and its system of record, to the checks that ours pass.

    For whoever connects a system of their own (subgraphs/examples shows one), or wants to know what breaks when a vendor is
    slow, limits requests or fails.

    Example: `concord adaptor check subgraphs.examples.helpdesk.check:tickets`
    """


@adaptor.command()
def check(
    factories: Annotated[
        list[str], typer.Argument(metavar="MODULE:FACTORY…", help="Functions that yield an UnderTest.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of results instead of a table.")] = False,
    faults: Annotated[
        bool, typer.Option("--faults", help="Run the checks behind faults alone, and print what held as a table.")
    ] = False,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Run the checks whose names contain this.")] = "",
) -> None:
    """Check adaptors against a running vendor or sandbox: reads, writes, changes, and all of them behind faults.

    Exits with 0 if each check passed or is declared impossible with a reason, 1 if one failed, 2 if a factory can't be
    used. Example: `concord adaptor check my_desk.check:tickets --json`
    """
    # Subgraphs are programs of their own, which the gateway runs and never imports.
    options = [name for name, given in (("--json", as_json), ("--faults", faults)) if given]
    options += ["--only", only] if only else []
    command = [sys.executable, "-m", "subgraphs.kit.conformance", *options, *factories]
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own module
