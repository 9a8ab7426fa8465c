"""Is a completed subgraph document valid GraphQL? Everything wrong with it is INVALID_GRAPHQL.

Spec: https://spec.graphql.org/draft/#sec-Type-System
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from graphql import (
    DefinitionNode,
    DirectiveDefinitionNode,
    DocumentNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    build_ast_schema,
    print_ast,
    validate_schema,
    value_from_ast,
)
from graphql.validation.validate import validate_sdl

from gateway.federation.composition.model.link import FEDERATION, Links
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.normalise.diagnose import from_graphql_error
from gateway.federation.composition.normalise.elements import applications
from gateway.federation.composition.normalise.specification import FEDERATION_VERSIONS, directives_of
from gateway.federation.composition.normalise.strip import define_extended

_NO_QUERY = "Query root type must be provided."
_EMPTY = "Type {name} must define one or more fields."


def validate_document(
    subgraph: str, document: DocumentNode, added: Iterable[DefinitionNode], links: Links
) -> tuple[CompositionError, ...]:
    """What graphql-core and the checks of constant values find wrong."""
    whole = define_extended(DocumentNode(definitions=(*document.definitions, *added), loc=document.loc))
    errors = [*_unknown_one_of(document), *validate_sdl(whole)]
    if not errors:
        try:
            schema = build_ast_schema(whole, assume_valid_sdl=True)
            query = schema.query_type.name if schema.query_type else "Query"
            tolerated = (_NO_QUERY, _EMPTY.format(name=query))
            errors = [error for error in validate_schema(schema) if not is_tolerated(error.message, tolerated)]
            errors.extend(_invalid_arguments(schema, whole))
        except (GraphQLError, TypeError) as error:
            errors = [error if isinstance(error, GraphQLError) else GraphQLError(str(error))]
    return tuple(
        replace(from_graphql_error(subgraph, error), mend=_import_mend(error.message, links)) for error in errors
    )


def _import_mend(message: str, links: Links) -> str | None:
    """How to get at a directive of federation that the schema uses without having it."""
    found = re.match(r"Unknown directive '@(?P<name>\w+)'", message)
    latest = FEDERATION_VERSIONS[-1]
    if found is None:
        return None
    name = found["name"].removeprefix("federation__")
    federation = links.federation
    if federation is None:
        if name not in {known.name for known in directives_of(FEDERATION, latest)}:
            return None
        return f'Link federation 2: extend schema @link(url: "{FEDERATION}/{latest}", import: ["@{name}"]).'
    if name in {known.name for known in directives_of(FEDERATION, federation.url.version)}:
        own = federation.directive_name(name)
        known_as = f"is called `@{own}` in this schema" if "__" not in own else f'needs "@{name}" in `import`'
        return f"`@{name}` of {federation.url} {known_as}."
    first = next(
        (each for each in FEDERATION_VERSIONS if name in {known.name for known in directives_of(FEDERATION, each)}),
        None,
    )
    return None if first is None else f"Link federation {first} or later, which is the first to have `@{name}`."


def is_tolerated(message: str, tolerated: Iterable[str] = ()) -> bool:
    """Whether composition goes on: with what is listed, and with fields deprecated on some implementations only.

    Specifications before September 2025 allowed those: https://spec.graphql.org/September2025/#IsValidImplementation()
    """
    return message in tolerated or (message.startswith("Interface field ") and "is not deprecated, so" in message)


def _unknown_one_of(document: DocumentNode) -> Iterator[GraphQLError]:
    """Federation has no `@oneOf` yet: gateways would lose it, so it has to be defined by whoever uses it."""
    for node in document.definitions:
        if isinstance(node, DirectiveDefinitionNode) and node.name.value == "oneOf":
            return
    for node in document.definitions:
        for applied in getattr(node, "directives", None) or ():
            if applied.name.value == "oneOf":
                yield GraphQLError(
                    'Unknown directive "@oneOf": federation does not carry it by itself. '
                    "Define `directive @oneOf on INPUT_OBJECT`, and compose it with @composeDirective.",
                    applied,
                )


def _fits(node: ValueNode, expected: GraphQLInputType) -> bool:
    """Is it a value of the type? Missing input fields are not looked at: composition never reads such values."""
    if isinstance(expected, GraphQLNonNull):
        return not isinstance(node, NullValueNode) and _fits(node, expected.of_type)
    if isinstance(node, NullValueNode):
        return True
    if isinstance(expected, GraphQLList):
        items = node.values if isinstance(node, ListValueNode) else (node,)
        return all(_fits(item, expected.of_type) for item in items)
    if isinstance(expected, GraphQLInputObjectType):
        return isinstance(node, ObjectValueNode) and all(
            part.name.value in expected.fields and _fits(part.value, expected.fields[part.name.value].type)
            for part in node.fields
        )
    return value_from_ast(node, expected) is not Undefined


def _invalid_arguments(schema: GraphQLSchema, document: DocumentNode) -> Iterator[GraphQLError]:
    definitions = {directive.name: directive for directive in schema.directives}
    for applied in applications(document):
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
