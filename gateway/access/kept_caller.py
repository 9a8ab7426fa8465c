"""A caller as it is kept, for work that goes on in its name when the request is over. Never its credential."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from gateway.access.caller import Caller
from gateway.execution.ports import CallerView


def caller_to_json(caller: CallerView) -> dict[str, Any]:
    """Return what subgraphs are told of a caller, as JSON."""
    kept: dict[str, Any] = {
        "subject": caller.subject,
        "tenant": caller.tenant,
        "filters": {name: list(values) for name, values in caller.filters.items()},
    }
    if isinstance(caller, Caller):
        kept |= {
            "scopes": sorted(caller.scopes),
            "roles": sorted(caller.roles),
            "issuer": caller.issuer,
            "isUnrestricted": caller.is_unrestricted,
        }
    return kept


def caller_from_json(kept: Mapping[str, Any]) -> Caller:
    """Return the caller that `caller_to_json` kept."""
    return Caller(
        subject=kept["subject"],
        tenant=kept["tenant"],
        scopes=frozenset(kept.get("scopes", ())),
        roles=frozenset(kept.get("roles", ())),
        filters={name: tuple(values) for name, values in kept["filters"].items()},
        issuer=kept.get("issuer"),
        is_unrestricted=kept.get("isUnrestricted", False),
    )


def caller_key(caller: CallerView) -> str | None:
    """Return who a caller is, whatever its rights: equal for the same subject of the same issuer and tenant; None for nobody."""
    if caller.subject is None:
        return None
    issuer = caller.issuer if isinstance(caller, Caller) else None
    return hashlib.sha256(chr(0).join((issuer or "", caller.tenant or "", caller.subject)).encode()).hexdigest()
