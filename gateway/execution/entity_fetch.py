"""A fetch of entities: whom it asks for, and how its answer joins the objects that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import FieldNode

from gateway.errors import Outcome
from gateway.execution.collect import Collect, Collected, compile_collect
from gateway.execution.early import only_new
from gateway.execution.located import (
    Failure,
    SubgraphProfile,
    bad_response,
    error_entries,
    failure_from_entry,
    path_of,
)
from gateway.execution.merge import Composites, composites_of, copy_json, merge, read_selection
from gateway.execution.ports import SubgraphClient, SubgraphRequest, body_prefix
from gateway.execution.rewrite import rename_composites, rename_path, rewrite
from gateway.execution.run import Run, why_missing
from gateway.execution.sharing import Mentions
from gateway.execution.walk import ConcretePath, walk
from gateway.federation.plan import EntityFetch, EntityInput, OperationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledInput:
    """One list of representations within an entity fetch."""

    entity_input: EntityInput
    collect: Collect
    composites: Composites
    has_typename: bool
    """Whether each entity is asked for its `__typename`."""
    object_types: frozenset[str]
    """Names of the supergraph's object types: a `__typename` that is one of them is final."""
    is_sharing: bool
    """Whether objects may share what a result holds. Not where ancestors set arguments further down."""
    is_root: bool = False
    """Whether the objects are of the query's root type, and the whole answer is the one result."""

    @property
    def moves_objects(self) -> bool:
        """Whether merging results changes which objects a path leads to."""
        return bool(self.composites) or self.has_typename

    def collected(self, run: Run) -> Collected:
        """Collect the representations, none where the input is not wanted."""
        for variable, wanted in self.entity_input.conditions:
            if bool(run.variables.get(variable)) is not wanted:
                return Collected(groups=[([], []) for _ in self.entity_input.paths])
        # While a slow fetch is passed by, objects are told apart by their identity: none may stand for another.
        return self.collect(run.data, run.reached, run.sent is None)

    def results(self, data: Any) -> Any:
        """Return what an answer's `data` holds of results, one for each representation."""
        if not isinstance(data, dict):
            return None
        return [data] if self.is_root else data.get(self.entity_input.response_name)

    def place(self, path: ConcretePath) -> ConcretePath | None:
        """Return an error's path from the list of results on, or None where it leads elsewhere."""
        if self.is_root:
            return (0, *path) if path else None
        return path[1:] if path[:1] == (self.entity_input.response_name,) else None

    def merge(self, collected: Collected, results: list[Any]) -> None:
        """Merge each result into every object that stands for it.

        Objects of one path share what a result holds, since every later path leads to all of them alike. Objects of
        another path get a copy: a later fetch may go on from one path only.
        """
        if self.entity_input.output_rewrites:
            for result in results:
                rewrite(result, self.entity_input.output_rewrites)
        for index, (objects, slots) in enumerate(collected.groups):
            given = results
            if index and self.composites:
                wanted = set(slots)
                given = [copy_json(each) if slot in wanted else None for slot, each in enumerate(results)]
            self._merge_group(objects, slots, given)

    def _merge_group(self, objects: list[dict[str, Any]], slots: list[int], results: list[Any]) -> None:
        composites = self.composites
        if not composites and not self.has_typename and self.is_sharing:
            for target, slot in zip(objects, slots, strict=True):
                result = results[slot]
                if result is not None:
                    target.update(result)
            return
        for target, slot in zip(objects, slots, strict=True):
            result = results[slot]
            if result is None:
                continue
            typename = target.get("__typename")
            if not self.is_sharing:
                result = copy_json(result)
            if composites and not composites.keys().isdisjoint(target):
                merge(target, result, composites)
            else:
                target.update(result)
            if isinstance(typename, str) and typename in self.object_types:
                # The name an @interfaceObject subgraph gives is the interface's and must not hide the real one.
                target["__typename"] = typename


