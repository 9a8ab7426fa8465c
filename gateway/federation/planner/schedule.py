"""Fifth call: steps into plan nodes, in sequence where one waits for another and in parallel otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass

from gateway.federation.plan import (
    Condition,
    EachItem,
    EntityFetch,
    EntityInput,
    FieldRewrite,
    OperationKind,
    Parallel,
    Path,
    PathKey,
    PlanNode,
    RepresentationFragment,
    RepresentationSelection,
    RootFetch,
    Sequence,
)
from gateway.federation.planner.document import PrintedSelections, print_step_selections
from gateway.federation.planner.passes import stages_of, systems_before
from gateway.federation.planner.step import ContextValue, Entry, Selected, Step
from gateway.federation.supergraph import Conditions
from gateway.federation.supergraph.selection import is_contradictory


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Steps that go out as one request, with their node."""

    node: RootFetch | EntityFetch
    steps: tuple[Step, ...]
    conditions: Conditions


class Scheduler:
    """Makes plan nodes of one operation's steps."""

    def __init__(self, kind: OperationKind, operation_name: str | None, variable_types: Mapping[str, str]) -> None:
        self._kind = kind
        self._operation_name = operation_name
        self._variable_types = variable_types
        self._next_id = 0

    def schedule(self, steps: Seq[Step]) -> PlanNode | None:
        """Return the node that runs all steps, or None for none."""
        possible = [step for step in steps if not is_contradictory(settled_conditions(step))]
        requests = [self._request(group) for group in _batches(possible)]
        by_step = {step: request for request in requests for step in request.steps}
        parents = {
            request: {by_step[parent] for step in request.steps for parent in step.parents if parent in by_step}
            for request in requests
        }
        return _arrange(requests, parents)

    def _request(self, steps: list[Step]) -> Request:
        conditions = settled_conditions(steps[0])
        printed = [print_step_selections(step.selected, conditions) for step in steps]
        identity, self._next_id = self._next_id, self._next_id + 1
        if steps[0].entry is None:
            return Request(self._root_fetch(steps[0], printed[0], identity), (steps[0],), conditions)
        return Request(self._entity_fetch(steps, printed, identity), tuple(steps), conditions)

    def _root_fetch(self, step: Step, printed: PrintedSelections, identity: int) -> RootFetch:
        return RootFetch(
            subgraph=step.subgraph,
            kind=self._kind,
            document=f"{self._kind.value}{self._declare(printed.variables)}{printed.text}",
            operation_name=None,
            variables=tuple(printed.variables),
            output_rewrites=printed.rewrites,
            root_fields=tuple(step.selected.response_names()),
            id=identity,
        )

    def _entity_fetch(self, steps: list[Step], printed: list[PrintedSelections], identity: int) -> EntityFetch:
        merged: dict[tuple[object, ...], tuple[Step, PrintedSelections, list[Step]]] = {}
        for step, text in zip(steps, printed, strict=True):
            assert step.entry is not None
            key = (
                step.entry.type_condition,
                text.text,
                _frozen(step.entry),
                _input_rewrites(step.entry),
                _contexts(step),
            )
            merged.setdefault(key, (step, text, []))[2].append(step)
        variables: dict[str, None] = {}
        for text in printed:
            variables.update(text.variables)
        contexts = {value.variable: value.type for step in steps for value in _contexts(step)}
        variables = {name: None for name in variables if name not in contexts}
        prefix = "representations" if len(merged) == 1 else "r"
        while any(name.startswith(prefix) for name in variables):
            prefix = f"_{prefix}"
        inputs: list[EntityInput] = []
        parts: list[str] = []
        for number, (step, text, alike) in enumerate(merged.values()):
            variable = prefix if len(merged) == 1 else f"{prefix}{number}"
            response_name = "_entities" if len(merged) == 1 else f"_e{number}"
            inputs.append(_entity_input(step, text, alike, variable, response_name))
            alias = "" if len(merged) == 1 else f"{response_name}:"
            assert step.entry is not None
            parts.append(
                f"{alias}_entities(representations:${variable}){{...on {step.entry.type_condition}{text.text}}}"
            )
        own = {entity_input.variable: "[_Any!]!" for entity_input in inputs} | contexts
        return EntityFetch(
            subgraph=steps[0].subgraph,
            document=f"query{self._declare(variables, own)}{{{''.join(parts)}}}",
            inputs=tuple(inputs),
            operation_name=None,
            variables=tuple(variables),
            id=identity,
        )

    def _declare(self, variables: Mapping[str, None], own: Mapping[str, str] | None = None) -> str:
        declared = {**(own or {}), **{name: self._variable_types[name] for name in variables}}
        return f"({','.join(f'${name}:{text}' for name, text in declared.items())})" if declared else ""


