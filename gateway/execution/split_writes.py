"""One request for each mutation field: it carries one idempotency key and has one outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from graphql import FieldNode, OperationDefinitionNode, VariableNode, parse, print_ast, strip_ignored_characters
from graphql.language import Visitor, ast, visit

from gateway.federation.plan import OperationKind, PathKey, RootFetch


def split_writes(fetch: RootFetch) -> tuple[RootFetch, ...]:
    """Return a mutation's fetch as one for each root field, in order; any other fetch as it is."""
    if fetch.kind is not OperationKind.MUTATION or len(fetch.root_fields) < 2:
        return (fetch,)
    document = parse(fetch.document, no_location=True)
    fields = [node for node in _operation(document).selection_set.selections if isinstance(node, FieldNode)]
    if len(fields) < len(_operation(document).selection_set.selections):
        # Under a condition of their own, fields stay together.
        return (fetch,)
    return tuple(_alone(fetch, document, field) for field in fields)


def _alone(fetch: RootFetch, document: ast.DocumentNode, field: FieldNode) -> RootFetch:
    name = (field.alias or field.name).value
    others = tuple(node for node in document.definitions if not isinstance(node, OperationDefinitionNode))
    used = set(_variables(ast.DocumentNode(definitions=others))) | set(_variables(field))
    operation = _operation(document)
    alone = ast.OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=tuple(
            each for each in operation.variable_definitions or () if each.variable.name.value in used
        ),
        directives=operation.directives,
        selection_set=ast.SelectionSetNode(selections=(field,)),
    )
    text = print_ast(ast.DocumentNode(definitions=(alone, *others)))
    return replace(
        fetch,
        document=strip_ignored_characters(text),
        variables=tuple(each for each in fetch.variables if each in used),
        output_rewrites=tuple(each for each in fetch.output_rewrites if _starts_with(each.path, name)),
        root_fields=(_renamed(fetch, name),),
    )


def _operation(document: ast.DocumentNode) -> OperationDefinitionNode:
    return next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))


def _starts_with(path: tuple[Any, ...], name: str) -> bool:
    return isinstance(path[0], PathKey) and path[0].name == name


def _renamed(fetch: RootFetch, name: str) -> str:
    """Return the name that a root field has in the tree."""
    for each in fetch.output_rewrites:
        if each.rename_to is not None and len(each.path) == 1 and _starts_with(each.path, name):
            return each.rename_to
    return name


def _variables(node: ast.Node) -> Iterator[str]:
    found: list[str] = []

    class Collect(Visitor):
        def enter_variable(self, variable: VariableNode, *_: Any) -> None:
            found.append(variable.name.value)

    visit(node, Collect())
    yield from found
