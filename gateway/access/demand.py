"""What the schema demands of a caller: `@authenticated`, `@requiresScopes`, `@policy` and `@classified`, one noun each.

<https://specs.apollo.dev/authenticated/v0.1/>, <https://specs.apollo.dev/requiresScopes/v0.1/>,
<https://specs.apollo.dev/policy/v0.1/>
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.access.caller import Caller

Alternatives: TypeAlias = tuple[frozenset[str], ...]
"""Any of these, of which all: `[["a", "b"], ["c"]]` is "a and b, or c"."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Somebody must have proven who they are."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """The credentials must grant these."""

    alternatives: Alternatives


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy port must grant these."""

    alternatives: Alternatives


@dataclass(frozen=True, slots=True)
class Classified:
    """Shown as it is to some roles only; texts are masked for others, anything else is denied."""

    classification: str


Demand: TypeAlias = Authenticated | Scopes | Policies | Classified
Demands: TypeAlias = frozenset[Demand]

NO_DEMANDS: Demands = frozenset()

_MOST_COMBINED = 10_000
"""Combinations of alternatives that are looked at; beyond that a demand is taken for one that nothing implies."""


def is_met(demand: Demand, caller: Caller, policies: Collection[str], classes: Collection[str]) -> bool:
    """Whether a caller meets a demand. `policies` were granted to it, `classes` may be shown to its roles."""
    if caller.is_unrestricted:
        return True
    match demand:
        case Authenticated():
            return caller.subject is not None
        case Scopes(alternatives):
            return any(each <= caller.scopes for each in alternatives)
        case Policies(alternatives):
            return any(each <= frozenset(policies) for each in alternatives)
        case Classified(classification):
            return classification in classes


def unimplied(demands: Demands, others: Collection[Demands]) -> Demands:
    """Return which of the demands somebody may fail to meet who meets all of the others.

    `[["a", "b"]]` is implied by `[["a"]]` here and `[["b"], ["a", "b"]]` there, and by nothing less.
    """
    met = frozenset[Demand]().union(*others)
    return frozenset(each for each in demands - met if not _is_implied(each, met))


def _is_implied(demand: Demand, met: Demands) -> bool:
    if not isinstance(demand, Scopes | Policies):
        return False
    granted = {frozenset[str]()}
    for each in met:
        if type(each) is type(demand) and isinstance(each, Scopes | Policies):
            granted = {known | more for known in granted for more in each.alternatives}
            if len(granted) > _MOST_COMBINED:
                return False
    return all(any(alternative <= known for alternative in demand.alternatives) for known in granted)


def policy_names(demands: Iterable[Demand]) -> frozenset[str]:
    """Return the policies that are asked for anywhere."""
    return frozenset(
        name for demand in demands if isinstance(demand, Policies) for each in demand.alternatives for name in each
    )
