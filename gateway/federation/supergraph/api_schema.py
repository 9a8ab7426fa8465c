"""The API schema: what is left of a supergraph once federation's machinery and inaccessible elements are gone.

https://specs.apollo.dev/inaccessible/v0.2/
"""

from __future__ import annotations

from typing import Any, TypeVar

from graphql import GraphQLSchema, build_ast_schema
from graphql.language import ast

from gateway.federation.supergraph.links import Links, read_links

_INCREMENTAL = ("defer", "stream")
"""Directives of incremental delivery, which no client is offered even where all subgraphs define them."""


def build_api_schema(document: ast.DocumentNode, links: Links) -> GraphQLSchema:
    """Build the schema that clients see from a supergraph document and what it links."""
    return build_ast_schema(api_document(document, links), assume_valid=True, assume_valid_sdl=True)


def api_document(document: ast.DocumentNode, links: Links | None = None) -> ast.DocumentNode:
    """Return the document without machinery and inaccessible elements; the original is not changed."""
    links = links or read_links(document)
    inaccessible = links.directive("inaccessible")
    hidden = {
        definition.name.value
        for definition in document.definitions
        if isinstance(definition, ast.TypeDefinitionNode) and _is_marked(definition, inaccessible)
    }
    stripper = _Stripper(links, inaccessible, frozenset(hidden))
    definitions = [kept for definition in document.definitions if (kept := stripper.strip(definition)) is not None]
    return ast.DocumentNode(definitions=tuple(definitions))


def _is_marked(node: Any, directive: str) -> bool:
    return any(applied.name.value == directive for applied in getattr(node, "directives", None) or ())


def _named(node: ast.TypeNode) -> str:
    while isinstance(node, ast.ListTypeNode | ast.NonNullTypeNode):
        node = node.type
    assert isinstance(node, ast.NamedTypeNode)
    return node.name.value


NodeT = TypeVar("NodeT", bound=ast.Node)


class _Stripper:
    def __init__(self, links: Links, inaccessible: str, hidden: frozenset[str]) -> None:
        self._links = links
        self._inaccessible = inaccessible
        self._hidden = hidden

    def strip(self, node: ast.DefinitionNode) -> ast.DefinitionNode | None:
        match node:
            case ast.SchemaDefinitionNode() | ast.SchemaExtensionNode():
                return self._remake(node)
            case ast.DirectiveDefinitionNode():
                name = node.name.value
                return None if name in _INCREMENTAL or self._links.owns_directive(name) else node
            case ast.TypeDefinitionNode() | ast.TypeExtensionNode():
                name = node.name.value
                if name in self._hidden or self._links.owns_type(name):
                    return None
                return self._strip_type(node)
            case _:
                return None

    def _strip_type(self, node: ast.DefinitionNode) -> ast.DefinitionNode:
        changes: dict[str, Any] = {}
        for attribute in ("fields", "values"):
            children = getattr(node, attribute, None)
            if children is not None:
                changes[attribute] = tuple(self._strip_member(child) for child in children if self._is_visible(child))
        for attribute in ("interfaces", "types"):
            children = getattr(node, attribute, None)
            if children is not None:
                changes[attribute] = tuple(child for child in children if child.name.value not in self._hidden)
        return self._remake(node, **changes)

    def _strip_member(self, node: ast.Node) -> ast.Node:
        if isinstance(node, ast.FieldDefinitionNode) and node.arguments:
            arguments = tuple(self._remake(item) for item in node.arguments if self._is_visible(item))
            return self._remake(node, arguments=arguments)
        return self._remake(node)

    def _is_visible(self, node: ast.Node) -> bool:
        if _is_marked(node, self._inaccessible):
            return False
        kind = getattr(node, "type", None)
        return kind is None or _named(kind) not in self._hidden

    def _remake(self, node: NodeT, **changes: Any) -> NodeT:
        directives = getattr(node, "directives", None) or ()
        kept = tuple(item for item in directives if not self._links.owns_directive(item.name.value))
        attributes = {key: getattr(node, key) for key in node.keys if key != "loc"}
        return type(node)(**{**attributes, "directives": kept, **changes})