PreparedEntity: TypeAlias = tuple[SubgraphRequest, tuple[Collected, ...]]
"""A request to send, and for each input the objects it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledEntity:
    """An entity fetch bound to its client."""

    fetch: EntityFetch
    inputs: tuple[CompiledInput, ...]
    client: SubgraphClient
    profile: SubgraphProfile
    prefix: bytes

    def prepare(self, run: Run) -> PreparedEntity | None:
        """Collect the representations and return the request to send, or None where there is nothing to ask."""
        collected = tuple(each.collected(run) for each in self.inputs)
        if run.ledger:
            self._pass_on(run, collected)
        if run.sent is not None:
            keys = [(self.fetch.id, number) for number in range(len(collected))]
            collected = tuple(
                only_new(found, run.sent.setdefault(key, {})) for key, found in zip(keys, collected, strict=True)
            )
        entities = sum(len(each.representations) for each in collected)
        if not entities:
            return None
        given = run.variables
        variables: dict[str, Any] = {name: given[name] for name in self.fetch.variables if name in given}
        for each, found in zip(self.inputs, collected, strict=True):
            if each.is_root:
                entities = 0
            else:
                variables[each.entity_input.variable] = found.representations
        request = SubgraphRequest(
            subgraph=self.fetch.subgraph,
            kind=OperationKind.QUERY,
            document=self.fetch.document,
            variables=variables,
            operation_name=self.fetch.operation_name,
            entities=entities,
            prefix=self.prefix,
            fetch_id=self.fetch.id,
        )
        return request, collected

    def merge(self, run: Run, value: Any, collected: tuple[Collected, ...]) -> None:
        """Merge an answer into the objects it was asked for and translate its errors."""
        data = value.get("data") if isinstance(value, dict) else None
        entries = error_entries(value) if isinstance(value, dict) else ()
        outcome = Outcome.APPLIED if run.is_write else None
        whole = failure_from_entry(entries[0], self.profile, write=outcome) if entries else None
        located: set[int] = set()
        for each, found in zip(self.inputs, collected, strict=True):
            results = each.results(data)
            if not isinstance(results, list) or len(results) != len(found.representations):
                failure = bad_response(self.profile, outcome) if results or whole is None else whole
                if each.is_root:
                    # A null where none may be, anywhere in the answer, leaves nothing of it but its errors.
                    self._locate(run, each, found, entries, located)
                _fail_objects(run, each.entity_input, found, None, failure, spares_explained=each.is_root)
                located.update(
                    at
                    for at, entry in enumerate(entries)
                    if not isinstance(data, dict) or each.place(path_of(entry)) is not None
                )
                continue
            broken = {
                slot for slot, result in enumerate(results) if result.__class__ is not dict and result is not None
            }
            if broken:
                results = [None if slot in broken else result for slot, result in enumerate(results)]
                _fail_objects(run, each.entity_input, found, broken, bad_response(self.profile, outcome))
            each.merge(found, results)
            if each.moves_objects:
                run.reached.clear()
            self._locate(run, each, found, entries, located)
        if whole is not None and not located:
            self._report_unlocated(run, whole)

    def _locate(
        self, run: Run, each: CompiledInput, found: Collected, entries: Sequence[Any], located: set[int]
    ) -> None:
        """Translate the errors of an input's results to the places of its objects, and note which have one."""
        outcome = Outcome.APPLIED if run.is_write else None
        for at, entry in enumerate(entries):
            path = each.place(path_of(entry))
            if path is not None:
                located.add(at)
                _locate(run, each.entity_input, found, path, failure_from_entry(entry, self.profile, write=outcome))

    def fail(self, run: Run, collected: tuple[Collected, ...], failure: Failure) -> None:
        """Note that nothing this fetch was to add could be had."""
        for each, found in zip(self.inputs, collected, strict=True):
            _fail_objects(run, each.entity_input, found, None, failure)

    def _report_unlocated(self, run: Run, failure: Failure) -> None:
        """An error without a usable path, beside whole data, is reported once, where the fetch first went."""
        for each in self.inputs:
            for path in each.entity_input.paths:
                for concrete, _ in walk(run.data, path):
                    run.errors.add(concrete, failure)
                    return

    def _pass_on(self, run: Run, collected: tuple[Collected, ...]) -> None:
        """Objects that lack what an earlier fetch failed to give fail for the same reason."""
        for each, found in zip(self.inputs, collected, strict=True):
            if not found.is_skipping:
                continue
            for path, (objects, _) in zip(each.entity_input.paths, found.groups, strict=True):
                taken = set(map(id, objects))
                for concrete, target in walk(run.data, path):
                    if id(target) in taken:
                        continue
                    failure = why_missing(run, target, each.entity_input.representation)
                    if failure is not None:
                        for name in each.entity_input.fields:
                            run.fail_field(concrete, target, name, failure)


