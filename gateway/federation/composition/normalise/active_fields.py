"""The part of a @requires or @provides that has an effect: its external fields."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import FieldNode, InlineFragmentNode, SelectionNode, SelectionSetNode, print_ast

from gateway.federation.composition.model.element import (
    Directive,
    Field,
    FieldedType,
    InterfaceType,
    ObjectType,
    UnionType,
)
from gateway.federation.composition.model.field_set import of_directive
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import named_type


def active_selection(subgraph: Subgraph, parent: str, applied: Directive) -> str | None:
    """The field set without fields that aren't external, empty if none is left; None when nothing has to change."""
    selection = of_directive(applied)
    if selection is None or not _is_followable(subgraph, parent, selection):
        return None
    if not _selects_own_leaf(subgraph, parent, selection):
        return None
    return " ".join(_active(subgraph, parent, selection))


def _field(subgraph: Subgraph, parent: str, node: FieldNode) -> tuple[FieldedType, Field] | None:
    element = subgraph.types.get(parent)
    if not isinstance(element, ObjectType | InterfaceType) or node.name.value not in element.fields:
        return None
    return element, element.fields[node.name.value]


def _is_followable(subgraph: Subgraph, parent: str, selection: SelectionSetNode) -> bool:
    for node in selection.selections:
        if isinstance(node, InlineFragmentNode):
            if not _is_followable(subgraph, _condition(node, parent), node.selection_set):
                return False
        elif isinstance(node, FieldNode):
            found = _field(subgraph, parent, node)
            if found is None and node.name.value != "__typename":
                return False
            if found and (node.selection_set is None) == _is_composite(subgraph, named_type(found[1].type)):
                return False
            if (
                found
                and node.selection_set
                and not _is_followable(subgraph, named_type(found[1].type), node.selection_set)
            ):
                return False
        else:
            return False
    return True


def _is_composite(subgraph: Subgraph, name: str) -> bool:
    return isinstance(subgraph.types.get(name), ObjectType | InterfaceType | UnionType)


def _condition(node: InlineFragmentNode, parent: str) -> str:
    return node.type_condition.name.value if node.type_condition else parent


def _is_external(subgraph: Subgraph, element: FieldedType, field: Field) -> bool:
    if subgraph.has(field, "external"):
        return True
    if not isinstance(element, InterfaceType):
        return False
    versions = (implementer.fields.get(field.name) for implementer in subgraph.implementers.get(element.name, ()))
    return any(version is not None and subgraph.has(version, "external") for version in versions)


def _selects_own_leaf(subgraph: Subgraph, parent: str, selection: SelectionSetNode) -> bool:
    for node in selection.selections:
        if isinstance(node, InlineFragmentNode):
            if _selects_own_leaf(subgraph, _condition(node, parent), node.selection_set):
                return True
        elif isinstance(node, FieldNode):
            found = _field(subgraph, parent, node)
            if found is None or _is_external(subgraph, *found):
                continue
            if not node.selection_set or _selects_own_leaf(subgraph, named_type(found[1].type), node.selection_set):
                return True
    return False


def _active(subgraph: Subgraph, parent: str, selection: SelectionSetNode) -> Iterator[str]:
    for node in selection.selections:
        text = _active_node(subgraph, parent, node)
        if text:
            yield text


def _active_node(subgraph: Subgraph, parent: str, node: SelectionNode) -> str:
    if isinstance(node, InlineFragmentNode):
        inner = " ".join(_active(subgraph, _condition(node, parent), node.selection_set))
        condition = f" on {node.type_condition.name.value}" if node.type_condition else ""
        return f"...{condition} {{ {inner} }}" if inner else ""
    if not isinstance(node, FieldNode):
        return ""
    found = _field(subgraph, parent, node)
    if found is None:
        return ""
    if _is_external(subgraph, *found):
        return " ".join(print_ast(node).split())
    if not node.selection_set:
        return ""
    inner = " ".join(_active(subgraph, named_type(found[1].type), node.selection_set))
    return f"{node.name.value} {{ {inner} }}" if inner else ""
