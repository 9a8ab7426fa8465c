"""Takes the gateway's own root fields and types out of a document, and makes every type have a definition."""

from __future__ import annotations

from collections.abc import Mapping

from graphql import (
    DefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
)

from gateway.federation.composition.normalise.define import OPERATION_TYPES, is_federation_operation


def strip_operations(document: DocumentNode) -> DocumentNode:
    """The document without `_service`, `_entities` and their types."""
    query = _query_name(document)
    definitions: list[DefinitionNode] = []
    for node in document.definitions:
        if isinstance(node, TypeDefinitionNode | TypeExtensionNode) and node.name.value in OPERATION_TYPES:
            continue
        if isinstance(node, ObjectTypeDefinitionNode | ObjectTypeExtensionNode) and node.name.value == query:
            fields = tuple(field for field in node.fields or () if not is_federation_operation(field.name.value))
            if len(fields) != len(node.fields or ()):
                kept = {key: getattr(node, key) for key in node.keys}
                definitions.append(type(node)(**{**kept, "fields": fields}))
                continue
        definitions.append(node)
    return DocumentNode(definitions=tuple(definitions), loc=document.loc)


def _query_name(document: DocumentNode) -> str:
    for node in document.definitions:
        if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode):
            for operation in node.operation_types or ():
                if operation.operation.value == "query":
                    return operation.type.name.value
    return "Query"


def define_extended(document: DocumentNode) -> DocumentNode:
    """The document in which the first extension of a type that is defined elsewhere stands as its definition."""
    defined = {node.name.value for node in document.definitions if isinstance(node, TypeDefinitionNode)}
    definitions: list[DefinitionNode] = []
    for node in document.definitions:
        if isinstance(node, TypeExtensionNode) and node.name.value not in defined:
            defined.add(node.name.value)
            definitions.append(_definition(node))
        else:
            definitions.append(node)
    return DocumentNode(definitions=tuple(definitions), loc=document.loc)


def _definition(node: TypeExtensionNode) -> TypeDefinitionNode:
    parts = {key: getattr(node, key) for key in node.keys}
    return _DEFINITIONS[type(node)](**parts)


_DEFINITIONS: Mapping[type[TypeExtensionNode], type[TypeDefinitionNode]] = {
    ObjectTypeExtensionNode: ObjectTypeDefinitionNode,
    InterfaceTypeExtensionNode: InterfaceTypeDefinitionNode,
    UnionTypeExtensionNode: UnionTypeDefinitionNode,
    EnumTypeExtensionNode: EnumTypeDefinitionNode,
    InputObjectTypeExtensionNode: InputObjectTypeDefinitionNode,
    ScalarTypeExtensionNode: ScalarTypeDefinitionNode,
}
