"""The part of the schema that a caller may know of: what introspection is answered from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from graphql import GraphQLSchema, build_ast_schema, get_named_type, parse, print_schema
from graphql.language import ast

from gateway.access.reach import reachable
from gateway.access.restrict import Verdict


def visible_schema(schema: GraphQLSchema, verdict: Verdict) -> GraphQLSchema:
    """Return the schema without what is denied, and without what only that could reach. The root query type stays."""
    document = parse(print_schema(schema), no_location=True)
    denied = {name for name in schema.type_map if verdict.denies_type(name)}
    fields = {
        (name, field)
        for name, each in schema.type_map.items()
        for field in getattr(each, "fields", {})
        if verdict.denies_field(name, field)
        or get_named_type(each.fields[field].type).name in denied  # type: ignore[attr-defined]  # it has fields
        or _is_denied_everywhere(schema, verdict, name, field)
    }
    query = schema.query_type.name if schema.query_type else "Query"
    while True:
        definitions = [
            _without(definition, fields, denied)
            for definition in document.definitions
            if getattr(getattr(definition, "name", None), "value", "") not in denied
        ]
        empty = {
            each.name.value
            for each in definitions
            if isinstance(each, ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode)
            and not each.fields
            and each.name.value != query
        } | {
            each.name.value for each in definitions if isinstance(each, ast.UnionTypeDefinitionNode) and not each.types
        }
        if not empty:
            return build_ast_schema(
                ast.DocumentNode(definitions=_in_reach(definitions, schema)), assume_valid=True, assume_valid_sdl=True
            )
        denied |= empty
        fields |= {
            (name, field)
            for name, each in schema.type_map.items()
            for field, definition in getattr(each, "fields", {}).items()
            if get_named_type(definition.type).name in denied
        }


def _in_reach(definitions: Sequence[ast.DefinitionNode], schema: GraphQLSchema) -> tuple[ast.DefinitionNode, ...]:
    """Return the definitions without types that nothing left leads to."""
    types = {each.name.value: each for each in definitions if isinstance(each, ast.TypeDefinitionNode)}
    roots = [each.name for each in (schema.query_type, schema.mutation_type, schema.subscription_type) if each]
    directives = [each for each in definitions if isinstance(each, ast.DirectiveDefinitionNode)]
    left = reachable(types, roots, directives)
    return tuple(
        each for each in definitions if not isinstance(each, ast.TypeDefinitionNode) or each.name.value in left
    )


def _is_denied_everywhere(schema: GraphQLSchema, verdict: Verdict, name: str, field: str) -> bool:
    if not verdict.rules.is_abstract(name):
        return False
    possible = [each for each in verdict.rules.possible_types(name) if each in schema.type_map and each != name]
    return bool(possible) and all(verdict.denies_field(each, field) for each in possible)


def _without(
    definition: ast.DefinitionNode, fields: Collection[tuple[str, str]], denied: Collection[str]
) -> ast.DefinitionNode:
    match definition:
        case ast.ObjectTypeDefinitionNode() | ast.InterfaceTypeDefinitionNode():
            name = definition.name.value
            return replace(
                definition,
                fields=tuple(each for each in definition.fields or () if (name, each.name.value) not in fields),
                interfaces=tuple(each for each in definition.interfaces or () if each.name.value not in denied),
            )
        case ast.UnionTypeDefinitionNode():
            return replace(
                definition, types=tuple(each for each in definition.types or () if each.name.value not in denied)
            )
        case ast.SchemaDefinitionNode():
            kept = tuple(each for each in definition.operation_types if each.type.name.value not in denied)
            return replace(definition, operation_types=kept)
        case _:
            return definition
