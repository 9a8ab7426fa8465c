"""Access control that was added to, taken from, or changed on what clients can ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphql import (
    DirectiveNode,
    EnumTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    parse,
)

from gateway.federation.composition.changes.model import Change, ChangeLevel
from gateway.federation.composition.model.value import same_text
from gateway.federation.supergraph import Supergraph, access_directives

_Access = Mapping[str, str]


def access_changes(old: Supergraph, new: Supergraph) -> Iterator[Change]:
    """Coordinates of both supergraphs whose access control differs."""
    before, after = _access(old), _access(new)
    for coordinate in sorted(before.keys() & after.keys()):
        was, now = before[coordinate], after[coordinate]
        if was == now:
            continue
        if not was:
            yield Change(ChangeLevel.BREAKING, "ACCESS_RESTRICTED", f"{coordinate} now asks for {now}.", coordinate)
        elif not now:
            yield Change(ChangeLevel.DANGEROUS, "ACCESS_OPENED", f"{coordinate} no longer asks for {was}.", coordinate)
        else:
            yield Change(
                ChangeLevel.BREAKING, "ACCESS_CHANGED", f"{coordinate} asks for {now} instead of {was}.", coordinate
            )


def _access(supergraph: Supergraph) -> _Access:
    document = parse(supergraph.sdl, no_location=True)
    names = access_directives(supergraph.links)
    found: dict[str, str] = {}
    for node in document.definitions:
        if isinstance(node, EnumTypeDefinitionNode | ScalarTypeDefinitionNode):
            found[node.name.value] = _text(node.directives, names)
        elif isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            found[node.name.value] = _text(node.directives, names)
            for field in node.fields or ():
                found[f"{node.name.value}.{field.name.value}"] = _text(field.directives, names)
    return found


def _text(directives: tuple[DirectiveNode, ...] | None, names: Mapping[str, str]) -> str:
    texts = []
    for applied in directives or ():
        if applied.name.value in names:
            arguments = ", ".join(f"{part.name.value}: {same_text(part.value)}" for part in applied.arguments or ())
            texts.append(f"@{names[applied.name.value]}" + (f"({arguments})" if arguments else ""))
    return " ".join(sorted(texts))
