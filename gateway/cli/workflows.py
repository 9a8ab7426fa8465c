"""`concord workflows`: writes over several systems, as they stand, live, and what people decide about them."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Column, Table

from gateway.cli.graph_client import GraphClient, GraphRefused, TokenOption, UrlOption, refusals_told
from gateway.cli.options import CONFIG, ConfigOption, JsonOption

app = typer.Typer()

WorkflowArgument = Annotated[str, typer.Argument(help="The workflow's id, as the list and the graph show it.")]
NoteOption = Annotated[str, typer.Option("--note", help="What was done, or why: kept with the workflow.")]

_WORKFLOW = """id kind status owner note requestedBy approvedBy startedAt effectiveOn finishedAt error { code message system }
  customer { id } contract { number } steps { name system status attempts compensated error { code message } }"""
_LIST = f"""query ($filter: WorkflowFilter, $first: Int!) {{
  workflows(filter: $filter, first: $first) {{ edges {{ node {{ {_WORKFLOW} }} }} totalCount }} }}"""
_SHOW = f"query ($id: ID!) {{ workflow(id: $id) {{ {_WORKFLOW} }} }}"
_EVIDENCE = """query ($id: ID!) { workflow(id: $id) {
  evidence { sequence at step actor action system question answer hash } } }"""
_VERIFY = "{ workflowEvidence { entries brokenAt head } }"
_DECISIONS = {
    name: f"mutation ($id: ID!{', $note: String!' if has_note else ''}) {{ {field}(id: $id{', note: $note' if has_note else ''})"
    " { workflow { id status } } }"
    for name, field, has_note in (
        ("retry", "retryWorkflow", False),
        ("compensate", "compensateWorkflow", False),
        ("resolve", "resolveException", True),
        ("approve", "approveWorkflow", False),
        ("reject", "rejectWorkflow", True),
    )
}
_COLOURS = {
    "COMPLETED": "green",
    "COMPENSATED": "yellow",
    "NEEDS_ATTENTION": "red",
    "RUNNING": "cyan",
    "COMPENSATING": "yellow",
    "DONE": "green",
    "FAILED": "red",
    "UNKNOWN": "red",
    "COMPENSATION_FAILED": "red",
}
_EVERY_S = 0.5
_ID_WIDTH = 43
_WIDE = 120
"""Columns from which on a workflow fits into one row."""


@app.callback(invoke_without_command=True)
def workflows(
    context: typer.Context,
    kinds: Annotated[list[str] | None, typer.Option("--kind", "-k", help="Only of this kind; may be repeated.")] = None,
    statuses: Annotated[
        list[str] | None, typer.Option("--status", "-s", help="Only with this status; may be repeated.")
    ] = None,
    contract: Annotated[str | None, typer.Option("--contract", help="Only of this contract's number.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many to list.")] = 20,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show them as they go on, until Ctrl-C.")] = False,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List writes over several systems, the newest first; look into one, and decide about those that need attention.

    Each is a workflow of steps that reaches its end after any crash, is undone in every system, or waits for somebody here.

    Example: `concord workflows --status NEEDS_ATTENTION`
    """
    if context.invoked_subcommand is not None:
        return
    stated = {"kinds": kinds, "statuses": statuses, "contract": contract}
    asked = {"filter": {name: value for name, value in stated.items() if value}, "first": limit}
    with refusals_told(), GraphClient(config, url, token) as graph:

        def found() -> list[dict[str, Any]]:
            return [edge["node"] for edge in graph.ask(_LIST, asked)["workflows"]["edges"]]

        if watch and as_json:
            _print_changes(found)
        elif watch:
            with Live(_table(found()), refresh_per_second=4) as live:
                while True:
                    time.sleep(_EVERY_S)
                    live.update(_table(found()))
        elif as_json:
            sys.stdout.write(json.dumps(found(), indent=2) + "\n")
        else:
            listed = found()
            Console().print(_table(listed) if listed else "No workflows.")