def _entity_input(
    step: Step, printed: PrintedSelections, alike: list[Step], variable: str, response_name: str
) -> EntityInput:
    assert step.entry is not None
    paths = tuple(dict.fromkeys(_narrowed_path(other.entry) for other in alike if other.entry is not None))
    return EntityInput(
        paths=paths,
        type_condition=step.entry.type_condition,
        representation=_frozen(step.entry),
        variable=variable,
        response_name=response_name,
        fields=tuple(step.selected.response_names()),
        input_rewrites=_input_rewrites(step.entry),
        output_rewrites=printed.rewrites,
        context_arguments=tuple((value.variable, path) for value in _contexts(step) for path in value.paths),
    )


def _contexts(step: Step) -> tuple[ContextValue, ...]:
    return tuple(step.entry.contexts.values()) if step.entry is not None else ()


def _narrowed_path(entry: Entry) -> Path:
    """Return the path with the entry's type condition in its last step, where that is a list's."""
    if entry.possible_types is None or not isinstance(entry.path[-1], EachItem):
        return entry.path
    return (*entry.path[:-1], EachItem(entry.possible_types))


def _frozen(entry: Entry) -> RepresentationSelection:
    """Return the representation, under a type condition where the path can't say it."""
    selection = entry.representation.freeze()
    if entry.possible_types is None or isinstance(entry.path[-1], EachItem):
        return selection
    return (RepresentationFragment(entry.source.type.name, entry.possible_types, selection),)


def _input_rewrites(entry: Entry) -> tuple[FieldRewrite, ...]:
    """Send the interface's name where one of the two subgraphs knows no other."""
    if entry.source.is_interface_object or entry.target.is_interface_object:
        return (FieldRewrite((PathKey("__typename"),), set_value=entry.type_condition),)
    return ()


def settled_conditions(step: Step) -> Conditions:
    """Return the conditions without which a step has nothing to ask for."""
    return step.conditions | (_common(step.selected) or frozenset())


def _common(selected: Selected) -> Conditions | None:
    common: Conditions | None = None
    for entry in selected.fields.values():
        if entry.edge is None and selected.fields.keys() != {("__typename", "__typename", entry.conditions)}:
            continue
        common = entry.conditions if common is None else common & entry.conditions
    for below in selected.fragments.values():
        inner = _common(below)
        if inner is not None:
            common = inner if common is None else common & inner
    return common


def _batches(steps: Seq[Step]) -> list[list[Step]]:
    """Group entity steps that can share a request: one subgraph, one stage, after the same subgraphs.

    The last keeps failures apart: a step never waits for a system that it does not need.
    """
    stages, systems = stages_of(steps), systems_before(steps)
    groups: dict[tuple[object, ...], list[Step]] = {}
    for step in steps:
        if step.entry is None or step.entry.contexts:
            groups[step,] = [step]
        else:
            key = (step.subgraph, stages[step], systems[step], settled_conditions(step))
            groups.setdefault(key, []).append(step)
    return list(groups.values())


def _arrange(requests: list[Request], parents: Mapping[Request, set[Request]]) -> PlanNode | None:
    """Nest requests by what they wait for; chains that don't need each other don't wait for each other."""
    components = _components(requests, parents)
    nodes = [_arrange_component(component, parents) for component in components]
    return _together([node for node in nodes if node is not None], Parallel)


def _arrange_component(requests: list[Request], parents: Mapping[Request, set[Request]]) -> PlanNode | None:
    inside = set(requests)
    sources = [request for request in requests if not parents[request] & inside]
    if len(sources) == 1:
        rest = [request for request in requests if request is not sources[0]]
        nodes = [_node(sources[0]), _arrange(rest, parents) if rest else None]
        return _together([node for node in nodes if node is not None], Sequence)
    # Each source goes on with what waits for it alone; then comes what needs several of them.
    origin: dict[Request, Request | None] = {source: source for source in sources}
    for request in requests:
        if request not in origin:
            before = {origin[parent] for parent in parents[request] & inside}
            origin[request] = before.pop() if len(before) == 1 else None
    blocks = [[request for request in requests if origin[request] is source] for source in sources]
    shared = [request for request in requests if origin[request] is None]
    first = _together([node for block in blocks if (node := _arrange(block, parents)) is not None], Parallel)
    nodes = [first, _arrange(shared, parents) if shared else None]
    return _together([node for node in nodes if node is not None], Sequence)


def _components(requests: list[Request], parents: Mapping[Request, set[Request]]) -> list[list[Request]]:
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
