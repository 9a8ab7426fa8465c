"""Defaults of enum arguments that are written as strings: `role: Role = "ADMIN"` means `ADMIN`."""

from __future__ import annotations

from itertools import chain
from typing import Any

from graphql import (
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    EnumValueNode,
    InputValueDefinitionNode,
    ListValueNode,
    Node,
    StringValueNode,
    ValueNode,
    Visitor,
    visit,
)

from gateway.federation.composition.model.type_reference import from_type_node, named_type
from gateway.federation.composition.normalise.elements import parts


def coerce_enum_defaults(document: DocumentNode) -> DocumentNode:
    """The document with such defaults as enum values; strings that name no value stay, and are refused later."""
    values: dict[str, set[str]] = {}
    for node in document.definitions:
        if isinstance(node, EnumTypeDefinitionNode | EnumTypeExtensionNode):
            values.setdefault(node.name.value, set()).update(value.name.value for value in node.values or ())
    if not any(map(_is_maybe_written_as_string, chain.from_iterable(map(parts, document.definitions)))):
        return document
    coerced: DocumentNode = visit(document, _Coercion(values))
    return coerced


def _is_maybe_written_as_string(node: Node) -> bool:
    return isinstance(node, InputValueDefinitionNode) and isinstance(
        node.default_value, StringValueNode | ListValueNode
    )


class _Coercion(Visitor):
    """Rewrites input values whose type is an enum."""

    def __init__(self, values: dict[str, set[str]]) -> None:
        super().__init__()
        self.values = values

    def enter_input_value_definition(
        self, node: InputValueDefinitionNode, *_: object
    ) -> InputValueDefinitionNode | None:
        known = self.values.get(named_type(from_type_node(node.type)))
        if known is None or node.default_value is None:
            return None
        default = _coerced(node.default_value, known)
        if default is node.default_value:
            return None
        parts: dict[str, Any] = {key: getattr(node, key) for key in node.keys}
        return InputValueDefinitionNode(**{**parts, "default_value": default})


def _coerced(node: ValueNode, known: set[str]) -> ValueNode:
    match node:
        case StringValueNode() if node.value in known:
            return EnumValueNode(value=node.value, loc=node.loc)
        case ListValueNode():
            items = tuple(_coerced(item, known) for item in node.values)
            changed = any(new is not old for new, old in zip(items, node.values, strict=True))
            return ListValueNode(values=items, loc=node.loc) if changed else node
        case _:
            return node