def _places(
    run: Run, entity_input: EntityInput, found: Collected, only: set[int] | None
) -> list[tuple[ConcretePath, dict[str, Any]]]:
    """Return the concrete places of the objects that were asked for, all or those of some representations."""
    places: list[tuple[ConcretePath, dict[str, Any]]] = []
    for path, (objects, slots) in zip(entity_input.paths, found.groups, strict=True):
        slot_of = {id(target): slot for target, slot in zip(objects, slots, strict=True)}
        for concrete, target in walk(run.data, path):
            slot = slot_of.get(id(target))
            if slot is not None and (only is None or slot in only):
                places.append((concrete, target))
    return places


def _fail_objects(
    run: Run,
    entity_input: EntityInput,
    found: Collected,
    only: set[int] | None,
    failure: Failure,
    *,
    spares_explained: bool = False,
) -> None:
    for concrete, target in _places(run, entity_input, found, only):
        for name in entity_input.fields:
            if not (spares_explained and run.errors.explains((*concrete, name))):
                run.fail_field(concrete, target, name, failure)


def _locate(run: Run, entity_input: EntityInput, found: Collected, path: ConcretePath, failure: Failure) -> None:
    """Translate the rest of `_entities/3/name` to each place that representation 3 stands for."""
    if not path or not isinstance(path[0], int):
        _fail_objects(run, entity_input, found, None, failure)
    elif len(path) == 1:
        _fail_objects(run, entity_input, found, {path[0]}, failure)
    else:
        below = rename_path(path[1:], entity_input.output_rewrites)
        for concrete, _ in _places(run, entity_input, found, {path[0]}):
            run.fail_path((*concrete, *below), failure)


def compile_entity(
    fetch: EntityFetch,
    client: SubgraphClient,
    profile: SubgraphProfile,
    object_types: frozenset[str],
    mentions: Mentions,
    *,
    is_sharing: bool,
) -> CompiledEntity:
    """Compile an entity fetch. `mentions` are those of its plan that may share an object."""
    selection, fragments = read_selection(fetch.document)
    top = {(node.alias or node.name).value: node for node in selection.selections if isinstance(node, FieldNode)}
    inputs = []
    for entity_input in fetch.inputs:
        inner = selection if entity_input.is_root else top[entity_input.response_name].selection_set
        composites = composites_of((inner,) if inner else (), fragments)
        rename_composites(composites, entity_input.output_rewrites)
        inputs.append(
            CompiledInput(
                entity_input=entity_input,
                collect=compile_collect(entity_input, mentions),
                composites=composites,
                has_typename="__typename" in fetch.document,
                object_types=object_types,
                is_sharing=is_sharing,
                is_root=entity_input.is_root,
            )
        )
    prefix = body_prefix(fetch.document, fetch.operation_name)
    return CompiledEntity(fetch=fetch, inputs=tuple(inputs), client=client, profile=profile, prefix=prefix)
