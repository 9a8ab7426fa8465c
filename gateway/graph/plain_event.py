"""The fields of an event that are known without asking anybody, written straight from the log's record.

A subscription that selects nothing else costs a dictionary per event, where the general way walks a schema. Whatever is
not in the table here (`drift`, a contract's `id`, a fragment, a directive) leaves the whole selection to the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import DocumentNode, FieldNode, OperationDefinitionNode, SelectionSetNode

from gateway.events.event import Change, print_instant
from gateway.events.source_stream import StreamedEvent

Get = Callable[[Any], Any]
PlainEvent = Callable[[StreamedEvent], dict[str, Any]]
"""Returns the data of one event: `{"contractEvents": {"id": …, "contract": {"number": …}}}`, the receiver's own."""

_EVENT: Mapping[str, Get] = {
    "id": lambda streamed: streamed.recorded.event.id,
    "type": lambda streamed: streamed.recorded.event.type,
    "subject": lambda streamed: streamed.recorded.event.subject,
    "time": lambda streamed: print_instant(streamed.recorded.event.time),
    "recordedTime": lambda streamed: print_instant(streamed.recorded.recorded_at),
    "sequence": lambda streamed: streamed.recorded.sequence,
    "cursor": lambda streamed: streamed.cursor,
    "correlationId": lambda streamed: streamed.recorded.event.correlation_id,
    "causationId": lambda streamed: streamed.recorded.event.causation_id,
    "replayOf": lambda streamed: streamed.recorded.event.replay_of,
    "source": lambda streamed: streamed.recorded.event.source,
    "coalesced": lambda streamed: streamed.coalesced,
    "feature": lambda streamed: streamed.recorded.event.keys.get("feature"),
    "__typename": lambda _: "LifecycleEvent",
}
_CHANGE: Mapping[str, Get] = {
    "field": lambda change: change.field,
    "from": lambda change: change.before,
    "to": lambda change: change.after,
    "__typename": lambda _: "FieldChange",
}
_ENTITIES: Mapping[str, tuple[str, str]] = {
    "customer": ("Customer", "id"),
    "contract": ("Contract", "number"),
    "invoice": ("Invoice", "number"),
    "opportunity": ("Opportunity", "id"),
    "entitlement": ("Entitlement", "id"),
}
"""Field → type of the entity, and the field of it that the event knows."""


def compile_plain_event(document: DocumentNode) -> PlainEvent | None:
    """Return what writes the events of a subscription, or None where some field of it is not plain."""
    match document.definitions:
        case (OperationDefinitionNode(selection_set=SelectionSetNode(selections=(FieldNode() as root,))),):
            pass
        case _:
            return None
    name = _response_name(root)
    fields = _fields(root.selection_set, _event_field)
    if root.directives or fields is None:
        return None
    pairs = tuple(fields.items())

    def plain(streamed: StreamedEvent) -> dict[str, Any]:
        return {name: {key: get(streamed) for key, get in pairs}}

    return plain


def _fields(selection: SelectionSetNode | None, compiled: Callable[[FieldNode], Get | None]) -> dict[str, Get] | None:
    fields: dict[str, Get] = {}
    for node in selection.selections if selection is not None else ():
        if not isinstance(node, FieldNode) or node.directives or _response_name(node) in fields:
            return None
        get = compiled(node)
        if get is None:
            return None
        fields[_response_name(node)] = get
    return fields


def _event_field(node: FieldNode) -> Get | None:
    name = node.name.value
    if name == "changes":
        return _changes(node)
    if name in _ENTITIES:
        return _entity(node, name, *_ENTITIES[name])
    return _EVENT.get(name)


def _changes(node: FieldNode) -> Get | None:
    fields = _fields(node.selection_set, lambda each: _CHANGE.get(each.name.value))
    if fields is None:
        return None
    pairs = tuple(fields.items())

    def changes(streamed: StreamedEvent) -> list[dict[str, Any]]:
        found: tuple[Change, ...] = streamed.recorded.event.changes
        return [{key: get(change) for key, get in pairs} for change in found]

    return changes


def _entity(node: FieldNode, key_name: str, typename: str, field: str) -> Get | None:
    known: Mapping[str, Get] = {field: lambda key: key, "__typename": lambda _: typename}
    fields = _fields(node.selection_set, lambda each: known.get(each.name.value))
    if fields is None:
        return None
    pairs = tuple(fields.items())

    def entity(streamed: StreamedEvent) -> dict[str, Any] | None:
        key = streamed.recorded.event.keys.get(key_name)
        return None if key is None else {response_name: get(key) for response_name, get in pairs}

    return entity


def _response_name(node: FieldNode) -> str:
    return node.alias.value if node.alias is not None else node.name.value
