"""One request for each mutation field: it carries one idempotency key and has one outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from graphql import FieldNode, OperationDefinitionNode, VariableNode, parse, print_ast, strip_ignored_characters
from graphql.language import Visitor, ast, visit

from gateway.federation.plan import Condition, OperationKind, PathKey, PlanNode, RootFetch

_Around: TypeAlias = tuple[ast.InlineFragmentNode, ...]
"""The fragments that a field is in, the outermost first."""


def split_writes(fetch: RootFetch) -> tuple[PlanNode, ...]:
    """Return a mutation's fetch as one for each root field, in order; any other fetch as it is.

    A field under conditions is not sent where they don't hold:

        a: f ... @include(if: $x) { b: f @skip(if: $y) }  →  fetch a · if $x: if not $y: fetch b
    """
    if fetch.kind is not OperationKind.MUTATION or len(fetch.root_fields) < 2:
        return (fetch,)
    document = parse(fetch.document, no_location=True)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, ast.FragmentDefinitionNode)}
    found: dict[str, list[tuple[_Around, FieldNode]]] = {}
    for around, field in _fields(_operation(document).selection_set, fragments, ()):
        found.setdefault((field.alias or field.name).value, []).append((around, field))
    return tuple(_node(fetch, document, name, places) for name, places in found.items())


def _fields(
    selections: ast.SelectionSetNode, fragments: Mapping[str, ast.FragmentDefinitionNode], around: _Around
) -> Iterator[tuple[_Around, FieldNode]]:
    for node in selections.selections:
        match node:
            case FieldNode():
                yield around, node
            case ast.InlineFragmentNode():
                yield from _fields(node.selection_set, fragments, (*around, node))
            case ast.FragmentSpreadNode():
                known = fragments[node.name.value]
                inline = ast.InlineFragmentNode(
                    type_condition=known.type_condition, directives=node.directives, selection_set=known.selection_set
                )
                yield from _fields(known.selection_set, fragments, (*around, inline))


def _node(fetch: RootFetch, document: ast.DocumentNode, name: str, places: list[tuple[_Around, FieldNode]]) -> PlanNode:
    if len(places) > 1:
        # Selected under several conditions, it is written once all the same.
        return _alone(fetch, document, name, [_within(around, field) for around, field in places])
    ((around, field),) = places
    bare = FieldNode(
        alias=field.alias,
        name=field.name,
        arguments=field.arguments,
        directives=tuple(each for each in field.directives or () if _condition(each) is None),
        selection_set=field.selection_set,
    )
    inner: PlanNode = _alone(fetch, document, name, [bare])
    for holder in (field, *reversed(around)):
        for condition in filter(None, map(_condition, holder.directives or ())):
            variable, holds = condition
            inner = Condition(variable, inner, None) if holds else Condition(variable, None, inner)
    return inner


def _condition(directive: ast.DirectiveNode) -> tuple[str, bool] | None:
    """Return the variable of `@include` or `@skip`, and the value with which the field is there."""
    match directive:
        case ast.DirectiveNode(
            name=ast.NameNode(value="include" | "skip" as name),
            arguments=[ast.ArgumentNode(value=VariableNode(name=ast.NameNode(value=variable)))],
        ):
            return variable, name == "include"
        case _:
            return None


def _within(around: _Around, field: FieldNode) -> ast.SelectionNode:
    selection: ast.SelectionNode = field
    for fragment in reversed(around):
        selection = ast.InlineFragmentNode(
            type_condition=fragment.type_condition,
            directives=fragment.directives,
            selection_set=ast.SelectionSetNode(selections=(selection,)),
        )
    return selection


def _alone(
    fetch: RootFetch, document: ast.DocumentNode, name: str, selections: Iterable[ast.SelectionNode]
) -> RootFetch:
    others = tuple(node for node in document.definitions if not isinstance(node, OperationDefinitionNode))
    selection_set = ast.SelectionSetNode(selections=tuple(selections))
    used = set(_variables(ast.DocumentNode(definitions=others))) | set(_variables(selection_set))
    operation = _operation(document)
    alone = ast.OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=tuple(
            each for each in operation.variable_definitions or () if each.variable.name.value in used
        ),
        directives=operation.directives,
        selection_set=selection_set,
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
