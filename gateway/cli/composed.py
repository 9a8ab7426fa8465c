"""Compose the configured subgraphs: read their SDL, apply the ownership table, print what clients see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import print_schema

from gateway.federation.composition import Composition, SubgraphSource, compose
from gateway.federation.supergraph import parse_supergraph
from gateway.graph.print_schema import print_schema as print_concord_schema
from gateway.settings import Settings, SettingsRefused, load_ownership
from gateway.upstream.settings import SubgraphSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A composition with the places it came from."""

    composition: Composition
    supergraph_sdl: str | None
    api_sdl: str | None
    """The schema that clients see; None where the subgraphs don't compose."""
    places: Mapping[str, str]
    """Subgraph name → the file its SDL was read from, or the address that told it."""


def compose_configured(settings: Settings) -> Composed:
    """Compose the subgraphs of the configuration: the SDL of the files it names, and what the other subgraphs tell.

    Raises SettingsRefused when a file can't be read or a subgraph doesn't tell its SDL; wrong SDL is an error of the
    composition.
    """
    problems: list[str] = []
    sources: list[SubgraphSource] = []
    for name, subgraph in settings.subgraphs.items():
        try:
            sources.append(SubgraphSource(name=name, url=_address(subgraph), sdl=_sdl(name, subgraph)))
        except SettingsRefused as refused:
            problems += refused.problems
    if problems:
        raise SettingsRefused(tuple(problems))
    composition = compose(sources, load_ownership(settings))
    supergraph_sdl = composition.supergraph_sdl
    return Composed(
        composition=composition,
        supergraph_sdl=supergraph_sdl,
        api_sdl=None if supergraph_sdl is None else print_schema(parse_supergraph(supergraph_sdl).api_schema) + "\n",
        places={name: str(each.schema_path or _address(each)) for name, each in settings.subgraphs.items()},
    )


def _address(subgraph: SubgraphSettings) -> str:
    return subgraph.url or f"in-process:{subgraph.in_process}"


def _sdl(name: str, subgraph: SubgraphSettings) -> str:
    if subgraph.schema_path is None:
        if subgraph.in_process is not None:
            return print_concord_schema()
        from gateway.cli.told_schema import told_schema  # noqa: PLC0415 - who has files does without HTTP

        return told_schema(name, subgraph)
    try:
        return subgraph.schema_path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SettingsRefused((f"subgraph `{name}`: {subgraph.schema_path} can't be read: {error}",)) from error
