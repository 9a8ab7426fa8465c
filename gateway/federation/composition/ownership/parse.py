"""Reads the ownership table from TOML.

[systems.crm]
team = "revenue-operations"
subgraphs = ["crm"]                          # optional, the system's name by default
types = ["Opportunity", "Contact"]
fields.Customer = ["name", "segment"]
mutations = ["updateOpportunity"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches

from gateway.federation.composition.ownership.model import Ownership, System

_KEYS = ("team", "subgraphs", "types", "fields", "mutations")


class OwnershipInvalidError(ValueError):
    """The table can't be read; the message names the key."""


def parse_ownership(text: str) -> Ownership:
    """The table that a TOML text writes.

    Raises:
        OwnershipInvalidError: it is no TOML, or not of the form above.

    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OwnershipInvalidError(f"the ownership table is not TOML: {error}") from error
    unknown = [key for key in document if key != "systems"]
    if unknown:
        raise OwnershipInvalidError(f"unknown key `{unknown[0]}`; the table has only `systems`")
    systems = document.get("systems")
    if not isinstance(systems, Mapping) or not systems:
        raise OwnershipInvalidError("the ownership table declares no `[systems.<name>]`")
    return Ownership(tuple(_system(name, entry) for name, entry in systems.items()))


def _system(name: str, entry: object) -> System:
    where = f"systems.{name}"
    if not isinstance(entry, Mapping):
        raise OwnershipInvalidError(f"`{where}` has to be a table")
    for key in entry:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            raise OwnershipInvalidError(
                f"unknown key `{where}.{key}`" + (f"; did you mean `{near[0]}`?" if near else "")
            )
    team = entry.get("team")
    if not isinstance(team, str) or not team.strip():
        raise OwnershipInvalidError(f"`{where}.team` has to name the team that answers for the system")
    return System(
        name=name,
        team=team,
        subgraphs=_names(f"{where}.subgraphs", entry.get("subgraphs", [name])),
        types=_names(f"{where}.types", entry.get("types", [])),
        fields=_fields(f"{where}.fields", entry.get("fields", {})),
        mutations=_names(f"{where}.mutations", entry.get("mutations", [])),
    )


def _names(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise OwnershipInvalidError(f"`{where}` has to be a list of names")
    return tuple(value)


def _fields(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, Mapping):
        raise OwnershipInvalidError(f"`{where}` has to be a table of types with their fields")
    return tuple(f"{name}.{field}" for name, fields in value.items() for field in _names(f"{where}.{name}", fields))
