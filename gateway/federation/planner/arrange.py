"""Nests requests into sequences and parallels: as much at once as there can be, and never a stage more than needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.federation.plan import Condition, EntityFetch, Parallel, PlanNode, RootFetch, Sequence
from gateway.federation.planner.step import Step
from gateway.federation.supergraph import Conditions


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Steps that go out as one request, with their node."""

    node: RootFetch | EntityFetch
    steps: tuple[Step, ...]
    conditions: Conditions


Parents: TypeAlias = Mapping[Request, set[Request]]


def arrange(requests: list[Request], parents: Parents) -> PlanNode | None:
    """Nest requests, parents first, by what they wait for; chains that don't need each other don't wait for each other.

    A tree of sequences can't say all that a graph can, so where chains cross some requests wait for more than they need;
    but the longest chain of the tree is that of the graph.
    """
    components = _components(requests, parents)
    nodes = [_arrange_component(component, parents) for component in components]
    return _together([node for node in nodes if node is not None], Parallel)


def _arrange_component(requests: list[Request], parents: Parents) -> PlanNode | None:
    if len(requests) == 1:
        return _node(requests[0])
    inside = set(requests)
    sources = [request for request in requests if not parents[request] & inside]
    # Each source goes on with what waits for it alone; then comes what needs several of them.
    origin: dict[Request, Request | None] = {source: source for source in sources}
    for request in requests:
        if request not in origin:
            before = {origin[parent] for parent in parents[request] & inside}
            origin[request] = before.pop() if len(before) == 1 else None
    own = [request for request in requests if origin[request] is not None]
    shared = [request for request in requests if origin[request] is None]
    if len(sources) == 1 or _depth(own, parents) + _depth(shared, parents) > _depth(requests, parents):
        own, shared = sources, [request for request in requests if request not in set(sources)]
    nodes = [arrange(part, parents) for part in (own, shared) if part]
    return _together([node for node in nodes if node is not None], Sequence)


def _depth(requests: Iterable[Request], parents: Parents) -> int:
    """Return how many requests have to run one after another; those given are in order."""
    depths: dict[Request, int] = {}
    for request in requests:
        depths[request] = 1 + max((depths[parent] for parent in parents[request] if parent in depths), default=0)
    return max(depths.values(), default=0)


def _components(requests: list[Request], parents: Parents) -> list[list[Request]]:
    """Split requests into groups that don't wait for each other, each in order."""
    root: dict[Request, Request] = {request: request for request in requests}

    def find(request: Request) -> Request:
        while root[request] is not request:
            root[request] = root[root[request]]
            request = root[request]
        return request

    for request in requests:
        for parent in parents[request]:
            if parent in root:
                root[find(request)] = find(parent)
    found: dict[Request, list[Request]] = {}
    for request in requests:
        found.setdefault(find(request), []).append(request)
    return list(found.values())


def _node(request: Request) -> PlanNode:
    node: PlanNode = request.node
    for variable, wanted in sorted(request.conditions, reverse=True):
        node = Condition(variable, node, None) if wanted else Condition(variable, None, node)
    return node


def _together(nodes: list[PlanNode], kind: type[Sequence | Parallel]) -> PlanNode | None:
    """Join nodes: flat, and under one condition where they all have the same one."""
    flat: list[PlanNode] = []
    for node in nodes:
        flat.extend(node.nodes if isinstance(node, kind) else (node,))
    if len(flat) <= 1:
        return flat[0] if flat else None
    first = flat[0]
    if isinstance(first, Condition) and all(_same_condition(first, node) for node in flat):
        inner = _together([_inside(node) for node in flat], kind)
        return Condition(first.variable, inner, None) if first.if_true else Condition(first.variable, None, inner)
    return kind(tuple(flat))


def _same_condition(one: Condition, other: PlanNode) -> bool:
    return (
        isinstance(other, Condition)
        and one.variable == other.variable
        and (one.if_true is None) == (other.if_true is None)
    )


def _inside(node: PlanNode) -> PlanNode:
    assert isinstance(node, Condition)
    inner = node.if_true or node.if_false
    assert inner is not None
    return inner
