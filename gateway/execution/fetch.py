"""One fetch in three phases: prepare (sync) → load (await) → merge (sync).

A fetch is compiled once per plan: its constant bytes, the functions that collect representations, what is composite.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode, parse

from gateway.errors import Outcome
from gateway.execution.collect import Collect, Collected, compile_collect
from gateway.execution.contexts import split_by_context
from gateway.execution.located import Failure, SubgraphProfile, error_entries, failure_from_entry, failure_of
from gateway.execution.merge import Composites, composites_of, copy_json, merge
from gateway.execution.ports import SubgraphAnswer, SubgraphClient, SubgraphFailure, SubgraphRequest, body_prefix
from gateway.execution.rewrite import rename_composites, rename_path, rewrite
from gateway.execution.run import Run, why_missing
from gateway.execution.walk import ConcretePath, walk
from gateway.federation.plan import EntityFetch, EntityInput, OperationKind, RootFetch

_LOG = logging.getLogger("concord.execution")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRoot:
    """A root fetch bound to its client."""

    fetch: RootFetch
    client: SubgraphClient
    profile: SubgraphProfile
    prefix: bytes
    composites: Composites

    def prepare(self, run: Run) -> SubgraphRequest:
        """Return the request to send."""
        fetch = self.fetch
        given = run.variables
        return SubgraphRequest(
            subgraph=fetch.subgraph,
            kind=fetch.kind,
            document=fetch.document,
            variables={name: given[name] for name in fetch.variables if name in given},
            operation_name=fetch.operation_name,
            root_fields=fetch.root_fields,
            prefix=self.prefix,
            fetch_id=fetch.id,
        )

    def merge(self, run: Run, value: Any) -> None:
        """Merge an answer's `data` at the root of the tree and translate its errors."""
        data = value.get("data") if isinstance(value, dict) else None
        entries = error_entries(value) if isinstance(value, dict) else ()
        write = Outcome.UNKNOWN if run.is_write else None
        if not isinstance(data, dict):
            failure = _bad_response(self.profile, write)
            if entries:
                if run.is_write and "data" not in value:
                    # A request error: nothing ran, whatever the code.
                    write = Outcome.NOT_APPLIED
                failure = failure_from_entry(entries[0], self.profile, write=write)
                self._translate(run, {}, entries, write)
            self.fail(run, failure)
            return
        if self.fetch.output_rewrites:
            rewrite(data, self.fetch.output_rewrites)
        if run.data:
            merge(run.data, data, self.composites)
        else:
            run.data.update(data)
        if entries and not self._translate(run, data, entries, write):
            run.errors.add(self.fetch.root_fields[:1], failure_from_entry(entries[0], self.profile, write=write))

    def _translate(self, run: Run, data: Mapping[str, Any], entries: Any, write: Outcome | None) -> bool:
        """Locate errors that have a usable path; return whether any has one."""
        located = False
        for entry in entries:
            path = _path_of(entry)
            if path:
                located = True
                applied = run.is_write and data.get(str(path[0])) is not None
                failure = failure_from_entry(entry, self.profile, write=Outcome.APPLIED if applied else write)
                run.fail_path(rename_path(path, self.fetch.output_rewrites), failure)
        return located

    def fail(self, run: Run, failure: Failure) -> None:
        """Note that none of the root fields could be had; those with an error of their own keep it."""
        for name in self.fetch.root_fields:
            if not run.errors.explains((name,)):
                run.fail_field((), run.data, name, failure)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledEntity:
    """An entity fetch bound to its client."""

    fetch: EntityFetch
    inputs: tuple[CompiledInput, ...]
    client: SubgraphClient
    profile: SubgraphProfile
    prefix: bytes

    def prepare(self, run: Run) -> tuple[SubgraphRequest, tuple[Collected, ...]] | None:
        """Collect the representations and return the request to send, or None where there is nothing to ask."""
        collected = tuple(each.collect(run.data) for each in self.inputs)
        if run.ledger:
            self._pass_on(run, collected)
        entities = sum(len(each.representations) for each in collected)
        if not entities:
            return None
        given = run.variables
        variables: dict[str, Any] = {name: given[name] for name in self.fetch.variables if name in given}
        for each, found in zip(self.inputs, collected, strict=True):
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
            name = each.entity_input.response_name
            results = data.get(name) if isinstance(data, dict) else None
            if not isinstance(results, list) or len(results) != len(found.representations):
                failure = _bad_response(self.profile, outcome) if results or whole is None else whole
                _fail_objects(run, each.entity_input, found, None, failure)
                located.update(
                    at
                    for at, entry in enumerate(entries)
                    if not isinstance(data, dict) or _path_of(entry)[:1] == (name,)
                )
                continue
            broken = {
                slot for slot, result in enumerate(results) if result.__class__ is not dict and result is not None
            }
            if broken:
                results = [None if slot in broken else result for slot, result in enumerate(results)]
                _fail_objects(run, each.entity_input, found, broken, _bad_response(self.profile, outcome))
            each.merge(found, results)
            for at, entry in enumerate(entries):
                path = _path_of(entry)
                if path[:1] == (name,):
                    located.add(at)
                    _locate(
                        run, each.entity_input, found, path[1:], failure_from_entry(entry, self.profile, write=outcome)
                    )
        if whole is not None and not located:
            self._report_unlocated(run, whole)

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
    run: Run, entity_input: EntityInput, found: Collected, only: set[int] | None, failure: Failure
) -> None:
    for concrete, target in _places(run, entity_input, found, only):
        for name in entity_input.fields:
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


