"""Make the typed fetches of a plan: what each brings to which place, and what it reads there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from graphql import SelectionSetNode

from gateway.execution.begin import begin_with
from gateway.execution.entity_fetch import CompiledEntity
from gateway.execution.merge import read_selection
from gateway.execution.root_fetch import CompiledRoot
from gateway.execution.typed_fetch import TypedFetch, TypedInput, TypedPath
from gateway.execution.typed_generate import compile_keys, compile_merge, fields_of, part_of
from gateway.execution.typed_tree import TYPENAME, Assignment, Fragments, NotTyped, Spot, selected
from gateway.execution.walk import static_path
from gateway.federation.plan import (
    EachItem,
    EntityInput,
    OperationKind,
    Path,
    PathKey,
    RepresentationFragment,
    RepresentationSelection,
)


class Fetches:
    """Makes the typed fetches of one plan, in two steps: what each place holds must be known before classes are made."""

    def __init__(self, root: Spot, assignment: Assignment) -> None:
        self._root = root
        self._assignment = assignment
        self._selections: dict[int, tuple[SelectionSetNode, Fragments]] = {}
        self._created: dict[int, list[Spot]] = {}

    def note(self, compiled: CompiledRoot | CompiledEntity) -> None:
        """Note at each place what a fetch brings there and what it reads. Raises NotTyped."""
        fetch = compiled.fetch
        selection, fragments = self._selections[id(fetch)] = read_selection(fetch.document)
        created = self._created[id(fetch)] = []
        if isinstance(compiled, CompiledRoot):
            if compiled.fetch.output_rewrites or compiled.fetch.kind is not OperationKind.QUERY:
                raise NotTyped("rewrites")
            names = selected(selection, fragments, self._root.type_name, self._assignment)
            self._create(self._root, names, fragments, id(fetch), created)
            return
        top = selected(selection, fragments, "Query", self._assignment)
        for each in self._inputs(compiled):
            for path in each.paths:
                spot = self._at(path)
                _note_sources(spot, each.representation)
                for inner in top[each.response_name]:
                    names = selected(inner, fragments, spot.type_name, self._assignment)
                    if len(each.paths) > 1 and names.keys() & spot.children.keys():
                        raise NotTyped("objects for several places")
                    self._create(spot, names, fragments, (id(fetch), each.variable), created)

    def check(self) -> None:
        """Raise NotTyped unless what is needed at each place is brought by some fetch."""
        for spot in self._root.walk():
            if not all(name in spot.brought for name in (*spot.fields, *spot.hidden) if spot.wanted(name)):
                raise NotTyped("a field that no fetch brings")
            if spot.is_named and TYPENAME not in spot.created_with:
                raise NotTyped("a type's name that no fetch brings")

    def make(self, compiled: CompiledRoot | CompiledEntity) -> TypedFetch:
        """Return the typed fetch; all fetches were noted and the classes made."""
        fetch = compiled.fetch
        selection, fragments = self._selections[id(fetch)]
        parts: list[tuple[str, Any, Any]] = []
        inputs: list[TypedInput] = []
        names: dict[str, str] = {}
        merge_root = None
        if isinstance(compiled, CompiledRoot):
            found = selected(selection, fragments, self._root.type_name, self._assignment)
            part = part_of([self._root], found)
            merge_root = compile_merge(self._root, part)
            data: Any = part.made
        else:
            top = selected(selection, fragments, "Query", self._assignment)
            for number, each in enumerate(self._inputs(compiled)):
                spots = [self._at(path) for path in each.paths]
                found = {}
                for inner in top[each.response_name]:
                    found |= selected(inner, fragments, spots[0].type_name, self._assignment)
                part = part_of(spots, found)
                attribute = f"e{number}"
                names[attribute] = each.response_name
                parts.append((attribute, list[part.made | None], msgspec.NODEFAULT))  # type: ignore[name-defined]  # made at run time
                inputs.append(
                    TypedInput(
                        each.variable,
                        tuple(
                            TypedPath(spot, compile_keys(spot, each.representation, part), compile_merge(spot, part))
                            for spot in spots
                        ),
                        attribute,
                    )
                )
            data = msgspec.defstruct("Data", parts, kw_only=True, gc=False, rename=names.get)
        return TypedFetch(
            id=fetch.id,
            subgraph=fetch.subgraph,
            document=fetch.document,
            operation_name=fetch.operation_name,
            variables=fetch.variables,
            root_fields=compiled.fetch.root_fields if isinstance(compiled, CompiledRoot) else (),
            prefix=compiled.prefix,
            begin=begin_with(compiled.client),
            begins_itself=hasattr(compiled.client, "begin"),
            inputs=tuple(inputs),
            merge_root=merge_root,
            data=data,
            creates=tuple(self._created[id(fetch)]),
        )

    def _inputs(self, compiled: CompiledEntity) -> list[EntityInput]:
        """Return the inputs that are wanted under the assignment."""
        if any(each.is_root for each in compiled.inputs):
            raise NotTyped("fields of the root type, below it")
        inputs = []
        for each in compiled.fetch.inputs:
            if each.input_rewrites or each.output_rewrites or each.context_arguments:
                raise NotTyped("rewrites, or arguments from a context")
            if all(self._assignment[name] is wanted for name, wanted in each.conditions):
                inputs.append(each)
        if len(inputs) < len(compiled.fetch.inputs):
            # What isn't wanted is asked for none, but it is still in the document.
            raise NotTyped("inputs under a condition")
        return inputs

    def _at(self, path: Path) -> Spot:
        """Return the place at the end of a path."""
        spot = self._root
        for step in path:
            match step:
                case PathKey(name, possible_types):
                    _check_type(spot, possible_types)
                    if name not in spot.children:
                        raise NotTyped("a path through what the client did not select")
                    spot = spot.children[name]
                case EachItem(possible_types):
                    _check_type(spot, possible_types)
        if static_path(path) != spot.place:
            raise AssertionError("a path leads to its place")
        return spot

    def _create(
        self,
        spot: Spot,
        names: Mapping[str, Sequence[SelectionSetNode]],
        fragments: Fragments,
        creator: object,
        created: list[Spot],
    ) -> None:
        """Note that a part of an answer brings these fields of a place, and the places below."""
        spot.brought.update(names)
        for name, selections in names.items():
            child = spot.children.get(name)
            if child is None:
                continue
            if child.creator is not None:
                raise NotTyped("a place that several fetches write")
            child.creator = creator
            created.append(child)
            below: dict[str, list[SelectionSetNode]] = {}
            for each in selections:
                for inner, sets in selected(each, fragments, child.type_name, self._assignment).items():
                    below.setdefault(inner, []).extend(sets)
            child.created_with.update(below)
            self._create(child, below, fragments, creator, created)


def _check_type(spot: Spot, possible_types: frozenset[str] | None) -> None:
    """Note that a step of a path asks for objects of some types."""
    if possible_types is not None:
        if spot.type_name not in possible_types:
            raise NotTyped("a path of another type")
        spot.is_named = True


def _note_sources(spot: Spot, representation: RepresentationSelection) -> None:
    if any(isinstance(each, RepresentationFragment) for each in representation):
        spot.is_named = True
    for each in fields_of(spot, representation):
        if each.source in spot.children:
            raise NotTyped("a representation that holds objects the client selected")
        if each.source == TYPENAME:
            spot.is_named = True
            continue
        spot.sources.add(each.source)
        if each.source not in spot.fields:
            spot.hidden.add(each.source)
