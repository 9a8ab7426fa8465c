"""`concord events`: watch lifecycle events, and deal with those that broke their contract."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.graph_client import GraphClient, GraphRefused, TokenOption, UrlOption, refusals_told
from gateway.cli.options import CONFIG, ConfigOption, JsonOption
from gateway.cli.webhooks import enable_webhook, replay_to, webhooks
from gateway.events.dead_letter_desk import dead_letter_id, dead_letter_number

app = typer.Typer(no_args_is_help=True)
for command in (webhooks, enable_webhook, replay_to):
    app.command()(command)


@app.callback()
def events() -> None:
    """Watch lifecycle events as they happen, and deal with those that did not arrive.

    Events that broke their contract wait as dead letters, to be replayed or discarded; webhooks whose receivers failed are
    switched on again and sent what they missed.

    Example: `concord events tail`
    """


TypeOption = Annotated[
    str | None, typer.Option("--type", "-t", help="The event type, such as `concord.invoice.paid.v1`.")
]
RuleOption = Annotated[str | None, typer.Option("--rule", "-r", help="The broken rule, exactly as in `--causes`.")]
LetterArgument = Annotated[list[str] | None, typer.Argument(help="Dead letters, by number or id.", show_default=False)]
AllOption = Annotated[bool, typer.Option("--all", help="Every waiting letter, of any cause.")]

_EVENT = """id type time recordedTime sequence cursor source subject replayOf changes { field from to }
  customer { id } contract { number } invoice { number } feature"""
_LETTER = "id eventId eventType source rule message body times firstSeen lastSeen state settledAt reason"
_TAIL = f"""subscription ($filter: LifecycleEventFilter) {{ lifecycleEvents(filter: $filter) {{ {_EVENT} }} }}"""
_LIST = f"""query ($state: DeadLetterState, $type: String, $rule: String, $first: Int!, $after: String) {{
  deadLetters(state: $state, eventType: $type, rule: $rule, first: $first, after: $after) {{
    edges {{ node {{ {_LETTER} }} }} pageInfo {{ hasNextPage endCursor }} totalCount }} }}"""
_CAUSES = "{ deadLetterCauses { eventType rule letters lastSeen } }"
_INSPECT = f"query ($id: ID!) {{ node(id: $id) {{ ... on DeadLetter {{ {_LETTER} }} }} }}"
_REPLAY = """mutation ($input: ReplayDeadLetterInput!) {
  replayDeadLetter(input: $input) { deadLetter { id state reason } } }"""
_REPLAY_ALL = """mutation ($input: ReplayDeadLettersInput!) {
  replayDeadLetters(input: $input) { replayed refusedCount remaining refused { id message } } }"""
_DISCARD = """mutation ($input: DiscardDeadLetterInput!) {
  discardDeadLetter(input: $input) { deadLetter { id state reason } } }"""
_DISCARD_ALL = "mutation ($input: DiscardDeadLettersInput!) { discardDeadLetters(input: $input) { discarded } }"


@app.command()
def tail(
    types: Annotated[list[str] | None, typer.Option("--type", "-t", help="Only these types; may be repeated.")] = None,
    customers: Annotated[list[str] | None, typer.Option("--customer", help="Only of these customers.")] = None,
    contracts: Annotated[list[str] | None, typer.Option("--contract", help="Only of these contract numbers.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="A cursor: start with what came after it.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many events.")] = None,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print events as they happen; a lost connection goes on where it broke.

    Example: `concord events tail --type concord.renewal.due.v1 --json`
    """
    stated = {"types": types, "customers": customers, "contracts": contracts}
    wanted = {name: values for name, values in stated.items() if values}
    console = Console()
    with refusals_told(), GraphClient(config, url, token) as graph:
        for number, data in enumerate(graph.watch(_TAIL, {"filter": wanted}, after), start=1):
            event = data["lifecycleEvents"]
            if as_json:
                sys.stdout.write(json.dumps(event) + "\n")
                sys.stdout.flush()
            else:
                console.print(_event_line(event), highlight=False, soft_wrap=True)
            if number == limit:
                return


