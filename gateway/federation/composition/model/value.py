"""Constant values in SDL: comparing, reading and making them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    IntValueNode,
    ListValueNode,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    print_ast,
    value_from_ast_untyped,
)


@dataclass(frozen=True, slots=True)
class EnumName:
    """A Python stand-in for an enum literal."""

    name: str


def same_text(node: ValueNode | None) -> str | None:
    """A text that two values share exactly when they mean the same: object fields are ordered."""
    match node:
        case None:
            return None
        case ObjectValueNode():
            fields = sorted((field.name.value, same_text(field.value)) for field in node.fields)
            return "{" + ", ".join(f"{name}: {value}" for name, value in fields) + "}"
        case ListValueNode():
            return "[" + ", ".join(str(same_text(value)) for value in node.values) + "]"
        case StringValueNode():
            return print_ast(StringValueNode(value=node.value, block=False))
        case _:
            return print_ast(node)


def to_python(node: ValueNode | None) -> Any:
    """The value as Python data; enum names become strings, absent becomes None."""
    return None if node is None else value_from_ast_untyped(node)


def to_node(value: object) -> ValueNode:
    """A value node for Python data."""
    match value:
        case None:
            return NullValueNode()
        case bool():
            return BooleanValueNode(value=value)
        case int():
            return IntValueNode(value=str(value))
        case str():
            return StringValueNode(value=value, block=False)
        case EnumName(name):
            return EnumValueNode(value=name)
        case list() | tuple():
            return ListValueNode(values=tuple(to_node(item) for item in value))
        case dict():
            return ObjectValueNode(
                fields=tuple(
                    ObjectFieldNode(name=NameNode(value=name), value=to_node(item)) for name, item in value.items()
                )
            )
        case _:
            raise TypeError(f"no SDL value for {type(value).__name__}")
