"""The uses of @override with their fields, which several rules look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.federation.composition.merge.context import FieldGroup, Merge
from gateway.federation.composition.merge.overrides import OverrideUse
from gateway.federation.composition.model.element import Element, InterfaceType, NamedType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


@dataclass(frozen=True, slots=True)
class OverrideAt:
    """An @override, the field it stands on, and who uses it."""

    group: FieldGroup
    use: OverrideUse
    subgraph: Subgraph
    parent: NamedType

    @property
    def is_on_interface(self) -> bool:
        """Does it stand on a field of an interface?"""
        return isinstance(self.parent, InterfaceType)

    @property
    def is_on_interface_object(self) -> bool:
        """Does it stand on a field of an interface object?"""
        return self.subgraph.is_interface_object(self.parent)

    @property
    def is_usable(self) -> bool:
        """Does it stand on an object's field and name another subgraph?"""
        named = self.use.source_index not in (None, self.use.index)
        return named and not self.is_on_interface and not self.is_on_interface_object

    def error(self, code: str, message: str, mend: str | None = None, *at: Element) -> CompositionError:
        """An error at this use."""
        return in_subgraph(
            self.subgraph,
            code,
            f"@override on `{self.group.coordinate}`: {message}",
            coordinate=self.group.coordinate,
            at=(self.use.applied, *at),
            mend=mend,
        )


def override_uses(merge: Merge) -> Iterator[OverrideAt]:
    """Every @override."""
    for group in merge.field_groups():
        for use in merge.overrides_of(group).uses:
            subgraph = merge.subgraphs[use.index]
            yield OverrideAt(group, use, subgraph, subgraph.types[group.parent])
