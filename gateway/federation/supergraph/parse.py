"""Reads a supergraph's SDL: the join directives, back into what each subgraph has.

https://specs.apollo.dev/join/ v0.1 to v0.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from graphql import build_ast_schema, parse, value_from_ast_untyped
from graphql.language import ast

from gateway.federation.supergraph.api_schema import build_api_schema
from gateway.federation.supergraph.field_set import FieldSet, parse_field_set
from gateway.federation.supergraph.links import Links, read_links
from gateway.federation.supergraph.model import (
    ContextArgument,
    Key,
    SubgraphField,
    SubgraphInfo,
    SubgraphType,
    Supergraph,
    TypeKind,
    TypeReference,
)
from gateway.federation.supergraph.selection import print_type_node
from gateway.federation.supergraph.uncollected import uncollected

TypeDefinition: TypeAlias = (
    ast.ObjectTypeDefinitionNode
    | ast.InterfaceTypeDefinitionNode
    | ast.UnionTypeDefinitionNode
    | ast.ScalarTypeDefinitionNode
    | ast.EnumTypeDefinitionNode
    | ast.InputObjectTypeDefinitionNode
)
Applied: TypeAlias = Mapping[str, Any]

_KINDS: Mapping[type[ast.Node], TypeKind] = {
    ast.ObjectTypeDefinitionNode: TypeKind.OBJECT,
    ast.InterfaceTypeDefinitionNode: TypeKind.INTERFACE,
    ast.UnionTypeDefinitionNode: TypeKind.UNION,
    ast.ScalarTypeDefinitionNode: TypeKind.SCALAR,
    ast.EnumTypeDefinitionNode: TypeKind.ENUM,
    ast.InputObjectTypeDefinitionNode: TypeKind.INPUT_OBJECT,
}


@uncollected()
def parse_supergraph(sdl: str) -> Supergraph:
    """Parse a supergraph SDL.

    Raises GraphQLSyntaxError where the text is not GraphQL, and ValueError where it is no supergraph.
    """
    try:
        document = parse(sdl, no_location=True)
    except RecursionError as error:
        raise ValueError("the SDL is nested too deeply") from error
    return read_supergraph(document, sdl)


def read_supergraph(document: ast.DocumentNode, sdl: str) -> Supergraph:
    """Read a supergraph that is parsed already: its document, and the SDL of that document.

    Raises ValueError where it is no supergraph.
    """
    try:
        return _read_supergraph(document, sdl)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        told = "the SDL is no supergraph, or an argument in it is of the wrong kind"
        raise ValueError(f"{told}: {error}") from error


def _read_supergraph(document: ast.DocumentNode, sdl: str) -> Supergraph:
    links = read_links(document)
    reader = _Reader(document, links)
    return Supergraph(
        sdl=sdl,
        schema=build_ast_schema(document, assume_valid=True, assume_valid_sdl=True),
        api_schema=build_api_schema(document, links),
        subgraphs=reader.subgraphs(),
        root_types=reader.root_types(),
        possible_types=reader.possible_types,
        contexts=reader.contexts(),
        override_labels=frozenset(reader.labels),
        links=links,
    )


class _Arguments(dict[str, Any]):
    """What one application of a directive was given; asked for what it lacks, it says so."""

    def __init__(self, where: str, values: Iterable[tuple[str, Any]]) -> None:
        super().__init__(values)
        self._where = where

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"the SDL is no supergraph: {self._where} lacks its `{name}`")


def _applied(node: Any, name: str) -> list[Applied]:
    """Return the arguments of each application of a directive."""
    return [
        _Arguments(
            f"@{name} on `{node.name.value}`",
            ((argument.name.value, value_from_ast_untyped(argument.value)) for argument in directive.arguments or ()),
        )
        for directive in node.directives or ()
        if directive.name.value == name
    ]


def _reference(text: str) -> TypeReference:
    return TypeReference(re.sub(r"[\[\]!\s]", "", text), text)


class _Reader:
    def __init__(self, document: ast.DocumentNode, links: Links) -> None:
        self._document = document
        self._context = links.directive("context")
        self._types: dict[str, TypeDefinition] = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, TypeDefinition) and not links.owns_type(definition.name.value)
        }
        self._graphs = self._read_graphs()
        self._name_of = {graph: name for graph, name, _ in self._graphs}
        self._has_type_directives = any(_applied(node, "join__type") for node in self._types.values())
        self._field_sets: dict[str, FieldSet] = {}
        self._joins_of = {name: self._read_joins(node) for name, node in self._types.items()}
        self._implementers = self._read_implementers()
        self.labels: set[str] = set()
        self.possible_types = self._read_possible_types()

    def root_types(self) -> Mapping[str, str]:
        """Return operation kind → type name."""
        for definition in self._document.definitions:
            if isinstance(definition, ast.SchemaDefinitionNode):
                return {root.operation.value: root.type.name.value for root in definition.operation_types}
        names = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}
        return {kind: name for kind, name in names.items() if name in self._types}

    def subgraphs(self) -> Mapping[str, SubgraphInfo]:
        """Return each subgraph's own view, in the order of `join__Graph`."""
        views: dict[str, dict[str, SubgraphType]] = {graph: {} for graph, _, _ in self._graphs}
        for name, node in self._types.items():
            joins = self._joins_of[name]
            for graph in joins:
                if graph in views:
                    views[graph][name] = self._read_type(graph, node, joins)
        return {name: SubgraphInfo(name, url, views[graph]) for graph, name, url in self._graphs}

    def contexts(self) -> Mapping[str, frozenset[str]]:
        """Return context → the types that set it."""
        found: dict[str, set[str]] = {}
        for name, node in self._types.items():
            for applied in _applied(node, self._context):
                found.setdefault(applied["name"], set()).add(name)
        return {context: frozenset(types) for context, types in found.items()}

    def _read_graphs(self) -> list[tuple[str, str, str]]:
        for definition in self._document.definitions:
            if isinstance(definition, ast.EnumTypeDefinitionNode) and definition.name.value == "join__Graph":
                return [
                    (value.name.value, applied[0]["name"], applied[0].get("url") or "")
                    for value in definition.values or ()
                    if (applied := _applied(value, "join__graph"))
                ]
        raise ValueError("the SDL is no supergraph: it has no enum join__Graph; compose the subgraphs first")

    def _read_possible_types(self) -> Mapping[str, frozenset[str]]:
        possible: dict[str, set[str]] = {}
        for name, node in self._types.items():
            match node:
                case ast.ObjectTypeDefinitionNode():
                    possible.setdefault(name, set()).add(name)
                    for interface in node.interfaces or ():
                        possible.setdefault(interface.name.value, set()).add(name)
                case ast.UnionTypeDefinitionNode():
                    possible[name] = {member.name.value for member in node.types or ()}
                case ast.InterfaceTypeDefinitionNode():
                    possible.setdefault(name, set())
                case _:
                    pass
        return {name: frozenset(types) for name, types in possible.items()}

    def _read_joins(self, node: TypeDefinition) -> dict[str, list[Applied]]:
        """Return graph → its `@join__type`s. A type without any (join v0.1's value types) is in every graph."""
        joins: dict[str, list[Applied]] = {}
        for applied in _applied(node, "join__type"):
            joins.setdefault(applied["graph"], []).append(applied)
        for applied in _applied(node, "join__owner"):
            joins.setdefault(applied["graph"], [])
        if not joins:
            joins = {graph: [] for graph, _, _ in self._graphs}
        return joins

    def _read_type(self, graph: str, node: TypeDefinition, joins: Mapping[str, list[Applied]]) -> SubgraphType:
        applications = joins[graph]
        keys = tuple(
            Key(self._field_set(applied["key"]), applied.get("resolvable", True))
            for applied in applications
            if applied.get("key")
        )
        fields: dict[str, SubgraphField] = {}
        if isinstance(node, ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode):
            owners = [applied["graph"] for applied in _applied(node, "join__owner")]
            key_fields = {item.name for key in keys for item in key.fields.selections if hasattr(item, "name")}
            for field in node.fields or ():
                read = self._read_field(graph, field, owners, key_fields)
                if read is not None:
                    fields[read.name] = read
        return SubgraphType(
            name=node.name.value,
            kind=_KINDS[type(node)],
            keys=keys,
            is_interface_object=any(applied.get("isInterfaceObject") for applied in applications),
            fields=fields,
            possible_types=self._possible_in(graph, node),
        )

    def _read_field(
        self, graph: str, node: ast.FieldDefinitionNode, owners: list[str], key_fields: set[str]
    ) -> SubgraphField | None:
        applications = _applied(node, "join__field")
        name = node.name.value
        reference = print_type_node(node.type)
        if not applications:
            present = not owners or graph in owners or name in key_fields
            return SubgraphField(name=name, type=_reference(reference)) if present else None
        own = next((applied for applied in applications if applied.get("graph") == graph), None)
        if own is None:
            present = bool(owners) and name in key_fields
            return SubgraphField(name=name, type=_reference(reference)) if present else None
        label = own.get("overrideLabel") or self._label_against(graph, applications)
        if label:
            self.labels.add(label)
        return SubgraphField(
            name=name,
            type=_reference(own.get("type") or reference),
            is_external=bool(own.get("external")),
            is_overridden=bool(own.get("usedOverridden")) and not label,
            requires=self._field_set(own["requires"]) if own.get("requires") else None,
            provides=self._field_set(own["provides"]) if own.get("provides") else None,
            override_from=own.get("override"),
            override_label=label,
            needs_active_label=bool(label and own.get("override")),
            context_arguments=tuple(
                ContextArgument(item["name"], item["type"], item["context"], item["selection"].strip())
                for item in own.get("contextArguments") or ()
            ),
        )

    def _label_against(self, graph: str, applications: Iterable[Applied]) -> str | None:
        """Return the label under which another graph takes the field from this one."""
        name = self._name_of.get(graph)
        return next(
            (a["overrideLabel"] for a in applications if a.get("override") == name and a.get("overrideLabel")), None
        )

    def _possible_in(self, graph: str, node: TypeDefinition) -> frozenset[str]:
        match node:
            case ast.ObjectTypeDefinitionNode():
                return frozenset({node.name.value})
            case ast.UnionTypeDefinitionNode():
                members = _applied(node, "join__unionMember")
                if members:
                    return frozenset(item["member"] for item in members if item["graph"] == graph)
                return frozenset(item.name.value for item in node.types or () if self._is_in(graph, item.name.value))
            case ast.InterfaceTypeDefinitionNode():
                return self._implementers.get((graph, node.name.value), frozenset())
            case _:
                return frozenset()

    def _is_in(self, graph: str, type_name: str) -> bool:
        return graph in self._joins_of.get(type_name, ())

    def _read_implementers(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """Return (graph, interface) → the object types that implement it there."""
        found: dict[tuple[str, str], set[str]] = {}
        for name, node in self._types.items():
            if not isinstance(node, ast.ObjectTypeDefinitionNode):
                continue
            applied = _applied(node, "join__implements")
            places = (
                [(item["graph"], item["interface"]) for item in applied]
                if applied
                else [(graph, item.name.value) for graph in self._joins_of[name] for item in node.interfaces or ()]
            )
            for place in places:
                if place[0] in self._joins_of[name]:
                    found.setdefault(place, set()).add(name)
        return {place: frozenset(names) for place, names in found.items()}

    def _field_set(self, text: str) -> FieldSet:
        if text not in self._field_sets:
            self._field_sets[text] = parse_field_set(text)
        return self._field_sets[text]
