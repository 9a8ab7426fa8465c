"""Is a completed subgraph document valid GraphQL? Everything wrong with it is INVALID_GRAPHQL.

Spec: https://spec.graphql.org/draft/#sec-Type-System
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphql import (
    DefinitionNode,
    DirectiveDefinitionNode,
    DirectiveNode,
    DocumentNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    StringValueNode,
    Undefined,
    Visitor,
    build_ast_schema,
    print_ast,
    specified_directives,
    validate_schema,
    value_from_ast,
    visit,
)
from graphql.validation.validate import validate_sdl

from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.normalise.diagnose import from_graphql_error
from gateway.federation.composition.normalise.strip import define_extended

_NO_QUERY = "Query root type must be provided."


def validate_document(
    subgraph: str, document: DocumentNode, added: Iterable[DefinitionNode]
) -> tuple[CompositionError, ...]:
    """What graphql-core and the checks of constant values find wrong."""
    whole = define_extended(DocumentNode(definitions=(*document.definitions, *added), loc=document.loc))
    errors = [*_unknown_one_of(document), *validate_sdl(whole)]
    if not errors:
        try:
            schema = build_ast_schema(whole, assume_valid_sdl=True)
            errors = [error for error in validate_schema(schema) if error.message != _NO_QUERY]
            errors.extend(_invalid_values(schema, whole))
        except (GraphQLError, TypeError) as error:
            errors = [error if isinstance(error, GraphQLError) else GraphQLError(str(error))]
    return tuple(from_graphql_error(subgraph, error) for error in errors)


def _unknown_one_of(document: DocumentNode) -> Iterator[GraphQLError]:
    """Federation has no `@oneOf` yet: gateways would lose it, so it has to be defined by whoever uses it."""
    for node in document.definitions:
        if isinstance(node, DirectiveDefinitionNode) and node.name.value == "oneOf":
            return
    for node in document.definitions:
        for applied in getattr(node, "directives", None) or ():
            if applied.name.value == "oneOf":
                yield GraphQLError('Unknown directive "@oneOf": federation does not carry it.', applied)


def _invalid_values(schema: GraphQLSchema, document: DocumentNode) -> Iterator[GraphQLError]:
    yield from _invalid_defaults(schema)
    yield from _invalid_arguments(schema, document)


def _invalid_defaults(schema: GraphQLSchema) -> Iterator[GraphQLError]:
    for name, graphql_type in schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(graphql_type, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in graphql_type.fields.items():
                for argument_name, argument in field.args.items():
                    yield from _invalid_default(f"{name}.{field_name}({argument_name}:)", argument)
        elif isinstance(graphql_type, GraphQLInputObjectType):
            for field_name, input_field in graphql_type.fields.items():
                yield from _invalid_default(f"{name}.{field_name}", input_field)
    for directive in schema.directives:
        if directive not in specified_directives:
            for argument_name, argument in directive.args.items():
                yield from _invalid_default(f"@{directive.name}({argument_name}:)", argument)


def _invalid_default(coordinate: str, element: object) -> Iterator[GraphQLError]:
    node = getattr(element, "ast_node", None)
    default = getattr(node, "default_value", None)
    expected = getattr(element, "type", None)
    if default is not None and not _fits(default, expected):
        yield GraphQLError(
            f"{coordinate} has the default {print_ast(default)}, which is no value of {expected}.", default
        )


def _fits(node: Node, expected: object) -> bool:
    if isinstance(node, StringValueNode) and isinstance(getattr(expected, "of_type", expected), GraphQLEnumType):
        return False
    return value_from_ast(node, expected) is not Undefined  # type: ignore[arg-type]  # only input types get here


class _Applications(Visitor):
    """Collects every applied directive of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[DirectiveNode] = []

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        self.found.append(node)


def _invalid_arguments(schema: GraphQLSchema, document: DocumentNode) -> Iterator[GraphQLError]:
    definitions = {directive.name: directive for directive in schema.directives}
    applications = _Applications()
    visit(document, applications)
    for applied in applications.found:
        definition = definitions.get(applied.name.value)
        arguments: dict[str, GraphQLArgument] = definition.args if definition else {}
        for argument in applied.arguments or ():
            expected = arguments.get(argument.name.value)
            if expected is not None and not _fits(argument.value, expected.type):
                yield GraphQLError(
                    f"{print_ast(argument.value)} is no value of {expected.type}, which `@{applied.name.value}` "
                    f"wants for `{argument.name.value}`.",
                    argument,
                )