@app.command("dead-letters")
def dead_letters(
    letter: Annotated[str | None, typer.Argument(help="Show this one whole, by number or id.")] = None,
    causes: Annotated[bool, typer.Option("--causes", help="Group those that wait by what is wrong with them.")] = False,
    state: Annotated[str, typer.Option("--state", help="waiting, replayed, discarded or any.")] = "waiting",
    event_type: TypeOption = None,
    rule: RuleOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many to list.")] = 50,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List events that broke their contract, group them by cause, or show one whole.

    Example: `concord events dead-letters --causes`
    """
    with refusals_told(), GraphClient(config, url, token) as graph:
        if letter is not None:
            node = graph.ask(_INSPECT, {"id": _letter_id(letter)})["node"]
            if not node:
                raise GraphRefused("NOT_FOUND", f"There is no dead letter {letter}.")
            _print_letter(node, as_json=as_json)
        elif causes:
            _print_rows(graph.ask(_CAUSES)["deadLetterCauses"], ("letters", "eventType", "rule", "lastSeen"), as_json)
        else:
            rows = _listed(graph, state, event_type, rule, limit)
            _print_rows(rows, ("number", "state", "eventType", "rule", "times", "lastSeen", "message"), as_json)


@app.command()
def replay(
    letters: LetterArgument = None,
    everything: AllOption = False,
    event_type: TypeOption = None,
    rule: RuleOption = None,
    per_second: Annotated[float, typer.Option("--per-second", min=0.1, max=1000, help="The most in a second.")] = 50.0,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters that fit their contract by now on to all consumers, flagged as replays.

    Exits with 1 if one still breaks its contract.

    Example: `concord events replay --type concord.invoice.paid.v1 --per-second 20`
    """
    _check_choice(letters, everything, event_type, rule)
    replayed, refused = 0, []
    with refusals_told(), GraphClient(config, url, token) as graph:
        for letter in letters or ():
            try:
                graph.ask(_REPLAY, {"input": {"id": _letter_id(letter)}})
                replayed += 1
            except GraphRefused as error:
                refused.append({"id": _letter_id(letter), "message": str(error)})
        if not letters:
            given = {"eventType": event_type, "rule": rule, "perSecond": per_second}
            answer: dict[str, Any] = {"remaining": 1}
            while answer["remaining"]:
                answer = graph.ask(_REPLAY_ALL, {"input": given})["replayDeadLetters"]
                replayed += answer["replayed"]
                refused = answer["refused"]
                if not answer["replayed"]:
                    break
    if as_json:
        sys.stdout.write(json.dumps({"replayed": replayed, "refused": refused}, indent=2) + "\n")
    else:
        console = Console()
        console.print(f"[green]✓[/green] {replayed} replayed", highlight=False)
        for each in refused:
            console.print(f"[red]✗[/red] {escape(each['id'] + ' ' + each['message'])}", highlight=False, soft_wrap=True)
    if refused:
        raise typer.Exit(1)


@app.command()
def discard(
    letters: LetterArgument = None,
    reason: Annotated[str, typer.Option("--reason", help="Why: kept with the letter.")] = ...,  # type: ignore[assignment]  # typer's mark of a required option
    everything: AllOption = False,
    event_type: TypeOption = None,
    rule: RuleOption = None,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put dead letters away for good, saying why.

    Example: `concord events discard 17 18 --reason "a test of the vendor's"`
    """
    _check_choice(letters, everything, event_type, rule)
    discarded = 0
    with refusals_told(), GraphClient(config, url, token) as graph:
        for letter in letters or ():
            graph.ask(_DISCARD, {"input": {"id": _letter_id(letter), "reason": reason}})
            discarded += 1
        if not letters:
            given = {"eventType": event_type, "rule": rule, "reason": reason}
            discarded = graph.ask(_DISCARD_ALL, {"input": given})["discardDeadLetters"]["discarded"]
    if as_json:
        sys.stdout.write(json.dumps({"discarded": discarded}) + "\n")
    else:
        Console().print(f"[green]✓[/green] {discarded} discarded", highlight=False)


def _check_choice(letters: list[str] | None, everything: bool, event_type: str | None, rule: str | None) -> None:
    if bool(letters) == bool(everything or event_type or rule):
        raise typer.BadParameter("Name letters, or choose them by --type, --rule or --all.")


def _letter_id(letter: str) -> str:
    return dead_letter_id(int(letter)) if letter.isascii() and letter.isdigit() and len(letter) <= 18 else letter


def _listed(
    graph: GraphClient, state: str, event_type: str | None, rule: str | None, limit: int
) -> list[dict[str, Any]]:
    if state.upper() not in ("WAITING", "REPLAYED", "DISCARDED", "ANY"):
        raise typer.BadParameter("--state is waiting, replayed, discarded or any.")
    rows: list[dict[str, Any]] = []
    after = None
    while len(rows) < limit:
        variables = {
            "state": None if state.upper() == "ANY" else state.upper(),
            "type": event_type,
            "rule": rule,
            "first": min(200, limit - len(rows)),
            "after": after,
        }
        page = graph.ask(_LIST, variables)["deadLetters"]
        rows += (edge["node"] for edge in page["edges"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    return [{"number": dead_letter_number(row["id"]), **row} for row in rows]


def _print_letter(letter: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(letter, indent=2) + "\n")
        return
    console = Console()
    for name, value in letter.items():
        if name != "body" and value is not None:
            console.print(f"[dim]{name:<10}[/dim] {escape(str(value))}", highlight=False, soft_wrap=True)
    console.print_json(letter["body"])


def _print_rows(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    console = Console()
    if not rows:
        console.print("Nothing.")
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(escape(str(row[column])) if row[column] is not None else "-" for column in columns))
    console.print(table)


def _event_line(event: dict[str, Any]) -> str:
    name = event["type"].removeprefix("concord.").rpartition(".")[0]
    about = [event[key]["number"] for key in ("contract", "invoice") if event[key]]
    changes = [f"{each['field']}: {each['from']} → {each['to']}" for each in event["changes"]]
    flag = "[yellow]replay[/yellow] " if event["replayOf"] else ""
    details = escape("  ".join([*about, *changes]))
    return f"[dim]{event['time']}[/dim] {flag}[bold]{escape(f'{name:<32}')}[/bold] #{event['sequence']} {details}"