def _path_of(entry: Mapping[str, Any]) -> ConcretePath:
    path = entry.get("path")
    if isinstance(path, list) and all(type(step) in (str, int) for step in path):
        return tuple(path)
    return ()


def _bad_response(profile: SubgraphProfile, outcome: Outcome | None) -> Failure:
    return Failure(
        code="SYSTEM_BAD_RESPONSE",
        system=profile.system,
        owner=profile.owner,
        retryable=outcome is None,
        outcome=outcome,
    )


async def load_root(compiled: CompiledRoot, run: Run) -> None:
    """Run a root fetch: its three phases."""
    request = compiled.prepare(run)
    try:
        answer = await _load(compiled.client, request, run)
    except SubgraphFailure as failed:
        compiled.fail(run, failure_of(failed, compiled.profile, is_write=run.is_write))
    else:
        compiled.merge(run, answer.value)


async def load_entity(compiled: CompiledEntity, run: Run) -> None:
    """Run an entity fetch: its three phases, or nothing where no object needs it."""
    prepared = compiled.prepare(run)
    if prepared is None:
        return
    request, collected = prepared
    entity_input = compiled.fetch.inputs[0]
    if not entity_input.context_arguments:
        await _load_entities(compiled, run, request, collected)
        return
    async with asyncio.TaskGroup() as group:
        for part, found in split_by_context(entity_input, run, request, collected[0]):
            group.create_task(_load_entities(compiled, run, part, (found,)))


async def _load_entities(
    compiled: CompiledEntity, run: Run, request: SubgraphRequest, collected: tuple[Collected, ...]
) -> None:
    try:
        answer = await _load(compiled.client, request, run)
    except SubgraphFailure as failed:
        failure = failure_of(failed, compiled.profile, is_write=run.is_write, is_after=True)
        compiled.fail(run, collected, failure)
    else:
        compiled.merge(run, answer.value, collected)


async def _load(client: SubgraphClient, request: SubgraphRequest, run: Run) -> SubgraphAnswer:
    observer = run.context.observer
    started = 0.0 if observer is None else observer.clock()
    try:
        answer = await client.fetch(request, run.context)
    except SubgraphFailure as failed:
        # Clients read the registry's sentence; what really happened is told here.
        details = {"subgraph": request.subgraph, "code": failed.code, "reason": failed.reason[:300]}
        _LOG.warning("fetch_failed", extra={**details, "correlation_id": run.context.correlation_id})
        if observer is not None:
            observer.fetch_done(request, started, None, failed)
        raise
    if observer is not None:
        observer.fetch_done(request, started, answer.value, None)
    return answer


def compile_root(fetch: RootFetch, client: SubgraphClient, profile: SubgraphProfile) -> CompiledRoot:
    """Compile a root fetch."""
    selection, fragments = _selection(fetch.document)
    composites = composites_of((selection,), fragments)
    rename_composites(composites, fetch.output_rewrites)
    prefix = body_prefix(fetch.document, fetch.operation_name)
    return CompiledRoot(fetch=fetch, client=client, profile=profile, prefix=prefix, composites=composites)


def compile_entity(
    fetch: EntityFetch,
    client: SubgraphClient,
    profile: SubgraphProfile,
    object_types: frozenset[str],
    *,
    is_sharing: bool,
) -> CompiledEntity:
    """Compile an entity fetch."""
    selection, fragments = _selection(fetch.document)
    top = {(node.alias or node.name).value: node for node in selection.selections if isinstance(node, FieldNode)}
    inputs = []
    for entity_input in fetch.inputs:
        inner = top[entity_input.response_name].selection_set
        composites = composites_of((inner,) if inner else (), fragments)
        rename_composites(composites, entity_input.output_rewrites)
        inputs.append(
            CompiledInput(
                entity_input=entity_input,
                collect=compile_collect(entity_input),
                composites=composites,
                has_typename="__typename" in fetch.document,
                object_types=object_types,
                is_sharing=is_sharing,
            )
        )
    prefix = body_prefix(fetch.document, fetch.operation_name)
    return CompiledEntity(fetch=fetch, inputs=tuple(inputs), client=client, profile=profile, prefix=prefix)


def _selection(document: str) -> tuple[SelectionSetNode, dict[str, FragmentDefinitionNode]]:
    parsed = parse(document, no_location=True)
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    operation = next(node for node in parsed.definitions if isinstance(node, OperationDefinitionNode))
    return operation.selection_set, fragments
