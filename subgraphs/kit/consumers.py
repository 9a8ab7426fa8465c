"""Which consumers a subgraph's schema is for, as one page: a table from consumers to what their variants of the graph have.

    CONSUMERS = {"portal": "Query.customers Customer", "support": "Query.customers Customer.name Customer.status"}

`Customer` means the fields that this subgraph gives the type, `Customer.name` one of them. What has no key of its own (money,
connections, payloads) is in wherever a field that returns it is. The table becomes `@tag`s; a gateway's configuration makes
contracts of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, TypeAlias

import strawberry
from strawberry.federation.schema_directives import External, Inaccessible, Key, Tag
from strawberry.types.base import StrawberryContainer

Consumers: TypeAlias = Mapping[str, str]
"""Consumer → coordinates, by spaces."""

_OURS = "subgraphs.kit."


def tag(consumers: Consumers, schema: strawberry.Schema) -> None:
    """Write the table's tags on the fields of a schema. Raises KeyError for a coordinate that isn't there.

    The kit's own types, which several subgraphs share, get the tags of all consumers: a contract hides what it does not reach.
    """
    types = {
        name: concrete.definition
        for name, concrete in schema.schema_converter.type_map.items()
        if hasattr(concrete.definition, "fields")
    }
    shared = {id(field) for each in types.values() if _is_shared(each) for field in each.fields}
    for definition in types.values():
        if not _is_shared(definition):  # what is inherited from an interface is one object there: here it is another
            definition.fields[:] = [copy(each) if id(each) in shared else each for each in definition.fields]
    naming = schema.config.name_converter
    tags: defaultdict[int, set[str]] = defaultdict(set)
    elements: dict[int, Any] = {}

    def mark(fields: Iterable[Any], consumer: str) -> None:
        for field in fields:
            if consumer in tags[id(field)] or any(
                isinstance(each, External | Inaccessible) for each in field.directives
            ):
                continue
            elements[id(field)] = field
            tags[id(field)].add(consumer)
            returned = _definition_of(field.type)
            if returned is not None and not any(isinstance(each, Key) for each in returned.directives or ()):
                mark(returned.fields, consumer)

    for consumer, coordinates in consumers.items():
        for coordinate in coordinates.split():
            type_name, _, field_name = coordinate.partition(".")
            fields = {naming.from_field(field): field for field in types[type_name].fields}
            mark([fields[field_name]] if field_name else fields.values(), consumer)
    for definition in types.values():
        if _is_shared(definition) and not getattr(definition, "is_input", False) and not _is_hidden(definition):
            for field in definition.fields:
                elements[id(field)] = field
                tags[id(field)] = set(consumers)
    for key, element in elements.items():
        others = [each for each in element.directives or () if not isinstance(each, Tag)]
        element.directives = [*others, *(Tag(name=name) for name in sorted(tags[key]))]


def _is_hidden(definition: Any) -> bool:
    return any(isinstance(each, Inaccessible) for each in definition.directives or ())


def _is_shared(definition: Any) -> bool:
    return bool((getattr(definition, "origin", None) or str).__module__.startswith(_OURS))


def _definition_of(kind: Any) -> Any:
    """Return the definition of the object type that a field returns, or None."""
    while isinstance(kind, StrawberryContainer):
        kind = kind.of_type
    definition = getattr(kind, "__strawberry_definition__", None)
    return definition if hasattr(definition, "fields") else None
