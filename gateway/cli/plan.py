"""`concord plan`: what the gateway would do for an operation, stage by stage."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from graphql import GraphQLError
from rich.console import Console

from gateway.cli.options import CONFIG, ConfigOption, JsonOption
from gateway.errors import GatewayError, RequestRefused
from gateway.federation.operation import prepare
from gateway.federation.plan import plan_to_json, print_plan
from gateway.federation.planner import Planner
from gateway.federation.supergraph import parse_supergraph
from gateway.settings import SettingsRefused, load_settings


def plan(
    file: Annotated[Path, typer.Argument(help="A GraphQL document; - reads standard input.", allow_dash=True)],
    config: ConfigOption = CONFIG,
    supergraph: Annotated[
        Path | None, typer.Option("--supergraph", "-s", help="A supergraph to use instead of the configured one.")
    ] = None,
    operation: Annotated[str | None, typer.Option("--operation", "-o", help="Which operation of the document.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the query plan of an operation. Exits with 1 when it is refused.

    Example: `concord plan schema/documents/customer_view.graphql`
    """
    path = supergraph or load_settings(config).supergraph.path
    try:
        graph = parse_supergraph(_read(path))
    except (GraphQLError, ValueError, TypeError) as error:
        raise SettingsRefused((f"{path} is not a supergraph: {error}",)) from error
    text = sys.stdin.read() if str(file) == "-" else _read(file)
    try:
        planned = Planner(graph).plan(prepare(graph.api_schema, text, operation))
    except (GatewayError, RequestRefused) as refused:
        console = Console(stderr=True)
        for each in refused.errors if isinstance(refused, RequestRefused) else (refused,):
            at = "".join(f" {file}:{line}:{column}" for line, column in each.locations)
            console.print(f"[red]✗[/red] [bold]{each.code}[/bold]{at}\n    {each.message}", highlight=False)
        raise typer.Exit(1) from None
    sys.stdout.write((json.dumps(plan_to_json(planned), indent=2) if as_json else print_plan(planned)) + "\n")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsRefused((f"{path} can't be read: {error.strerror}.",)) from error
    except UnicodeDecodeError as error:
        raise SettingsRefused((f"{path} is not text in UTF-8.",)) from error
