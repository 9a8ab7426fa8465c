"""REQUIRES_INVALID_FIELDS: a @requires that is valid where it stands, but not with other subgraphs' arguments."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import FieldNode, InlineFragmentNode, SelectionSetNode

from gateway.federation.composition.model.element import InterfaceType, ObjectType
from gateway.federation.composition.model.field_set import of_directive
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.type_reference import named_type
from gateway.federation.composition.rules.field_set_faults import FieldSetUse, field_set_uses
from gateway.federation.composition.rules.finding import in_subgraph
from gateway.federation.composition.rules.whole import Whole


def check(whole: Whole) -> Iterator[CompositionError]:
    """The gateway asks other subgraphs for what is required, so they have to understand it."""
    for subgraph in whole.merge.subgraphs:
        for use in field_set_uses(subgraph, "requires"):
            selection = of_directive(use.applied)
            for message in _problems(whole, use, use.target, selection) if selection else ():
                yield in_subgraph(
                    subgraph,
                    "REQUIRES_INVALID_FIELDS",
                    f"`{use.applied}` on `{use.coordinate}`: {message}",
                    coordinate=use.coordinate,
                    at=(use.applied,),
                )


def _problems(whole: Whole, use: FieldSetUse, parent: str, selection: SelectionSetNode) -> Iterator[str]:
    element = whole.draft.types.get(parent)
    for node in selection.selections:
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else parent
            yield from _problems(whole, use, condition, node.selection_set)
        elif isinstance(node, FieldNode) and isinstance(element, ObjectType | InterfaceType):
            field = element.fields.get(node.name.value)
            if field is None:
                continue
            given = {argument.name.value for argument in node.arguments or ()}
            for name in sorted(given - set(field.arguments)):
                yield f"not every subgraph that has `{parent}.{field.name}` knows its argument `{name}`"
            for argument in field.arguments.values():
                if argument.is_required and argument.name not in given:
                    yield f"another subgraph requires the argument `{argument.name}` of `{parent}.{field.name}`"
            if node.selection_set is not None:
                yield from _problems(whole, use, named_type(field.type), node.selection_set)
