"""The uses of @listSize, which several rules look at.

Spec: https://ibm.github.io/graphql-specs/cost-spec.html#sec-The-List-Size-Directive
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.federation.composition.model.element import Directive, Field, FieldedType
from gateway.federation.composition.model.subgraph import Subgraph


@dataclass(frozen=True, slots=True)
class ListSizeUse:
    """@listSize on a field."""

    parent: FieldedType
    field: Field
    applied: Directive

    @property
    def coordinate(self) -> str:
        """The field's coordinate."""
        return f"{self.parent.name}.{self.field.name}"

    def names(self, argument: str) -> tuple[str, ...]:
        """An argument that lists names; one name may stand without a list around it."""
        value = self.applied.value(argument)
        return (value,) if isinstance(value, str) else tuple(value or ())


def list_size_uses(subgraph: Subgraph) -> Iterator[ListSizeUse]:
    """Every field with @listSize."""
    for parent, field in subgraph.fields():
        applied = subgraph.use(field, "listSize")
        if applied is not None:
            yield ListSizeUse(parent, field, applied)
