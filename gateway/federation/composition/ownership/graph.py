"""A supergraph beside its ownership table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gateway.federation.composition.merge.context import FieldGroup
from gateway.federation.composition.model.element import Kind
from gateway.federation.composition.model.field_set import of_directive, reached
from gateway.federation.composition.rules.whole import Whole
from gateway.federation.ownership.model import Ownership, System


@dataclass(frozen=True, slots=True)
class OwnedField:
    """A field of an entity or root type, and who resolves it."""

    group: FieldGroup
    resolvers: tuple[tuple[str, System | None], ...]
    """Subgraph and the system that speaks through it, None where the table names none."""

    @property
    def systems(self) -> tuple[str, ...]:
        """The names of the systems that resolve it; a subgraph of no system stands for itself."""
        return tuple(dict.fromkeys(system.name if system else subgraph for subgraph, system in self.resolvers))


@dataclass(frozen=True, eq=False)
class OwnedGraph:
    """What the rules of ownership look at."""

    whole: Whole
    ownership: Ownership

    @cached_property
    def entities(self) -> frozenset[str]:
        """Object types with a @key in some subgraph."""
        return frozenset(
            parent.name
            for subgraph in self.whole.merge.subgraphs
            for parent in subgraph.fielded()
            if self.whole.merge.outline.kinds.get(parent.name) is Kind.OBJECT and subgraph.has(parent, "key")
        )

    @cached_property
    def key_fields(self) -> frozenset[tuple[str, str]]:
        """Fields that a key selects anywhere: every subgraph of an entity may have those."""
        found: set[tuple[str, str]] = set()
        for subgraph in self.whole.merge.subgraphs:
            for parent in subgraph.fielded():
                for key in subgraph.uses(parent, "key"):
                    pairs = reached(subgraph, parent.name, of_directive(key), implementations=True)
                    found.update((owner.name, field.name) for owner, field in pairs)
        return frozenset(found)

    @cached_property
    def entity_fields(self) -> tuple[OwnedField, ...]:
        """The fields of entities that are no key fields."""
        return tuple(
            field
            for field in self._fields()
            if field.group.parent in self.entities and (field.group.parent, field.group.name) not in self.key_fields
        )

    @cached_property
    def root_fields(self) -> tuple[OwnedField, ...]:
        """Queries, mutations and subscriptions."""
        roots = set(self.whole.draft.schema.roots.values())
        return tuple(field for field in self._fields() if field.group.parent in roots)

    @property
    def mutations(self) -> Iterator[OwnedField]:
        """Mutation fields."""
        root = self.whole.draft.schema.roots.get("mutation")
        return (field for field in self.root_fields if field.group.parent == root)

    def _fields(self) -> Iterator[OwnedField]:
        merge = self.whole.merge
        for group in merge.field_groups():
            if group.kind is not Kind.OBJECT:
                continue
            overrides = merge.overrides_of(group)
            resolvers = []
            for index, _ in group.sources.present():
                subgraph = merge.subgraphs[index]
                if index in overrides.used | overrides.unused:
                    continue
                if not subgraph.facts.is_fully_external((group.parent, group.name)):
                    resolvers.append((subgraph.name, self.ownership.system_of_subgraph(subgraph.name)))
            yield OwnedField(group, tuple(resolvers))
