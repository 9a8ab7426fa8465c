"""What of the events a caller may see whose claims confine it: to customers, or to where systems keep their data.

An event is about a customer, and only the owner of customers knows whose they are. So it is asked, as the caller, whether
the customer is there; what it hides from the caller in the graph is hidden here as well. An event that names no customer is
hidden from everybody who is confined to some. Regions confine by the system that sent the event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol, Self
from weakref import WeakValueDictionary

from cachetools import TTLCache

from gateway.errors import GatewayError
from gateway.events.event import Event, RecordedEvent
from gateway.execution.ports import CallerView

REGION = "region"
_BELIEVED_S = 10.0
"""How long an answer is believed: until then a customer that was moved is seen by those who saw it."""
_MOST_KNOWN = 10_000
_TRIES = 5
_PAUSE_S = 0.5


class FindCustomers(Protocol):
    """The owner of customers."""

    async def __call__(self, caller: CallerView, customers: Sequence[str]) -> frozenset[str]:
        """Return those global ids that the caller may see. Raises `GatewayError` with a SYSTEM_* code."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SightRules:
    """How claims confine."""

    regions: Mapping[str, str] = field(default_factory=dict)
    """System of record, `crm` or `crm/acme`, to where its data lives; one that is absent is seen from everywhere."""
    tenants_confine: bool = True
    """Whether whoever acts for a tenant is confined to customers."""


@dataclass(frozen=True, slots=True)
class Named:
    """What decides who sees an event."""

    system: str
    """As `SightRules.regions` names it."""
    customer: str | None

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return what an event names."""
        return cls(event.source.partition("/")[2], event.keys.get("customer"))


class Sight:
    """What one kind of caller sees. Answers of the owner are believed for 10 s, and asked for together."""

    def __init__(self, caller: CallerView, find: FindCustomers, rules: SightRules) -> None:
        self._caller = caller
        self._find = find
        self._rules = rules
        self._known: TTLCache[str, bool] = TTLCache(_MOST_KNOWN, _BELIEVED_S)
        self._asking = asyncio.Lock()

    async def sees(self, named: Sequence[Named]) -> Sequence[bool]:
        """Say of each whether the caller may see it. Raises `GatewayError` while that can't be told."""
        in_region = [self._is_in_region(each.system) for each in named]
        if not confines_customers(self._caller, self._rules):
            return in_region
        wanted = {each.customer: None for each in compress(named, in_region) if each.customer is not None}
        seen = await self._customers(list(wanted))
        return [
            near and each.customer is not None and seen[each.customer]
            for near, each in zip(in_region, named, strict=True)
        ]

    def sees_all_of(self, system: str) -> bool:
        """Whether the caller may see every instance of a system, `crm` and `crm/acme`: for what does not say which one it is of."""
        named = (each for each in self._rules.regions if each.partition("/")[0] == system)
        return all(map(self._is_in_region, named))

    async def sees_event(self, event: Event) -> bool:
        """Say whether the caller may see an event."""
        (seen,) = await self.sees([Named.of(event)])
        return seen

    async def visible(self, events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
        """Return what of the events the caller may see."""
        return list(compress(events, await self.sees([Named.of(each.event) for each in events])))

    def _is_in_region(self, system: str) -> bool:
        allowed = self._caller.filters.get(REGION)
        region = self._rules.regions.get(system)
        return allowed is None or region is None or region in allowed

    async def _customers(self, customers: Sequence[str]) -> Mapping[str, bool]:
        seen = {each: known for each in customers if (known := self._known.get(each)) is not None}
        if len(seen) == len(customers):
            return seen
        async with self._asking:
            for each in customers:
                if each not in seen and (known := self._known.get(each)) is not None:
                    seen[each] = known  # somebody else has asked meanwhile
            unknown = [each for each in customers if each not in seen]
            found = await self._ask(unknown) if unknown else frozenset[str]()
            answers = {each: each in found for each in unknown}
            self._known.update(answers)
        return {**seen, **answers}

    async def _ask(self, customers: Sequence[str]) -> frozenset[str]:
        """Ask the owner; one that is away for a moment costs nobody a stream."""
        for attempt in range(1, _TRIES):
            try:
                return await self._find(self._caller, customers)
            except GatewayError:
                await asyncio.sleep(_PAUSE_S * attempt)
        return await self._find(self._caller, customers)


class Sights:
    """The sights of all callers; equal rights share one, and what it knows."""

    def __init__(self, find: FindCustomers, rules: SightRules) -> None:
        self._find = find
        self._rules = rules
        self._sights: WeakValueDictionary[str, Sight] = WeakValueDictionary()

    def of(self, caller: CallerView) -> Sight | None:
        """Return what a caller sees; None: everything."""
        if not confines_customers(caller, self._rules) and REGION not in caller.filters:
            return None
        sight = self._sights.get(caller.rights)
        if sight is None:
            sight = self._sights[caller.rights] = Sight(caller, self._find, self._rules)
        return sight


def confines_customers(caller: CallerView, rules: SightRules) -> bool:
    """Whether a caller's claims leave it some customers only."""
    is_tenant = caller.tenant is not None and rules.tenants_confine
    return is_tenant or any(dimension != REGION for dimension in caller.filters)
