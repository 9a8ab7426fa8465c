"""Describes a built schema where its types don't do so themselves: by docstrings, and by one set of words for what all share.

`ContactConnection` → "A page of contacts."; `first`, `after`, `clientMutationId` and `Node.id` mean the same everywhere.
The gateway's own subgraph says the same of its connections: composition names every difference.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strawberry.types.base import StrawberryObjectDefinition

if TYPE_CHECKING:
    from strawberry.schema.schema import Schema

ARGUMENTS: Mapping[str, str] = {
    "first": "How many items from the front of the list, or after `after`: 0 to 200, not together with `last`. 50 if neither is given.",
    "after": "Opaque cursor of an item of this list: the page begins behind it.",
    "last": "How many items from the back of the list, or before `before`: 0 to 200, not together with `first`.",
    "before": "Opaque cursor of an item of this list: the page ends ahead of it.",
    "filter": "Which items are listed; without it, all of them.",
    "orderBy": "How the list is ordered; without it, as the field says.",
    "input": "What to change, and to what. An invalid value is refused before anything is written.",
}
"""Arguments that mean the same on every field."""

_CLIENT_MUTATION_ID = "clientMutationId"
_KEY_GIVEN = (
    "Makes a repeat safe: the same text with the same input gives the first answer again, with another input it is refused. "
    "1 to 255 characters; it goes before the header `Idempotency-Key`."
)
_KEY_RETURNED = "The input's `clientMutationId`, unchanged; null where none was given."


def describe(schema: Schema) -> None:
    """Fill in the descriptions that a schema lacks. Root types stay without: no subgraph has words for the whole."""
    drawn_schema = schema._schema  # noqa: SLF001 - strawberry offers no other way to the built schema
    roots = (drawn_schema.query_type, drawn_schema.mutation_type)
    for name, concrete in schema.schema_converter.type_map.items():
        definition, drawn = concrete.definition, drawn_schema.type_map.get(name)
        if not isinstance(definition, StrawberryObjectDefinition) or drawn is None:
            continue
        drawn.description = None if drawn in roots else drawn.description or _of_type(definition, name)
        fields: Mapping[str, Any] = getattr(drawn, "fields", {})
        for entry in definition.fields:
            field = fields.get(schema.config.name_converter.from_field(entry))
            if field is not None and not field.description and entry.base_resolver is not None:
                field.description = _sentence(entry.base_resolver.wrapped_func)
        for field_name, field in fields.items():
            if not field.description and field_name == _CLIENT_MUTATION_ID:
                field.description = _KEY_GIVEN if definition.is_input else _KEY_RETURNED
            for argument_name, argument in getattr(field, "args", {}).items():
                argument.description = argument.description or ARGUMENTS.get(argument_name)
            for interface in getattr(drawn, "interfaces", ()):
                if not field.description and field_name in interface.fields:
                    field.description = interface.fields[field_name].description


def _of_type(definition: StrawberryObjectDefinition, name: str) -> str | None:
    if definition.concrete_of is None:
        return _sentence(definition.origin)
    # The generic types of lists: `ContactConnection`, `ContactEdge`.
    item = name.removesuffix("Connection").removesuffix("Edge")
    words = _plural(re.sub(r"(?<!^)(?=[A-Z])", " ", item).lower())
    return f"A page of {words}." if name.endswith("Connection") else f"One of a page of {words}."


def _plural(words: str) -> str:
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _sentence(documented: object) -> str | None:
    """Return the docstring, unless it is what a dataclass generates."""
    text = inspect.cleandoc(getattr(documented, "__doc__", None) or "")
    return None if not text or text.startswith(f"{getattr(documented, '__name__', '')}(") else text
