"""Policies: questions about a caller that the schema asks by name (`@policy(policies: [["quarter-open"]])`).

A policy is a Python object of your own, named in the configuration and asked for a caller, never for a field:

    [access]
    policies = "acme.access:Policies"         # a class without arguments, importable by the gateway

    class Policies:
        async def grant(self, caller: Caller, names: frozenset[str]) -> Collection[str]:
            granted = {name for name in names if name in await self.directory.groups_of(caller.subject)}
            return granted

What it raises denies everything it was asked for: nobody is let in by an accident. `ClaimPolicies` is one that comes along.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection
from typing import Protocol, cast

from gateway.access.caller import Caller


class PolicyPort(Protocol):
    """Decides which policies a caller satisfies."""

    async def grant(self, caller: Caller, names: frozenset[str]) -> Collection[str]:
        """Return those of `names` that the caller satisfies. The answer is kept for as long as `policy_ttl_s` says."""


class ClaimPolicies:
    """Grants a policy to whoever has a role of its name: `@policy(policies: [["finance"]])` and the role `finance`."""

    async def grant(self, caller: Caller, names: frozenset[str]) -> Collection[str]:
        """Return the names that are roles of the caller."""
        return names & caller.roles


class PoliciesMissing(Exception):  # noqa: N818 - reads as what it is
    """The configured policies can't be loaded; the message says why."""


def load_policies(reference: str | None) -> PolicyPort:
    """Return the policies that `package.module:Name` names; ClaimPolicies without. Raises PoliciesMissing."""
    if reference is None:
        return ClaimPolicies()
    module_name, _, name = reference.partition(":")
    try:
        made = getattr(importlib.import_module(module_name), name)()
    except Exception as error:
        raise PoliciesMissing(f"{reference!r} can't be loaded: {error}") from error
    if not callable(getattr(made, "grant", None)):
        raise PoliciesMissing(f"{reference!r} has no method `grant`")
    return cast("PolicyPort", made)
