"""Fifth call: steps into plan nodes, in sequence where one waits for another and in parallel otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import replace

from gateway.federation.operation import Operation
from gateway.federation.plan import (
    EachItem,
    EntityFetch,
    EntityInput,
    FieldRewrite,
    OperationKind,
    Path,
    PathKey,
    PlanNode,
    RepresentationFragment,
    RepresentationSelection,
    RootFetch,
)
from gateway.federation.planner.arrange import Request, arrange
from gateway.federation.planner.document import PrintedSelections, print_step_selections
from gateway.federation.planner.stages import can_share
from gateway.federation.planner.step import ContextValue, Entry, Selected, Step
from gateway.federation.supergraph import Conditions
from gateway.federation.supergraph.selection import is_contradictory


class Scheduler:
    """Makes plan nodes of one operation's steps."""

    def __init__(self, operation: Operation) -> None:
        self._kind = operation.kind
        self._variable_types = operation.variable_types
        self._directives = operation.directives
        self._fetch_of: dict[Step, int] = {}
        """In which fetch each step went out."""
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
        return arrange(requests, parents)

    def _request(self, steps: list[Step]) -> Request:
        settled = [settled_conditions(step) for step in steps]
        conditions = settled[0].intersection(*settled)
        printed = [print_step_selections(step.selected, each) for step, each in zip(steps, settled, strict=True)]
        identity, self._next_id = self._next_id, self._next_id + 1
        self._fetch_of.update((step, identity) for step in steps)
        if steps[0].entry is None:
            return Request(self._root_fetch(steps[0], printed[0], identity), (steps[0],), conditions)
        if steps[0].entry.is_root:
            return Request(self._nested_root_fetch(steps, printed[0], identity), tuple(steps), conditions)
        return Request(self._entity_fetch(steps, printed, identity, conditions), tuple(steps), conditions)

    def _root_fetch(self, step: Step, printed: PrintedSelections, identity: int) -> RootFetch:
        variables = self._used(self._kind, printed.variables)
        return RootFetch(
            subgraph=step.subgraph,
            kind=self._kind,
            document=f"{self._head(self._kind, variables)}{printed.text}",
            operation_name=None,
            variables=tuple(variables),
            output_rewrites=printed.rewrites,
            root_fields=tuple(step.selected.response_names()),
            id=identity,
        )

    def _nested_root_fetch(self, steps: list[Step], printed: PrintedSelections, identity: int) -> EntityFetch:
        entry = steps[0].entry
        assert entry is not None
        variables = self._used(OperationKind.QUERY, printed.variables)
        return EntityFetch(
            subgraph=steps[0].subgraph,
            document=f"{self._head(OperationKind.QUERY, variables)}{printed.text}",
            inputs=(replace(self._entity_input(printed, steps, "", "", settled_conditions(steps[0])), is_root=True),),
            operation_name=None,
            variables=tuple(variables),
            id=identity,
        )

    def _entity_fetch(
        self, steps: list[Step], printed: list[PrintedSelections], identity: int, settled: Conditions
    ) -> EntityFetch:
        merged: dict[tuple[object, ...], tuple[Step, PrintedSelections, list[Step]]] = {}
        for step, text in zip(steps, printed, strict=True):
            assert step.entry is not None
            key = (
                step.entry.type_condition,
                text.text,
                _frozen(step.entry),
                _input_rewrites(step.entry),
                _contexts(step),
                settled_conditions(step),
            )
            merged.setdefault(key, (step, text, []))[2].append(step)
        variables: dict[str, None] = {}
        for text in printed:
            variables.update(text.variables)
        contexts = {value.variable: value.type for step in steps for value in _contexts(step)}
        own_names = [name for name in variables if name not in contexts]
        variables = self._used(OperationKind.QUERY, dict.fromkeys(own_names))
        prefix = "representations" if len(merged) == 1 else "r"
        while any(name.startswith(prefix) for name in variables):
            prefix = f"_{prefix}"
        inputs: list[EntityInput] = []
        parts: list[str] = []
        for number, (step, text, alike) in enumerate(merged.values()):
            variable = prefix if len(merged) == 1 else f"{prefix}{number}"
            response_name = "_entities" if len(merged) == 1 else f"_e{number}"
            inputs.append(self._entity_input(text, alike, variable, response_name, settled))
            alias = "" if len(merged) == 1 else f"{response_name}:"
            assert step.entry is not None
            parts.append(
                f"{alias}_entities(representations:${variable}){{...on {step.entry.type_condition}{text.text}}}"
            )
        own = {entity_input.variable: "[_Any!]!" for entity_input in inputs} | contexts
        return EntityFetch(
            subgraph=steps[0].subgraph,
            document=f"{self._head(OperationKind.QUERY, variables, own)}{{{''.join(parts)}}}",
            inputs=tuple(inputs),
            operation_name=None,
            variables=tuple(variables),
            id=identity,
        )

    def _entity_input(
        self, printed: PrintedSelections, alike: list[Step], variable: str, response_name: str, settled: Conditions
    ) -> EntityInput:
        step = alike[0]
        assert step.entry is not None
        needs: dict[Path, set[int]] = {}
        for each in alike:
            if each.entry is not None:
                found = needs.setdefault(_narrowed_path(each.entry), set())
                found.update(self._fetch_of[parent] for parent in each.parents if parent in self._fetch_of)
        return EntityInput(
            paths=tuple(needs),
            type_condition=step.entry.type_condition,
            representation=_frozen(step.entry),
            variable=variable,
            response_name=response_name,
            fields=tuple(step.selected.response_names()),
            input_rewrites=_input_rewrites(step.entry),
            output_rewrites=printed.rewrites,
            context_arguments=tuple((value.variable, path) for value in _contexts(step) for path in value.paths),
            needs=tuple(tuple(sorted(ids)) for ids in needs.values()),
            conditions=tuple(sorted(settled_conditions(step) - settled)),
        )

    def _used(self, kind: OperationKind, variables: Mapping[str, None]) -> dict[str, None]:
        """Return the variables of a request: those of its selections, and of the directives on the operation."""
        directives = self._directives.get(kind)
        return {**variables, **dict.fromkeys(sorted(directives.variables) if directives is not None else ())}

    def _head(self, kind: OperationKind, variables: Mapping[str, None], own: Mapping[str, str] | None = None) -> str:
        """Print what stands before a request's selections: `query($id:ID!)@live`."""
        declared = {**(own or {}), **{name: self._variable_types[name] for name in variables}}
        text = f"({','.join(f'${name}:{text}' for name, text in declared.items())})" if declared else ""
        directives = self._directives.get(kind)
        return f"{kind.value}{text}{directives.text if directives is not None else ''}"


