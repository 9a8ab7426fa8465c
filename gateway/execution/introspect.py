"""Answer `__schema` and `__type` from the API schema alone; no subgraph is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from graphql import ExecutionResult, FragmentDefinitionNode, GraphQLSchema, SelectionSetNode
from graphql.language import ast

from gateway.errors import GatewayError
from gateway.federation.operation import Operation

_INTROSPECTION = frozenset({"__schema", "__type"})
_MOST_ANSWERS = 16


class Introspection:
    """An operation's introspection fields, answered once for each set of variables."""

    def __init__(self, operation: Operation, fields: tuple[ast.SelectionNode, ...], schema: GraphQLSchema) -> None:
        self._schema = schema
        definition = ast.OperationDefinitionNode(
            operation=operation.definition.operation,
            variable_definitions=operation.definition.variable_definitions,
            directives=(),
            selection_set=SelectionSetNode(selections=fields),
        )
        self._document = ast.DocumentNode(definitions=(definition, *operation.fragments.values()))
        self._answers: dict[bytes, dict[str, Any]] = {}

    def answer(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields' values by response name, completed; not to be changed."""
        key = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)
        known = self._answers.get(key)
        if known is None:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            known = self._answers[key] = self._execute(variables)
        return known

    def _execute(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        from graphql import execute  # noqa: PLC0415 - only introspection is executed by it

        result = execute(self._schema, self._document, variable_values=dict(variables))
        assert isinstance(result, ExecutionResult)
        if result.errors:
            raise GatewayError("BAD_USER_INPUT", result.errors[0].message)
        return result.data or {}


def introspection_of(operation: Operation, visible: GraphQLSchema | None = None) -> Introspection | None:
    """Return the operation's introspection, or None where it asks for none. It is answered from `visible`, if given.

    Without variables the answer is computed here: off the event loop, where operations are compiled.
    """
    fields = _keep(operation.definition.selection_set, operation.fragments)
    if not fields:
        return None
    introspection = Introspection(operation, fields, visible or operation.schema)
    if not operation.definition.variable_definitions:
        introspection.answer({})
    return introspection


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
