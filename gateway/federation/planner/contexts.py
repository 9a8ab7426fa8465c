"""Finds, for arguments with `@fromContext`, the ancestor that sets the context.

https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/entities/use-contexts
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.federation.planner.path import ContextSource, Path, Position, Take
from gateway.federation.query_graph import FieldEdge
from gateway.federation.supergraph import ContextArgument, FieldSelection, FieldSet, Selection, parse_field_set

if TYPE_CHECKING:
    from gateway.federation.planner.paths import PathFinder


def find_contexts(
    finder: PathFinder, path: Path, position: Position, edge: FieldEdge
) -> tuple[ContextSource, ...] | None:
    """Return the source of each context argument of a field, or None where no ancestor sets one of them."""
    found: list[ContextSource] = []
    for argument in edge.field.context_arguments:
        source = _find(finder, path, position, edge.field.name, argument)
        if source is None:
            return None
        found.append(source)
    return tuple(found)


def _find(
    finder: PathFinder, path: Path, position: Position, field: str, argument: ContextArgument
) -> ContextSource | None:
    setters = finder.graph.supergraph.contexts.get(argument.context, frozenset())
    selection = parse_field_set(argument.selection)
    for depth, ancestor in _ancestors(path, len(position)):
        if any(finder.graph.is_possible(ancestor.node.type.name, name) for name in sorted(setters)):
            fitting = FieldSet(selection.text, tuple(_fitting(finder, ancestor.node.type.name, selection.selections)))
            requirement = finder.reach.requirement(ancestor.node, fitting)
            if requirement is None:
                return None
            return ContextSource(field, argument, fitting, depth, requirement)
    return None


def _ancestors(path: Path, depth: int) -> Iterator[tuple[int, Path]]:
    """Yield the objects above a path's end, nearest first, each with its depth in the response."""
    current: Path | None = path
    while current is not None:
        if isinstance(current.move, Take) and current.parent is not None:
            depth -= 1
            yield depth, current.parent
        current = current.parent


def _fitting(finder: PathFinder, type_name: str, selections: tuple[Selection, ...]) -> Iterator[Selection]:
    """Yield what a selection asks of this type: `... on User { locale } ... on Guest { language }` names one for each."""
    for selection in selections:
        if isinstance(selection, FieldSelection):
            yield selection
        elif selection.type_condition is None or finder.graph.is_possible(type_name, selection.type_condition):
            # Without the condition: where it always holds, nobody fetches the objects' type.
            yield from _fitting(finder, type_name, selection.selections)
        elif not finder.graph.types_of(selection.type_condition).isdisjoint(finder.graph.types_of(type_name)):
            yield selection
