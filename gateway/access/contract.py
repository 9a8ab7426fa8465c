"""Consumers' contracts: variants of the graph by `@tag`, each an API of its own over the same plans and systems.

    [contracts.partner]
    include = ["partner"]          # only what has one of these tags; a tag on a type counts for its fields
    exclude = ["internal"]         # nothing that has one of these

What is not in a contract is made inaccessible: clients of it can neither ask for it nor learn of it, while plans still use
it to join systems. <https://www.apollographql.com/docs/graphos/platform/schema-management/delivery/contracts/overview>
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import parse
from graphql.language import ast

from gateway.federation.supergraph import Supergraph, read_supergraph
from gateway.federation.supergraph.uncollected import uncollected

_CONNECTIONS = (("Connection", "edges"), ("Edge", "node"))
"""A type's last word, and the field without which it tells of what is hidden. <https://relay.dev/graphql/connections.htm>"""

_Fielded = ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode


class ContractEmpty(Exception):  # noqa: N818 - reads as what it is
    """Nothing is left of the graph's queries under a contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Which elements of the graph a variant has."""

    include: frozenset[str] = frozenset()
    """Tags one of which a field or its type must have; without any, everything is in that is not excluded."""
    exclude: frozenset[str] = frozenset()
    """Tags with which nothing is in."""


@uncollected()
def variants(supergraph: Supergraph, contracts: Mapping[str, Contract]) -> Mapping[str, Supergraph]:
    """Return the supergraph as each contract shows it. Raises ContractEmpty with the contract's name."""
    document = parse(supergraph.sdl, no_location=True) if contracts else None
    found: dict[str, Supergraph] = {}
    for name, contract in contracts.items():
        try:
            found[name] = variant(supergraph, contract, document)
        except ContractEmpty as error:
            raise ContractEmpty(name) from error
    return found


def variant(supergraph: Supergraph, contract: Contract, document: ast.DocumentNode | None = None) -> Supergraph:
    """Return the supergraph as a contract shows it; `document` is its SDL, where that is parsed. Raises ContractEmpty."""
    document = document or parse(supergraph.sdl, no_location=True)
    choice = _Choice(document, contract, supergraph)
    if supergraph.root_types["query"] in choice.hidden:
        raise ContractEmpty
    definitions = tuple(choice.marked(each) for each in document.definitions)
    return read_supergraph(ast.DocumentNode(definitions=definitions), supergraph.sdl)


