"""Field sets: the selections inside `@key(fields:)`, `@requires`, `@provides`, and what they reach.

Spec: https://specs.apollo.dev/federation/v2.0/#FieldSet
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    parse,
)

from gateway.federation.composition.model.element import Directive, Field, FieldedType, InterfaceType, ObjectType
from gateway.federation.composition.model.type_reference import named_type

if TYPE_CHECKING:
    from gateway.federation.composition.model.subgraph import Subgraph

Coordinate = tuple[str, str]
"""Type name and field name."""


@lru_cache(maxsize=4096)
def parse_field_set(text: str) -> SelectionSetNode:
    """The selection that a field set writes, with or without braces around it.

    Raises:
        GraphQLSyntaxError: it is no selection.

    """
    stripped = text.strip()
    braced = stripped if stripped.startswith("{") else f"{{{text}}}"
    document = parse(braced, no_location=True, allow_empty_selection_sets=False)
    definition = document.definitions[0]
    if len(document.definitions) != 1 or not isinstance(definition, OperationDefinitionNode):
        raise GraphQLSyntaxError(Source(text), 0, "a field set is one selection")
    return definition.selection_set


def try_parse_field_set(text: str | None) -> SelectionSetNode | None:
    """The selection, or None when the text is none."""
    if text is None:
        return None
    try:
        return parse_field_set(text)
    except (GraphQLSyntaxError, RecursionError):
        return None


def reached(
    subgraph: Subgraph, parent: str, selection: SelectionSetNode | None, *, implementations: bool
) -> Iterator[tuple[FieldedType, Field]]:
    """Every field that a selection on a type names, as far as it can be followed.

    With `implementations`, a field of an interface counts for the types that implement it too.
    """
    element = subgraph.types.get(parent)
    for node in selection.selections if selection else ():
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else parent
            yield from reached(subgraph, condition, node.selection_set, implementations=implementations)
            continue
        if not isinstance(node, FieldNode) or not isinstance(element, ObjectType | InterfaceType):
            continue
        field = element.fields.get(node.name.value)
        if field is None:
            continue
        yield element, field
        if implementations and isinstance(element, InterfaceType):
            for implementer in subgraph.implementers.get(element.name, ()):
                if field.name in implementer.fields:
                    yield implementer, implementer.fields[field.name]
        if node.selection_set:
            yield from reached(subgraph, named_type(field.type), node.selection_set, implementations=implementations)


def of_directive(applied: Directive) -> SelectionSetNode | None:
    """The selection of a directive with a `fields` argument; None when it is not one."""
    return try_parse_field_set(applied.text("fields"))
