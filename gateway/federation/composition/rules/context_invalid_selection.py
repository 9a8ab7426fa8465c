"""CONTEXT_INVALID_SELECTION: the selection of @fromContext does not give one value of the argument's type."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import FieldNode, GraphQLSyntaxError, InlineFragmentNode, SelectionNode, SelectionSetNode

from gateway.federation.composition.model.element import InterfaceType, NamedType, ObjectType, UnionType
from gateway.federation.composition.model.field_set import parse_field_set
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import ListOf, NonNull, TypeReference, named_type, nullable
from gateway.federation.composition.rules.context_uses import ContextUse, context_places, context_uses
from gateway.federation.composition.rules.finding import in_subgraph


class _InvalidSelectionError(Exception):
    """Says why in words."""


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Wherever the context can be set, the selection picks exactly one leaf, of a type that fits."""
    places = context_places(subgraph)
    for use in context_uses(subgraph):
        if not isinstance(use.parent, ObjectType) or not (use.context and use.selection):
            continue
        try:
            for place in places.get(use.context, ()):
                _check(subgraph, use, use.selection, place)
        except _InvalidSelectionError as error:
            yield in_subgraph(
                subgraph,
                "CONTEXT_INVALID_SELECTION",
                f"the selection `{use.selection}` of `{use.coordinate}` {error}",
                coordinate=use.coordinate,
                at=(use.applied,),
            )


def _check(subgraph: Subgraph, use: ContextUse, text: str, place: NamedType) -> None:
    try:
        selection = parse_field_set(text)
    except (GraphQLSyntaxError, RecursionError) as error:
        reason = error.message if isinstance(error, GraphQLSyntaxError) else "nested too deeply"
        raise _InvalidSelectionError(f"cannot be read: {reason}") from error
    nodes = selection.selections
    if all(isinstance(node, InlineFragmentNode) for node in nodes):
        _check_fragments(subgraph, use, nodes, place)
        return
    found = _leaf(subgraph, place.name, selection)
    if not _fits(found, use.argument.type):
        raise _InvalidSelectionError(
            f"gives `{found}` on `{place.name}`, but the argument is of type `{use.argument.type}`"
        )


def _check_fragments(subgraph: Subgraph, use: ContextUse, nodes: tuple[SelectionNode, ...], place: NamedType) -> None:
    possible = {element.name for element in subgraph.possible_types(place.name)}
    matching = 0
    for node in nodes:
        if not isinstance(node, InlineFragmentNode) or node.type_condition is None:
            raise _InvalidSelectionError("has a fragment without a type condition")
        condition = node.type_condition.name.value
        if not isinstance(subgraph.types.get(condition), ObjectType):
            raise _InvalidSelectionError(f"has a fragment on `{condition}`, which is no object type here")
        if condition in possible:
            matching += 1
            found = nullable(_leaf(subgraph, condition, node.selection_set))
            if not _fits(found, use.argument.type):
                raise _InvalidSelectionError(
                    f"gives `{found}` on `{condition}`, but the argument is of type `{use.argument.type}`"
                )
    if not matching:
        raise _InvalidSelectionError(f"has no fragment for `{place.name}`, where the context is set")


def _leaf(subgraph: Subgraph, parent: str, selection: SelectionSetNode) -> TypeReference:
    """The type of the one leaf that is selected, with the lists that lead to it."""
    element = subgraph.types.get(parent)
    if len(selection.selections) != 1:
        raise _InvalidSelectionError("selects more than one field")
    node = selection.selections[0]
    if not isinstance(node, FieldNode):
        raise _InvalidSelectionError("mixes fields and fragments")
    if node.alias is not None or node.directives:
        raise _InvalidSelectionError("uses an alias or a directive")
    if element is not None and subgraph.is_interface_object(element):
        raise _InvalidSelectionError(f"goes through the @interfaceObject `{parent}`")
    field = element.fields.get(node.name.value) if isinstance(element, ObjectType | InterfaceType) else None
    if field is None:
        raise _InvalidSelectionError(f"names `{parent}.{node.name.value}`, which does not exist here")
    target = subgraph.types.get(named_type(field.type))
    is_composite = isinstance(target, ObjectType | InterfaceType | UnionType)
    if is_composite and node.selection_set is not None and target is not None:
        return _wrapped(field.type, _leaf(subgraph, target.name, node.selection_set))
    if is_composite or node.selection_set is not None:
        raise _InvalidSelectionError(f"does not end in a leaf at `{parent}.{field.name}`")
    return field.type


def _wrapped(outer: TypeReference, inner: TypeReference) -> TypeReference:
    match outer:
        case NonNull(of):
            return _wrapped(of, inner)
        case ListOf(of):
            return ListOf(_wrapped(of, inner))
        case _:
            return nullable(inner)


def _fits(found: TypeReference, wanted: TypeReference) -> bool:
    match found, wanted:
        case (NonNull(left), NonNull(right)) | (ListOf(left), ListOf(right)):
            return _fits(left, right)
        case NonNull(left), _:
            return _fits(left, wanted)
        case _:
            return found == wanted