def _contexts(step: Step) -> tuple[ContextValue, ...]:
    return tuple(dict.fromkeys(step.entry.contexts.values())) if step.entry is not None else ()


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
    """Send the interface's name where one of the two subgraphs knows no other; subgraphs may name root types anyhow."""
    if entry.source.is_interface_object or entry.target.is_interface_object or entry.is_root:
        return (FieldRewrite((PathKey("__typename"),), set_value=entry.type_condition),)
    return ()


def settled_conditions(step: Step) -> Conditions:
    """Return the conditions without which a step has nothing to ask for."""
    return step.conditions | (_common(step.selected) or frozenset())


def _common(selected: Selected) -> Conditions | None:
    common: Conditions | None = None
    for entry in selected.fields.values():
        if not entry.is_wanted and selected.fields.keys() != {
            ("__typename", "__typename", entry.conditions, entry.around)
        }:
            continue
        common = entry.conditions if common is None else common & entry.conditions
    for below in selected.fragments.values():
        inner = _common(below)
        if inner is not None:
            common = inner if common is None else common & inner
    return common


def _batches(steps: Seq[Step]) -> list[list[Step]]:
    """Group the steps that share a request: one subgraph, one stage. Root fields share one with equal root fields only."""
    groups: dict[object, list[Step]] = {}
    for step in steps:
        key: object = (step.subgraph, step.stage) if can_share(step) else step
        if step.entry is not None and step.entry.is_root:
            settled = settled_conditions(step)
            key = (step.subgraph, step.stage, settled, print_step_selections(step.selected, settled).text)
        groups.setdefault(key, []).append(step)
    return list(groups.values())
