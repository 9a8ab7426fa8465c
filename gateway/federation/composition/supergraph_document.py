"""The supergraph as a syntax tree: what parsing its SDL would give, without writing and reading the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import assert_never, cast

from graphql import (
    ConstArgumentNode,
    ConstDirectiveNode,
    ConstValueNode,
    DefinitionNode,
    DirectiveDefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    OperationType,
    OperationTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    SchemaDefinitionNode,
    StringValueNode,
    TypeDefinitionNode,
    TypeNode,
    UnionTypeDefinitionNode,
    parse,
)

from gateway.federation.composition.model.element import (
    Directive,
    DirectiveDefinition,
    Element,
    EnumType,
    EnumValue,
    Field,
    InputType,
    InputValue,
    InterfaceType,
    NamedType,
    ObjectType,
    ScalarType,
    SchemaElement,
    UnionType,
)
from gateway.federation.composition.model.supergraph import SupergraphDraft
from gateway.federation.composition.model.type_reference import ListOf, Named, NonNull, TypeReference


def supergraph_document(draft: SupergraphDraft) -> DocumentNode:
    """The document that `print_supergraph` prints, in the same order; nodes have no place in a source."""
    directives: dict[str, DefinitionNode] = {name: _definition(each) for name, each in draft.definitions.items()}
    types: dict[str, DefinitionNode] = {name: _type(element) for name, element in draft.types.items()}
    for node in _specifications(draft.specifications):
        (directives if isinstance(node, DirectiveDefinitionNode) else types)[node.name.value] = node
    types["join__Graph"] = _type(draft.graph_enum)
    named = (definitions[name] for definitions in (directives, types) for name in sorted(definitions))
    return DocumentNode(definitions=(_schema(draft.schema), *named))


@lru_cache(maxsize=64)
def _specifications(sdl: str) -> tuple[DirectiveDefinitionNode | TypeDefinitionNode, ...]:
    return tuple(
        node
        for node in parse(sdl, no_location=True).definitions
        if isinstance(node, DirectiveDefinitionNode | TypeDefinitionNode)
    )


def _schema(schema: SchemaElement) -> SchemaDefinitionNode:
    return SchemaDefinitionNode(
        description=_description(schema),
        directives=_directives(schema),
        operation_types=tuple(
            OperationTypeDefinitionNode(operation=OperationType(kind), type=_named(name))
            for kind, name in schema.roots.items()
        ),
    )


def _type(element: NamedType) -> DefinitionNode:
    name, description, directives = _name(element.name), _description(element), _directives(element)
    match element:
        case ObjectType() | InterfaceType():
            kind = ObjectTypeDefinitionNode if isinstance(element, ObjectType) else InterfaceTypeDefinitionNode
            return kind(
                name=name,
                description=description,
                directives=directives,
                interfaces=tuple(map(_named, element.interfaces)),
                fields=tuple(map(_field, element.fields.values())),
            )
        case InputType():
            fields = _input_values(element.fields)
            return InputObjectTypeDefinitionNode(
                name=name, description=description, directives=directives, fields=fields
            )
        case EnumType():
            values = tuple(map(_enum_value, element.values.values()))
            return EnumTypeDefinitionNode(name=name, description=description, directives=directives, values=values)
        case UnionType():
            members = tuple(map(_named, element.members))
            return UnionTypeDefinitionNode(name=name, description=description, directives=directives, types=members)
        case ScalarType():
            return ScalarTypeDefinitionNode(name=name, description=description, directives=directives)
        case _:
            assert_never(element)


def _definition(definition: DirectiveDefinition) -> DirectiveDefinitionNode:
    return DirectiveDefinitionNode(
        name=_name(definition.name),
        description=_description(definition),
        arguments=_input_values(definition.arguments),
        repeatable=definition.is_repeatable,
        locations=tuple(map(_name, definition.locations)),
    )


def _field(field: Field) -> FieldDefinitionNode:
    return FieldDefinitionNode(
        name=_name(field.name),
        description=_description(field),
        directives=_directives(field),
        arguments=_input_values(field.arguments),
        type=_reference(field.type),
    )


def _input_values(values: Mapping[str, InputValue]) -> tuple[InputValueDefinitionNode, ...]:
    return tuple(
        InputValueDefinitionNode(
            name=_name(value.name),
            description=_description(value),
            directives=_directives(value),
            type=_reference(value.type),
            default_value=cast("ConstValueNode | None", value.default),
        )
        for value in values.values()
    )


def _enum_value(value: EnumValue) -> EnumValueDefinitionNode:
    return EnumValueDefinitionNode(
        name=_name(value.name), description=_description(value), directives=_directives(value)
    )


def _directives(element: Element) -> tuple[ConstDirectiveNode, ...]:
    return tuple(map(_applied, element.directives))


def _applied(applied: Directive) -> ConstDirectiveNode:
    arguments: Iterable[ConstArgumentNode] = (
        ConstArgumentNode(name=_name(name), value=cast("ConstValueNode", value))
        for name, value in applied.arguments.items()
    )
    return ConstDirectiveNode(name=_name(applied.name), arguments=tuple(arguments))


def _reference(reference: TypeReference) -> TypeNode:
    match reference:
        case Named(name):
            return _named(name)
        case ListOf():
            return _list(reference)
        case NonNull(of):
            return NonNullTypeNode(type=_named(of.name) if isinstance(of, Named) else _list(of))
        case _:
            assert_never(reference)


def _list(reference: ListOf) -> ListTypeNode:
    return ListTypeNode(type=_reference(reference.of))


def _description(element: Element) -> StringValueNode | None:
    return None if element.description is None else StringValueNode(value=element.description, block=True)


def _named(name: str) -> NamedTypeNode:
    return NamedTypeNode(name=_name(name))


def _name(text: str) -> NameNode:
    return NameNode(value=text)
