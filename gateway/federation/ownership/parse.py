"""Reads the ownership table from TOML.

[systems.crm]
team = "revenue-operations"
subgraphs = ["crm"]                          # optional, the system's name by default
types = ["Opportunity", "Contact"]
fields.Customer = ["name", "segment"]
mutations = ["updateOpportunity"]
cache.Contact = { ttl_s = 30, scope = "public", stale_s = 600, null_ttl_s = 5 }    # `ttl_s` alone is private and never stale
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from gateway.federation.ownership.model import CachePolicy, Ownership, System

_KEYS = ("team", "subgraphs", "types", "fields", "mutations", "cache")
_MOST_S = 7 * 24 * 3600
_POLICY_KEYS = ("ttl_s", "stale_s", "null_ttl_s", "scope")


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
    _refuse_unknown(where, entry, _KEYS)
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
        cache=_policies(f"{where}.cache", entry.get("cache", {})),
    )


def _refuse_unknown(where: str, entry: Mapping[object, object], known: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            from difflib import get_close_matches  # noqa: PLC0415 - who makes no mistake does without

            near = get_close_matches(str(key), known, n=1)
            raise OwnershipInvalidError(
                f"unknown key `{where}.{key}`" + (f"; did you mean `{near[0]}`?" if near else "")
            )


def _policies(where: str, value: object) -> Mapping[str, CachePolicy]:
    if not isinstance(value, Mapping):
        raise OwnershipInvalidError(f"`{where}` has to be a table of types with their policies")
    return {name: _policy(f"{where}.{name}", entry) for name, entry in value.items()}


def _policy(where: str, entry: object) -> CachePolicy:
    if not isinstance(entry, Mapping):
        raise OwnershipInvalidError(f"`{where}` has to be a table such as {{ ttl_s = 30 }}")
    _refuse_unknown(where, entry, _POLICY_KEYS)
    scope = entry.get("scope", "private")
    if scope not in ("private", "public"):
        raise OwnershipInvalidError(f'`{where}.scope` has to be "private" or "public"')
    ttl_s = _seconds(f"{where}.ttl_s", entry.get("ttl_s"))
    if not ttl_s:
        raise OwnershipInvalidError(f"`{where}.ttl_s` has to be more than 0; leave the type out to read it always")
    return CachePolicy(
        ttl_s=ttl_s,
        stale_s=_seconds(f"{where}.stale_s", entry.get("stale_s", 0)),
        null_ttl_s=min(ttl_s, _seconds(f"{where}.null_ttl_s", entry.get("null_ttl_s", 5))),
        is_private=scope == "private",
    )


def _seconds(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_S:
        raise OwnershipInvalidError(f"`{where}` has to be a number of seconds, at most {_MOST_S}")
    return float(value)


def _names(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise OwnershipInvalidError(f"`{where}` has to be a list of names")
    return tuple(value)


def _fields(where: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, Mapping):
        raise OwnershipInvalidError(f"`{where}` has to be a table of types with their fields")
    return tuple(f"{name}.{field}" for name, fields in value.items() for field in _names(f"{where}.{name}", fields))
