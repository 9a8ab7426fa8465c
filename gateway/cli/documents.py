"""`concord documents`: check the operations that clients send against the schema, and publish them as trusted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gateway.access.trusted import print_manifest
from gateway.cli.files import read_text, write_text
from gateway.cli.options import CONFIG, ConfigOption
from gateway.compile import check_document
from gateway.errors import GatewayError, RequestRefused
from gateway.federation.planner import Planner
from gateway.federation.supergraph import Supergraph
from gateway.reload import Graphs, read_graphs
from gateway.settings import Settings, SettingsRefused, contracts_of, document_limits, load_settings

documents = typer.Typer(no_args_is_help=True)


@documents.callback()
def trusted() -> None:
    """Check and publish trusted documents: the operations that clients may send, where `[documents]` says so.

    Clients then send an operation's hash or name, and nothing else is answered.

    Example: `concord documents publish`
    """


FolderArgument = Annotated[
    Path | None, typer.Argument(help="A folder of *.graphql files; by default `plans.documents` of the configuration.")
]


@documents.command()
def check(folder: FolderArgument = None, config: ConfigOption = CONFIG) -> None:
    """Validate every document against the supergraph, and the manifests of the configuration against the documents.

    Exits with 1 when one would be refused, or a manifest is not what `publish` would write.

    Example: `concord documents check schema/documents`
    """
    settings = load_settings(config)
    found = _read(settings, folder)
    graphs = read_graphs(settings.supergraph.path, contracts_of(settings))
    problems = _problems(found, graphs.whole, settings)
    if folder is None and not problems:
        problems = [
            (path, "the manifest is not what these documents make; run `concord documents publish`.")
            for path, text in _manifests(settings, found, graphs)
            if not path.is_file() or read_text(path) != text
        ]
    console = Console(stderr=True)
    for path, problem in problems:
        console.print(f"[red]✗[/red] {escape(f'{path}: {problem}')}", highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    sys.stdout.write(f"{len(found)} documents fit the schema.\n")


@documents.command()
def publish(
    folder: FolderArgument = None,
    to: Annotated[Path | None, typer.Option(help="Where the manifest is written; by default into the folder.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write the manifests of trusted documents: of the graph, and of each contract those that fit it.

    Refuses to, with exit status 1, when one does not fit the schema.

    Example: `concord documents publish`, or of a folder's documents alone `concord documents publish schema/documents`
    """
    settings = load_settings(config)
    found = _read(settings, folder)
    graphs = read_graphs(settings.supergraph.path, contracts_of(settings))
    if _problems(found, graphs.whole, settings):
        check(folder or _folder(settings, folder), config)
    if to is not None or folder is not None:
        manifests = [(to or _folder(settings, folder) / "manifest.json", _manifest(found))]
    else:
        manifests = _manifests(settings, found, graphs) or [
            (_folder(settings, None) / "manifest.json", _manifest(found))
        ]
    for target, text in manifests:
        write_text(target, text)
        sys.stdout.write(f"wrote {target}\n")


def _manifests(settings: Settings, found: list[tuple[Path, str]], graphs: Graphs) -> list[tuple[Path, str]]:
    """Return the manifests that the configuration names, with what is to be in them."""
    manifests = [] if settings.documents.manifest is None else [(settings.documents.manifest, _manifest(found))]
    for name, contract in settings.contracts.items():
        if contract.manifest is not None:
            refused = {path for path, _ in _problems(found, graphs.variants[name], settings, name)}
            manifests.append((contract.manifest, _manifest([each for each in found if each[0] not in refused])))
    return manifests


def _manifest(found: list[tuple[Path, str]]) -> str:
    return print_manifest((path.stem, text) for path, text in found)


def _folder(settings: Settings, folder: Path | None) -> Path:
    chosen = folder or settings.plans.documents
    if chosen is None or not chosen.is_dir():
        raise SettingsRefused((f"There is no folder of documents {chosen or ''}; name one.",))
    return chosen


def _read(settings: Settings, folder: Path | None) -> list[tuple[Path, str]]:
    return [(path, read_text(path)) for path in sorted(_folder(settings, folder).glob("*.graphql"))]


def _problems(
    found: list[tuple[Path, str]], supergraph: Supergraph, settings: Settings, contract: str | None = None
) -> list[tuple[Path, str]]:
    """Return what a gateway would refuse, of the graph or of a contract over it."""
    problems: list[tuple[Path, str]] = []
    planner, limits = Planner(supergraph), document_limits(settings, contract)
    for path, text in found:
        try:
            check_document(text, supergraph, planner, limits)
        except GatewayError as refused:
            problems.append((path, f"{refused.code} {refused.message}"))
        except RequestRefused as refused:
            problems.extend((path, f"{each.code} {each.message}") for each in refused.errors)
    return problems
