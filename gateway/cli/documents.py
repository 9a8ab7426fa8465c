"""`concord documents`: check the operations that clients send against the schema, and publish them as trusted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from graphql import GraphQLError, OperationDefinitionNode, parse
from rich.console import Console
from rich.markup import escape

from gateway.access.admit import admit
from gateway.access.limits import Limits
from gateway.access.trusted import print_manifest
from gateway.cli.options import CONFIG, ConfigOption
from gateway.errors import GatewayError, RequestRefused
from gateway.federation.operation import prepare
from gateway.federation.supergraph import Supergraph, parse_supergraph
from gateway.settings import Settings, SettingsRefused, load_settings

documents = typer.Typer(help="Check and publish the operations that clients may send.", no_args_is_help=True)

FolderArgument = Annotated[
    Path | None, typer.Argument(help="A folder of *.graphql files; by default `plans.documents` of the configuration.")
]


@documents.command()
def check(folder: FolderArgument = None, config: ConfigOption = CONFIG) -> None:
    """Validate every document against the supergraph. Exits with 1 when one would be refused.

    Example: `concord documents check schema/documents`
    """
    settings = load_settings(config)
    found = _read(settings, folder)
    problems = _problems(found, _supergraph(settings))
    console = Console(stderr=True)
    for path, problem in problems:
        console.print(f"[red]✗[/red] {path}: {escape(problem)}", highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    sys.stdout.write(f"{len(found)} documents fit the schema.\n")


@documents.command()
def publish(
    folder: FolderArgument = None,
    to: Annotated[Path | None, typer.Option(help="Where the manifest is written; by default into the folder.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write the manifest of trusted documents. Refuses to, with exit status 1, when one does not fit the schema.

    Example: `concord documents publish schema/documents`
    """
    settings = load_settings(config)
    check(folder, config)
    found = _read(settings, folder)
    target = to or (_folder(settings, folder) / "manifest.json")
    try:
        target.write_text(print_manifest((path.stem, text) for path, text in found), encoding="utf-8")
    except OSError as error:
        raise SettingsRefused((f"{target} can't be written: {error.strerror}.",)) from error
    sys.stdout.write(f"wrote {target}\n")


def _folder(settings: Settings, folder: Path | None) -> Path:
    chosen = folder or settings.plans.documents
    if chosen is None or not chosen.is_dir():
        raise SettingsRefused((f"There is no folder of documents {chosen or ''}; name one.",))
    return chosen


def _read(settings: Settings, folder: Path | None) -> list[tuple[Path, str]]:
    try:
        return [
            (path, path.read_text(encoding="utf-8")) for path in sorted(_folder(settings, folder).glob("*.graphql"))
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused((f"A document can't be read: {error}",)) from error


def _supergraph(settings: Settings) -> Supergraph:
    path = settings.supergraph.path
    try:
        return parse_supergraph(path.read_text(encoding="utf-8"))
    except (OSError, GraphQLError, ValueError, TypeError) as error:
        raise SettingsRefused((f"{path} is not a supergraph: {error}",)) from error


def _problems(found: list[tuple[Path, str]], supergraph: Supergraph) -> list[tuple[Path, str]]:
    problems: list[tuple[Path, str]] = []
    for path, text in found:
        try:
            document = parse(text)
            admit(document, Limits(), trusted=True)
            for each in document.definitions:
                if isinstance(each, OperationDefinitionNode):
                    name = each.name.value if each.name else None
                    prepare(supergraph.api_schema, text, name, document=document)
        except GraphQLError as error:
            problems.append((path, error.message))
        except GatewayError as refused:
            problems.append((path, refused.message))
        except RequestRefused as refused:
            problems.extend((path, each.message) for each in refused.errors)
    return problems
