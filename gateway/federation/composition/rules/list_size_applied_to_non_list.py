"""LIST_SIZE_APPLIED_TO_NON_LIST: @listSize stands on, or names, a field that is no list."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.model.element import InterfaceType, ObjectType
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import is_list, named_type
from gateway.federation.composition.rules.finding import in_subgraph
from gateway.federation.composition.rules.list_size_uses import list_size_uses


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Either the field itself is a list, or those of its type that `sizedFields` names are."""
    for use in list_size_uses(subgraph):
        sized = use.names("sizedFields")
        if not sized and not is_list(use.field.type):
            yield in_subgraph(
                subgraph,
                "LIST_SIZE_APPLIED_TO_NON_LIST",
                f"@listSize stands on `{use.coordinate}`, which is of type `{use.field.type}` and no list",
                coordinate=use.coordinate,
                at=(use.applied, use.field),
                mend="Remove @listSize, or name the lists inside the type with `sizedFields`.",
            )
        target = subgraph.types.get(named_type(use.field.type))
        if isinstance(target, ObjectType | InterfaceType):
            for name in sized:
                field = target.fields.get(name)
                if field is not None and not is_list(field.type):
                    yield in_subgraph(
                        subgraph,
                        "LIST_SIZE_APPLIED_TO_NON_LIST",
                        f"@listSize on `{use.coordinate}` sizes `{target.name}.{name}`, which is no list",
                        coordinate=use.coordinate,
                        at=(use.applied, field),
                    )
