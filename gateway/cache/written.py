"""What a write through the gateway may have changed: the tags of entries that must not be answered with any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.cache.entity_cache import EntityCache
from gateway.cache.tags import inner_tag, key_tag, type_tag
from gateway.execution.ports import SubgraphRequest


def changed_tags(cache: EntityCache, request: SubgraphRequest, value: Any) -> Iterator[str]:
    """Yield tags of what a mutation may have changed: the entities that its answer names, else all of their types.

    `value` is the answer, None where there is none.
    """
    key_fields = cache.known.key_fields
    found: dict[str, list[str]] = {}
    for each in _objects(value):
        type_name = each.get("__typename")
        if isinstance(type_name, str) and type_name in key_fields:
            names = [name for name in key_fields[type_name] & each.keys() if not isinstance(each[name], dict | list)]
            found.setdefault(type_name, []).extend(key_tag(type_name, name, each[name]) for name in names)
    for type_name in cache.mentioned(request.document, "Mutation"):
        yield inner_tag(request.subgraph, type_name)
        if not found.get(type_name):
            yield type_tag(request.subgraph, type_name)
    for tags in found.values():
        yield from tags


def _objects(value: Any) -> Iterable[dict[str, Any]]:
    pending = [value]  # no recursion: a value may be nested deeper than calls may be
    while pending:
        match pending.pop():
            case dict() as found:
                yield found
                pending.extend(found.values())
            case list() as found:
                pending.extend(found)