@app.command()
def show(
    workflow: WorkflowArgument,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one workflow with its steps.

    Example: `concord workflows show V29ya2Zsb3c6d2YtMDE`
    """
    with refusals_told(), GraphClient(config, url, token) as graph:
        found = graph.ask(_SHOW, {"id": workflow})["workflow"]
        if found is None:
            raise GraphRefused("NOT_FOUND", "There is no such workflow.")
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    console = Console()
    console.print(_line(found), highlight=False, soft_wrap=True)
    table = Table("step", "system", "status", "tries", "last error", box=None)
    for step in found["steps"]:
        error = f"{step['error']['code']}: {step['error']['message']}" if step["error"] else ""
        table.add_row(step["name"], step["system"], _coloured(step["status"]), str(step["attempts"]), escape(error))
    console.print(table)


@app.command()
def evidence(
    workflow: Annotated[str | None, typer.Argument(help="The workflow's id; none with --verify.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check that the whole record is unbroken.")] = False,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what is on record of a workflow, or check the record of all. Exits with 1 where the chain is broken.

    Example: `concord workflows evidence --verify`
    """
    if verify == (workflow is not None):
        raise typer.BadParameter("Name a workflow, or check all with --verify.")
    console = Console()
    with refusals_told(), GraphClient(config, url, token) as graph:
        if not verify:
            found = graph.ask(_EVIDENCE, {"id": workflow})["workflow"]
            if found is None:
                raise GraphRefused("NOT_FOUND", "There is no such workflow.")
            for entry in found["evidence"]:
                if as_json:
                    sys.stdout.write(json.dumps(entry) + "\n")
                    continue
                told = f"{entry['at']} {entry['actor']} {entry['system']} {entry['action']} {entry['answer']}"
                console.print(escape(told), highlight=False, soft_wrap=True)
            return
        checked = graph.ask(_VERIFY)["workflowEvidence"]
    if as_json:
        sys.stdout.write(json.dumps(checked) + "\n")
    elif checked["brokenAt"] is None:
        told = f"[green]✓[/green] {checked['entries']} entries, unbroken; the last one's hash is {checked['head']}"
        console.print(told, highlight=False, soft_wrap=True)
    else:
        told = f"[red]✗[/red] the record is broken at entry {checked['brokenAt']}, after {checked['entries']} good ones"
        console.print(told, highlight=False, soft_wrap=True)
    if checked["brokenAt"] is not None:
        raise typer.Exit(1)


@app.command()
def retry(
    workflow: WorkflowArgument, config: ConfigOption = CONFIG, url: UrlOption = None, token: TokenOption = None
) -> None:
    """Let a workflow that needs attention go on.

    Example: `concord workflows retry V29ya2Zsb3c6d2YtMDE`
    """
    _decide("retry", {"id": workflow}, config, url, token)


@app.command()
def compensate(
    workflow: WorkflowArgument, config: ConfigOption = CONFIG, url: UrlOption = None, token: TokenOption = None
) -> None:
    """Undo a workflow, even one that is completed.

    Example: `concord workflows compensate V29ya2Zsb3c6d2YtMDE`
    """
    _decide("compensate", {"id": workflow}, config, url, token)


@app.command()
def approve(
    workflow: WorkflowArgument, config: ConfigOption = CONFIG, url: UrlOption = None, token: TokenOption = None
) -> None:
    """Approve a workflow that somebody else asked for.

    Example: `concord workflows approve V29ya2Zsb3c6d2YtMDE`
    """
    _decide("approve", {"id": workflow}, config, url, token)


@app.command()
def reject(
    workflow: WorkflowArgument,
    note: NoteOption,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Refuse a workflow that waits for approval.

    Example: `concord workflows reject V29ya2Zsb3c6d2YtMDE --note "not this quarter"`
    """
    _decide("reject", {"id": workflow, "note": note}, config, url, token)


@app.command()
def resolve(
    workflow: WorkflowArgument,
    note: NoteOption,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Close a workflow that needs attention and was put right by hand.

    Example: `concord workflows resolve V29ya2Zsb3c6d2YtMDE --note "voided the bill by hand"`
    """
    _decide("resolve", {"id": workflow, "note": note}, config, url, token)


def _decide(name: str, variables: dict[str, Any], config: Any, url: str | None, token: str | None) -> None:
    with refusals_told(), GraphClient(config, url, token) as graph:
        (payload,) = graph.ask(_DECISIONS[name], variables).values()
    Console().print(f"[green]✓[/green] it is {payload['workflow']['status']}", highlight=False)


def _print_changes(found: Any) -> None:
    """Print each workflow as a line of JSON whenever it is not as it was printed last."""
    printed: dict[str, str] = {}
    while True:
        for workflow in reversed(found()):
            line = json.dumps(workflow)
            if printed.get(workflow["id"]) != line:
                printed[workflow["id"]] = line
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
        time.sleep(_EVERY_S)


def _table(found: list[dict[str, Any]]) -> Table:
    # Whole ids, on a narrow terminal too: the other commands take them.
    first = Column("id", no_wrap=True, min_width=_ID_WIDTH)
    if Console().width < _WIDE:
        table = Table(first, "workflow", box=None)
        for workflow in found:
            kind, status, *more = _cells(workflow)
            told = " · ".join(each for each in more if each)
            table.add_row(workflow["id"], f"{kind} {status}\n{told}")
        return table
    table = Table(first, "kind", "status", "step", "contract", "started", "error", box=None)
    for workflow in found:
        table.add_row(workflow["id"], *_cells(workflow))
    return table


def _cells(workflow: dict[str, Any]) -> tuple[str, ...]:
    """Return kind, status, step, contract, start and error."""
    steps = workflow["steps"]
    done = sum(step["status"] == "DONE" for step in steps)
    at = next((step["name"] for step in steps if step["status"] not in ("DONE", "COMPENSATED", "PENDING")), "")
    return (
        workflow["kind"],
        _coloured(workflow["status"]),
        f"{done}/{len(steps)} {at}".rstrip(),
        escape(workflow["contract"]["number"]) if workflow["contract"] else "",
        workflow["startedAt"][:19],
        workflow["error"]["code"] if workflow["error"] else "",
    )


def _line(workflow: dict[str, Any]) -> str:
    number = f" · contract {workflow['contract']['number']}" if workflow["contract"] else ""
    day = f" · on {workflow['effectiveOn']}" if workflow["effectiveOn"] else ""
    owner = f" · waits for {workflow['owner']}" if workflow["owner"] else ""
    error = f" · {workflow['error']['code']}: {workflow['error']['message']}" if workflow["error"] else ""
    return f"{workflow['kind']} {_coloured(workflow['status'])}{escape(number + day + owner + error)}"


def _coloured(status: str) -> str:
    colour = _COLOURS.get(status)
    return f"[{colour}]{status}[/{colour}]" if colour else status
