"""INVALID_SHAREABLE_USAGE: @shareable is repeated on one declaration, or stands on an interface's field."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import Element, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Only what is resolved can be shared, and saying so once is enough."""
    for parent in subgraph.fielded():
        if isinstance(parent, ObjectType):
            yield from _repeated(subgraph, parent, parent.name)
        for field in parent.fields.values():
            coordinate = f"{parent.name}.{field.name}"
            if isinstance(parent, ObjectType):
                yield from _repeated(subgraph, field, coordinate)
            elif (applied := subgraph.use(field, "shareable")) is not None:
                yield in_subgraph(
                    subgraph,
                    "INVALID_SHAREABLE_USAGE",
                    f"`{coordinate}` is a field of an interface, and only fields of object types can be @shareable",
                    coordinate=coordinate,
                    at=(applied, field),
                    mend="Put @shareable on the field of the implementing types.",
                )


def _repeated(subgraph: Subgraph, element: Element, coordinate: str) -> Iterator[CompositionError]:
    seen: set[int | None] = set()
    for applied in subgraph.uses(element, "shareable"):
        if applied.extension in seen:
            yield in_subgraph(
                subgraph,
                "INVALID_SHAREABLE_USAGE",
                f"`{coordinate}` is marked @shareable twice in the same declaration",
                coordinate=coordinate,
                at=(applied,),
                mend="Remove one of the two.",
            )
        seen.add(applied.extension)
