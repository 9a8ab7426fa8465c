"""External fields whose arguments differ from those of the field they refer to; several rules look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.federation.composition.merge.arguments import merged_argument_sources
from gateway.federation.composition.merge.context import FieldGroup, Merge
from gateway.federation.composition.merge.defaults import merge_defaults
from gateway.federation.composition.merge.references import merge_references
from gateway.federation.composition.merge.sources import Sources
from gateway.federation.composition.model.element import Field, InputValue
from gateway.federation.composition.model.type_reference import TypeReference
from gateway.federation.composition.model.value import same_text


@dataclass(frozen=True, slots=True)
class ExternalArgument:
    """An argument of the merged field, beside the external versions of the field."""

    group: FieldGroup
    name: str
    type: TypeReference
    default: str | None
    external: Sources[Field]

    @property
    def coordinate(self) -> str:
        """`User.friends(first:)`."""
        return f"{self.group.coordinate}({self.name}:)"

    @property
    def versions(self) -> Sources[InputValue]:
        """The argument in all versions of the field."""
        return self.group.sources.within(lambda field: field.arguments.get(self.name))


def external_arguments(merge: Merge) -> Iterator[ExternalArgument]:
    """Every argument of a field that is external somewhere."""
    for group in merge.field_groups():
        external = group.referring
        if not external.indices() or merge.is_unresolved(group):
            continue
        for name, versions in merged_argument_sources(merge, group.resolving):
            types = (argument.type for _, argument in versions.present())
            reference = merge_references(merge.outline, types, is_input=True)
            yield ExternalArgument(group, name, reference.type, same_text(merge_defaults(versions)), external)
