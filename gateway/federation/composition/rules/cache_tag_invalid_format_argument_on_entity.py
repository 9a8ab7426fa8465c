"""CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ENTITY: the @cacheTag of an entity takes a value that not each of its keys has."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import FieldNode, InlineFragmentNode, SelectionSetNode

from gateway.federation.composition.model.field_set import try_parse_field_set
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.model.subgraph import Subgraph
from gateway.federation.composition.rules.cache_tag_uses import (
    CacheTagUse,
    CacheTagValue,
    cache_tag_uses,
    is_placed_well,
    path_fault,
)
from gateway.federation.composition.rules.finding import in_subgraph


def check(subgraph: Subgraph) -> Iterator[CompositionError]:
    """Whatever key an entity is entered by, its tag has to be known from it."""
    for use in cache_tag_uses(subgraph):
        if use.field is not None or not is_placed_well(subgraph, use):
            continue
        for value in use.readable_values():
            if value.source != use.source or not _is_in_each_key(subgraph, use, value):
                yield in_subgraph(
                    subgraph,
                    "CACHE_TAG_INVALID_FORMAT_ARGUMENT_ON_ENTITY",
                    f"the @cacheTag `{use.format}` of `{use.coordinate}` takes `{value}`, which is not in each of its keys",
                    coordinate=use.coordinate,
                    at=(use.applied, use.parent),
                    mend="Write `{$key.…}` with a field that all keys of the type have.",
                )


def _is_in_each_key(subgraph: Subgraph, use: CacheTagUse, value: CacheTagValue) -> bool:
    if path_fault(subgraph, use, value) is not None:
        return True  # cache_tag_invalid_format.py tells
    keys = [try_parse_field_set(key.text("fields")) for key in subgraph.uses(use.parent, "key")]
    return all(key is None or _selects(key, value.path) for key in keys)


def _selects(selection: SelectionSetNode | None, path: tuple[str, ...]) -> bool:
    """Does a key have the field that a path leads to?"""
    if selection is None or not path:
        return selection is None and not path
    return any(
        _selects(node.selection_set, path)
        if isinstance(node, InlineFragmentNode)
        else isinstance(node, FieldNode) and node.name.value == path[0] and _selects(node.selection_set, path[1:])
        for node in selection.selections
    )
