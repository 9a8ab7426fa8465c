"""Count what a document asks for: each definition is walked once, fragments are then added up by name.

Nothing here recurses over the text's nesting, and a fragment spread a million times costs as much as one spread once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

_CEILING = 10**9
"""Figures stop growing here: spreads can multiply fields past any number worth writing down."""

_INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFigures:
    """What one operation comes to, with its fragments."""

    kind: str
    depth: int
    introspection_depth: int
    aliases: int
    fields: int
    directives: int
    variables: int
    root_fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFigures:
    """What a whole document comes to."""

    operations: tuple[OperationFigures, ...]
    fragments: int
    introspects: bool


@dataclass(slots=True)
class _Written:
    """One definition as written: its own figures, and the fragments it spreads with the depth they start at."""

    depth: int = 0
    introspection_depth: int = 0
    aliases: int = 0
    fields: int = 0
    directives: int = 0
    root_fields: int = 0
    introspects: bool = False
    spreads: list[tuple[str, int, bool]] = field(default_factory=list)
    """(fragment, depth, whether below an introspection field)"""


@dataclass(frozen=True, slots=True)
class _Expanded:
    """One definition with its fragments written out."""

    depth: int
    introspection_depth: int
    fields: int
    root_fields: int


_NOTHING = _Expanded(0, 0, 0, 0)


def measure_document(document: DocumentNode) -> DocumentFigures:
    """Return the figures of every operation. The document may be invalid: unknown fragments and cycles count nothing."""
    fragments: dict[str, _Written] = {}
    operations: list[tuple[OperationDefinitionNode, _Written]] = []
    for definition in document.definitions:
        match definition:
            case FragmentDefinitionNode():
                fragments[definition.name.value] = _read(definition)
            case OperationDefinitionNode():
                operations.append((definition, _read(definition)))
            case _:
                pass  # type definitions: validation refuses them
    expanded: dict[str, _Expanded] = {}
    for name in _in_order(fragments):
        expanded[name] = _expand(fragments[name], expanded)
    return DocumentFigures(
        operations=tuple(_measure(node, written, fragments, expanded) for node, written in operations),
        fragments=sum(isinstance(definition, FragmentDefinitionNode) for definition in document.definitions),
        introspects=any(written.introspects for written in (*fragments.values(), *(w for _, w in operations))),
    )


def _measure(
    node: OperationDefinitionNode,
    written: _Written,
    fragments: Mapping[str, _Written],
    expanded: Mapping[str, _Expanded],
) -> OperationFigures:
    reached = [written, *(fragments[name] for name in _reachable(written, fragments))]
    variables = node.variable_definitions or ()
    total = _expand(written, expanded)
    return OperationFigures(
        kind=node.operation.value,
        depth=total.depth,
        introspection_depth=total.introspection_depth,
        aliases=sum(each.aliases for each in reached),
        fields=total.fields,
        directives=sum(each.directives for each in reached) + sum(len(each.directives or ()) for each in variables),
        variables=len(variables),
        root_fields=total.root_fields,
    )


def _read(definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Written:
    written = _Written(directives=len(definition.directives or ()))
    stack: list[tuple[SelectionSetNode, int, bool]] = [(definition.selection_set, 0, False)]
    while stack:
        selection_set, depth, introspecting = stack.pop()
        for selection in selection_set.selections:
            written.directives += len(selection.directives or ())
            match selection:
                case FieldNode():
                    below = introspecting or selection.name.value in _INTROSPECTION
                    written.introspects |= below
                    written.fields += 1
                    written.root_fields += depth == 0
                    written.aliases += selection.alias is not None
                    if below:
                        written.introspection_depth = max(written.introspection_depth, depth + 1)
                    else:
                        written.depth = max(written.depth, depth + 1)
                    if selection.selection_set is not None:
                        stack.append((selection.selection_set, depth + 1, below))
                case InlineFragmentNode():
                    stack.append((selection.selection_set, depth, introspecting))
                case FragmentSpreadNode():
                    written.spreads.append((selection.name.value, depth, introspecting))
    return written


def _reachable(written: _Written, fragments: Mapping[str, _Written]) -> set[str]:
    reached: set[str] = set()
    waiting = [name for name, _, _ in written.spreads]
    while waiting:
        name = waiting.pop()
        if name in fragments and name not in reached:
            reached.add(name)
            waiting += [spread for spread, _, _ in fragments[name].spreads]
    return reached


def _in_order(fragments: Mapping[str, _Written]) -> Iterator[str]:
    """Yield fragment names, each after those it spreads, as far as cycles allow."""
    seen: set[str] = set()
    for root in fragments:
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            name, is_ready = stack.pop()
            if is_ready:
                yield name
            elif name in fragments and name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack += [(spread, False) for spread, _, _ in fragments[name].spreads]


def _expand(written: _Written, expanded: Mapping[str, _Expanded]) -> _Expanded:
    """Add up one definition and the fragments it spreads, which are already added up."""
    depth, introspection_depth = written.depth, written.introspection_depth
    fields, root_fields = written.fields, written.root_fields
    for name, offset, introspecting in written.spreads:
        inner = expanded.get(name, _NOTHING)
        fields = min(fields + inner.fields, _CEILING)
        if introspecting:
            introspection_depth = max(introspection_depth, offset + max(inner.depth, inner.introspection_depth))
        else:
            depth = max(depth, offset + inner.depth)
            if inner.introspection_depth:
                introspection_depth = max(introspection_depth, offset + inner.introspection_depth)
        if offset == 0:
            root_fields = min(root_fields + inner.root_fields, _CEILING)
    return _Expanded(depth, introspection_depth, fields, root_fields)
