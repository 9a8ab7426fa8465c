"""The filter of events and subscriptions in the graph, and what it means to the log."""

from __future__ import annotations

import difflib

import strawberry

from gateway.events.catalogue import CATALOGUE
from gateway.events.log import EventFilter
from gateway.graph.global_id import typename_of
from gateway.graph.refusal import refusal

_MAX_VALUES = 500
_TYPES = frozenset(row.type for row in CATALOGUE)
_SYSTEMS = frozenset(emitter for row in CATALOGUE for emitter in row.emitters)


@strawberry.input(
    description="Events that meet all stated conditions; one value of each list is enough, and a list has 500 at most."
)
class LifecycleEventFilter:
    """The argument `filter`."""

    types: list[str] | None = strawberry.field(
        default=None,
        description="Of these types, such as `concord.renewal.due.v1`; one that is unknown, or that the subscription does not deliver, is refused.",
    )
    systems: list[str] | None = strawberry.field(
        default=None, description="Published by these systems of record, such as `billing`, whatever their instance."
    )
    owners: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="About customers that these account owners look after, by their global ids; the CRM is asked at each event.",
    )
    customers: list[strawberry.ID] | None = strawberry.field(
        default=None, description="About the customers with these global ids."
    )
    contracts: list[str] | None = strawberry.field(
        default=None, description="About the contracts with these numbers, such as `CON-2025-0001`."
    )
    invoices: list[str] | None = strawberry.field(
        default=None, description="About the invoices with these numbers, such as `INV-2025-00001`."
    )
    opportunities: list[strawberry.ID] | None = strawberry.field(
        default=None, description="About the deals with these global ids."
    )
    entitlements: list[strawberry.ID] | None = strawberry.field(
        default=None, description="About the entitlements with these global ids."
    )
    features: list[str] | None = strawberry.field(
        default=None, description="About use of, or rights to, the features with these keys."
    )


def to_event_filter(wanted: LifecycleEventFilter | None, subjects: frozenset[str] | None = None) -> EventFilter:
    """Return the log's filter, narrowed to types whose name begins with one of `subjects` (`renewal`).

    Raises BAD_USER_INPUT for a type that is unknown or not of these subjects, for what is no id of its kind (it would wait
    for ever), and for endless lists.
    """
    types = (
        None if subjects is None else frozenset(row.type for row in CATALOGUE if row.name.partition(".")[0] in subjects)
    )
    if wanted is None:
        return EventFilter(types=types)
    if wanted.types is not None:
        types = frozenset(_known_type(name, _TYPES if types is None else types) for name in wanted.types)
    stated = {
        "customer": wanted.customers,
        "contract": wanted.contracts,
        "invoice": wanted.invoices,
        "opportunity": wanted.opportunities,
        "entitlement": wanted.entitlements,
        "feature": wanted.features,
    }
    for kind, ids in (
        ("Customer", wanted.customers),
        ("Opportunity", wanted.opportunities),
        ("Entitlement", wanted.entitlements),
    ):
        if any(typename_of(each) != kind for each in (ids or ())[: _MAX_VALUES + 1]):
            raise refusal("BAD_USER_INPUT", f"The id is of another type than {kind}.")
    systems = None if wanted.systems is None else frozenset(map(_known_system, wanted.systems))
    keys = {name: frozenset(map(str, values)) for name, values in stated.items() if values is not None}
    if any(len(values) > _MAX_VALUES for values in keys.values()):
        raise refusal("BAD_USER_INPUT", f"A filter has at most {_MAX_VALUES} values in a list.")
    return EventFilter(types=types, systems=systems, keys=keys)


def wanted_owners(wanted: LifecycleEventFilter | None) -> frozenset[str] | None:
    """Return the account owners that a filter names, or None where it names none. Raises BAD_USER_INPUT."""
    if wanted is None or wanted.owners is None:
        return None
    if len(wanted.owners) > _MAX_VALUES or any(typename_of(each) != "AccountOwner" for each in wanted.owners):
        raise refusal("BAD_USER_INPUT", f"`owners` are at most {_MAX_VALUES} ids of the type AccountOwner.")
    return frozenset(map(str, wanted.owners))


def _known_system(name: str) -> str:
    if name in _SYSTEMS:
        return name
    raise refusal("BAD_USER_INPUT", f"No events come from {name[:100]!r}; choose from {', '.join(sorted(_SYSTEMS))}.")


def _known_type(name: str, allowed: frozenset[str]) -> str:
    if name in allowed:
        return name
    near = difflib.get_close_matches(name[:100], sorted(allowed), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise refusal("BAD_USER_INPUT", f"There are no events of the type {name[:100]!r} here.{hint}")
