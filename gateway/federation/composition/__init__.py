"""Composition: subgraph SDLs in, a supergraph or coded errors out."""

from gateway.federation.composition.changes import Change, ChangeLevel, check
from gateway.federation.composition.compose import compose
from gateway.federation.composition.model.result import (
    Composition,
    CompositionError,
    CompositionHint,
    HintLevel,
    SourceLocation,
    SubgraphSource,
)
from gateway.federation.ownership import Ownership, OwnershipInvalidError, parse_ownership

__all__ = [
    "Change",
    "ChangeLevel",
    "Composition",
    "CompositionError",
    "CompositionHint",
    "HintLevel",
    "Ownership",
    "OwnershipInvalidError",
    "SourceLocation",
    "SubgraphSource",
    "check",
    "compose",
    "parse_ownership",
]
