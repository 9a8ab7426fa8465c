"""Consumers' contracts: variants of the graph by `@tag`, each an API of its own over the same plans and systems.

    [contracts.partner]
    include = ["partner"]          # only what has one of these tags; a tag on a type counts for its fields
    exclude = ["internal"]         # nothing that has one of these

What is not in a contract is made inaccessible: clients of it can neither ask for it nor learn of it, while plans still use
it to join systems. <https://www.apollographql.com/docs/graphos/platform/schema-management/delivery/contracts/overview>
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from graphql import GraphQLSchema, parse, validate_schema
from graphql.language import ast

from gateway.access.choice import Choice, Contract
from gateway.federation.supergraph import Supergraph, read_supergraph
from gateway.federation.supergraph.uncollected import uncollected


class ContractRefused(Exception):  # noqa: N818 - reads as what it is
    """What a contract leaves of the graph can't be served; says why."""


@uncollected()
def variants(supergraph: Supergraph, contracts: Mapping[str, Contract]) -> Mapping[str, Supergraph]:
    """Return the supergraph as each contract shows it. Raises ContractRefused with the contract's name."""
    document = parse(supergraph.sdl, no_location=True) if contracts else None
    found: dict[str, Supergraph] = {}
    for name, contract in contracts.items():
        try:
            found[name] = variant(supergraph, contract, document)
        except ContractRefused as error:
            raise ContractRefused(f"`contracts.{name}`: {error}") from error
    return found


def variant(supergraph: Supergraph, contract: Contract, document: ast.DocumentNode | None = None) -> Supergraph:
    """Return the supergraph as a contract shows it; `document` is its SDL, where that is parsed. Raises ContractRefused."""
    document = document or parse(supergraph.sdl, no_location=True)
    choice = Choice(document, contract, supergraph)
    if choice.hides(supergraph.root_types["query"]):
        raise ContractRefused("nothing is left of the graph's queries.")
    marks = _Marks(choice, supergraph.links.directive("inaccessible"))
    marked = (marks.mark(each) for each in document.definitions)
    found = read_supergraph(
        ast.DocumentNode(definitions=tuple(each for each in marked if each is not None)), supergraph.sdl
    )
    problems = _problems(found.api_schema)
    if problems:
        # What is wrong with the whole graph already is no fault of the contract.
        known = set(_problems(supergraph.api_schema))
        problems = [each for each in problems if each not in known]
    if problems:
        raise ContractRefused(f"what it shows of the graph is no valid schema: {' '.join(problems)}")
    return found


def _problems(schema: GraphQLSchema) -> list[str]:
    arguments: Any = {**schema.to_kwargs(), "assume_valid": False}
    return [error.message for error in validate_schema(GraphQLSchema(**arguments))]


class _Marks:
    """Puts `@inaccessible` on what a contract hides."""

    def __init__(self, choice: Choice, inaccessible: str) -> None:
        self._choice = choice
        self._inaccessible = inaccessible

    def mark(self, definition: ast.DefinitionNode) -> ast.DefinitionNode | None:
        """Return a definition with marks; None for a directive that nobody could use."""
        match definition:
            case ast.SchemaDefinitionNode():
                left = (each for each in definition.operation_types if not self._choice.hides(each.type.name.value))
                return replace(definition, operation_types=tuple(left))
            case ast.DirectiveDefinitionNode():
                name = f"@{definition.name.value}"
                known = (each for each in definition.arguments or () if not self._choice.hides(name, each.name.value))
                return None if self._choice.hides(name) else replace(definition, arguments=tuple(known))
            case ast.TypeDefinitionNode():
                return self._type(definition)
            case _:
                return definition

    def _type(self, definition: ast.TypeDefinitionNode) -> ast.DefinitionNode:
        name = definition.name.value
        changes: dict[str, Any] = {}
        for parts in ("fields", "values"):
            if getattr(definition, parts, None):
                changes[parts] = tuple(self._parts((name,), getattr(definition, parts)))
        marked: ast.TypeDefinitionNode = self._marked((name,), replace(definition, **changes))
        return marked

    def _parts(self, path: tuple[str, ...], parts: Iterable[Any]) -> Iterable[Any]:
        for each in parts:
            own = (*path, each.name.value)
            arguments = getattr(each, "arguments", None)
            whole = replace(each, arguments=tuple(self._parts(own, arguments))) if arguments else each
            yield self._marked(own, whole)

    def _marked(self, coordinate: tuple[str, ...], node: Any) -> Any:
        directives = node.directives or ()
        if not self._choice.hides(*coordinate) or any(each.name.value == self._inaccessible for each in directives):
            return node
        mark = ast.DirectiveNode(name=ast.NameNode(value=self._inaccessible), arguments=())
        return replace(node, directives=(*directives, mark))
