"""Answer `__schema` and `__type` from the API schema alone; no subgraph is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import ExecutionResult, FragmentDefinitionNode, SelectionSetNode, execute
from graphql.language import ast

from gateway.errors import GatewayError
from gateway.federation.operation import Operation

_INTROSPECTION = frozenset({"__schema", "__type"})


def introspection_document(operation: Operation) -> ast.DocumentNode | None:
    """Return the operation reduced to its introspection fields, or None where it has none."""
    kept = _keep(operation.definition.selection_set, operation.fragments)
    if not kept:
        return None
    definition = ast.OperationDefinitionNode(
        operation=operation.definition.operation,
        variable_definitions=operation.definition.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=kept),
    )
    return ast.DocumentNode(definitions=(definition, *operation.fragments.values()))


def introspect(operation: Operation, document: ast.DocumentNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the introspection fields' values by response name, completed."""
    result = execute(operation.schema, document, variable_values=dict(variables))
    assert isinstance(result, ExecutionResult)
    if result.errors:
        raise GatewayError("BAD_USER_INPUT", result.errors[0].message)
    return result.data or {}


def _keep(
    selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> tuple[ast.SelectionNode, ...]:
    """Return the root selections that lead to introspection fields; fragments are written out."""
    kept: list[ast.SelectionNode] = []
    for node in selection_set.selections:
        match node:
            case ast.FieldNode():
                if node.name.value in _INTROSPECTION:
                    kept.append(node)
            case ast.InlineFragmentNode():
                kept.extend(_within(node.selection_set, node.directives, fragments))
            case ast.FragmentSpreadNode():
                kept.extend(_within(fragments[node.name.value].selection_set, node.directives, fragments))
    return tuple(kept)


def _within(
    selection_set: SelectionSetNode,
    directives: tuple[ast.DirectiveNode, ...] | None,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> tuple[ast.SelectionNode, ...]:
    inner = _keep(selection_set, fragments)
    if not inner:
        return ()
    return (ast.InlineFragmentNode(directives=directives, selection_set=SelectionSetNode(selections=inner)),)
