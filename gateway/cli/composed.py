"""Compose the configured subgraphs: read their SDL files, apply the ownership table, print what clients see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graphql import print_schema

from gateway.federation.composition import Composition, SubgraphSource, compose
from gateway.federation.supergraph import parse_supergraph
from gateway.settings import Settings, SettingsRefused, load_ownership


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A composition with the files it came from."""

    composition: Composition
    supergraph_sdl: str | None
    api_sdl: str | None
    """The schema that clients see; None where the subgraphs don't compose."""
    paths: Mapping[str, Path]
    """Subgraph name → the file its SDL was read from."""


def compose_files(settings: Settings) -> Composed:
    """Compose the SDL files that the configuration names.

    Raises SettingsRefused when a file is missing or unreadable; wrong SDL is an error of the composition.
    """
    problems: list[str] = []
    sources: list[SubgraphSource] = []
    for name, subgraph in settings.subgraphs.items():
        try:
            sdl = subgraph.schema_path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"subgraph `{name}`: {subgraph.schema_path} can't be read: {error}")
            continue
        sources.append(SubgraphSource(name=name, url=subgraph.url or f"in-process:{subgraph.in_process}", sdl=sdl))
    if problems:
        raise SettingsRefused(tuple(problems))
    composition = compose(sources, load_ownership(settings))
    supergraph_sdl = composition.supergraph_sdl
    return Composed(
        composition=composition,
        supergraph_sdl=supergraph_sdl,
        api_sdl=None if supergraph_sdl is None else print_schema(parse_supergraph(supergraph_sdl).api_schema) + "\n",
        paths={name: subgraph.schema_path for name, subgraph in settings.subgraphs.items()},
    )