class _Choice:
    """What of a supergraph's document is hidden."""

    def __init__(self, document: ast.DocumentNode, contract: Contract, supergraph: Supergraph) -> None:
        self._contract = contract
        self._roots = frozenset(supergraph.root_types.values())
        self._tag = supergraph.links.directive("tag")
        self._inaccessible = supergraph.links.directive("inaccessible")
        self._types: Mapping[str, Any] = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, ast.TypeDefinitionNode) and not supergraph.links.owns_type(each.name.value)
        }
        self.hidden: set[str] = {name for name, each in self._types.items() if self._is_excluded(each)}
        """Names of types that are not in the contract."""
        self._hide_what_is_empty()
        self._hide_what_is_out_of_reach()

    def marked(self, definition: ast.DefinitionNode) -> ast.DefinitionNode:
        """Return a definition with `@inaccessible` on what is hidden."""
        if isinstance(definition, ast.SchemaDefinitionNode):
            left = tuple(each for each in definition.operation_types if each.type.name.value not in self.hidden)
            return replace(definition, operation_types=left)
        if not isinstance(definition, ast.TypeDefinitionNode) or definition.name.value not in self._types:
            return definition
        name = definition.name.value
        changes: dict[str, Any] = {}
        if isinstance(definition, _Fielded):
            changes["fields"] = tuple(
                self._arguments_marked(each) if self._shows(definition, each) else self._hide(each)
                for each in definition.fields or ()
            )
        elif isinstance(definition, ast.InputObjectTypeDefinitionNode):
            changes["fields"] = tuple(
                self._hide(each) if self._is_excluded(each) or _named(each.type) in self.hidden else each
                for each in definition.fields or ()
            )
        elif isinstance(definition, ast.EnumTypeDefinitionNode):
            changes["values"] = tuple(
                self._hide(each) if self._is_excluded(each) else each for each in definition.values or ()
            )
        whole = replace(definition, **changes)
        return self._hide(whole) if name in self.hidden else whole

    def _arguments_marked(self, node: ast.FieldDefinitionNode) -> ast.FieldDefinitionNode:
        arguments = tuple(
            self._hide(each) if self._is_excluded(each) or _named(each.type) in self.hidden else each
            for each in node.arguments or ()
        )
        return replace(node, arguments=arguments)

    def _hide(self, node: Any) -> Any:
        """Return a definition of any kind with `@inaccessible` on it."""
        directives = node.directives or ()
        if any(each.name.value == self._inaccessible for each in directives):
            return node
        mark = ast.DirectiveNode(name=ast.NameNode(value=self._inaccessible), arguments=())
        return replace(node, directives=(*directives, mark))

    def _tags(self, node: Any) -> frozenset[str]:
        return frozenset(
            argument.value.value
            for directive in node.directives or ()
            if directive.name.value == self._tag
            for argument in directive.arguments or ()
            if isinstance(argument.value, ast.StringValueNode)
        )

    def _is_excluded(self, node: Any) -> bool:
        return not self._contract.exclude.isdisjoint(self._tags(node))

    def _shows(self, parent: Any, node: ast.FieldDefinitionNode) -> bool:
        """Whether a field of an object type or interface is in the contract."""
        if self._is_excluded(node) or _named(node.type) in self.hidden:
            return False
        if any(
            _named(each.type) in self.hidden and isinstance(each.type, ast.NonNullTypeNode)
            for each in node.arguments or ()
        ):
            return False
        wanted = self._contract.include
        return not wanted or not wanted.isdisjoint(self._tags(node) | self._tags(parent))

    def _hide_what_is_empty(self) -> None:
        while True:
            empty = {
                name
                for name, each in self._types.items()
                if name not in self.hidden
                and (
                    (isinstance(each, _Fielded) and self._is_bare(each))
                    or (
                        isinstance(each, ast.UnionTypeDefinitionNode)
                        and all(member.name.value in self.hidden for member in each.types or ())
                    )
                )
            }
            if not empty:
                return
            self.hidden |= empty

    def _is_bare(self, node: _Fielded) -> bool:
        """Whether nothing of a type is left, or of a list only how long it is."""
        shown = {each.name.value for each in node.fields or () if self._shows(node, each)}
        own = {each.name.value for each in node.fields or ()}
        lists = {
            field
            for suffix, field in _CONNECTIONS
            if node.name.value.endswith(suffix) and field in own and field not in shown
        }
        return not shown or bool(lists)

    def _hide_what_is_out_of_reach(self) -> None:
        """Hide types that nothing in the contract leads to: their names alone would tell of it."""
        reached: set[str] = set()
        pending = [name for name in self._roots if name not in self.hidden]
        while pending:
            name = pending.pop()
            if name in reached or name in self.hidden or name not in self._types:
                continue
            reached.add(name)
            pending.extend(self._leads_to(name, self._types[name]))
        self.hidden |= {name for name in self._types if name not in reached}

    def _leads_to(self, name: str, node: Any) -> Iterable[str]:
        match node:
            case ast.ObjectTypeDefinitionNode() | ast.InterfaceTypeDefinitionNode():
                for each in node.fields or ():
                    if self._shows(node, each):
                        yield _named(each.type)
                        yield from (_named(argument.type) for argument in each.arguments or ())
                yield from (each.name.value for each in node.interfaces or ())
                if isinstance(node, ast.InterfaceTypeDefinitionNode):
                    yield from (other for other, each in self._types.items() if _implements(each, name))
            case ast.InputObjectTypeDefinitionNode():
                yield from (_named(each.type) for each in node.fields or () if not self._is_excluded(each))
            case ast.UnionTypeDefinitionNode():
                yield from (each.name.value for each in node.types or ())
            case _:
                return


def _implements(node: Any, interface: str) -> bool:
    return isinstance(node, _Fielded) and any(each.name.value == interface for each in node.interfaces or ())


def _named(kind: ast.TypeNode) -> str:
    while isinstance(kind, ast.ListTypeNode | ast.NonNullTypeNode):
        kind = kind.type
    assert isinstance(kind, ast.NamedTypeNode)
    return kind.name.value
