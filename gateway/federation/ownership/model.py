"""The ownership table: systems, their teams, and what each owns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """For how long, and for whom, a gateway may keep what a system says of the entities of one type."""

    ttl_s: float
    stale_s: float = 0.0
    """How much longer the last known entity may stand in, marked as stale, while the system is down."""
    null_ttl_s: float = 5.0
    """For how long it is remembered that there is no such entity; never longer than `ttl_s`."""
    is_private: bool = True
    """Whether callers with other rights may be answered differently: then none is given what was kept for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system of record, or the gateway itself."""

    name: str
    team: str
    subgraphs: tuple[str, ...]
    """The subgraphs through which it speaks; the system's own name unless said otherwise."""
    types: tuple[str, ...] = ()
    """Entities that start here: this system answers for their existence, and owns every field nobody else claims."""
    fields: tuple[str, ...] = ()
    """Coordinates of fields that it owns on other systems' entities: `Customer.creditHold`."""
    mutations: tuple[str, ...] = ()
    """Mutation fields that reach it."""
    cache: Mapping[str, CachePolicy] = field(default_factory=dict)
    """Entity type → what may be kept of it; a type that isn't here is always read."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The whole table."""

    systems: tuple[System, ...]

    def system_of_subgraph(self, subgraph: str) -> System | None:
        """The system that speaks through a subgraph."""
        return next((system for system in self.systems if subgraph in system.subgraphs), None)

    def home_of(self, type_name: str) -> System | None:
        """The system where an entity starts."""
        return next((system for system in self.systems if type_name in system.types), None)

    def owner_of_field(self, coordinate: str) -> System | None:
        """The system that claims a field, or else the home of its type."""
        claimed = next((system for system in self.systems if coordinate in system.fields), None)
        return claimed or self.home_of(coordinate.partition(".")[0])

    def owner_of_mutation(self, name: str) -> System | None:
        """The system that a mutation reaches."""
        return next((system for system in self.systems if name in system.mutations), None)

    def claims(self) -> Iterator[tuple[str, System]]:
        """Every claim as a schema coordinate, with the system that makes it."""
        for system in self.systems:
            yield from ((name, system) for name in system.types)
            yield from ((coordinate, system) for coordinate in system.fields)
            yield from ((f"Mutation.{name}", system) for name in system.mutations)
