"""Which objects of the response tree may be one: an entity's mentions that hold its key and nothing else.

A hundred reviews of four products hold a hundred dicts `{"__typename": "Product", "upc": "1"}`. All that is added to
them later comes from fetches by that key, so equal ones stay equal for ever. Once the first fetch has collected them,
the tree holds one dict for each product, and later fetches, merges and completion meet four objects, not a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from gateway.execution.merge import read_selection
from gateway.execution.walk import static_path
from gateway.federation.plan import (
    EntityFetch,
    EntityInput,
    FieldRewrite,
    Path,
    PlanNode,
    RepresentationField,
    RootFetch,
    SubscriptionPlan,
    fetches_of,
)

Place = tuple[str, ...]
"""Response names from the root, without list steps: `("users", "reviews", "product")`."""

Mentions = Mapping[Place, frozenset[str]]
"""Place → response names that an answer gives there. Where a representation holds them all, equal ones are of equal
objects. Places that can't be shared are left out."""


@dataclass(slots=True)
class _Written:
    """What the fetches of a plan write."""

    mentions: dict[Place, set[str]] = field(default_factory=dict)
    """Place → response names that come with an answer in which the place is nested: not by the entity's own key."""
    renamed: set[Place] = field(default_factory=set)
    """Places whose names, or whose content's names, differ from the documents'."""
    paths: list[Path] = field(default_factory=list)
    """Of all entity inputs."""


def mentions_of(root: PlanNode | SubscriptionPlan | None) -> Mentions:
    """Return the places at which entities are mentioned and objects can be shared."""
    written = _Written()
    for fetch in fetches_of(root):
        selection, fragments = read_selection(fetch.document)
        if isinstance(fetch, RootFetch):
            _note(written, selection, fragments, ())
            _note_renames(written, fetch.output_rewrites, ())
            continue
        top = {(node.alias or node.name).value: node for node in selection.selections if isinstance(node, FieldNode)}
        for each in fetch.inputs:
            inner = selection if each.is_root else top[each.response_name].selection_set
            for path in each.paths:
                written.paths.append(path)
                if inner is not None:
                    _note_below(written, inner, fragments, static_path(path))
                _note_renames(written, each.output_rewrites, static_path(path))
    return {
        static_path(path): frozenset(written.mentions.get(static_path(path), ()))
        for path in written.paths
        if _is_uniform(written, path)
    }


def is_shared(mentions: Mentions, entity_input: EntityInput, path: Path) -> bool:
    """Tell whether objects at the end of a path that give equal representations are equal, now and later."""
    names = mentions.get(static_path(path))
    if names is None or entity_input.input_rewrites:
        return False
    sources = set()
    for each in entity_input.representation:
        if not isinstance(each, RepresentationField) or each.selection:
            return False
        sources.add(each.source)
    return names <= sources


def shared_places(root: PlanNode | SubscriptionPlan | None, mentions: Mentions) -> frozenset[Place]:
    """Return the places at which the tree will hold one object more than once."""
    return frozenset(
        static_path(path)
        for fetch in fetches_of(root)
        if isinstance(fetch, EntityFetch)
        for each in fetch.inputs
        for path in each.paths
        if is_shared(mentions, each, path)
    )


def _is_uniform(written: _Written, path: Path) -> bool:
    """Tell whether all objects of a path are led to alike, by this path and by those that go on from it.

    A path that asks for a type further up tells some of them from others.
    """
    place = static_path(path)
    return not any(place[: len(renamed)] == renamed for renamed in written.renamed) and all(
        other[: len(path)] == path for other in written.paths if static_path(other)[: len(place)] == place
    )


def _note(
    written: _Written, selection: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], place: Place
) -> None:
    names = written.mentions.setdefault(place, set())
    for node in _fields(selection, fragments):
        names.add((node.alias or node.name).value)
    _note_below(written, selection, fragments, place)


def _note_below(
    written: _Written, selection: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], place: Place
) -> None:
    for node in _fields(selection, fragments):
        if node.selection_set is not None:
            _note(written, node.selection_set, fragments, (*place, (node.alias or node.name).value))


def _fields(selection: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    for node in selection.selections:
        match node:
            case FieldNode():
                yield node
            case InlineFragmentNode():
                yield from _fields(node.selection_set, fragments)
            case FragmentSpreadNode():
                yield from _fields(fragments[node.name.value].selection_set, fragments)


def _note_renames(written: _Written, rewrites: tuple[FieldRewrite, ...], place: Place) -> None:
    for change in rewrites:
        written.renamed.add((*place, *static_path(change.path[:-1])))
