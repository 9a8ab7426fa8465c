"""From a completed document to a subgraph's elements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphql import (
    DefinitionNode,
    DirectiveDefinitionNode,
    DirectiveNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    StringValueNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
)

from gateway.federation.composition.model.element import (
    Directive,
    DirectiveDefinition,
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
from gateway.federation.composition.model.link import Links
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.model.type_reference import from_type_node
from gateway.federation.composition.normalise.define import NON_MERGED
from gateway.federation.composition.normalise.specification import (
    CARRIED_BY_IDENTITY,
    FEDERATION_1,
    directives_of,
)

_DEFAULT_ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}


def build(name: str, url: str, document: DocumentNode, added: Iterable[DefinitionNode], links: Links) -> Subgraph:
    """The subgraph that a valid document describes; root types keep the names they have."""
    parts: dict[str, list[TypeDefinitionNode | TypeExtensionNode]] = {}
    for node in (*document.definitions, *added):
        if isinstance(node, TypeDefinitionNode | TypeExtensionNode):
            parts.setdefault(node.name.value, []).append(node)
    types = {
        type_name: build_type(type_name, nodes)
        for type_name, nodes in parts.items()
        if not _stays_behind(type_name, links)
    }
    definitions = {
        node.name.value: build_directive(node)
        for node in (*added, *document.definitions)
        if isinstance(node, DirectiveDefinitionNode)
    }
    schema = _schema(document, types)
    return Subgraph(name, url, links, types, definitions, schema, spellings_of(links))


def spellings_of(links: Links) -> Mapping[str, frozenset[str]]:
    """Known directive to its names under these links."""
    found: dict[str, set[str]] = {}
    if links.federation is None:
        for name in FEDERATION_1:
            found.setdefault(name, set()).add(name)
    for feature in links.features:
        for specification in directives_of(feature.url.identity, feature.url.version):
            found.setdefault(specification.name, set()).add(feature.directive_name(specification.name))
    return {name: frozenset(names) for name, names in found.items()}


def _stays_behind(name: str, links: Links) -> bool:
    if links.federation is None and name == "_FieldSet":
        return True
    feature = links.source_of_type(name)
    return feature is not None and (feature.url.identity in NON_MERGED or feature.url.identity in CARRIED_BY_IDENTITY)


def _schema(document: DocumentNode, types: Mapping[str, NamedType]) -> SchemaElement:
    roots: dict[str, str] = {}
    directives: list[Directive] = []
    description: str | None = None
    defined: SchemaDefinitionNode | None = None
    extension = 0
    for node in document.definitions:
        if not isinstance(node, SchemaDefinitionNode | SchemaExtensionNode):
            continue
        if isinstance(node, SchemaDefinitionNode):
            defined = node
            description = _text(node.description)
            directives.extend(_directives(node.directives, None))
        else:
            directives.extend(_directives(node.directives, extension))
            extension += 1
        for operation in node.operation_types or ():
            roots[operation.operation.value] = operation.type.name.value
    if defined is None:
        for kind, default in _DEFAULT_ROOTS.items():
            if kind not in roots and isinstance(types.get(default), ObjectType):
                roots[kind] = default
    return SchemaElement(
        name="schema", description=description, directives=tuple(directives), node=defined, roots=roots
    )


def build_type(name: str, nodes: Sequence[TypeDefinitionNode | TypeExtensionNode]) -> NamedType:
    """One type from its definition and its extensions."""
    definition = next((node for node in nodes if isinstance(node, TypeDefinitionNode)), None)
    extensions = [node for node in nodes if node is not definition]
    ordered: list[tuple[int | None, TypeDefinitionNode | TypeExtensionNode]] = []
    if definition is not None:
        ordered.append((None, definition))
    ordered.extend(enumerate(extensions))
    directives = tuple(item for index, node in ordered for item in _directives(node.directives, index))
    description = _text(definition.description) if definition is not None else None
    first = nodes[0] if definition is None else definition
    has_definition, extension_nodes = definition is not None, tuple(extensions)
    match first:
        case ObjectTypeDefinitionNode() | ObjectTypeExtensionNode():
            return ObjectType(
                name=name, description=description, directives=directives, node=first,
                has_definition=has_definition, extension_nodes=extension_nodes,
                fields=_fields(ordered), interfaces=_interfaces(nodes),
            )  # fmt: skip
        case InterfaceTypeDefinitionNode() | InterfaceTypeExtensionNode():
            return InterfaceType(
                name=name, description=description, directives=directives, node=first,
                has_definition=has_definition, extension_nodes=extension_nodes,
                fields=_fields(ordered), interfaces=_interfaces(nodes),
            )  # fmt: skip
        case UnionTypeDefinitionNode() | UnionTypeExtensionNode():
            members = tuple(
                dict.fromkeys(member.name.value for node in nodes for member in getattr(node, "types", None) or ())
            )
            return UnionType(
                name=name, description=description, directives=directives, node=first,
                has_definition=has_definition, extension_nodes=extension_nodes, members=members,
            )  # fmt: skip
        case EnumTypeDefinitionNode() | EnumTypeExtensionNode():
            values = {
                value.name.value: EnumValue(
                    name=value.name.value,
                    description=_text(value.description),
                    directives=_directives(value.directives, None),
                    node=value,
                )
                for node in nodes
                for value in getattr(node, "values", None) or ()
            }
            return EnumType(
                name=name, description=description, directives=directives, node=first,
                has_definition=has_definition, extension_nodes=extension_nodes, values=values,
            )  # fmt: skip
        case InputObjectTypeDefinitionNode() | InputObjectTypeExtensionNode():
            fields = _input_values([field for node in nodes for field in getattr(node, "fields", None) or ()])
            return InputType(
                name=name, description=description, directives=directives, node=first,
                has_definition=has_definition, extension_nodes=extension_nodes, fields=fields,
            )  # fmt: skip
        case ScalarTypeDefinitionNode() | ScalarTypeExtensionNode():
            return ScalarType(
                name=name, description=description, directives=directives, node=first,
                has_definition=has_definition, extension_nodes=extension_nodes,
            )  # fmt: skip
        case _:
            raise TypeError(f"not a type: {first.kind}")


def build_directive(node: DirectiveDefinitionNode) -> DirectiveDefinition:
    """A directive definition."""
    return DirectiveDefinition(
        name=node.name.value,
        description=_text(node.description),
        node=node,
        arguments=_input_values(node.arguments or ()),
        locations=tuple(location.value for location in node.locations),
        is_repeatable=node.repeatable,
    )


def _interfaces(nodes: Iterable[TypeDefinitionNode | TypeExtensionNode]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(named.name.value for node in nodes for named in getattr(node, "interfaces", None) or ()))


def _fields(ordered: Iterable[tuple[int | None, TypeDefinitionNode | TypeExtensionNode]]) -> Mapping[str, Field]:
    found: dict[str, Field] = {}
    for extension, part in ordered:
        for node in getattr(part, "fields", None) or ():
            if isinstance(node, FieldDefinitionNode):
                found[node.name.value] = Field(
                    name=node.name.value,
                    description=_text(node.description),
                    directives=_directives(node.directives, None),
                    node=node,
                    type=from_type_node(node.type),
                    arguments=_input_values(node.arguments or ()),
                    extension=extension,
                )
    return found


def _input_values(nodes: Iterable[InputValueDefinitionNode]) -> Mapping[str, InputValue]:
    return {
        node.name.value: InputValue(
            name=node.name.value,
            description=_text(node.description),
            directives=_directives(node.directives, None),
            node=node,
            type=from_type_node(node.type),
            default=node.default_value,
        )
        for node in nodes
    }


def _directives(nodes: Iterable[DirectiveNode] | None, extension: int | None) -> tuple[Directive, ...]:
    return tuple(
        Directive(
            node.name.value,
            {argument.name.value: argument.value for argument in node.arguments or ()},
            node,
            extension,
        )
        for node in nodes or ()
    )


def _text(node: StringValueNode | None) -> str | None:
    return node.value if node is not None else None
