"""A field's arguments as the field will get them: literals and variables, with the defaults of the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphql import GraphQLArgument, GraphQLInputField, GraphQLInputObjectType, get_named_type, value_from_ast_untyped
from graphql.language import ast, parse_value

ABSENT: Final = object()
"""Stands for a value that is not given, which null is."""

InputDefinition = GraphQLArgument | GraphQLInputField


class GivenArguments:
    """What a client gave to one field: `(first:5,page:{after:$cursor})`."""

    def __init__(self, printed: str) -> None:
        self.text = printed
        self._nodes: Mapping[str, ast.ValueNode] = {}
        if printed:
            node = parse_value(f"{{{printed[1:-1]}}}", no_location=True)
            assert isinstance(node, ast.ObjectValueNode)
            self._nodes = {each.name.value: each.value for each in node.fields}

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def is_constant(self, name: str) -> bool:
        """Whether no variable decides an argument."""
        node = self._nodes.get(name)
        return node is None or not _has_variable(node)

    def value(self, name: str, variables: Mapping[str, Any]) -> Any:
        """Return what was given for an argument, or ABSENT."""
        node = self._nodes.get(name)
        return ABSENT if node is None else _evaluate(node, variables)


def value_at(value: Any, definition: InputDefinition, path: Sequence[str]) -> Any:
    """Return what a path leads to in an argument's value, with the schema's defaults; ABSENT where that is nothing.

    `value_at({}, page, ["first"])` is 20 where `page` is of a type that has `first: Int = 20`.
    """
    if value is ABSENT:
        value = default_of(definition)
    for step in path:
        kind = get_named_type(definition.type)
        if not isinstance(value, Mapping) or not isinstance(kind, GraphQLInputObjectType) or step not in kind.fields:
            return ABSENT
        definition = kind.fields[step]
        value = value[step] if step in value else default_of(definition)
    return value


def given_at(value: Any, path: Sequence[str]) -> Any:
    """Return what a path leads to in a value as it was given; ABSENT where that is nothing."""
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return ABSENT
        value = value[step]
    return value


def default_of(definition: InputDefinition) -> Any:
    """Return the default of an argument or input field, or ABSENT."""
    node = definition.ast_node
    if node is None or node.default_value is None:
        return ABSENT
    return value_from_ast_untyped(node.default_value)


def whole_number(value: Any) -> int | None:
    """Return a value that GraphQL takes for an Int: `1000.0` is 1000."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _has_variable(node: ast.ValueNode) -> bool:
    match node:
        case ast.VariableNode():
            return True
        case ast.ListValueNode():
            return any(map(_has_variable, node.values))
        case ast.ObjectValueNode():
            return any(_has_variable(each.value) for each in node.fields)
        case _:
            return False


def _evaluate(node: ast.ValueNode, variables: Mapping[str, Any]) -> Any:
    match node:
        case ast.VariableNode():
            return variables.get(node.name.value, ABSENT)
        case ast.ListValueNode():
            return [None if (value := _evaluate(each, variables)) is ABSENT else value for each in node.values]
        case ast.ObjectValueNode():
            values = ((each.name.value, _evaluate(each.value, variables)) for each in node.fields)
            return {name: value for name, value in values if value is not ABSENT}
        case _:
            return value_from_ast_untyped(node)
