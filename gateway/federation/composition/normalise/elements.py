"""Goes through what a document defines, without graphql-core's visitor: that one looks at each name and value."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    DirectiveDefinitionNode,
    DirectiveNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    Node,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
)

_Part = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode


def applications(document: DocumentNode) -> Iterator[DirectiveNode]:
    """Every directive that is applied to something in the document."""
    for definition in document.definitions:
        yield from _applied(definition)
        for part in parts(definition):
            yield from _applied(part)


def parts(definition: Node) -> Iterator[_Part]:
    """The fields, arguments, input fields and enum values of a definition."""
    match definition:
        case (
            ObjectTypeDefinitionNode()
            | ObjectTypeExtensionNode()
            | InterfaceTypeDefinitionNode()
            | InterfaceTypeExtensionNode()
        ):
            for field in definition.fields or ():
                yield field
                yield from field.arguments or ()
        case InputObjectTypeDefinitionNode() | InputObjectTypeExtensionNode():
            yield from definition.fields or ()
        case EnumTypeDefinitionNode() | EnumTypeExtensionNode():
            yield from definition.values or ()
        case DirectiveDefinitionNode():
            yield from definition.arguments or ()
        case _:
            return


def _applied(node: Node) -> tuple[DirectiveNode, ...]:
    return getattr(node, "directives", None) or ()
