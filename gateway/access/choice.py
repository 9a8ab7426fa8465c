"""What a contract leaves of a graph: the elements with its tags, without all that can't be without what it hides.

A type without fields, members or values is hidden, and with it whatever leads to it; so are inputs and fields that want
what clients can no longer give. An interface's field is in where all of the contract's types that implement it have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql.language import ast

from gateway.access.reach import reachable, type_name
from gateway.federation.supergraph import Supergraph

Coordinate: TypeAlias = tuple[str, ...]
"""`("Product",)`, `("Product", "price")`, `("Product", "price", "currency")`; directives are `("@live",)`."""

_CONNECTIONS = (("Connection", "edges"), ("Edge", "node"))
"""A type's last word, and the field without which it tells of what is hidden. <https://relay.dev/graphql/connections.htm>"""

Fielded = ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Which elements of the graph a variant has."""

    include: frozenset[str] = frozenset()
    """Tags one of which a field or its type must have; without any, everything is in that is not excluded."""
    exclude: frozenset[str] = frozenset()
    """Tags with which nothing is in."""


class Choice:
    """Which elements of a supergraph's document a contract hides."""

    def __init__(self, document: ast.DocumentNode, contract: Contract, supergraph: Supergraph) -> None:
        links = supergraph.links
        self._contract = contract
        self._tag = links.directive("tag")
        self._inaccessible = links.directive("inaccessible")
        self._roots = frozenset(supergraph.root_types.values())
        self._types: Mapping[str, Any] = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, ast.TypeDefinitionNode) and not links.owns_type(each.name.value)
        }
        self._directives = [
            each
            for each in document.definitions
            if isinstance(each, ast.DirectiveDefinitionNode) and not links.owns_directive(each.name.value)
        ]
        self._hidden: set[Coordinate] = set()
        for name, node in self._types.items():
            self._hidden.update(self._unwanted(name, node))
        self._settle()
        self._hide_what_is_out_of_reach()

    def hides(self, *coordinate: str) -> bool:
        """Whether an element is not in the contract."""
        return coordinate in self._hidden

    def _unwanted(self, name: str, node: Any) -> Iterator[Coordinate]:
        """Yield what of a type has no tag that it needs, or one that it must not have."""
        wanted = self._contract.include
        own = self._tags(node)
        if self._is_excluded(node):
            yield (name,)
        for part in (*(getattr(node, "fields", None) or ()), *(getattr(node, "values", None) or ())):
            is_left_out = isinstance(node, Fielded) and wanted and wanted.isdisjoint(self._tags(part) | own)
            if is_left_out or self._is_excluded(part):
                yield name, part.name.value
            for argument in getattr(part, "arguments", None) or ():
                if self._is_excluded(argument):
                    yield name, part.name.value, argument.name.value

    def _tags(self, node: Any) -> frozenset[str]:
        return frozenset(
            argument.value.value
            for directive in node.directives or ()
            if directive.name.value == self._tag
            for argument in directive.arguments or ()
            if isinstance(argument.value, ast.StringValueNode)
        )

    def _is_excluded(self, node: Any) -> bool:
        is_inaccessible = any(each.name.value == self._inaccessible for each in node.directives or ())
        return is_inaccessible or not self._contract.exclude.isdisjoint(self._tags(node))

    def _settle(self) -> None:
        """Hide what can't be without what is hidden, until nothing is left that couldn't."""
        while True:
            before = len(self._hidden)
            for name, node in self._shown():
                if self._is_unusable(name, node):
                    self._hidden.add((name,))
            for directive in self._directives:
                name = f"@{directive.name.value}"
                if self._wants_too_much((name,), directive.arguments):
                    self._hidden.add((name,))
            if len(self._hidden) == before:
                # Last, since a type that turned out to be hidden says nothing of its interfaces.
                self._settle_interfaces()
            if len(self._hidden) == before:
                return

    def _shown(self) -> Iterator[tuple[str, Any]]:
        return ((name, node) for name, node in self._types.items() if (name,) not in self._hidden)

    def _is_unusable(self, name: str, node: Any) -> bool:
        match node:
            case ast.ObjectTypeDefinitionNode() | ast.InterfaceTypeDefinitionNode():
                for each in node.fields or ():
                    path = (name, each.name.value)
                    if self._wants_too_much(path, each.arguments) or (type_name(each.type),) in self._hidden:
                        self._hidden.add(path)
                return self._is_bare(name, node)
            case ast.InputObjectTypeDefinitionNode():
                return self._wants_too_much((name,), node.fields) or self._is_empty(name, node.fields)
            case ast.EnumTypeDefinitionNode():
                return self._is_empty(name, node.values)
            case ast.UnionTypeDefinitionNode():
                return all((member.name.value,) in self._hidden for member in node.types or ())
            case _:
                return False

    def _wants_too_much(self, path: Coordinate, inputs: Iterable[ast.InputValueDefinitionNode] | None) -> bool:
        """Hide inputs whose types or defaults are hidden; return whether one that has to be given is hidden."""
        is_wanting = False
        for each in inputs or ():
            own = (*path, each.name.value)
            if (type_name(each.type),) in self._hidden or self._is_hidden_value(each.default_value, each.type):
                self._hidden.add(own)
            is_required = isinstance(each.type, ast.NonNullTypeNode) and each.default_value is None
            is_wanting = is_wanting or (is_required and own in self._hidden)
        return is_wanting

    def _is_hidden_value(self, value: Any, kind: ast.TypeNode) -> bool:
        """Whether a default value has something in it that clients don't know of."""
        name = type_name(kind)
        match value:
            case ast.EnumValueNode():
                return (name, value.value) in self._hidden
            case ast.ListValueNode():
                return any(self._is_hidden_value(each, kind) for each in value.values)
            case ast.ObjectValueNode():
                fields = {each.name.value: each for each in getattr(self._types.get(name), "fields", None) or ()}
                return any(
                    (name, each.name.value) in self._hidden
                    or (each.name.value in fields and self._is_hidden_value(each.value, fields[each.name.value].type))
                    for each in value.fields
                )
            case _:
                return False

    def _is_empty(self, name: str, parts: Iterable[Any] | None) -> bool:
        return all((name, each.name.value) in self._hidden for each in parts or ())

    def _is_bare(self, name: str, node: Any) -> bool:
        """Whether nothing of a type is left, or of a list only how long it is."""
        own = {each.name.value for each in node.fields or ()}
        needed = {field for suffix, field in _CONNECTIONS if name.endswith(suffix) and field in own}
        return self._is_empty(name, node.fields) or any((name, field) in self._hidden for field in needed)

    def _settle_interfaces(self) -> None:
        """Hide of interfaces what a type that implements them hides."""
        for name, node in self._shown():
            for interface in (each.name.value for each in getattr(node, "interfaces", None) or ()):
                for field in getattr(self._types.get(interface), "fields", None) or ():
                    parts: list[Coordinate] = [(field.name.value,)]
                    parts += [(field.name.value, argument.name.value) for argument in field.arguments or ()]
                    self._hidden.update((interface, *part) for part in parts if (name, *part) in self._hidden)

    def _hide_what_is_out_of_reach(self) -> None:
        """Hide types that nothing in the contract leads to: their names alone would tell of it."""
        reached = reachable(self._types, self._roots, self._directives, self.hides)
        self._hidden |= {(name,) for name in self._types if name not in reached}
