"""`concord plan`: what the gateway would do for an operation, stage by stage."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from graphql import GraphQLError
from rich.console import Console
from rich.markup import escape

from gateway.cli.files import read_text, write_text
from gateway.cli.options import CONFIG, ConfigOption, JsonOption
from gateway.errors import GatewayError, RequestRefused
from gateway.federation.operation import prepare, print_operation
from gateway.federation.plan import draw_plan, draw_svg, plan_to_json, print_plan
from gateway.federation.planner import Planner, Trace
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
    stages: Annotated[bool, typer.Option("--stages", help="Print every stage on the way to the plan as well.")] = False,
    draw: Annotated[bool, typer.Option("--draw", help="Print the plan as a graph in Graphviz's language.")] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write the plan as a picture to this file.", dir_okay=False)
    ] = None,
) -> None:
    """Print the query plan of an operation. Exits with 1 when it is refused.

    Example: `concord plan schema/documents/customer_view.graphql --stages`
    """
    if as_json + draw + stages > 1:
        raise typer.BadParameter("Choose one of --json, --draw and --stages.")
    path = supergraph or load_settings(config).supergraph.path
    try:
        graph = parse_supergraph(read_text(path))
    except (GraphQLError, ValueError) as error:
        raise SettingsRefused((f"{path} is not a supergraph: {error}",)) from error
    text = _read_input() if str(file) == "-" else read_text(file)
    trace = Trace()
    try:
        prepared = prepare(graph.api_schema, text, operation)
        if stages:
            _print_stage("operation", print_operation(prepared))
        planned = Planner(graph).plan(prepared, trace=trace if stages else None)
    except (GatewayError, RequestRefused) as refused:
        console = Console(stderr=True)
        for each in refused.errors if isinstance(refused, RequestRefused) else (refused,):
            at = "".join(f" {file}:{line}:{column}" for line, column in each.locations)
            console.print(
                f"[red]✗[/red] [bold]{each.code}[/bold]{escape(at)}\n    {escape(each.message)}", highlight=False
            )
        raise typer.Exit(1) from None
    if svg is not None:
        write_text(svg, draw_svg(planned))
    for stage, told in trace.stages:
        _print_stage(stage, told)
    if as_json:
        sys.stdout.write(json.dumps(plan_to_json(planned), indent=2) + "\n")
    elif draw:
        sys.stdout.write(draw_plan(planned))
    elif stages:
        _print_stage("plan", print_plan(planned))
    elif svg is None:
        sys.stdout.write(print_plan(planned) + "\n")


def _print_stage(name: str, text: str) -> None:
    sys.stdout.write(f"── {name}\n{text}\n")


def _read_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise SettingsRefused(("Standard input is not text in UTF-8.",)) from error
