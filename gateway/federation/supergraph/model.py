"""What a supergraph says: which subgraph has which type, field and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from graphql import GraphQLSchema

from gateway.federation.supergraph.field_set import FieldSet
from gateway.federation.supergraph.links import Links


class TypeKind(StrEnum):
    """Kinds of named types, as introspection spells them."""

    SCALAR = "SCALAR"
    OBJECT = "OBJECT"
    INTERFACE = "INTERFACE"
    UNION = "UNION"
    ENUM = "ENUM"
    INPUT_OBJECT = "INPUT_OBJECT"


@dataclass(frozen=True, slots=True)
class TypeReference:
    """The type of a field as one subgraph declares it."""

    name: str
    """The named type: `User`."""
    text: str
    """With its wrappers: `[User!]!`."""

    @property
    def list_depth(self) -> int:
        """How many lists are around the named type."""
        return self.text.count("[")

    @property
    def is_nullable(self) -> bool:
        """Whether the whole value may be null."""
        return not self.text.endswith("!")

    @property
    def wrappers(self) -> str:
        """The wrappers alone: `[!]!`."""
        return self.text.replace(self.name, "", 1)


@dataclass(frozen=True, slots=True)
class ContextArgument:
    """An argument that the gateway fills from an ancestor (`@fromContext`)."""

    name: str
    type: str
    context: str
    selection: str
    """The selection of the directive without the context's name: `{ locale }` or `... on User { locale }`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphField:
    """A field as one subgraph has it."""

    name: str
    type: TypeReference
    is_external: bool = False
    """The subgraph can't resolve it, save where a path provides it or a key holds it."""
    is_overridden: bool = False
    """Another subgraph took it over; it stays only because a key, `@requires` or an interface still names it."""
    requires: FieldSet | None = None
    provides: FieldSet | None = None
    override_from: str | None = None
    override_label: str | None = None
    """Progressive override: the field is here while the label is active (or, at the other end, inactive)."""
    needs_active_label: bool = False
    context_arguments: tuple[ContextArgument, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One `@key` of a type in one subgraph."""

    fields: FieldSet
    is_resolvable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphType:
    """A type as one subgraph has it."""

    name: str
    kind: TypeKind
    keys: tuple[Key, ...] = ()
    is_interface_object: bool = False
    """The subgraph sees this interface as an object and adds fields to all its implementations."""
    fields: Mapping[str, SubgraphField]
    possible_types: frozenset[str]
    """Object types that a value can have here: members, implementations, or the type itself."""


@dataclass(frozen=True, slots=True)
class SubgraphInfo:
    """One subgraph: its name, where it answers, and what it knows."""

    name: str
    url: str
    types: Mapping[str, SubgraphType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supergraph:
    """A composed graph. Immutable; everything in it is derived from `sdl`."""

    sdl: str
    schema: GraphQLSchema
    """With all machinery of federation in it."""
    api_schema: GraphQLSchema
    """What clients see."""
    subgraphs: Mapping[str, SubgraphInfo]
    """By name, ordered as in `join__Graph`."""
    root_types: Mapping[str, str]
    """Operation kind → name of its root type: `{"query": "Query"}`."""
    possible_types: Mapping[str, frozenset[str]]
    """Composite type → object types a value can have in the whole graph, inaccessible ones too."""
    contexts: Mapping[str, frozenset[str]]
    """Context (`@context`) → the types that set it."""
    override_labels: frozenset[str]
    """Labels of progressive overrides that plans depend on."""
    links: Links
    """The specifications it links, and what their directives are called in it."""
