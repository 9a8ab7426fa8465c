"""What goes into composition and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SubgraphSource:
    """A subgraph as its team publishes it."""

    name: str
    url: str
    sdl: str
    """The SDL as written: federation 1 or 2, with or without definitions of the federation directives."""


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A place in a subgraph's SDL; line and column count from 1."""

    subgraph: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionError:
    """Why the subgraphs do not compose, and what would mend it."""

    code: str
    """Apollo's code where there is one, such as `INVALID_FIELD_SHARING`."""
    message: str
    coordinate: str | None = None
    """Schema coordinate, such as `User.name` or `Query.user(id:)`."""
    subgraphs: tuple[str, ...] = ()
    locations: tuple[SourceLocation, ...] = ()
    mend: str | None = None
    """The likely mend, one sentence."""

    def to_json(self) -> Mapping[str, object]:
        """The error as plain data, absent parts left out."""
        return _plain(self.code, self.message, self.coordinate, self.subgraphs, self.locations, self.mend)


class HintLevel(StrEnum):
    """How much a hint matters to a schema author."""

    WARN = "WARN"
    INFO = "INFO"
    DEBUG = "DEBUG"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionHint:
    """Something that composes but is worth a look."""

    code: str
    message: str
    level: HintLevel = HintLevel.INFO
    coordinate: str | None = None
    subgraphs: tuple[str, ...] = ()
    locations: tuple[SourceLocation, ...] = ()

    def to_json(self) -> Mapping[str, object]:
        """The hint as plain data, absent parts left out."""
        return {**_plain(self.code, self.message, self.coordinate, self.subgraphs, self.locations), "level": self.level}


@dataclass(frozen=True, slots=True)
class Composition:
    """A supergraph, or the errors that prevent one; hints come with either."""

    supergraph_sdl: str | None
    errors: tuple[CompositionError, ...]
    hints: tuple[CompositionHint, ...]

    def to_json(self) -> Mapping[str, object]:
        """The whole result as plain data."""
        return {
            "supergraphSdl": self.supergraph_sdl,
            "errors": [error.to_json() for error in self.errors],
            "hints": [hint.to_json() for hint in self.hints],
        }


def _plain(
    code: str,
    message: str,
    coordinate: str | None,
    subgraphs: tuple[str, ...],
    locations: tuple[SourceLocation, ...],
    mend: str | None = None,
) -> dict[str, object]:
    parts: dict[str, object] = {"code": code, "message": message}
    if coordinate is not None:
        parts["coordinate"] = coordinate
    if subgraphs:
        parts["subgraphs"] = list(subgraphs)
    if locations:
        parts["locations"] = [{"subgraph": at.subgraph, "line": at.line, "column": at.column} for at in locations]
    if mend is not None:
        parts["mend"] = mend
    return parts
