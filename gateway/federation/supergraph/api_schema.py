"""The API schema: what is left of a supergraph once federation's machinery and inaccessible elements are gone.

https://specs.apollo.dev/inaccessible/v0.2/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from graphql import GraphQLSchema, build_ast_schema
from graphql.language import ast

_SPECS_HOST = "https://specs.apollo.dev/"
_SPECS_HOSTS = (_SPECS_HOST, "https://concord.invalid/")
"""Whose specifications are for gateways and not for clients: Apollo's, and our own (`@classified`)."""


@dataclass(frozen=True, slots=True)
class Machinery:
    """Names that a supergraph's `@link`s brought in from Apollo's specifications."""

    prefixes: tuple[str, ...]
    names: frozenset[str]
    inaccessible: str
    """What `@inaccessible` is called here."""

    def owns(self, name: str) -> bool:
        """Whether a type or directive of this name is machinery."""
        return name in self.names or name.startswith(self.prefixes)


def build_api_schema(document: ast.DocumentNode) -> GraphQLSchema:
    """Build the schema that clients see from a supergraph document."""
    return build_ast_schema(api_document(document), assume_valid=True, assume_valid_sdl=True)


def api_document(document: ast.DocumentNode) -> ast.DocumentNode:
    """Return the document without machinery and inaccessible elements; the original is not changed."""
    machinery = find_machinery(document)
    hidden = {
        definition.name.value
        for definition in document.definitions
        if isinstance(definition, ast.TypeDefinitionNode) and _is_marked(definition, machinery.inaccessible)
    }
    stripper = _Stripper(machinery, frozenset(hidden))
    definitions = [kept for definition in document.definitions if (kept := stripper.strip(definition)) is not None]
    return ast.DocumentNode(definitions=tuple(definitions))


def find_machinery(document: ast.DocumentNode) -> Machinery:
    """Read `@link` (or `@core`) on the schema: which names and prefixes belong to Apollo's specifications."""
    prefixes = {"join__", "link__", "core__"}
    names = {"link", "core"}
    inaccessible = "inaccessible"
    for definition in document.definitions:
        if not isinstance(definition, ast.SchemaDefinitionNode | ast.SchemaExtensionNode):
            continue
        for directive in definition.directives or ():
            if directive.name.value not in ("link", "core"):
                continue
            arguments = {argument.name.value: argument.value for argument in directive.arguments or ()}
            url = getattr(arguments.get("url") or arguments.get("feature"), "value", "")
            host = next((each for each in _SPECS_HOSTS if url.startswith(each)), None)
            if host is None:
                continue
            feature = url.removeprefix(host).split("/")[0]
            local = getattr(arguments.get("as"), "value", feature)
            prefixes.add(f"{local}__")
            names.add(local)
            imported = dict(_imports(arguments.get("import")))
            names.update(imported.values())
            if feature == "inaccessible":
                inaccessible = imported.get("inaccessible", local)
    return Machinery(tuple(sorted(prefixes)), frozenset(names), inaccessible)


def _imports(value: ast.ValueNode | None) -> Iterable[tuple[str, str]]:
    """Yield (name, name here) of a link's imports, without the `@` of directives."""
    for item in value.values if isinstance(value, ast.ListValueNode) else ():
        if isinstance(item, ast.StringValueNode):
            yield item.value.removeprefix("@"), item.value.removeprefix("@")
        elif isinstance(item, ast.ObjectValueNode):
            parts = {field.name.value: getattr(field.value, "value", "") for field in item.fields}
            name = parts.get("name", "")
            yield name.removeprefix("@"), parts.get("as", name).removeprefix("@")


def _is_marked(node: Any, directive: str) -> bool:
    return any(applied.name.value == directive for applied in getattr(node, "directives", None) or ())


def _named(node: ast.TypeNode) -> str:
    while isinstance(node, ast.ListTypeNode | ast.NonNullTypeNode):
        node = node.type
    assert isinstance(node, ast.NamedTypeNode)
    return node.name.value


NodeT = TypeVar("NodeT", bound=ast.Node)


class _Stripper:
    def __init__(self, machinery: Machinery, hidden: frozenset[str]) -> None:
        self._machinery = machinery
        self._hidden = hidden

    def strip(self, node: ast.DefinitionNode) -> ast.DefinitionNode | None:
        match node:
            case ast.SchemaDefinitionNode() | ast.SchemaExtensionNode():
                return self._remake(node)
            case ast.DirectiveDefinitionNode():
                return None if self._machinery.owns(node.name.value) else node
            case ast.TypeDefinitionNode() | ast.TypeExtensionNode():
                name = node.name.value
                if name in self._hidden or self._machinery.owns(name):
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
        if _is_marked(node, self._machinery.inaccessible):
            return False
        kind = getattr(node, "type", None)
        return kind is None or _named(kind) not in self._hidden

    def _remake(self, node: NodeT, **changes: Any) -> NodeT:
        directives = getattr(node, "directives", None) or ()
        kept = tuple(item for item in directives if not self._machinery.owns(item.name.value))
        attributes = {key: getattr(node, key) for key in node.keys if key != "loc"}
        return type(node)(**{**attributes, "directives": kept, **changes})
