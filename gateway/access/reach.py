"""Which types clients can come to, from a schema's root types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql.language import ast

Hides = Callable[..., bool]
"""Whether an element is hidden, by its coordinate: `hides("Product", "price", "currency")`, `hides("@live", "every")`."""

_Fielded = ast.ObjectTypeDefinitionNode | ast.InterfaceTypeDefinitionNode
_Step = tuple[str, bool]
"""A type, and whether values of it are returned."""


def reachable(
    types: Mapping[str, Any],
    roots: Iterable[str],
    directives: Iterable[ast.DirectiveDefinitionNode] = (),
    hides: Hides = lambda *_: False,
) -> frozenset[str]:
    """Return the names of types that root types lead to, through fields, arguments and those of directives.

    An interface that a field returns leads to whatever implements it; one that is only implemented does not.
    """
    return frozenset(_Reach(types, hides).of(roots, directives))


@dataclass(frozen=True, slots=True)
class _Reach:
    types: Mapping[str, Any]
    hides: Hides

    def of(self, roots: Iterable[str], directives: Iterable[ast.DirectiveDefinitionNode]) -> Iterator[str]:
        reached: set[_Step] = set()
        pending: list[_Step] = [(name, True) for name in roots]
        for directive in directives:
            name = f"@{directive.name.value}"
            pending += self._inputs((name,), directive.arguments) if not self.hides(name) else ()
        while pending:
            step = pending.pop()
            if step not in reached and step[0] in self.types and not self.hides(step[0]):
                reached.add(step)
                yield step[0]
                pending.extend(self._leads_to(*step))

    def _leads_to(self, name: str, is_returned: bool) -> Iterator[_Step]:
        match node := self.types[name]:
            case ast.ObjectTypeDefinitionNode() | ast.InterfaceTypeDefinitionNode():
                for each in self._shown((name,), node.fields):
                    yield type_name(each.type), is_returned
                    yield from self._inputs((name, each.name.value), each.arguments)
                yield from ((each.name.value, False) for each in node.interfaces or ())
                if is_returned and isinstance(node, ast.InterfaceTypeDefinitionNode):
                    yield from ((other, True) for other, each in self.types.items() if _implements(each, name))
            case ast.InputObjectTypeDefinitionNode():
                yield from self._inputs((name,), node.fields)
            case ast.UnionTypeDefinitionNode():
                yield from ((each.name.value, is_returned) for each in node.types or ())

    def _inputs(self, path: tuple[str, ...], inputs: Iterable[Any] | None) -> Iterator[_Step]:
        return ((type_name(each.type), False) for each in self._shown(path, inputs))

    def _shown(self, path: tuple[str, ...], parts: Iterable[Any] | None) -> Iterator[Any]:
        return (each for each in parts or () if not self.hides(*path, each.name.value))


def type_name(kind: ast.TypeNode) -> str:
    """Return the name in a reference to a type: `Item` for `[Item!]!`."""
    while isinstance(kind, ast.ListTypeNode | ast.NonNullTypeNode):
        kind = kind.type
    assert isinstance(kind, ast.NamedTypeNode)
    return kind.name.value


def _implements(node: Any, interface: str) -> bool:
    return isinstance(node, _Fielded) and any(each.name.value == interface for each in node.interfaces or ())
