"""`concord reconcile`: compare owners with copies now, and deal with what differs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from gateway.cli.graph_client import GraphClient, GraphRefused, TokenOption, UrlOption, refusals_told
from gateway.cli.options import CONFIG, ConfigOption, JsonOption

app = typer.Typer()

DriftArgument = Annotated[str, typer.Argument(help="The drift's id, as the list and the graph show it.")]

_RUN = """id status kinds scheduled requestedBy startedAt finishedAt total compared differing opened resolved
  unreachable { system code subjects }"""
_BEGIN = f"mutation ($input: RunReconciliationInput!) {{ runReconciliation(input: $input) {{ run {{ {_RUN} }} }} }}"
_LOOK = f"query ($id: ID!) {{ reconciliationRun(id: $id) {{ {_RUN} }} }}"
_RUNS = f"query ($first: Int!) {{ reconciliationRuns(first: $first) {{ edges {{ node {{ {_RUN} }} }} }} }}"
_DRIFT = """id kind field owner system ownerValue copyValue difference currency status detectedAt reason mendedBy
  customer { id name } contract { number } product { sku } workflow { id status }"""
_DRIFTS = f"""query ($filter: DriftFilter, $first: Int!) {{
  drifts(filter: $filter, first: $first) {{ totalCount edges {{ node {{ {_DRIFT} }} }} }} }}"""
_ACCEPT = "mutation ($input: AcceptDriftInput!) { acceptDrift(input: $input) { drift { id status } } }"
_MEND = "mutation ($input: MendDriftInput!) { mendDrift(input: $input) { drift { id status } workflow { id kind status } } }"
_EVERY_S = 0.2
_WIDE = 120
"""Columns from which on a drift fits into a row."""
_COLOURS = {"COMPLETED": "green", "PARTIAL": "yellow", "INTERRUPTED": "red", "OPEN": "red", "ACCEPTED": "yellow"}


@app.callback(invoke_without_command=True)
def reconcile(
    context: typer.Context,
    customer: Annotated[str | None, typer.Option("--customer", help="Only this customer (global id).")] = None,
    contract: Annotated[str | None, typer.Option("--contract", help="Only this contract (global id).")] = None,
    sku: Annotated[str | None, typer.Option("--sku", help="Only this product.")] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", "-k", help="Only CUSTOMER, CONTRACT or PRODUCT; may be repeated.")
    ] = None,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what copies say with what their owners say, now: everything, or one customer, contract or product.

    Exits with 1 where a system could not be asked. The sub-commands list, mend and accept what differs.

    Example: `concord reconcile --kind CONTRACT`
    """
    if context.invoked_subcommand is not None:
        return
    stated = {"kinds": kinds, "customerId": customer, "contractId": contract, "sku": sku}
    given = {name: value for name, value in stated.items() if value}
    with refusals_told(), GraphClient(config, url, token) as graph:
        run = graph.ask(_BEGIN, {"input": given})["runReconciliation"]["run"]
        run = _follow(graph, run, is_silent=as_json)
        wanted: dict[str, Any] = {"statuses": ["OPEN"], "kinds": run["kinds"]}
        wanted |= {name: value for name, value in (("customer", customer), ("sku", sku)) if value}
        found = graph.ask(_DRIFTS, {"filter": wanted, "first": 200})["drifts"]
    drifts = [edge["node"] for edge in found["edges"]]
    if as_json:
        sys.stdout.write(json.dumps({"run": run, "open": found["totalCount"], "drifts": drifts}, indent=2) + "\n")
    else:
        console = Console()
        if drifts:
            _print_drifts(console, drifts)
        console.print(_summary(run, found["totalCount"]), highlight=False, soft_wrap=True)
    if run["status"] != "COMPLETED":
        raise typer.Exit(1)


@app.command()
def drifts(
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", help="Only with this status; may be repeated. OPEN by default."),
    ] = None,
    systems: Annotated[
        list[str] | None, typer.Option("--system", help="Only of this system, as owner or copy; may be repeated.")
    ] = None,
    fields: Annotated[list[str] | None, typer.Option("--field", help="Only of this field; may be repeated.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many, the newest first.")] = 50,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List drifts, the newest first.

    Example: `concord reconcile drifts --system erp`
    """
    stated = {"statuses": statuses or ["OPEN"], "systems": systems, "fields": fields}
    wanted = {name: value for name, value in stated.items() if value}
    with refusals_told(), GraphClient(config, url, token) as graph:
        found = graph.ask(_DRIFTS, {"filter": wanted, "first": limit})["drifts"]
    shown = [edge["node"] for edge in found["edges"]]
    if as_json:
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    else:
        _print_drifts(Console(), shown)


@app.command()
def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many, the newest first.")] = 20,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List reconciliations, the newest first.

    Example: `concord reconcile runs`
    """
    with refusals_told(), GraphClient(config, url, token) as graph:
        found = [edge["node"] for edge in graph.ask(_RUNS, {"first": limit})["reconciliationRuns"]["edges"]]
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    table = Table("started", "status", "by", "compared", "differ", "new", "gone", "not asked", box=None)
    for run in found:
        table.add_row(
            run["startedAt"][:16].replace("T", " "),
            _coloured(run["status"]),
            "schedule" if run["scheduled"] else escape(run["requestedBy"] or "anonymous"),
            f"{run['compared']}/{run['total'] or 0}",
            str(run["differing"]),
            str(run["opened"]),
            str(run["resolved"]),
            _unreachable(run),
        )
    Console().print(table)


