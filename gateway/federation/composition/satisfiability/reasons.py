"""Says why a field can't be reached: what was tried from each subgraph, in words a schema author understands."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.federation.composition.satisfiability.reach import Reach
from gateway.federation.composition.satisfiability.walk import State
from gateway.federation.query_graph import Node


def reasons(reach: Reach, state: State, field: str) -> Iterator[str]:
    """One sentence for each thing tried, subgraph by subgraph."""
    said: set[str] = set()
    for start in state.nodes:
        for sentence in _from(reach, start, state, field):
            if sentence not in said:
                said.add(sentence)
                yield sentence


def _from(reach: Reach, start: Node, state: State, field: str) -> Iterator[str]:
    closure = reach.closure(start)
    for each in closure:
        yield f"in {each.node.subgraph}, {_why_not_here(reach, each.node, state, field)}"
    reached = {each.node.subgraph for each in closure}
    tried: set[str] = set()
    for edge, works in reach.keys_tried(start):
        tried.add(edge.target.subgraph)
        if not works and edge.target.subgraph not in reached:
            yield (
                f"from {edge.source.subgraph}, {edge.target.subgraph} could be entered with "
                f'@key(fields: "{edge.key.text}") of `{edge.target.type.name}`, but {edge.source.subgraph} '
                f"cannot supply those fields"
            )
    for subgraph in reach.graph.supergraph.subgraphs.values():
        element = subgraph.types.get(start.type.name)
        if subgraph.name in reached | tried or element is None or field not in element.fields:
            continue
        if not element.fields[field].is_external:
            yield (
                f"{subgraph.name} has `{start.type.name}.{field}`, but `{start.type.name}` has no resolvable @key there "
                f"to enter it with"
            )


def _why_not_here(reach: Reach, node: Node, state: State, name: str) -> str:
    coordinate = f"`{node.type.name}.{name}`"
    field = node.type.fields.get(name)
    if field is None:
        return f"`{node.type.name}` has no field `{name}`"
    if field.is_external:
        return f"{coordinate} is @external"
    edge = reach.graph.field(node, name)
    closure = reach.closure(node)
    if field.is_overridden or edge is None:
        return f"{coordinate} is overridden by another subgraph"
    if edge.requires is not None and reach.select(closure, edge.requires.selections) is None:
        return f'what @requires(fields: "{edge.requires.text}") of {coordinate} asks for cannot be had'
    if not reach.can_reenter(node, closure):
        return f"`{node.type.name}` has no @key to come back with once the requirements of {coordinate} are known"
    missing = [item.context for item in field.context_arguments if item.context not in state.contexts]
    if missing:
        return f"the context `{missing[0].partition('__')[2]}` of {coordinate} is not set on this way"
    return f"{coordinate} cannot be used"
