"""Words for what the whole graph shares: connections, paging, keys of writes. The subgraphs' kit says the same of theirs.

Composition names every difference (INCONSISTENT_DESCRIPTION), so that the two can't drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLInputObjectType, GraphQLSchema, Undefined

EnumT = TypeVar("EnumT", bound=type[Enum])

ARGUMENTS: Mapping[str, str] = {
    "first": "How many items from the front of the list, or after `after`: 0 to 200, not together with `last`. 50 if neither is given.",
    "after": "Opaque cursor of an item of this list: the page begins behind it.",
    "last": "How many items from the back of the list, or before `before`: 0 to 200, not together with `first`.",
    "before": "Opaque cursor of an item of this list: the page ends ahead of it.",
    "filter": "Which events; without it, all of them.",
    "input": "What to change, and to what. An invalid value is refused before anything is written.",
    "cursor": "Go on behind the event with this cursor, as `LifecycleEvent.cursor` has it; without one, with what happens from now on. "
    "One older than what is kept is refused with EVENT_CURSOR_EXPIRED.",
}
"""Arguments that mean the same on every field."""

_CONNECTION: Mapping[str, str] = {
    "edges": "The items of this page in the list's order, each with its cursor.",
    "pageInfo": "Whether the list goes on before and after this page, and where.",
    "totalCount": "How many items the whole list has over all pages, filter applied; null where the owner can't count them.",
}
_EDGE: Mapping[str, str] = {
    "node": "The item itself.",
    "cursor": "Opaque position of the item in this list and order, for `after` and `before`.",
}
_CLIENT_MUTATION_ID = "clientMutationId"
_KEY_GIVEN = (
    "Makes a repeat safe: the same text with the same input gives the first answer again, with another input it is refused. "
    "1 to 255 characters; it goes before the header `Idempotency-Key`."
)
_KEY_RETURNED = "The input's `clientMutationId`, unchanged; null where none was given."


def describe(schema: GraphQLSchema) -> None:
    """Fill in the descriptions that a schema lacks, and leave away `= null`, which a nullable type says already."""
    for name, drawn in schema.type_map.items():
        fields: Mapping[str, Any] = getattr(drawn, "fields", {})
        words: Mapping[str, str] = {}
        if name.endswith(("Connection", "Edge")):
            item = re.sub(r"(?<!^)(?=[A-Z])", " ", name.removesuffix("Connection").removesuffix("Edge")).lower()
            is_page = name.endswith("Connection")
            drawn.description = drawn.description or f"{'A page' if is_page else 'One of a page'} of {item}s."
            words = _CONNECTION if is_page else _EDGE
        is_input = isinstance(drawn, GraphQLInputObjectType)
        for field_name, field in fields.items():
            if field_name == _CLIENT_MUTATION_ID:
                words = {_CLIENT_MUTATION_ID: _KEY_GIVEN if is_input else _KEY_RETURNED}
            inherited = (
                i.fields[field_name].description for i in getattr(drawn, "interfaces", ()) if field_name in i.fields
            )
            field.description = field.description or words.get(field_name) or next(inherited, None)
            for argument_name, argument in getattr(field, "args", {}).items():
                argument.description = argument.description or ARGUMENTS.get(argument_name)
            for optional in (field, *getattr(field, "args", {}).values()):
                if getattr(optional, "default_value", Undefined) is None:
                    optional.default_value = Undefined


def described_enum(description: str, **values: str) -> Callable[[EnumT], EnumT]:
    """Return a decorator that makes a class a GraphQL enumeration. Raises KeyError unless exactly its members are described.

    described_enum("What became of a dead letter.", WAITING="Nobody has settled it.", REPLAYED="…")(DeadLetterState)
    """

    def decorate(members: EnumT) -> EnumT:
        if difference := values.keys() ^ members.__members__.keys():
            raise KeyError(members.__name__, *sorted(difference))
        made = strawberry.enum(members, description=description)
        for value in made.__strawberry_definition__.values:  # type: ignore[attr-defined]  # strawberry adds it
            value.description = values[value.name]
        return made

    return decorate