@app.command()
def accept(
    drift: DriftArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why the systems may disagree; kept with the drift.")],
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Say why systems may disagree in this.

    Example: `concord reconcile accept RHJpZnQ6ZHItMDE --reason "the holding is billed under its old name"`
    """
    with refusals_told(), GraphClient(config, url, token) as graph:
        payload = graph.ask(_ACCEPT, {"input": {"id": drift, "reason": reason}})["acceptDrift"]
    Console().print(f"[green]✓[/green] it is {payload['drift']['status']}", highlight=False)


@app.command()
def mend(drift: DriftArgument, config: ConfigOption = CONFIG, url: UrlOption = None, token: TokenOption = None) -> None:
    """Start the workflow that brings the owner's value to the copy.

    Example: `concord reconcile mend RHJpZnQ6ZHItMDE`
    """
    with refusals_told(), GraphClient(config, url, token) as graph:
        workflow = graph.ask(_MEND, {"input": {"id": drift}})["mendDrift"]["workflow"]
    told = f"[green]✓[/green] {workflow['kind']} is {workflow['status']}: `concord workflows show {workflow['id']}`"
    Console().print(told, highlight=False, soft_wrap=True)


def _follow(graph: GraphClient, run: Mapping[str, Any], *, is_silent: bool) -> Mapping[str, Any]:
    """Return the run once it has ended, showing how far it is."""
    columns = (
        TextColumn("comparing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[differing]} differ"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=is_silent) as progress:
        task = progress.add_task("", total=run["total"], differing=0)
        while run["status"] == "RUNNING":
            time.sleep(_EVERY_S)
            found = graph.ask(_LOOK, {"id": run["id"]})["reconciliationRun"]
            if found is None:
                raise GraphRefused("NOT_FOUND", "The run is not known anymore.")
            run = found
            progress.update(task, total=run["total"], completed=run["compared"], differing=run["differing"])
    return run


def _summary(run: Mapping[str, Any], still_open: int) -> str:
    told = f"{_coloured(run['status'])}: {run['compared']} compared, {run['differing']} fields differ"
    told += f" ({run['opened']} new, {run['resolved']} resolved, {still_open} open)"
    return told + (f"; not asked: {_unreachable(run)}" if run["unreachable"] else "")


def _unreachable(run: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['system']} {each['code']} ({each['subjects']})" for each in run["unreachable"])


def _print_drifts(console: Console, found: list[dict[str, Any]]) -> None:
    """Print a row for each, or a paragraph where rows would not fit. Ids are whole in both: the other commands take them."""
    if console.width < _WIDE:
        for drift in found:
            _print_drift(console, drift)
        return
    table = Table(
        Column("id", no_wrap=True), "about", "field", "owner says", "copy says", "status", "mended by", box=None
    )
    for drift in found:
        table.add_row(
            drift["id"],
            escape(_about(drift)),
            drift["field"],
            _said(drift["owner"], drift["ownerValue"], drift["currency"]),
            _said(drift["system"], drift["copyValue"], drift["currency"]),
            _coloured(drift["status"]),
            drift["mendedBy"] or "people",
        )
    console.print(table)


def _print_drift(console: Console, drift: Mapping[str, Any]) -> None:
    owner, copy = (
        _said(drift[system], drift[value], drift["currency"])
        for system, value in (("owner", "ownerValue"), ("system", "copyValue"))
    )
    mended = f"mended by {drift['mendedBy'] or 'people'}"
    console.print(
        f"{escape(_about(drift))} · {drift['field']} · {_coloured(drift['status'])} · {mended}", highlight=False
    )
    console.print(f"  {owner}\n  {copy}", highlight=False)
    console.print(f"  {drift['id']}", style="dim", highlight=False, soft_wrap=True)


def _about(drift: Mapping[str, Any]) -> str:
    if drift["product"]:
        return str(drift["product"]["sku"])
    return str(drift["contract"]["number"] if drift["contract"] else (drift["customer"] or {}).get("name") or "")


def _said(system: str, value: str | None, currency: str | None) -> str:
    text = "nothing" if value is None else f"{value} {currency}" if currency else value
    return escape(f"{system}: {text}")


def _coloured(status: str) -> str:
    colour = _COLOURS.get(status)
    return f"[{colour}]{status}[/{colour}]" if colour else status
