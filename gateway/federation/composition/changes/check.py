"""Compares two supergraphs as clients see them, and where fields come from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphql.utilities.find_schema_changes import (
    BreakingChange,
    DangerousChange,
    SafeChange,
    find_schema_changes,
)

from gateway.federation.composition.changes.access import access_changes
from gateway.federation.composition.changes.model import Change, ChangeLevel
from gateway.federation.composition.changes.moves import move_changes
from gateway.federation.supergraph import Supergraph, parse_supergraph

_ORDER = tuple(ChangeLevel)
_MEMBERSHIP = re.compile(r" (?:union type|interfaces implemented by) (?P<coordinate>\w+)\.$")
_ABOUT = re.compile(
    r"(?:(?:(?:A required|An optional) (?:argument|field)|Argument|Field|Directive|Enum value|Standard scalar"
    r"|Description of(?: (?:input-field|enum value|field|argument))?|[\w ]+ was \w+ (?:from|to)(?= @)) "
    r"(?!was |has |changed |no |added ))?"
    r"(?P<coordinate>@?\w+(?:\.\w+)?(?:\(\w+:\))?)"
)


def check(old_sdl: str, new_sdl: str) -> tuple[Change, ...]:
    """All changes from one supergraph to the next, breaking ones first; equal supergraphs have none.

    The API schemas are compared type by type; on top of that, access control that fields ask for, and the subgraphs
    that resolve them.
    """
    old, new = parse_supergraph(old_sdl), parse_supergraph(new_sdl)
    changes = (*_schema_changes(old, new), *access_changes(old, new), *move_changes(old, new))
    return tuple(sorted(changes, key=lambda change: _ORDER.index(change.level)))


def _schema_changes(old: Supergraph, new: Supergraph) -> Iterator[Change]:
    for change in find_schema_changes(old.api_schema, new.api_schema):
        match change:
            case BreakingChange():
                level = ChangeLevel.BREAKING
            case DangerousChange():
                level = ChangeLevel.DANGEROUS
            case SafeChange():
                level = ChangeLevel.SAFE
        yield Change(level, change.type.name, change.description, _coordinate(change.description))


def _coordinate(description: str) -> str | None:
    """What changed, which graphql-core says in words only: `Field User.name was removed.` is about `User.name`."""
    found = _MEMBERSHIP.search(description) or _ABOUT.match(description)
    return found["coordinate"] if found else None
