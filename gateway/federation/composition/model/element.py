"""The elements of a schema, of a subgraph's as of the supergraph's: types, fields, arguments, values, directives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from graphql import Node, ValueNode

from gateway.federation.composition.model.type_reference import NonNull, TypeReference
from gateway.federation.composition.model.value import same_text, to_node, to_python


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive where it is applied."""

    name: str
    """As spelled in this schema, without `@`."""
    arguments: Mapping[str, ValueNode]
    node: Node | None = field(default=None, compare=False)
    extension: int | None = None
    """Which extension of its element it stands on, counted from 0; None on the definition itself."""

    def value(self, argument: str) -> Any:
        """An argument as Python data, None when absent."""
        return to_python(self.arguments.get(argument))

    def text(self, argument: str) -> str | None:
        """An argument that has to be a string; None when it is absent or something else."""
        value = self.arguments.get(argument)
        return to_python(value) if value is not None and value.kind == "string_value" else None

    def __str__(self) -> str:
        if not self.arguments:
            return f"@{self.name}"
        inner = ", ".join(f"{name}: {same_text(value)}" for name, value in self.arguments.items())
        return f"@{self.name}({inner})"


def directive(name: str, /, **arguments: object) -> Directive:
    """A directive of the supergraph; arguments that are None are left out."""
    given = {key: to_node(value) for key, value in arguments.items() if value is not None}
    return Directive(name, given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What all elements have."""

    name: str
    description: str | None = None
    directives: tuple[Directive, ...] = ()
    node: Node | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputValue(Element):
    """An argument or an input field."""

    type: TypeReference
    default: ValueNode | None = None

    @property
    def is_required(self) -> bool:
        """Must a caller give it?"""
        return isinstance(self.type, NonNull) and self.default is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Element):
    """A field of an object or interface type."""

    type: TypeReference
    arguments: Mapping[str, InputValue] = field(default_factory=dict)
    extension: int | None = None
    """Which extension of its type declares it; None for the definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumValue(Element):
    """A value of an enum type."""


class Kind(StrEnum):
    """The kinds of types, spelled for messages."""

    OBJECT = "object type"
    INTERFACE = "interface"
    UNION = "union"
    ENUM = "enum"
    INPUT = "input type"
    SCALAR = "scalar"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeElement(Element):
    """What all types have."""

    has_definition: bool = True
    extension_nodes: tuple[Node, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType(TypeElement):
    """`type`."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceType(TypeElement):
    """`interface`."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionType(TypeElement):
    """`union`."""

    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumType(TypeElement):
    """`enum`."""

    values: Mapping[str, EnumValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputType(TypeElement):
    """`input`."""

    fields: Mapping[str, InputValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarType(TypeElement):
    """`scalar`."""


CompositeType = ObjectType | InterfaceType | UnionType
FieldedType = ObjectType | InterfaceType
NamedType = ObjectType | InterfaceType | UnionType | EnumType | InputType | ScalarType


def kind_of(element: NamedType) -> Kind:
    """The kind of a type."""
    return _KINDS[type(element)]


_KINDS: Mapping[type[TypeElement], Kind] = {
    ObjectType: Kind.OBJECT,
    InterfaceType: Kind.INTERFACE,
    UnionType: Kind.UNION,
    EnumType: Kind.ENUM,
    InputType: Kind.INPUT,
    ScalarType: Kind.SCALAR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectiveDefinition(Element):
    """`directive @name(…) repeatable on …`."""

    arguments: Mapping[str, InputValue] = field(default_factory=dict)
    locations: tuple[str, ...] = ()
    is_repeatable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaElement(Element):
    """The `schema` definition: description, directives and root types."""

    roots: Mapping[str, str] = field(default_factory=dict)
    """Operation kind to type name: `{"query": "Query"}`."""
